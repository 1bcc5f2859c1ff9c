package scan_test

// What failed, for whom and why, as logs tell: once for each attempt and name, whatever the client's
// version, and as often as it befell.

import (
	"fmt"
	"net/netip"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"orderly/diagnose"
	"orderly/scan"
)

// failed are the failures of a report, a line each.
func failed(r *scan.Report) []string {
	var all []string
	for f := range r.Failures {
		line := fmt.Sprintf("%s/%s %s x%d", f.Lineage, f.Name, f.Class, f.Count())
		if !f.Renewed.IsZero() {
			line += " renewed " + f.Renewed.Format("15:04:05")
		}
		all = append(all, line)
	}
	return all
}

func TestFailuresOfTheSamples(t *testing.T) {
	for name, want := range map[string][]string{
		"v1-0.9":        {"/shop.example unclassified x1", "/www.shop.example unclassified x1"},
		"v1-0.21-renew": {"dead.example/dead.example dns-missing x1", "dead.example/www.dead.example http-wrong-answer x1", "shop.example/shop.example webroot-unset x1"},
		"seed-0.34-nomap": {"half.example/www.half.example webroot-unset x1",
			"shop.example/shop.example webroot-unset x1"},
		"rotated-1.9": {"/shop.example killed x1", "/wiki.example http-unreachable x1", "/www.shop.example killed x1",
			"/www.wiki.example http-unreachable x1"},
		"loop-1.21":               {"b.example/b.example http-wrong-answer x1", "c.example/c.example webroot-unset x1"},
		"2.11-lost-neworder":      {"a.example/a.example answer-lost x1", "a.example/www.a.example answer-lost x1"},
		"5.6-renew":               {"c.example/c.example webroot-unset x1"},
		"debian-killed-authz":     {"/shop.example killed x1", "/www.shop.example killed x1"},
		"debian-killed-challenge": {"/shop.example killed x1", "/www.shop.example killed x1"},
		"debian-killed-poll":      {"/shop.example killed x1", "/www.shop.example killed x1"},
		"debian-term-poll":        {"/shop.example killed x1", "/www.shop.example killed x1"},
		"debian-one-file":         {"/blog.example killed x1", "/www.blog.example killed x1", "/www.wiki.example dns-missing x1"},
		"mixed-records":           {"/b.example http-unreachable x1"},
	} {
		t.Run(name, func(t *testing.T) {
			paths, err := filepath.Glob("testdata/logs/" + name + ".log*")
			if err != nil || len(paths) == 0 {
				t.Fatal(paths, err)
			}
			r := scannedBy(t, scan.Settings{Now: itsTime, Workers: 2}, paths...)
			if got := failed(r); !slices.Equal(got, want) {
				t.Errorf("failures:\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
			}
			for f := range r.Failures {
				if f.Line <= 0 || f.File == "" || f.Sentence == "" || f.Remedy == "" || f.First.After(f.Last) || f.Last.IsZero() {
					t.Errorf("%+v", f)
				}
			}
		})
	}
}

func scannedBy(t *testing.T, set scan.Settings, paths ...string) *scan.Report {
	t.Helper()
	set.Workers = max(1, set.Workers)
	r, err := scan.Scan(t.Context(), paths, set)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// night is a run of certbot's loop on a day, of which each certificate failed or was obtained.
func night(day int, what string) string {
	var b strings.Builder
	at := func(logger, message string) {
		fmt.Fprintf(&b, "2026-11-%02d 02:51:12,840:DEBUG:%s:%s\n", day, logger, message)
	}
	at("certbot._internal.main", "certbot version: 2.1.0")
	at("certbot._internal.display.obj", "Notifying user: Processing /etc/letsencrypt/renewal/a.example.conf")
	at("acme.client", "Sending GET request to https://ca.example/directory.")
	at("acme.client", "Received response:\nHTTP 200\n\n"+directory)
	if what == "renewed" {
		at("certbot._internal.storage", "Writing certificate to /etc/letsencrypt/archive/a.example/cert7.pem.")
		at("certbot._internal.display.obj", "Notifying user: no renewal failures")
	} else {
		at("certbot._internal.renewal", "Failed to renew certificate a.example with error: "+what)
	}
	return b.String()
}

// What befalls every night is one row with a count for each day; what was renewed since is known, and
// the newest text stands for all.
func TestNightsAreCounted(t *testing.T) {
	const first, second = "('Connection aborted.', RemoteDisconnected('Remote end closed connection without response'))",
		"urn:ietf:params:acme:error:rateLimited :: There were too many requests of a given type :: Error creating new order :: too many certificates (5) already issued for this exact set of domains in the last 168 hours: a.example, retry after 2026-11-30T01:00:00Z: see https://letsencrypt.org/docs/rate-limits/"
	dir := t.TempDir()
	for host, nights := range map[string]string{
		"one": night(1, first) + night(2, first) + night(2, first) + night(3, "renewed") + night(4, second),
		"two": night(1, first) + night(2, "renewed"),
	} {
		write(t, filepath.Join(dir, host, "letsencrypt.log"), []byte(nights))
	}
	r := scannedBy(t, scan.Settings{Now: itsTime, HostFrom: regexp.MustCompile(`(one|two)/`)}, dir)
	var got []string
	for f := range r.Failures {
		got = append(got, fmt.Sprintf("%s %s/%s %s %v %s %v", f.Host, f.Lineage, f.Name, f.Class, f.Days,
			f.Renewed.Format("01-02"), !f.Until.IsZero()))
	}
	d := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC).Unix() / 86400
	want := []string{fmt.Sprintf("one a.example/ answer-lost [{%d 1} {%d 2}] 11-03 false", d, d+1),
		fmt.Sprintf("one a.example/a.example rate-limited-duplicates [{%d 1}] 11-03 true", d+3),
		fmt.Sprintf("two a.example/ answer-lost [{%d 1}] 11-02 false", d)}
	if !slices.Equal(got, want) {
		t.Errorf("%q\nwant %q", got, want)
	}
	if r.Renewed("two", "a.example", "").IsZero() || !r.Renewed("three", "a.example", "").IsZero() {
		t.Error("renewals of other servers")
	}
}

// A broken renewal file is of the certificate, and of no name that is called like it.
func TestABrokenFileIsOfTheCertificate(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "letsencrypt.log"), []byte(begun()+record(5, "certbot._internal.renewal",
		"Renewal configuration file /etc/letsencrypt/renewal/z.example.conf is broken.\nThe error was: expected /etc/letsencrypt/live/z.example/cert.pem to be a symlink\nSkipping.")))
	if got := failed(scannedBy(t, scan.Settings{Now: itsTime}, dir)); !slices.Equal(got, []string{"z.example/ lineage-broken x1"}) {
		t.Errorf("%q", got)
	}
}

