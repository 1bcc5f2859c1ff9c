package doctor

import (
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// quotactl(2): the command for a user's quota, and the unit of the limits of space. The kernel
// answers it for XFS as well.
const (
	getUserQuota = 0x800007 << 8 // QCMD(Q_GETQUOTA, USRQUOTA)
	quotaBlock   = 1024
)

// rawQuota is struct if_dqblk of linux/quota.h.
type rawQuota struct {
	blocksHard, blocksSoft, bytes uint64
	filesHard, filesSoft, files   uint64
	blocksUntil, filesUntil       uint64
	valid                         uint32
	_                             uint32
}

// UserQuota asks the kernel; nothing is waited for and no path is looked at but the device's own.
func UserQuota(device string, uid uint32) (Quota, error) {
	name, err := unix.BytePtrFromString(device)
	if err != nil {
		return Quota{}, err
	}
	var raw rawQuota
	_, _, errno := unix.Syscall6(unix.SYS_QUOTACTL, getUserQuota, uintptr(unsafe.Pointer(name)),
		uintptr(uid), uintptr(unsafe.Pointer(&raw)), 0, 0)
	if errno != 0 {
		return Quota{}, errno
	}
	return raw.quota(), nil
}

func (r rawQuota) quota() Quota {
	return Quota{
		Bytes: Allowance{r.bytes, r.blocksSoft * quotaBlock, r.blocksHard * quotaBlock, graceEnd(r.blocksUntil)},
		Files: Allowance{r.files, r.filesSoft, r.filesHard, graceEnd(r.filesUntil)},
	}
}

// graceEnd is a time in seconds; 0 is none.
func graceEnd(seconds uint64) time.Time {
	if seconds == 0 {
		return time.Time{}
	}
	return time.Unix(int64(seconds), 0)
}
