//go:build unix

package source

// Opening without waiting: a named pipe that took a file's place must not hold the scan.

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// openRegular opens the file that was found at a path, and no other one.
func openRegular(path string, id inode) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK|syscall.O_CLOEXEC, 0)
	if errors.Is(err, fs.ErrNotExist) {
		err = ErrMoved
	}
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("it became %s", kindOf(info.Mode()))
	}
	if err == nil && identity(info) != id {
		err = ErrMoved
	}
	if err != nil {
		_ = f.Close()
		return nil, err
	}
	return f, nil
}

type inode struct{ dev, ino uint64 }

func identity(info fs.FileInfo) inode {
	if s, ok := info.Sys().(*syscall.Stat_t); ok {
		return inode{uint64(s.Dev), uint64(s.Ino)}
	}
	return inode{}
}

// freeIn is how much may be written where a file lies.
func freeIn(f *os.File) int64 {
	var st unix.Statfs_t
	if err := unix.Fstatfs(int(f.Fd()), &st); err != nil {
		return 0
	}
	return int64(st.Bavail) * int64(st.Bsize)
}
