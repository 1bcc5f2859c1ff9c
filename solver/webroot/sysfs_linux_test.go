package webroot_test

import (
	"testing"

	"orderly/failure"
	"orderly/solver/webroot"
)

func TestAFileSystemThatRefusesRootIsNamed(t *testing.T) {
	err := new(webroot.Writer).Check("/sys/kernel") // sysfs lets nobody make a directory
	wantClass(t, err, failure.WebrootLocked, "/sys/kernel/.well-known")
}
