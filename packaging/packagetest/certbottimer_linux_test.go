package packagetest

// certbot's own timer under a real systemd: it does not run while orderly-certbot is there, whoever
// installs or starts it, and does again what it did before once that has gone.

import (
	"strings"
	"testing"
)

// certbotsTimer goes through what befalls the timer.
func (r *renewing) certbotsTimer(t *testing.T) {
	install := func(name string, which int) { t.Helper(); r.must("dpkg", "-i", r.b.packages[name][which]) }
	is := func(active, enabled string) {
		t.Helper()
		nowActive, _ := r.in("systemctl", "is-active", "certbot.timer") // the exit code says the same
		nowEnabled, _ := r.in("systemctl", "is-enabled", "certbot.timer")
		if got := strings.Join(strings.Fields(nowActive+nowEnabled), " "); got != active+" "+enabled {
			t.Fatalf("certbot.timer is %s, and should be %s %s", got, active, enabled)
		}
	}
	comesAndGoes := func(active, enabled string) {
		t.Helper()
		install("orderly-certbot", 0)
		is("inactive", enabled)
		install("orderly-certbot", 1) // an upgrade is no second beginning
		is("inactive", enabled)
		r.must("dpkg", "-P", "orderly-certbot")
		is(active, enabled)
	}
	install("certbot", 0)
	is("active", "enabled")
	comesAndGoes("active", "enabled")

	install("orderly-certbot", 0)
	r.must("systemctl", "start", "certbot.timer") // by hand, or at boot
	is("inactive", "enabled")
	install("certbot", 1)
	is("inactive", "enabled")
	r.must("dpkg", "-P", "certbot")
	r.must("systemctl", "is-active", timer) // Orderly's own
	install("certbot", 0)
	is("inactive", "enabled")
	r.shell("rm /run/orderly-certbot.timer") // as a boot does
	r.must("dpkg", "-r", "orderly-certbot")
	is("active", "enabled")

	r.must("systemctl", "stop", "certbot.timer")
	comesAndGoes("inactive", "enabled")
	r.must("systemctl", "disable", "certbot.timer")
	comesAndGoes("inactive", "disabled")
	r.must("systemctl", "mask", "certbot.timer")
	comesAndGoes("inactive", "masked")
}
