package packagetest

// A lineage and the ledger live longer than any package: they are obtained, renewed by what the timer
// runs, upgraded beneath, left to certbot, left alone by a purge, and gone on with.

import (
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// life goes through it all on one host, as it may befall one.
func life(t *testing.T, b *bench) {
	s := newHost(t, b.tree(t))
	install := func(versions int, names ...string) {
		t.Helper()
		for _, name := range names {
			s.run("/usr/bin/dpkg", "-i", b.packages[name][versions])
		}
	}
	install(0, "orderly")
	s.run("/usr/bin/orderly", "certonly", "--webroot", "-w", "/var/www/site", "-d", domain, "-n",
		"--agree-tos", "--register-unsafely-without-email", "--server", s.ca.DirectoryURL())
	s.due()
	s.run(s.timersCommand()...)
	s.issued(2)
	s.live()

	s.upgradedMeanwhile(t, b)

	install(0, "orderly") // a ledger that a later build wrote is no harm to an earlier one of its schema
	s.run(s.timersCommand()...)
	s.issued(5)
	s.live()

	install(0, "orderly-certbot")
	s.run("/usr/bin/certbot", "renew", "-q", "--force-renewal", "--no-random-sleep-on-renew")
	s.issued(6)
	install(0, "certbot")
	s.run("/usr/bin/certbot", "renew", "-q", "--force-renewal", "--no-random-sleep-on-renew")
	s.issued(7)
	s.ledgerKnows(7) // all of them: /usr/bin/certbot is Orderly
	s.leftToCertbot(t)
	s.purged(t, b)

	install(1, "orderly")
	s.run(s.timersCommand()...)
	s.issued(9)
	s.live()
	s.ledgerKnows(8) // one of the nine was certbot's
}

// ledgerKnows checks how many orders of the lineage the ledger has numbered, by the last one.
func (s *host) ledgerKnows(orders int) {
	s.t.Helper()
	said := s.run("/usr/bin/orderly", "why", domain)
	all := regexp.MustCompile(`(?m)^\s*(\d+)\s.* installed `).FindAllStringSubmatch(said, -1)
	if len(all) == 0 || all[len(all)-1][1] != strconv.Itoa(orders) {
		s.t.Errorf("the ledger does not know of %d orders:\n%s", orders, said)
	}
}

// upgradedMeanwhile upgrades the packages while an order is under way, and while the run that made it
// is killed: it goes on, or the next run does, and there is one order.
func (s *host) upgradedMeanwhile(t *testing.T, b *bench) {
	t.Helper()
	run := s.holds("finalize")
	s.run("/usr/bin/dpkg", "-i", b.packages["orderly"][1])
	s.ca.Release()
	if err := <-run.ended; err != nil {
		t.Fatalf("the run that was under way: %v\n%s", err, &run.said)
	}
	s.issued(3)
	s.live()

	run = s.holds("finalize")
	s.run("/usr/bin/dpkg", "-i", b.packages["orderly"][0])
	s.run("/usr/bin/dpkg", "-i", b.packages["orderly"][1])
	if err := run.Process.Signal(syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	<-run.ended
	s.ca.Release()
	s.run(s.timersCommand()...)
	s.issued(4)
	s.live()
}

// leftToCertbot removes Orderly from beside certbot, which renews what it left.
func (s *host) leftToCertbot(t *testing.T) {
	t.Helper()
	before := s.configuration()
	s.run("/usr/bin/dpkg", "-r", "orderly-certbot", "orderly")
	if d := s.configuration().difference(before); d != "" {
		t.Errorf("the removal changed\n%s", d)
	}
	if first := s.read("/usr/bin/certbot"); !strings.HasPrefix(first, "#!") {
		t.Error("/usr/bin/certbot is not Debian's")
	}
	s.run("/usr/bin/certbot", "renew", "--force-renewal", "--no-random-sleep-on-renew")
	s.issued(8)
	s.live()
	if said := s.run("/usr/bin/certbot", "certificates"); !strings.Contains(said, "VALID") {
		t.Errorf("certbot certificates: %s", said)
	}
}

// purged purges Orderly: of all that it wrote nothing is left but the configuration directory, which
// is as it was.
func (s *host) purged(t *testing.T, b *bench) {
	t.Helper()
	before := s.configuration()
	if !s.has("/etc/letsencrypt/orderly/ledger.db") {
		t.Error("there is no ledger")
	}
	s.run("/usr/bin/dpkg", "-P", "orderly-certbot", "orderly")
	if d := s.configuration().difference(before); d != "" {
		t.Errorf("the purge changed\n%s", d)
	}
	only := b.tree(t)
	only.run("/usr/bin/dpkg", "-i", b.packages["certbot"][0])
	want := only.manifest(b.pristine)
	only.end()
	for path, what := range s.manifest(b.pristine) {
		for _, others := range []string{"/etc/letsencrypt", "/var/www", "/var/lib/letsencrypt"} {
			if strings.HasPrefix(path, others) {
				what = want[path]
			}
		}
		if what != want[path] {
			t.Errorf("%s is left: %s", path, what)
		}
	}
	if logs := s.sh("ls -A /var/log/letsencrypt"); strings.Contains(logs, "orderly") {
		t.Errorf("logs are left: %s", logs)
	}
}
