package lock

import (
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// Foreign tells whether another process holds a lock file of another program's exclusively, without
// taking it, making it or waiting for it: certbot at work in that directory. pid is 0 where the
// kernel does not name the process, as for one of another container. A lock of this process does
// not count, and the path must be none that it holds a lock on: closing the file would drop that.
func Foreign(path string) (pid int, held bool, err error) {
	const flags = os.O_RDONLY | unix.O_NOFOLLOW | unix.O_NONBLOCK | unix.O_CLOEXEC
	f, err := os.OpenFile(path, flags, 0)
	if err != nil {
		return 0, false, fmt.Errorf("looking for the lock: %w", err)
	}
	defer func() { _ = f.Close() }() // nothing was written
	// Asked for a shared one, the kernel names none but an exclusive one: Orderlies' are shared.
	l := unix.Flock_t{Type: unix.F_RDLCK, Whence: io.SeekStart}
	if err := control(f, unix.F_GETLK, &l); err != nil {
		return 0, false, fmt.Errorf("asking for the lock %s: %w", path, err)
	}
	return holder(l), l.Type != unix.F_UNLCK, nil
}
