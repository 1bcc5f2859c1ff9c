package webroot

import "golang.org/x/sys/unix"

// What a walk needs of the kernel and is done otherwise elsewhere.

// openPath is O_PATH (FreeBSD 13.1), which golang.org/x/sys does not name yet: it opens an entry
// for its place in the tree alone, so that no right to read it is asked for and nothing happens to
// a device or a pipe.
const openPath = 0x00400000

// hide has nothing to do: a process whose effective and real user differ cannot be traced by either
// (P_SUGID).
func hide() error { return nil }

// readLink reads the target of the link that fd was opened from. A kernel that does not take an
// empty path is asked by name, and the link must be the same one before and after.
func readLink(fd, dir int, name string) (string, error) {
	if target, err := readLinkAt(fd, ""); err == nil {
		return target, nil
	}
	opened, err := statOf(fd)
	if err != nil {
		return "", err
	}
	target, err := readLinkAt(dir, name)
	if err != nil {
		return "", err
	}
	after, err := statAt(dir, name)
	if err == nil && (after.device != opened.device || after.inode != opened.inode || after.uid != opened.uid) {
		err = unix.ESTALE
	}
	return target, err
}

// readOnlyFlag is that of a file system that is mounted read-only.
const readOnlyFlag = unix.MNT_RDONLY

// descriptors is where the kernel lists what this process has open, where fdescfs is mounted.
const descriptors = "/dev/fd"

// descriptorsAll says that all of them are listed there: without fdescfs it is the first three.
const descriptorsAll = false

// moment is the clock by which the kernel stamps files, which may lag behind
// (vfs.timestamp_precision).
func moment() unix.Timespec {
	var now unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_REALTIME_FAST, &now) // cannot fail
	now.Nsec = 0
	return now
}

// bornSince reports whether the directory fd was made at or after a moment, or whether its file
// system cannot tell.
func bornSince(fd int, since unix.Timespec) bool {
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil || st.Btim.Sec <= 0 {
		return true
	}
	return st.Btim.Sec > since.Sec || st.Btim.Sec == since.Sec && st.Btim.Nsec >= since.Nsec
}

// writable asks the kernel, without writing, whether entries may be made in a directory.
func writable(fd int) error { return unix.Faccessat(fd, ".", unix.W_OK|unix.X_OK, unix.AT_EACCESS) }
