package fleet

// The files of a directory that anybody may have put there, and how one is opened: a link is not
// followed, a pipe not waited for, and a file that goes on for ever, packed or not, is left when it
// is too much.

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"orderly/doctor"
	"orderly/failure"
)

// mostFiles is how many files a directory may have.
const mostFiles = 50_000

// file is one that may be a document.
type file struct {
	name string
	size int64
}

// listing is a directory: its documents, the smallest first, so that a giant costs the others
// nothing; and why others are none.
type listing struct {
	files  []file
	unread []doctor.Unread
}

// list lists a directory. Hidden files are passed over: whoever copies makes some.
func list(ctx context.Context, dir string) (l listing, err error) {
	d, err := os.Open(dir)
	if err != nil {
		return l, unlisted(dir, err)
	}
	defer func() { _ = d.Close() }() // nothing is written
	for {
		entries, err := d.ReadDir(1000)
		for _, e := range entries {
			l.take(e)
		}
		switch {
		case errors.Is(err, io.EOF):
			slices.SortFunc(l.files, func(a, b file) int {
				return cmp.Or(cmp.Compare(a.size, b.size), strings.Compare(a.name, b.name))
			})
			return l, nil
		case err != nil:
			return l, unlisted(dir, err)
		case ctx.Err() != nil:
			return l, context.Cause(ctx)
		case len(l.files)+len(l.unread) > mostFiles:
			return l, failure.New(failure.Config,
				"Name a directory that has one report a server, and nothing else.",
				"the directory %s has more than %d files", dir, mostFiles)
		}
	}
}

func unlisted(dir string, err error) error {
	return failure.Wrap(err, failure.Config, "Name a directory that can be read.",
		"the directory %s cannot be read", dir)
}

// take takes an entry of the directory.
func (l *listing) take(e fs.DirEntry) {
	if strings.HasPrefix(e.Name(), ".") {
		return
	}
	f, why := lookedAt(e)
	if why == "" {
		l.files = append(l.files, f)
		return
	}
	l.unread = append(l.unread, doctor.Unread{File: failure.Clean(e.Name()), Sentence: why})
}

// lookedAt is an entry of the directory as a file, or why it is no document.
func lookedAt(e fs.DirEntry) (f file, why string) {
	info, err := e.Info()
	switch {
	case err != nil:
		return f, failure.Words("it cannot be looked at: %v", err)
	case info.IsDir():
		return f, "a directory; reports are read from the directory itself alone"
	case info.Mode()&fs.ModeSymlink != 0:
		return f, "a link, which is not followed"
	case !info.Mode().IsRegular():
		return f, "no file"
	case !strings.HasSuffix(e.Name(), ".json") && !strings.HasSuffix(e.Name(), ".json.gz"):
		return f, "not called *.json or *.json.gz"
	}
	return file{e.Name(), info.Size()}, ""
}

func tooLarge(most int64) error { return fmt.Errorf("larger than %d MB", most>>20) }

// open opens a document, unpacked.
func open(ctx context.Context, dir string, f file, most int64) (io.Reader, *os.File, error) {
	if f.size > most {
		return nil, nil, tooLarge(most)
	}
	path := filepath.Join(dir, f.name)
	// Whoever puts a link or a pipe in the file's place meanwhile is not followed, nor waited for.
	opened, err := os.OpenFile(path, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, nil, errors.New(failure.Words("it cannot be opened: %v", errors.Unwrap(err)))
	}
	if info, err := opened.Stat(); err != nil || !info.Mode().IsRegular() {
		return nil, nil, errors.Join(errors.New("no file"), opened.Close())
	}
	plain := io.Reader(opened)
	if strings.HasSuffix(f.name, ".gz") {
		if plain, err = gzip.NewReader(opened); err != nil {
			return nil, nil, errors.Join(unread(err), opened.Close())
		}
	}
	return &bounded{Reader: plain, ctx: ctx, most: most}, opened, nil
}

// mostBlanks is how many blanks may follow each other: encoding/json looks at all of them again
// whenever more of a document has come, so that megabytes of them would take hours.
const mostBlanks = 64 << 10

func errBlanks() error { return fmt.Errorf("%w: %d blanks in a row", errOther, mostBlanks) }

// bounded is a document that ends with an error where it is too large or ctx has ended.
type bounded struct {
	io.Reader
	ctx    context.Context
	most   int64
	came   int64
	blanks int // at the end of what was read
}

// Read implements io.Reader.
func (b *bounded) Read(p []byte) (int, error) {
	if b.ctx.Err() != nil {
		return 0, context.Cause(b.ctx)
	}
	n, err := b.Reader.Read(p)
	if b.came += int64(n); b.came > b.most {
		return 0, tooLarge(b.most)
	}
	rest := bytes.TrimRight(p[:n], " \t\r\n")
	if len(rest) > 0 {
		b.blanks = 0
	}
	if b.blanks += n - len(rest); b.blanks > mostBlanks {
		return 0, errBlanks()
	}
	if err != nil && err != io.EOF {
		return n, unread(err)
	}
	return n, err
}

// unread says in plain words why a file cannot be read, or unpacked.
func unread(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return errHalf
	}
	return errors.New(failure.Words("it cannot be read to its end: %v", err))
}
