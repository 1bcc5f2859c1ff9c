//go:build !linux

package doctor

import "errors"

// UserQuota is not known here: FreeBSD's quotactl wants the mount point, and differs by file system.
func UserQuota(string, uint32) (Quota, error) {
	return Quota{}, errors.ErrUnsupported
}
