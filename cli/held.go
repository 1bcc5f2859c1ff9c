package cli

import (
	"bytes"
	"io"
	"sync"
)

// mostHeld is how much output is held back at most, in bytes.
const mostHeld = 32 << 10

// held is output of lines that nobody waits for: of each of thousands of lineages that nothing happens to. They are written
// together, before anything else is, on either stream.
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

// after is a writer before whose output what the other stream holds back is written: a log with both reads in order.
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
