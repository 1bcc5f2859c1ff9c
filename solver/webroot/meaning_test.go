package webroot

import (
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"orderly/failure"
)

func TestEachRefusalOfTheSystemHasItsMeaningAndARemedy(t *testing.T) {
	for errno, word := range map[unix.Errno]string{
		unix.EROFS:  "read-only",
		unix.ENOSPC: "no space",
		unix.EDQUOT: "quota",
		unix.EPERM:  "immutable",
		unix.EACCES: "may not write",
		unix.ESTALE: "network file system",
		unix.EIO:    "input/output error",
	} {
		err := new(Writer).explain("/srv/a", &obstacle{Kind: denied, Level: 1, Path: "/srv/a/.well-known", Errno: errno})
		class := failure.WebrootLocked
		if errno == unix.ENOSPC || errno == unix.EDQUOT {
			class = failure.DiskFull
		}
		if failure.ClassOf(err) != class || !strings.Contains(err.Error(), word) ||
			!strings.Contains(err.Error(), "/srv/a/.well-known") || failure.RemedyOf(err) == "" {
			t.Errorf("%v: %v (%s)", errno, err, failure.RemedyOf(err))
		}
	}
}

// A path is no format.
func TestADocumentRootMayHaveAPercentSign(t *testing.T) {
	err := new(Writer).explain("/srv/100%sure", &obstacle{Kind: absent, Path: "/srv/100%sure"})
	if got := err.Error(); got != "document root /srv/100%sure does not exist" {
		t.Error(got)
	}
}

func TestAProcessThatIsNotRootTrustsItselfAndItsOwnGroup(t *testing.T) {
	me := self{uid: 1000, gid: 1000}
	for _, test := range []struct {
		e    entry
		open bool
	}{
		{entry{uid: 1000, gid: 1000, mode: 0o775}, false},
		{entry{uid: 0, gid: 0, mode: 0o755}, false},
		{entry{uid: 1000, gid: 33, mode: 0o775}, true},
		{entry{uid: 1000, gid: 1000, mode: 0o777}, true},
		{entry{uid: 1001, gid: 1001, mode: 0o755}, true},
	} {
		if got := me.openToOthers(test.e); got != test.open {
			t.Errorf("%+v open to others: %v", test.e, got)
		}
	}
}
