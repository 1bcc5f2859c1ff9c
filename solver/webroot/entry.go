package webroot

import (
	"errors"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// Whom an entry belongs to, and who could replace it, is read from what the kernel holds open,
// never from a path: that could be another entry by then.

// entry is what decides about trust in a directory entry, taken from an open descriptor or from an
// entry that was not followed.
type entry struct {
	device, inode uint64
	links         uint64
	mode          uint32
	uid, gid      uint32
	size          int64
	changed       time.Time // when its content was last written
}

func entryOf(st *unix.Stat_t) entry {
	return entry{
		device: uint64(st.Dev), inode: uint64(st.Ino), links: uint64(st.Nlink),
		mode: uint32(st.Mode), uid: st.Uid, gid: st.Gid, size: int64(st.Size),
		changed: time.Unix(st.Mtim.Unix()),
	}
}

func (e entry) permissions() uint32 { return e.mode & 0o777 }
func (e entry) sticky() bool        { return e.mode&unix.S_ISVTX != 0 }
func (e entry) isDirectory() bool   { return e.mode&unix.S_IFMT == unix.S_IFDIR }
func (e entry) isLink() bool        { return e.mode&unix.S_IFMT == unix.S_IFLNK }
func (e entry) isRegular() bool     { return e.mode&unix.S_IFMT == unix.S_IFREG }

// kind names what stands in a directory's place, for a sentence.
func (e entry) kind() string {
	switch e.mode & unix.S_IFMT {
	case unix.S_IFREG:
		return "a plain file"
	case unix.S_IFIFO:
		return "a named pipe"
	case unix.S_IFSOCK:
		return "a socket"
	case unix.S_IFBLK, unix.S_IFCHR:
		return "a device"
	case unix.S_IFDIR:
		return "a directory"
	}
	return "a link"
}

// self is the process, as far as trust goes.
type self struct{ uid, gid uint32 }

func currentSelf() self {
	return self{uid: uint32(os.Geteuid()), gid: uint32(os.Getegid())}
}

// trusts reports whether uid can do nothing to this process that it could not do anyway: root, and
// the process's own.
func (s self) trusts(uid uint32) bool { return uid == 0 || uid == s.uid }

// openToOthers reports whether anyone else can put, replace or remove entries in directory e. With
// an access list the group bits are its mask, so an entry for another user shows there. A process
// that is not root does not count its own group: with the usual private groups and umask 002 nobody
// else is in it.
func (s self) openToOthers(e entry) bool {
	if !s.trusts(e.uid) || e.mode&0o002 != 0 {
		return true
	}
	return e.mode&0o020 != 0 && (s.uid == 0 || e.gid != s.gid)
}

// couldPlant reports whether someone else could have put child, a directory, where it was found in
// dir. In a sticky directory (/tmp) what root or the process itself owns cannot be renamed, and
// nobody can move a foreign directory in.
func (s self) couldPlant(dir, child entry) bool {
	if !s.openToOthers(dir) {
		return false
	}
	return !(dir.sticky() && s.trusts(dir.uid) && s.trusts(child.uid))
}

// again repeats a system call that a signal interrupted: network file systems and FUSE answer
// EINTR.
func again(call func() error) error {
	for {
		if err := call(); !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}

func openAt(dir int, name string, flags int, mode uint32) (fd int, err error) {
	err = again(func() (err error) {
		fd, err = unix.Openat(dir, name, flags, mode)
		return err
	})
	return fd, err
}

func statAt(dir int, name string) (entry, error) {
	var st unix.Stat_t
	err := again(func() error { return unix.Fstatat(dir, name, &st, unix.AT_SYMLINK_NOFOLLOW) })
	return entryOf(&st), err
}

func statOf(fd int) (entry, error) {
	var st unix.Stat_t
	err := again(func() error { return unix.Fstat(fd, &st) })
	return entryOf(&st), err
}

func makeAt(dir int, name string, mode uint32) error {
	return again(func() error { return unix.Mkdirat(dir, name, mode) })
}

func unlinkAt(dir int, name string, flags int) error {
	return again(func() error { return unix.Unlinkat(dir, name, flags) })
}

func readLinkAt(dir int, name string) (string, error) {
	buf := make([]byte, unix.PathMax)
	n := 0
	err := again(func() (err error) {
		n, err = unix.Readlinkat(dir, name, buf)
		return err
	})
	if err != nil {
		return "", err
	}
	return string(buf[:n]), nil
}
