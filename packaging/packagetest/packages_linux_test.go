package packagetest

import (
	"os"
	"testing"
)

// What the packages promise, each in Debian systems of its own.
func TestThePackages(t *testing.T) {
	if !inside(t) {
		return
	}
	b := newBench(t)
	t.Run("in every order beside Debian's certbot", func(t *testing.T) { everyOrder(t, b) })
	t.Run("under a real systemd", func(t *testing.T) { underSystemd(t, b) })
	t.Run("FreeBSD's scripts", func(t *testing.T) { onFreeBSD(t, b) })
	t.Run("under Debian's cron", func(t *testing.T) { underCron(t, b) })
	t.Run("an installation that is refused", func(t *testing.T) { refused(t, b) })
	t.Run("dpkg is killed", func(t *testing.T) { killed(t, b) })
	t.Run("what is the administrator's", func(t *testing.T) { somebodysOwn(t, b) })
	t.Run("a lineage from installation to purge and on", func(t *testing.T) { life(t, b) })
	t.Run("an image made from outside", func(t *testing.T) { fromOutside(t, b) })
	t.Run("another certbot comes first", func(t *testing.T) { anotherCertbotFirst(t, b) })
	t.Run("nobody renews any more", func(t *testing.T) { nobodyRenews(t, b) })
	t.Run("a purge where certbot never was", func(t *testing.T) { purgedAlone(t, b) })
	if from := os.Getenv("ORDERLY_PACKAGE_LINTIAN"); from != "" {
		t.Run("lintian", func(t *testing.T) { contentsOf(t, b, from) })
	}
}
