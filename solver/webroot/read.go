package webroot

import (
	"context"
	"errors"
	"io"
	"strings"

	"golang.org/x/sys/unix"
)

// What a customer wrote for his web server (.htaccess) can keep tokens from being served. It is read
// as everything of his is: with his rights from his first link on, and only if it is a plain file
// where it stands, since a link in its place could lead to what root alone may read.

// pieceBytes is how much of a file comes with one answer.
const pieceBytes = 32 << 10

// ReadFile reads a plain file in a directory of a customer's, most bytes of it at most. What is not
// there, is no plain file or may not be read is not found.
func (w *Writer) ReadFile(ctx context.Context, dir, name string, most int) (text []byte, found bool) {
	abs, err := absolute(dir)
	if err != nil || name == "" || strings.Contains(name, "/") {
		return nil, false
	}
	for {
		r, err := w.question(ctx, question{Op: opRead, Root: abs, Token: name, Offset: int64(len(text))})
		if err != nil || r.Obstacle != nil || r.Again || !r.Stands {
			return nil, false
		}
		if text = append(text, r.Piece...); len(r.Piece) == 0 || len(text) >= most {
			return text[:min(len(text), most)], true
		}
	}
}

// read reads a piece of a file in the directory that the walk has come to.
func (h *hand) read() (reply, error) {
	// Without O_NONBLOCK a pipe in the file's place would be waited for, for ever.
	fd, err := openAt(h.walk.top().fd, h.q.Token,
		unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_CLOEXEC|unix.O_NOCTTY, 0)
	if err != nil {
		return reply{}, nil // it is not there, or not for whom the helper works for
	}
	defer func() { _ = unix.Close(fd) }() // it was read
	if e, err := statOf(fd); err != nil || !e.isRegular() {
		return reply{}, nil
	}
	piece := make([]byte, pieceBytes)
	n, err := 0, error(nil)
	err = again(func() error {
		n, err = unix.Pread(fd, piece, h.q.Offset)
		return err
	})
	if err != nil && !errors.Is(err, io.EOF) {
		return reply{}, nil
	}
	return reply{Stands: true, Piece: piece[:max(n, 0)]}, nil
}
