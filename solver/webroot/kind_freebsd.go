package webroot

import (
	"slices"

	"golang.org/x/sys/unix"
)

// Whether a file system's word about owners is the kernel's own, as FreeBSD tells it.

// isLocal lists the file systems on which an owner is an owner and a call comes to an end: those
// that this kernel keeps on its own disks or in its memory. Whatever is not listed is treated with
// care.
func isLocal(kind string) bool {
	return slices.Contains([]string{"ufs", "zfs", "tmpfs", "nullfs", "unionfs", "ext2fs", "msdosfs",
		"cd9660", "udf", "devfs", "procfs", "fdescfs", "linprocfs", "linsysfs"}, kind)
}

// abroad looks whether an open directory is on a file system of which somebody else answers for
// owners, and in what time: FUSE, or a network file system. mounter is the user whose program that
// is, where it is not root's.
func abroad(fd int) (foreign bool, mounter uint32) {
	var st unix.Statfs_t
	if err := again(func() error { return unix.Fstatfs(fd, &st) }); err != nil {
		return true, 0
	}
	if isLocal(unix.ByteSliceToString(st.Fstypename[:])) {
		return false, 0
	}
	return true, st.Owner
}
