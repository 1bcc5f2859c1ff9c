package packagetest

// Trees that are installed into from outside, as whoever makes images does, hosts on which there
// never was a certbot, and those on which somebody keeps Orderly's timer from running, or has a
// certbot of his own.

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// fromOutside installs the packages into a directory, with scripts that are run outside of it: what
// runs on the host that does so is no part of the image.
func fromOutside(t *testing.T, b *bench) {
	tr := b.tree(t)
	tr.do(b, step{"install", 0})
	tr.write("/usr/bin/systemctl", "#!/bin/sh\necho \"$@\" >>/tmp/called\n")
	tr.sh("chmod 755 /usr/bin/systemctl; mkdir -p /run/systemd/system /tmp/image/var/lib/dpkg/updates " +
		"/tmp/image/var/lib/dpkg/info; : >/tmp/image/var/lib/dpkg/status")
	before := tr.manifest(b.pristine)
	dpkg := []string{"/usr/bin/dpkg", "--root=/tmp/image", "--force-script-chrootless", "--force-depends"}
	for _, does := range [][]string{
		{"-i", b.packages["orderly"][0]}, {"-i", b.packages["orderly-certbot"][0]},
		{"-i", b.packages["orderly-certbot"][1]},
		{"-P", "orderly-certbot"}, {"-P", "orderly"},
	} {
		tr.run(append(dpkg, does...)...)
		if said := tr.sh("ls /run; cat /tmp/called 2>/dev/null || true"); strings.Contains(said, "certbot") {
			t.Errorf("%s was done to the host: %s", does, said)
		}
		if d := tr.manifest(b.pristine).difference(before); d != "" {
			t.Errorf("%s changed the host:\n%s", does, d)
		}
	}
	if left := tr.sh("find /tmp/image ! -type d ! -path '*/var/lib/dpkg/*'"); left != "" {
		t.Errorf("in the image is left:\n%s", left)
	}
}

// purgedAlone purges Orderly where certbot never was: nothing is left of it but the configuration
// directory.
func purgedAlone(t *testing.T, b *bench) {
	tr := b.tree(t)
	tr.do(b, step{"install", 1})
	tr.run("/usr/bin/orderly", "renew", "-q")
	tr.sh("cd /var/log/letsencrypt; touch orderly.log-20260131.gz orderly.log.2")
	tr.do(b, step{"purge", 1})
	if left := tr.sh("find /var/log/letsencrypt /var/lib/letsencrypt 2>/dev/null || true"); left != "" {
		t.Errorf("left are\n%s", left)
	}
	tr.sh("[ -e /etc/letsencrypt/orderly/ledger.db ]")
}

// nobodyRenews installs orderly-certbot where certbot's timer runs and Orderly's does not: that nobody
// renews from then on is said, with what helps.
func nobodyRenews(t *testing.T, b *bench) {
	w := beside(t, b)
	w.tr.write("/usr/bin/systemctl", `#!/bin/sh
case "$*" in *is-active*) [ -e /tmp/active ] || case "$*" in *orderly-renew.timer) exit 3 ;; esac ;; esac
`)
	w.tr.sh("chmod 755 /usr/bin/systemctl; mkdir -p /run/systemd/system")
	const helps = "systemctl enable --now orderly-renew.timer"
	if said := w.tr.run("/usr/bin/dpkg", "-i", b.packages["orderly-certbot"][0]); !strings.Contains(said, helps) {
		t.Errorf("where Orderly's timer does not run it said %q", said)
	}
	w.tr.write("/tmp/active", "")
	if said := w.tr.run("/usr/bin/dpkg", "-i", b.packages["orderly-certbot"][1]); strings.Contains(said, helps) {
		t.Errorf("where Orderly's timer runs it said %q", said)
	}
}

// anotherCertbotFirst has pip's certbot where cron finds it before Orderly: Orderly's line does not
// step aside for one that does not run Orderly.
func anotherCertbotFirst(t *testing.T, b *bench) {
	w := beside(t, b)
	w.tr.do(b, step{"install", 2})
	if calls := w.tr.cronCalls(t); len(calls) != 1 {
		t.Errorf("%q renew, and one should", calls)
	}
	w.tr.write("/usr/local/bin/certbot", fmt.Sprintf(noting, "pip"))
	w.tr.sh("chmod 755 /usr/local/bin/certbot")
	if calls := w.tr.cronCalls(t); !slices.Contains(calls, "orderly renew -q --no-random-sleep-on-renew") {
		t.Errorf("%q renew, and Orderly does not", calls)
	}
}
