package webroot

import (
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Whether a file system's word about owners is the kernel's own, as Linux tells it.

// isLocal lists the file systems on which an owner is an owner and a call comes to an end: those
// that this kernel keeps on its own disks or in its memory. Whatever is not listed is treated with
// care.
func isLocal(magic int64) bool {
	switch uint32(magic) {
	case unix.EXT4_SUPER_MAGIC, unix.XFS_SUPER_MAGIC, unix.BTRFS_SUPER_MAGIC, unix.TMPFS_MAGIC,
		unix.OVERLAYFS_SUPER_MAGIC, unix.RAMFS_MAGIC, unix.F2FS_SUPER_MAGIC,
		unix.REISERFS_SUPER_MAGIC, unix.NILFS_SUPER_MAGIC, unix.SQUASHFS_MAGIC,
		unix.ISOFS_SUPER_MAGIC, unix.EROFS_SUPER_MAGIC_V1, unix.MSDOS_SUPER_MAGIC,
		unix.ECRYPTFS_SUPER_MAGIC, unix.SYSFS_MAGIC, unix.PROC_SUPER_MAGIC, zfsMagic, jfsMagic,
		bcachefsMagic, exfatMagic, ntfs3Magic:
		return true
	}
	return false
}

const (
	zfsMagic      = 0x2fc12fc1
	jfsMagic      = 0x3153464a
	bcachefsMagic = 0xca451a4e
	exfatMagic    = 0x2011bab0
	ntfs3Magic    = 0x7366746e
)

// abroad looks whether an open directory is on a file system of which somebody else answers for
// owners, and in what time: FUSE, or a network file system. mounter is the user whose program that
// is, where it is not root's.
func abroad(fd int) (foreign bool, mounter uint32) {
	var st unix.Statfs_t
	if err := again(func() error { return unix.Fstatfs(fd, &st) }); err != nil || isLocal(st.Type) {
		return err != nil, 0
	}
	if st.Type != unix.FUSE_SUPER_MAGIC {
		return true, 0
	}
	id, err := os.ReadFile("/proc/self/fdinfo/" + strconv.Itoa(fd))
	if err != nil {
		return true, 0
	}
	_, rest, _ := strings.Cut(string(id), "mnt_id:")
	number, _, _ := strings.Cut(rest, "\n")
	return true, mountedBy(strings.TrimSpace(number))
}

// mountedBy is the user who mounted a FUSE file system: the program that answers for it runs with
// that user's rights.
func mountedBy(id string) uint32 {
	text, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(text)) {
		if number, _, _ := strings.Cut(line, " "); number != id {
			continue
		}
		_, after, _ := strings.Cut(line, " - ")
		fields := strings.Fields(after)
		for option := range strings.SplitSeq(fields[len(fields)-1], ",") {
			uid, ok := strings.CutPrefix(option, "user_id=")
			if n, err := strconv.ParseUint(uid, 10, 32); ok && err == nil {
				return uint32(n)
			}
		}
	}
	return 0
}