// An address is elsewhere only where it is known what is ours.
func TestElsewhereNeedsOurAddresses(t *testing.T) {
	for _, c := range []struct {
		ours string
		want string
	}{
		{"", "b.example/b.example http-wrong-answer x1"}, {"192.0.2.0/24", "b.example/b.example http-wrong-answer x1"},
		{"198.51.100.1/32", "b.example/b.example dns-elsewhere x1"},
	} {
		set := scan.Settings{Now: itsTime}
		if c.ours != "" {
			set.Here = diagnose.Here{Ours: []netip.Prefix{netip.MustParsePrefix(c.ours)}}
		}
		if got := failed(scannedBy(t, set, "testdata/logs/loop-1.21.log.gz")); len(got) == 0 || got[0] != c.want {
			t.Errorf("ours %s: %q", c.ours, got)
		}
	}
}

// What a log says of names that its attempt did not ask for is no finding about them.
func TestALogBlamesNoOtherName(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "letsencrypt.log"), []byte(begun()+
		ordered("", orderWith("https://ca.example/acme/authz/1/1"))+
		record(5, "certbot._internal.renewal", "Failed to renew certificate a.example with error: Failed authorization procedure. "+
			"victim.example (http-01): urn:ietf:params:acme:error:dns :: DNS problem: NXDOMAIN looking up A for victim.example")+
		record(6, "certbot._internal.display.obj", "Notifying user: \n  Domain: \x1b[31mb\x07\n  Type: dns\n  Detail: \x1b]0;x\x07 no")))
	for f := range scannedBy(t, scan.Settings{Now: itsTime}, dir).Failures {
		if f.Name == "victim.example" || strings.ContainsAny(f.Name+f.Sentence+string(f.Lineage), "\x1b\x07") {
			t.Errorf("%+v", f)
		}
	}
}
