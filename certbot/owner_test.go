package certbot_test

import (
	"io/fs"
	"os"
	"syscall"
)

func stat(info fs.FileInfo) *syscall.Stat_t { return info.Sys().(*syscall.Stat_t) }

func group(info fs.FileInfo) uint32 { return stat(info).Gid }
func owner(info fs.FileInfo) uint32 { return stat(info).Uid }
func inode(info fs.FileInfo) uint64 { return stat(info).Ino }

// foreign is a user or group id that is not ours, where we may give files away, otherwise our own.
func foreign(id, ours int) int {
	if os.Geteuid() == 0 {
		return id
	}
	return ours
}
