package certbot

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// These do what their namesakes in package os do, without what those allocate for each call: a
// survey of a host's lineages makes a dozen calls for each of thousands.

// retried repeats a call that a signal broke off; file systems in user space answer so.
func retried(call func() error) error {
	for {
		if err := call(); !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}

// exists tells whether something stands at path, a link that leads nowhere included.
func exists(path string) bool {
	var st unix.Stat_t
	return retried(func() error { return unix.Lstat(path, &st) }) == nil
}

// leads returns nil if path, links followed, leads to something, and the size of a file there.
func leads(path string) (size int64, err error) {
	var st unix.Stat_t
	err = retried(func() error { return unix.Stat(path, &st) })
	return sizeOf(st), err
}

// sizeOf is the size of a file, 0 of what has none.
func sizeOf(st unix.Stat_t) int64 {
	if st.Mode&unix.S_IFMT != unix.S_IFREG {
		return 0
	}
	return st.Size
}

// readlink is os.Readlink.
func readlink(path string) (string, error) {
	var buffer [256]byte
	n := 0
	err := retried(func() (err error) {
		n, err = unix.Readlink(path, buffer[:])
		return err
	})
	if err == nil && n == len(buffer) {
		return os.Readlink(path) // longer
	}
	if err != nil {
		return "", err
	}
	return string(buffer[:n]), nil
}

// namesIn lists a directory's entries, in no order.
func namesIn(dir string) ([]string, error) {
	fd := -1
	err := retried(func() (err error) {
		fd, err = unix.Open(dir, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
		return err
	})
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: dir, Err: err}
	}
	defer func() { _ = unix.Close(fd) }()
	var names []string
	buffer := make([]byte, 4<<10)
	for {
		n := 0
		err := retried(func() (err error) {
			n, err = unix.ReadDirent(fd, buffer)
			return err
		})
		if err != nil {
			return nil, &os.PathError{Op: "readdir", Path: dir, Err: err}
		}
		if n == 0 {
			return names, nil
		}
		_, _, names = unix.ParseDirent(buffer[:n], -1, names)
	}
}
