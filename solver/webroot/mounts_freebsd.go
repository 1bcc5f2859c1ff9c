package webroot

import (
	"os"

	"golang.org/x/sys/unix"
)

// Which file system does not answer is found in the kernel's own list: to look at its path would be
// to wait for it.

// mount is where a file system is mounted, and what it is.
type mount struct {
	point, kind string
}

// mountOf finds the file system of a path by its text alone, from the kernel's list: nothing of the
// path is touched, since it may not answer.
func mountOf(p string) mount {
	n, err := unix.Getfsstat(nil, unix.MNT_NOWAIT)
	if err != nil {
		return mount{}
	}
	all := make([]unix.Statfs_t, n+8)
	if n, err = unix.Getfsstat(all, unix.MNT_NOWAIT); err != nil {
		return mount{}
	}
	var best mount
	for _, m := range all[:n] {
		point := unix.ByteSliceToString(m.Mntonname[:])
		if within(p, point) && len(point) >= len(best.point) {
			best = mount{point: point, kind: unix.ByteSliceToString(m.Fstypename[:])}
		}
	}
	return best
}

// thisProgram is what was executed for this process.
func thisProgram() (string, error) { return os.Executable() }
