package cli

// What is written, and whether it could be: a list that is cut short by a full disk must not look
// like a whole one. Lines that nobody waits for are held back, since each write is a system call
// and there may be thousands.

import (
	"bytes"
	"errors"
	"io"
	"sync"
	"syscall"

	"orderly/failure"
)

// mostHeld is how much output is held back at most, in bytes.
const mostHeld = 32 << 10

// held is output of lines that nobody waits for: of each of thousands of lineages that nothing
// happens to. They are written together, before anything else is, on either stream.
type held struct {
	mu   sync.Mutex
	text bytes.Buffer
}

// hold takes text that need not be written at once. To a terminal it is.
func (w *witness) hold(text string) {
	w.held.mu.Lock()
	w.held.text.WriteString(text)
	enough := w.held.text.Len() >= mostHeld || w.watched
	w.held.mu.Unlock()
	if enough {
		w.flush()
	}
}

// flush writes what is held back.
func (w *witness) flush() {
	w.held.mu.Lock()
	defer w.held.mu.Unlock()
	if w.held.text.Len() > 0 {
		w.note(w.Writer.Write(w.held.text.Bytes()))
		w.held.text.Reset()
	}
}

// after is a writer before whose output what the other stream holds back is written: a log with
// both reads in order.
type after struct {
	io.Writer
	first *witness
}

// Write implements io.Writer.
func (w after) Write(b []byte) (int, error) {
	w.first.flush()
	return w.Writer.Write(b)
}

// Unwrap returns the writer itself.
func (w after) Unwrap() io.Writer { return w.Writer }

// witness remembers that something could not be written: a list that is cut short must not look
// like a whole one.
type witness struct {
	io.Writer
	held    held
	watched bool // by a person, at a terminal
	err     error
}

// Write implements io.Writer.
func (w *witness) Write(b []byte) (int, error) {
	w.flush()
	return w.note(w.Writer.Write(b))
}

// Unwrap returns the writer itself.
func (w *witness) Unwrap() io.Writer { return w.Writer }

func (w *witness) note(n int, err error) (int, error) {
	// a reader that goes away wanted no more
	if err != nil && w.err == nil && !errors.Is(err, syscall.EPIPE) {
		w.err = err
	}
	return n, err
}

func (w *witness) failure() error {
	w.flush()
	if w.err == nil {
		return nil
	}
	return failure.Wrap(w.err, failure.Config, "Make room where the output goes.",
		"the output could not be written whole")
}
