package webroot

import "golang.org/x/sys/unix"

// What a walk needs of the kernel and is done otherwise elsewhere.

// openPath opens an entry for its place in the tree alone: no right to read it is asked for, so
// that a document root below a directory of mode 0711 is reached, and nothing happens to a device
// or a pipe.
const openPath = unix.O_PATH

// hide keeps other processes of the user whose identity this one takes from tracing it or reading
// its memory.
func hide() error { return unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0) }

// readLink reads the target of the link that fd was opened from.
func readLink(fd, _ int, _ string) (string, error) { return readLinkAt(fd, "") }

// readOnlyFlag is that of a file system that is mounted read-only.
const readOnlyFlag = unix.ST_RDONLY

// descriptors is where the kernel lists what this process has open.
const descriptors = "/proc/self/fd"

// descriptorsAll says that all of them are listed there.
const descriptorsAll = true

// moment is the clock by which the kernel stamps files.
func moment() unix.Timespec {
	var now unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_REALTIME_COARSE, &now) // cannot fail
	return now
}

// bornSince reports whether the directory fd was made at or after a moment, or whether its file
// system cannot tell.
func bornSince(fd int, since unix.Timespec) bool {
	var st unix.Statx_t
	err := unix.Statx(fd, "", unix.AT_EMPTY_PATH|unix.AT_SYMLINK_NOFOLLOW, unix.STATX_BTIME, &st)
	if err != nil || st.Mask&unix.STATX_BTIME == 0 {
		return true
	}
	return st.Btime.Sec > since.Sec ||
		st.Btime.Sec == since.Sec && int64(st.Btime.Nsec) >= since.Nsec
}

// writable asks the kernel, without writing, whether entries may be made in a directory. Only
// faccessat2 (Linux 5.8) goes by the effective user; a container's filter of system calls may
// refuse it as such.
func writable(fd int) error {
	err := unix.Faccessat2(fd, ".", unix.W_OK|unix.X_OK, unix.AT_EACCESS)
	if err == unix.EPERM && unix.Faccessat2(fd, ".", unix.F_OK, unix.AT_EACCESS) == unix.EPERM {
		return unix.ENOSYS
	}
	return err
}
