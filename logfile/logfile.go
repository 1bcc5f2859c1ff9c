// Package logfile keeps a log: lines are appended to one file, which is set aside by its size, and
// so many of those are kept. It must never hold up whoever writes, nor fail him: not where the disk
// is full, where the directory cannot be written, or where a file system of the network has stopped
// answering. And it must never let others read what is written, nor lose a line that could be kept.
package logfile

// One goroutine does everything that a file system may keep waiting. Whoever writes waits for it as
// long as it takes a disk, so that a line is in the file before the step after it is done, and a run
// that is killed leaves a whole log; beyond that the lines wait, and the run does not.

import (
	"bytes"
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"orderly/ownfile"
)

// mostWaiting is how many lines wait, while the file does not take any. More are lost, and counted.
const mostWaiting = 1000

// Options say which log, and how much of it is kept.
type Options struct {
	Path string
	// Prepare makes the directory. What it says is why there is no log.
	Prepare func() error
	// Limit is the size in bytes at which the file is set aside as Path.1, which becomes Path.2 then.
	Limit int64
	// Keep is how many of these are kept. 0: the file is never set aside, and grows.
	Keep int
	// Patience is how long a line is waited for, Opening and Closing how long the file is: these once a
	// run, of which the last holds up nothing any more.
	Patience, Opening, Closing time.Duration
	// Ending is what tells the run to end: from then on all lines together are waited for as long as
	// one was before. nil: nothing does.
	Ending context.Context
	// Gap makes the line that stands for lines that could not be written.
	Gap func(lines int, why error) []byte
}

// File is a log. Its methods may be called from any goroutine.
type File struct {
	patience, closing time.Duration
	ended             chan struct{} // the writer's end
	trouble           trouble
	late              atomic.Bool // the writer is held up: nobody waits for it
	ending            context.Context

	mu     sync.Mutex
	queue  chan job
	closed bool
	left   time.Duration // that is waited still once the run is told to end
}

// job is a line for the writer.
type job struct {
	line []byte
	done chan struct{}
}

// Open opens a log. The error says why there is none; a log whose file system does not answer in time
// is there, and what is written to it waits.
func Open(o Options) (*File, error) {
	w := &writer{Options: o, limit: o.Limit, rename: ownfile.Rename}
	f := &File{patience: o.Patience, closing: o.Closing, ended: make(chan struct{}),
		queue: make(chan job, mostWaiting), ending: o.Ending, left: o.Patience}
	if f.ending == nil {
		f.ending = context.Background()
	}
	w.trouble = &f.trouble
	opened := make(chan error, 1)
	go f.serve(w, opened)
	timer := time.NewTimer(o.Opening)
	defer timer.Stop()
	select {
	case err := <-opened:
		if err != nil {
			close(f.queue)
			return nil, err
		}
	case <-timer.C:
		f.late.Store(true)
	}
	return f, nil
}

// serve writes what comes, until the queue is closed.
func (f *File) serve(w *writer, opened chan<- error) {
	defer close(f.ended)
	err := w.begin()
	f.trouble.note(err)
	opened <- err
	for j := range f.queue {
		w.write(j.line)
		close(j.done)
		if len(f.queue) == 0 {
			f.late.Store(false)
		}
	}
	f.trouble.note(w.end())
}

// Write writes a line. It never fails: what could not be written is said by Close.
func (f *File) Write(line []byte) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return len(line), nil // after the last word there is none
	}
	j := job{bytes.Clone(line), make(chan struct{})}
	select {
	case f.queue <- j:
	default:
		f.trouble.lose()
		return len(line), nil
	}
	if f.late.Load() {
		return len(line), nil
	}
	f.await(j)
	return len(line), nil
}

// await waits until a line is written, or too long. Whoever calls has mu.
func (f *File) await(j job) {
	patience, began := f.patience, time.Now()
	if f.ending.Err() != nil {
		patience = f.left
		defer func() { f.left -= time.Since(began) }()
	}
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-j.done:
	case <-timer.C:
		f.late.Store(true)
	}
}

// Close waits for what is not written yet, no longer than for a line once ctx has ended, and says what
// is missing of the log and why.
func (f *File) Close(ctx context.Context) error {
	f.mu.Lock()
	if f.closed {
		f.mu.Unlock()
		return nil
	}
	f.closed = true
	close(f.queue)
	f.mu.Unlock()
	timer := time.NewTimer(f.closing)
	defer timer.Stop()
	select {
	case <-f.ended:
		return f.trouble.said(0)
	case <-timer.C:
	case <-ctx.Done():
		last := time.NewTimer(f.patience)
		defer last.Stop()
		select {
		case <-f.ended:
			return f.trouble.said(0)
		case <-last.C:
		}
	}
	return f.trouble.said(len(f.queue) + 1)
}

// trouble is what went wrong with a log.
type trouble struct {
	mu    sync.Mutex
	first error
	lost  int // lines, since the last gap was marked
	all   int // lines
}

// note keeps the first of all errors: those that follow are mostly its consequences.
func (t *trouble) note(err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.first == nil {
		t.first = err
	}
}

// lose counts a line that is lost.
func (t *trouble) lose() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.lost++
	t.all++
}

// gap is how many lines are missing at this place, and why.
func (t *trouble) gap() (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.lost, t.first
}

// marked says that the log shows a gap.
func (t *trouble) marked(lines int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.lost -= lines
}

// said is all of it, with so many lines that are still waiting.
func (t *trouble) said(waiting int) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	first, missing := t.first, t.all+waiting
	if first == nil && missing > 0 {
		first = errHeldUp
	}
	if first == nil || missing == 0 {
		return first
	}
	return fmt.Errorf("%w (%d lines are missing in it)", first, missing)
}
