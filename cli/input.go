package cli

import (
	"context"
	"io"
)

// input is what a person types, until the run is told to end: whoever waits for an answer must not be deaf to a signal.
func (e Env) input() io.Reader {
	if e.Stdin == nil {
		return nil
	}
	return typed{e.Stdin, e.ending}
}

// typed reads what a person types. The end of the context ends a read; what is typed afterwards is lost.
type typed struct {
	from   io.Reader
	ending context.Context
}

// Read implements io.Reader.
func (t typed) Read(p []byte) (int, error) {
	type answer struct {
		text []byte
		err  error
	}
	read := make(chan answer, 1)
	go func() { // it goes on until the process ends, if nobody ever types anything
		own := make([]byte, len(p))
		n, err := t.from.Read(own)
		read <- answer{own[:n], err}
	}()
	select {
	case a := <-read:
		return copy(p, a.text), a.err
	case <-t.ending.Done():
		return 0, context.Cause(t.ending)
	}
}
