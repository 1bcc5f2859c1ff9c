package e2e_test

import "golang.org/x/sys/unix"

// olderShapes are those of the system calls that take no directory, which newer architectures do not have.
func olderShapes() map[uint64]shape {
	return map[uint64]shape{
		unix.SYS_UNLINK: {"remove", none, 0}, unix.SYS_RMDIR: {"remove", none, 0}, unix.SYS_MKDIR: {"mkdir", none, 0},
		unix.SYS_RENAME: {"rename", none, 1}, unix.SYS_SYMLINK: {"link", none, 1}, unix.SYS_LINK: {"link", none, 1},
		unix.SYS_CHMOD: {"attributes", none, 0}, unix.SYS_CHOWN: {"attributes", none, 0}, unix.SYS_LCHOWN: {"attributes", none, 0},
	}
}
