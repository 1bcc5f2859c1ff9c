// Package lock excludes other processes of this machine by kernel record locks (POSIX fcntl), which
// die with their process: a killed run never leaves anything locked, and no lock is a guess about
// time. It never unlinks a lock file, because a process that waits on the unlinked one would then
// hold a lock that excludes nobody.
//
// A record lock belongs to a process and an inode, not to a descriptor: closing any descriptor of
// the file drops all locks the process has on it. So a program opens each lock file once, keeps
// that File or SharedLock for as long as any of its locks matters, and opens the path in no other
// way. The package keeps no registry that would enforce it.
package lock

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"orderly/ownfile"
)

// File is a lock file with room for any number of exclusive locks, one for each key.
type File struct {
	file *os.File

	mu   sync.Mutex
	held map[int64]*turn // record locks do not exclude threads of one process, so turns do
}

// turn is what the goroutines that want one key take turns with.
type turn struct {
	token chan struct{} // holds one element while a goroutine has its turn
	users int           // goroutines that have or await their turn; guarded by File.mu
}

// Open opens the lock file, making it with mode 0600 if it is missing. The directory must exist.
func Open(path string) (*File, error) {
	f, err := ownfile.Open(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("opening a lock file: %w", err)
	}
	return &File{file: f, held: map[int64]*turn{}}, nil
}

// Close drops every lock this process has on the file.
func (f *File) Close() error { return f.file.Close() }

// offset is the byte that stands for key: a 62-bit hash, so that offset and length fit off_t with
// room to spare. Two keys that share one wait for each other and are otherwise right.
func offset(key string) int64 {
	sum := sha256.Sum256([]byte(key))
	return int64(binary.BigEndian.Uint64(sum[:8]) >> 2)
}

// Lock waits until no other process and no other goroutine holds key, and takes it. It asks the
// kernel again after pauses that grow from 2 to 100 ms, until ctx ends; the error then wraps ctx's
// cause. Calls of unlock after the first do nothing.
func (f *File) Lock(ctx context.Context, key string) (unlock func() error, err error) {
	at := offset(key)
	t := f.join(at)
	select {
	case t.token <- struct{}{}:
	case <-ctx.Done():
		f.leave(at, t)
		return nil, f.waited(ctx, key)
	}
	err = poll(ctx, func() (bool, error) { return f.set(unix.F_WRLCK, at) })
	if err == nil {
		return sync.OnceValue(func() error { return f.unlock(at, t) }), nil
	}
	<-t.token
	f.leave(at, t)
	if ctx.Err() != nil {
		return nil, f.waited(ctx, key)
	}
	return nil, fmt.Errorf("locking %q in %s: %w", key, f.file.Name(), err)
}

// TryLock takes key if nobody holds it; ok tells whether it did. unlock is nil if not.
func (f *File) TryLock(key string) (unlock func() error, ok bool, err error) {
	at := offset(key)
	t := f.join(at)
	select {
	case t.token <- struct{}{}:
	default:
		f.leave(at, t)
		return nil, false, nil
	}
	ok, err = f.set(unix.F_WRLCK, at)
	if ok && err == nil {
		return sync.OnceValue(func() error { return f.unlock(at, t) }), true, nil
	}
	<-t.token
	f.leave(at, t)
	if err != nil {
		err = fmt.Errorf("locking %q in %s: %w", key, f.file.Name(), err)
	}
	return nil, false, err
}

// Held tells whether another process holds key now. Locks of this process are not reported.
func (f *File) Held(key string) (bool, error) {
	l := unix.Flock_t{Type: unix.F_WRLCK, Whence: io.SeekStart, Start: offset(key), Len: 1}
	if err := control(f.file, unix.F_GETLK, &l); err != nil {
		return false, fmt.Errorf("asking for the lock %q in %s: %w", key, f.file.Name(), err)
	}
	// its process may be one that this one cannot see, of another container
	return l.Type != unix.F_UNLCK, nil
}

func (f *File) waited(ctx context.Context, key string) error {
	return fmt.Errorf("waiting for the lock %q in %s: %w", key, f.file.Name(), context.Cause(ctx))
}

func (f *File) join(at int64) *turn {
	f.mu.Lock()
	defer f.mu.Unlock()
	t := f.held[at]
	if t == nil {
		t = &turn{token: make(chan struct{}, 1)}
		f.held[at] = t
	}
	t.users++
	return t
}

func (f *File) leave(at int64, t *turn) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if t.users--; t.users == 0 {
		delete(f.held, at)
	}
}

// unlock gives the record lock back before the turn: the other way round the next goroutine's lock
// would be undone.
func (f *File) unlock(at int64, t *turn) error {
	_, err := f.set(unix.F_UNLCK, at)
	<-t.token
	f.leave(at, t)
	if err != nil {
		return fmt.Errorf("unlocking in %s: %w", f.file.Name(), err)
	}
	return nil
}

func (f *File) set(kind int16, at int64) (bool, error) {
	return setLock(f.file, &unix.Flock_t{Type: kind, Whence: io.SeekStart, Start: at, Len: 1})
}

// setLock reports false without an error when another process holds a lock in the way.
func setLock(f *os.File, l *unix.Flock_t) (bool, error) {
	err := control(f, unix.F_SETLK, l)
	if errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.EACCES) {
		return false, nil
	}
	return err == nil, err
}

// control calls fcntl through SyscallConn, so that a descriptor closed at the same moment is never
// used.
func control(f *os.File, command int, l *unix.Flock_t) error {
	conn, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var result error
	err = conn.Control(func(fd uintptr) {
		for {
			if result = unix.FcntlFlock(fd, command, l); !errors.Is(result, unix.EINTR) {
				return
			}
		}
	})
	if err != nil {
		return err
	}
	return result
}

// The pauses between two questions to the kernel.
const (
	firstPause = 2 * time.Millisecond
	longPause  = 100 * time.Millisecond
)

// poll calls try until it succeeds, errs, or ctx ends. F_SETLKW would block a thread that no
// context can wake.
func poll(ctx context.Context, try func() (bool, error)) error {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for pause := firstPause; ; pause = min(2*pause, longPause) {
		if ok, err := try(); ok || err != nil {
			return err
		}
		timer.Reset(pause)
		select {
		case <-timer.C:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}
