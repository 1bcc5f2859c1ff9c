//go:build !linux

package certbot

import "golang.org/x/sys/unix"

// What even root may not change would refuse a certificate after it was issued.

// immutable tells whether a file or directory has a flag that keeps even root from changing it
// (chflags schg, uchg, and so on).
func immutable(path string) bool {
	// UF_IMMUTABLE, UF_APPEND, SF_IMMUTABLE, SF_APPEND of <sys/stat.h>
	const flags = 0x2 | 0x4 | 0x20000 | 0x40000
	var st unix.Stat_t
	err := retried(func() error { return unix.Lstat(path, &st) })
	return err == nil && st.Flags&flags != 0
}
