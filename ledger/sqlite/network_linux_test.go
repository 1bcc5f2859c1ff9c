package sqlite

import "testing"

// The numbers are those of the kernel's include/uapi/linux/magic.h and of the file systems' own headers.
func TestNetworkFileSystemsAreKnown(t *testing.T) {
	for magic, want := range map[uint32]string{
		0x6969:     "NFS",
		0x517b:     "SMB",
		0xff534d42: "SMB", // CIFS
		0xfe534d42: "SMB", // SMB2 and later
		0x5346414f: "AFS", // OpenAFS
		0x6b414653: "AFS", // the kernel's
		0x00c36400: "Ceph",
		0x73757245: "Coda",
		0x01161970: "GFS2",
		0x7461636f: "OCFS2",
		0x0bd00bd0: "Lustre",
		0x47504653: "GPFS",
		0x19830326: "BeeGFS",
		0xef53:     "", // ext4
		0x58465342: "", // XFS
		0x9123683e: "", // btrfs
		0x2fc12fc1: "", // ZFS
		0x01021994: "", // tmpfs
		0x794c7630: "", // overlayfs
		0xf2f52010: "", // F2FS
	} {
		for _, kind := range []int64{int64(magic), int64(int32(magic))} { // statfs has 32 signed bits on some machines
			if got := network(kind); got != want {
				t.Errorf("network(%#x) = %q, want %q", magic, got, want)
			}
		}
	}
	if err := refuseNetwork(t.TempDir()); err != nil {
		t.Error(err)
	}
	if err := refuseNetwork(t.TempDir() + "/missing"); err == nil {
		t.Error("a directory that is not there has a kind of file system")
	}
}
