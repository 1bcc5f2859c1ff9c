package sqlite

import (
	"golang.org/x/sys/unix"

	"orderly/failure"
)

// A ledger on a network file system loses what two hosts write at once: locks there are not
// believed.

func refuseNetwork(dir string) error {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return failure.Wrap(err, failure.Ledger, "",
			"the file system of %s cannot be asked for its kind", dir)
	}
	switch name := unix.ByteSliceToString(st.Fstypename[:]); name {
	case "nfs", "smbfs":
		return failure.New(failure.Ledger, "Keep the configuration directory on a local disk ("+
			failure.Do(failure.ConfigDir)+"), or let the servers use a relay.",
			"%s lies on a network file system (%s), where a ledger cannot be kept safe", dir, name)
	}
	return nil
}
