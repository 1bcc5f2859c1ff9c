package lock

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// A wait that nobody knows the end of is taken for a hang, so that each has a bound and says whom
// it is for.

// Patience says how long a lock is waited for, and who hears of the wait.
type Patience struct {
	Bound time.Duration // 0: not at all
	// Tell is called once, when the wait has taken a second, with the process that holds the lock:
	// 0 where the kernel does not say, or where another goroutine of this process does. nil for
	// nobody.
	Tell func(pid int)
}

// quiet is how long a wait may take before anybody is told of it.
const quiet = time.Second

// HeldError says that a lock was held for as long as somebody was ready to wait.
type HeldError struct {
	Key   string
	PID   int // of a process that holds it, 0 if that is not known
	After time.Duration
}

// Error names the lock and its holder.
func (e *HeldError) Error() string {
	if e.PID == 0 {
		return fmt.Sprintf("%q is locked", e.Key)
	}
	return fmt.Sprintf("process %d holds the lock %q", e.PID, e.Key)
}

// Wait is Lock with a bound. When that has passed the error is a *HeldError.
func (f *File) Wait(ctx context.Context, key string, p Patience) (unlock func() error, err error) {
	unlock, free, err := f.TryLock(key)
	if free || err != nil {
		return unlock, err
	}
	if p.Bound > 0 {
		bounded, cancel := context.WithTimeout(ctx, p.Bound)
		defer cancel()
		stop := f.telling(bounded, key, p.Tell)
		unlock, err = f.Lock(bounded, key)
		stop()
		if err == nil || ctx.Err() != nil || !errors.Is(err, context.DeadlineExceeded) {
			return unlock, err
		}
	}
	pid, _ := f.Holder(key) // for people: what is not known is left out
	return nil, &HeldError{key, pid, p.Bound}
}

// telling tells of a wait that takes its time. stop returns when nothing is told any more.
func (f *File) telling(ctx context.Context, key string, tell func(pid int)) (stop func()) {
	if tell == nil {
		return func() {}
	}
	ended, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		timer := time.NewTimer(quiet)
		defer timer.Stop()
		select {
		case <-timer.C:
			pid, _ := f.Holder(key)
			tell(pid)
		case <-ended:
		case <-ctx.Done():
		}
	}()
	return func() {
		close(ended)
		<-done
	}
}

// Holder is the process that holds a key, 0 if none does, or if it is this one.
func (f *File) Holder(key string) (pid int, err error) {
	l := unix.Flock_t{Type: unix.F_WRLCK, Whence: io.SeekStart, Start: offset(key), Len: 1}
	if err := control(f.file, unix.F_GETLK, &l); err != nil {
		return 0, fmt.Errorf("asking for the lock %q in %s: %w", key, f.file.Name(), err)
	}
	return holder(l), nil
}

// holder is the process that a question for a lock was answered with.
func holder(l unix.Flock_t) int {
	if l.Type == unix.F_UNLCK || l.Pid < 0 {
		return 0
	}
	return int(l.Pid)
}

// blocker is the process whose lock on an open file is in the way of one of a kind, 0 if that is
// not known.
func blocker(f *os.File, kind int16) int {
	l := unix.Flock_t{Type: kind, Whence: io.SeekStart}
	if err := control(f, unix.F_GETLK, &l); err != nil {
		return 0
	}
	return holder(l)
}
