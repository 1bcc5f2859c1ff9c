package lock

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"orderly/ownfile"
)

// certbot and Orderly must not write one lineage at once. certbot's lock is taken in its own way,
// shared, so that any number of Orderlies keep it out.

// SharedLock is a shared lock on a whole file that another program locks exclusively and unlinks
// when it is done, as certbot does with .certbot.lock (certbot/_internal/lock.py): any number of
// processes may hold it, and while one does, certbot ends with "Another instance of Certbot is
// already running."
type SharedLock struct{ file *os.File }

// Telling takes the lock, exclusively where this process is to be alone, making the file with mode
// 0600 if it is missing. It waits while another holds one that is in the way, until ctx ends; the
// error then wraps ctx's cause. A process may hold one SharedLock for a path: see the package
// comment. tell, where set, is called once when the wait has taken a second, with a process that is
// in the way: 0 where that is not known.
func Telling(ctx context.Context, path string, alone bool,
	tell func(pid int)) (*SharedLock, error) {
	if alone {
		return whole(ctx, path, unix.F_WRLCK, tell)
	}
	return whole(ctx, path, unix.F_RDLCK, tell)
}

func whole(ctx context.Context, path string, kind int16, tell func(pid int)) (*SharedLock, error) {
	var held *os.File
	began := time.Now()
	err := poll(ctx, func() (bool, error) {
		f, ok, err := try(path, held, kind)
		held = f
		if !ok && err == nil && tell != nil && time.Since(began) > quiet {
			pid := 0
			if f != nil {
				pid = blocker(f, kind)
			}
			tell(pid)
			tell = nil
		}
		if ok || err == nil {
			return ok, nil
		}
		return false, err
	})
	if err == nil {
		return &SharedLock{file: held}, nil
	}
	if held != nil {
		held.Close()
	}
	if ctx.Err() != nil {
		return nil, fmt.Errorf("waiting for the lock %s: %w", path, context.Cause(ctx))
	}
	return nil, fmt.Errorf("locking %s: %w", path, err)
}

// try tries once with the open file f, or opens one if f is nil. It returns the open file for the
// next try: nil if the locked one is no longer the one at path, which certbot unlinked between our
// open and our lock.
func try(path string, f *os.File, kind int16) (open *os.File, ok bool, err error) {
	if f == nil {
		if f, err = ownfile.Open(path, os.O_RDWR|os.O_CREATE, 0o600); err != nil {
			return nil, false, err
		}
	}
	ok, err = setLock(f, &unix.Flock_t{Type: kind, Whence: io.SeekStart})
	if !ok || err != nil {
		return f, false, err
	}
	current, err := isAt(path, f)
	if err != nil {
		return f, false, err
	}
	if !current {
		return nil, false, f.Close()
	}
	return f, true, nil
}

// isAt tells whether path leads to the open file: the same device and inode.
func isAt(path string, f *os.File) (bool, error) {
	there, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	ours, err := f.Stat()
	if err != nil {
		return false, err
	}
	return os.SameFile(there, ours), nil
}

// Close gives the lock back. The file stays.
func (s *SharedLock) Close() error { return s.file.Close() }
