package webroot_test

import (
	"testing"

	"orderly/failure"
)

func TestAFileSystemThatRefusesRootIsNamed(t *testing.T) {
	err := newWriter(t).Check(t.Context(), "/sys/kernel") // sysfs lets nobody make a directory
	wantClass(t, err, failure.WebrootLocked, "/sys/kernel")
}
