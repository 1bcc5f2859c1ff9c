package sqlite

import (
	"golang.org/x/sys/unix"

	"orderly/failure"
)

// A ledger on a network file system loses what two hosts write at once: locks there are not
// believed.

// network names the file systems on which POSIX locks or shared memory cannot be trusted across
// hosts; "" for all others. A kind is a 32-bit number that some machines sign.
func network(kind int64) string {
	switch uint32(kind) {
	case unix.NFS_SUPER_MAGIC:
		return "NFS"
	case unix.SMB_SUPER_MAGIC, unix.CIFS_SUPER_MAGIC, unix.SMB2_SUPER_MAGIC:
		return "SMB"
	case unix.AFS_SUPER_MAGIC, unix.AFS_FS_MAGIC:
		return "AFS"
	case unix.CEPH_SUPER_MAGIC:
		return "Ceph"
	case unix.CODA_SUPER_MAGIC:
		return "Coda"
	}
	switch uint32(kind) { // what golang.org/x/sys has no names for
	case 0x01161970:
		return "GFS2"
	case 0x7461636f:
		return "OCFS2"
	case 0x0bd00bd0:
		return "Lustre"
	case 0x47504653:
		return "GPFS"
	case 0x19830326:
		return "BeeGFS"
	}
	return ""
}

func refuseNetwork(dir string) error {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return failure.Wrap(err, failure.Ledger, "",
			"the file system of %s cannot be asked for its kind", dir)
	}
	if name := network(int64(st.Type)); name != "" {
		return failure.New(failure.Ledger, "Keep the configuration directory on a local disk ("+
			failure.Do(failure.ConfigDir)+"), or let the servers use a relay.",
			"%s lies on a network file system (%s), where a ledger cannot be kept safe", dir, name)
	}
	return nil
}
