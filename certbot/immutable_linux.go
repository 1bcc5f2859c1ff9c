package certbot

import "golang.org/x/sys/unix"

// What even root may not change would refuse a certificate after it was issued.

// immutable tells whether a file or directory has an attribute that keeps even root from changing
// it (chattr +i, +a).
func immutable(path string) bool {
	var st unix.Statx_t
	err := retried(func() error { return unix.Statx(unix.AT_FDCWD, path, unix.AT_SYMLINK_NOFOLLOW, 0, &st) })
	return err == nil && st.Attributes&(unix.STATX_ATTR_IMMUTABLE|unix.STATX_ATTR_APPEND) != 0
}
