package source

// What stands around a log that is none of it: a mark that an editor put at its beginning, the hole
// of a file that was emptied under the program that writes it, zeros behind what was packed.

import (
	"bufio"
	"bytes"
	"errors"
	"io"

	"github.com/klauspost/compress/gzip"
)

// beginning looks at how a text begins, behind what stands before it. It is all zeros where nothing
// else follows.
func beginning(r *bufio.Reader) []byte {
	head, _ := r.Peek(peek)
	if len(head) > 0 && len(bytes.TrimLeft(head, "\x00")) == 0 {
		all := bytes.Clone(head)
		if !skipZeros(r) {
			return all
		}
		head, _ = r.Peek(peek)
	}
	if bytes.HasPrefix(head, []byte("\ufeff")) {
		_, _ = r.Discard(len("\ufeff"))
		head, _ = r.Peek(peek)
	}
	return head
}

// skipZeros skips what is zero and says whether something else follows.
func skipZeros(r *bufio.Reader) bool {
	for {
		if _, err := r.Peek(1); err != nil {
			return false
		}
		b, _ := r.Peek(r.Buffered())
		zeros := len(b) - len(bytes.TrimLeft(b, "\x00"))
		_, _ = r.Discard(zeros) // they were peeked at
		if zeros < len(b) {
			return true
		}
	}
}

// gunzip reads all members of a gzip file.
type gunzip struct {
	z  *gzip.Reader
	in *tally
}

func (g *gunzip) Read(p []byte) (int, error) {
	for {
		n, err := g.z.Read(p)
		if !errors.Is(err, io.EOF) {
			return n, err
		}
		if n > 0 {
			return n, nil
		}
		if !skipZeros(g.in.Reader) {
			_, err := g.in.Peek(1) // the end, or what ended the reading
			return 0, err
		}
		if err := g.z.Reset(g.in); err != nil {
			return 0, err
		}
		g.z.Multistream(false)
	}
}
