package certbot_test

import (
	"context"
	"errors"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"orderly/certbot"
	"orderly/failure"
	"orderly/outside"
)

func TestTheLargestSubsetIsFoundBesideTheSameSet(t *testing.T) {
	s := newStore(t)
	for name, names := range map[string]string{
		"one": "a.example", "two": "a.example B.example", "two-b": "a.example c.example", "other": "x.example a.example", "three": "c.example a.example b.example",
	} {
		install(t, s, name, issue(t, 90, strings.Fields(names)...))
	}
	for wanted, want := range map[string][2]string{
		"a.example b.example c.example": {"three", "two"},
		"A.example c.example":           {"two-b", "one"},
		"c.example":                     {"", ""},
		"a.example":                     {"one", ""},
		"a.example x.example y.example": {"", "other"},
	} {
		same, subset := s.FindDuplicates(strings.Fields(wanted))
		got := [2]string{}
		if same != nil {
			got[0] = same.Name
		}
		if subset != nil {
			got[1] = subset.Name
		}
		if got != want {
			t.Errorf("%s: found %v, want %v", wanted, got, want)
		}
	}
}

func TestALineageIsFoundByTheFileOfItsCertificate(t *testing.T) {
	s := newStore(t)
	install(t, s, "a.example", issue(t, 10, "a.example"))
	done := install(t, s, "a.example", issue(t, 90, "a.example"))
	archive := filepath.Join(s.Dirs.Config, "archive", "a.example")
	for _, path := range []string{done.Renewal.Cert, done.Renewal.FullChain, filepath.Join(archive, "cert1.pem"), filepath.Join(archive, "fullchain2.pem")} {
		if l, err := s.FindByPath(path); err != nil || l.Name != "a.example" {
			t.Errorf("%s: %v", path, err)
		}
	}
	for _, path := range []string{done.Renewal.PrivKey, filepath.Join(archive, "privkey1.pem"), "/nowhere/cert1.pem"} {
		_, err := s.FindByPath(path)
		if class(t, err, failure.Config); !strings.HasPrefix(err.Error(), "No match found for cert-path "+path) {
			t.Errorf("%s: %v", path, err)
		}
	}
	write(t, s.Dirs.Renewal("copy"), read(t, s.Dirs.Renewal("a.example")), 0o644)
	_, err := s.FindByPath(done.Renewal.Cert)
	class(t, err, failure.LineageBroken)
}

func TestTheFactsAreThoseCertbotPrints(t *testing.T) {
	s := newStore(t)
	for name, days := range map[string]int{"long.example": 89, "short.example": 1, "over.example": -3} {
		install(t, s, name, issue(t, days, name))
	}
	install(t, s, "rsa.example", issueRSA(t, "rsa.example", "www.rsa.example"))
	install(t, s, "staging.example", issue(t, 50, "staging.example"))
	conf := s.Dirs.Renewal("staging.example")
	write(t, conf, strings.Replace(read(t, conf), testServer, "https://acme-staging-v02.api.letsencrypt.org/directory", 1), 0o644)
	out := runCertbot(t, s, "certificates")
	all, bad := s.LookAll()
	if len(all) != 5 || bad != nil {
		t.Fatalf("%d, %v", len(all), bad)
	}
	for _, l := range all {
		must(t, l.Verify())
		f := l.Facts(time.Now())
		want := "  Certificate Name: " + f.Name + "\n    Serial Number: " + f.Serial + "\n    Key Type: " + f.KeyType + "\n    Domains: " + strings.Join(f.Names, " ") +
			"\n    Expiry Date: " + f.Expires.Format("2006-01-02 15:04:05+00:00") + " (" + f.Status() + ")\n    Certificate Path: " + f.FullChain + "\n    Private Key Path: " + f.PrivKey + "\n"
		if !strings.Contains(out, want) {
			t.Errorf("%s\nis not in\n%s", want, out)
		}
	}
}

func TestStatusCountsAsCertbotDoes(t *testing.T) {
	s := newStore(t)
	install(t, s, "a.example", issue(t, 90, "a.example"))
	l, err := s.Look("a.example")
	must(t, err)
	end := l.Certificate.NotAfter
	for left, want := range map[time.Duration]string{
		0: "INVALID: EXPIRED", -time.Hour: "INVALID: EXPIRED", time.Minute: "VALID: 0 hour(s)", 5*time.Hour + 59*time.Minute: "VALID: 5 hour(s)",
		24 * time.Hour: "VALID: 1 day", 47 * time.Hour: "VALID: 1 day", 48 * time.Hour: "VALID: 2 days",
	} {
		if got := l.Facts(end.Add(-left)).Status(); got != want {
			t.Errorf("%s left: %s, want %s", left, got, want)
		}
	}
	l.Certificate.Issuer = outside.Of("(STAGING) Pretend Pear X1")
	if got := l.Facts(end).Status(); got != "INVALID: TEST_CERT, EXPIRED" {
		t.Error(got)
	}
}

func TestWhatDoesNotBelongTogetherIsNotVerified(t *testing.T) {
	for path, want := range map[string]string{
		"chain1.pem": "verifying the signature of the certificate located at", "fullchain1.pem": "fullchain does not match cert + chain for a.example!",
		"privkey1.pem": "matches the private key located at",
	} {
		s := newStore(t)
		install(t, s, "a.example", issue(t, 90, "a.example"))
		other := issue(t, 90, "b.example")
		text := map[string][]byte{"chain1.pem": other.Chain, "fullchain1.pem": other.Chain, "privkey1.pem": other.Key}[path]
		write(t, filepath.Join(s.Dirs.Config, "archive", "a.example", path), string(text), 0o600)
		l, err := s.Look("a.example")
		must(t, err)
		err = l.Verify()
		if class(t, err, failure.LineageBroken); !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", path, err)
		}
	}
}

// Whoever is told to end looks at no further lineage (trial P9): a host has twenty thousand.
func TestASearchEndsWithItsContext(t *testing.T) {
	s := newStore(t)
	install(t, s, "a.example", issue(t, 90, "a.example"))
	names := make([]string, 1000)
	for i := range names {
		names[i] = "a.example"
	}
	for what, each := range map[string]func(*certbot.Store, []string, func(int, *certbot.Lineage, error)){
		"open": (*certbot.Store).OpenEach, "look": (*certbot.Store).LookEach,
	} {
		ctx, cancel := context.WithCancel(t.Context())
		var looked atomic.Int64
		each(s.Within(ctx), names, func(int, *certbot.Lineage, error) {
			looked.Add(1)
			cancel()
		})
		if n, most := looked.Load(), int64(runtime.GOMAXPROCS(0)); n == 0 || n > most {
			t.Errorf("%s: %d lineages were looked at after the end, at most %d were under way", what, n, most)
		}
		bound := s.Within(ctx)
		if _, err := bound.FindByPath(s.Dirs.Renewal("a.example")); !errors.Is(err, context.Canceled) {
			t.Errorf("a path is looked for in vain: %v", err)
		}
		if all, bad := bound.All(); len(all) != 0 || len(bad) != 1 || !errors.Is(bad[0], context.Canceled) {
			t.Errorf("all: %d, %v", len(all), bad)
		}
	}
}
