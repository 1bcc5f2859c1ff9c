package cli

// What a command sees of the world comes in here, so that tests call whole commands in their own
// process.

import (
	"context"
	"io"

	"orderly/schedule"
)

// Env is what the command line sees of the world. Everything a command reads or writes beside files
// goes through it.
type Env struct {
	// Program is what the program was called as; as certbot it speaks as certbot does where the two
	// differ.
	Program string
	Args    []string // without the program's name
	// ConfigFiles are read before the one that -c names; nil for certbot's places.
	ConfigFiles []string

	// Renewals is where schedules of renewals are looked for, once a certificate is there.
	Renewals schedule.Host

	Getenv func(string) string
	Stdin  io.Reader
	Stdout io.Writer
	Stderr io.Writer
	PID    int

	ending context.Context // what ends the command
}

// input is what a person types, until the run is told to end: whoever waits for an answer must not
// be deaf to a signal.
func (e Env) input() io.Reader {
	if e.Stdin == nil {
		return nil
	}
	return typed{e.Stdin, e.ending}
}

// typed reads what a person types. The end of the context ends a read; what is typed afterwards is
// lost.
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
