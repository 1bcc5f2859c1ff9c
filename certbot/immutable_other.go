//go:build !linux

package certbot

import "golang.org/x/sys/unix"

// immutable tells whether a file or directory has a flag that keeps even root from changing it (chflags schg, uchg, and so on).
func immutable(path string) bool {
	const flags = 0x2 | 0x4 | 0x20000 | 0x40000 // UF_IMMUTABLE, UF_APPEND, SF_IMMUTABLE, SF_APPEND of <sys/stat.h>
	var st unix.Stat_t
	err := retried(func() error { return unix.Lstat(path, &st) })
	return err == nil && st.Flags&flags != 0
}
