package cli_test

// What other clients' logs tell to have failed: scanned, kept, and found again by name, certificate
// and server.

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"orderly/failure"
)

// samples are logs of real runs, of which each is taken for a server's.
var samples = []string{"pending", "scan", "../scan/testdata/logs", "--now", "2026-11-28T03:30:00Z",
	"--server-from", `([a-z0-9.]+-[^/]*)\.log`}

type heardReport struct {
	Failures []struct {
		Name, Lineage, Host, Sentence, Customer, Remedy, File string
		Class                                                 failure.Class
		Who                                                   failure.Who
		Retry                                                 failure.Retry
		First, Last                                           time.Time
		Count, Line                                           int64
	}
}

type failuresReport struct {
	Classes []struct {
		Class           failure.Class
		Failures        int
		Names, Lineages []string
	}
	Lineages []struct {
		Lineage, Server string
		Failing         bool
		Names           []struct{ Name, Class string }
	}
	Servers []struct {
		Server            string
		Failures, Failing int
	}
}

func TestFailuresOfLogsAreKeptAndFound(t *testing.T) {
	t.Parallel()
	w := &world{t: t, dir: t.TempDir()}
	at := func(args ...string) result {
		code, out, problems := runIn(w.dir, args...)
		return result{code, out, problems}
	}
	scanned := decode[heardReport](w, at(append(samples, "--json")...).stdout).Failures
	if len(scanned) != 28 {
		t.Errorf("%d failures", len(scanned))
	}
	for _, f := range scanned {
		if f.Host == "" || f.Sentence == "" || f.Remedy == "" && f.Class != failure.Unclassified || f.Line <= 0 || f.Count != 1 || f.Who != f.Class.Who() || f.Retry != f.Class.Retry() ||
			f.First.After(f.Last) || f.First.Year() != 2026 {
			t.Errorf("%+v", f)
		}
	}
	at(samples...).says(t, 0, "28 name(s) failed; ", "webroot-unset", "dns-missing", "killed", "orderly why NAME")
	since := []string{"failures", "--since", "2026-11-01", "--json"}
	once := at(since...).stdout
	at(samples...) // the same logs again, and a part of them
	at("pending", "scan", "../scan/testdata/logs/loop-1.21.log.gz", "--now", samples[4], "--server-from", samples[len(samples)-1])
	twice := at(since...).stdout
	first, second := decode[failuresReport](w, once), decode[failuresReport](w, twice)
	if len(first.Servers) != 13 || len(first.Classes) != 7 || len(second.Servers) != 13 ||
		!slices.EqualFunc(first.Classes, second.Classes, func(a, b struct {
			Class           failure.Class
			Failures        int
			Names, Lineages []string
		}) bool {
			return a.Class == b.Class && a.Failures == b.Failures && slices.Equal(a.Names, b.Names)
		}) {
		t.Errorf("scanned once: %s\nscanned twice: %s", once, twice)
	}
	at("failures", "--since", "2026-11-01").says(t, 0, "v1-0.21-renew", "dead.example", "SERVER")
	at("failures", "--since", "2026-11-01", "--class", "webroot-unset").says(t, 0, "half.example")

	at("why", "www.dead.example").says(t, 0, "http-wrong-answer", "v1-0.21-renew", "certbot's log", "fails on v1-0.21-renew")
	at("why", "www.wiki.example", "--customer").says(t, 0, "www.wiki.example has no address record")
	v := decode[whyAnswer](w, at("why", "shop.example", "--json").stdout)
	if len(v.History) != 8 || v.Verdict != "fails" || v.Class != failure.WebrootUnset {
		t.Errorf("why: %+v", v)
	}
	if exported := at("ledger", "export").stdout; strings.Count(exported, `"kind":"log_failure"`) != 28 {
		t.Errorf("exported: %s", exported)
	}
	at("why", "nobody.example").says(t, 1, "nothing in a log that was scanned")
}

// What a log shows renewed since does not fail any more, whenever that log is scanned.
func TestARenewalInALogEndsAFailure(t *testing.T) {
	t.Parallel()
	w := &world{t: t, dir: t.TempDir()}
	begin := func(day string) string {
		return "2026-11-" + day + " 02:51:12,840:DEBUG:certbot._internal.main:certbot version: 2.1.0\n" +
			"2026-11-" + day + " 02:51:12,850:DEBUG:certbot._internal.display.obj:Notifying user: Processing /etc/letsencrypt/renewal/a.example.conf\n"
	}
	log := filepath.Join(w.dir, "web1", "letsencrypt.log")
	fails := begin("20") + "2026-11-20 02:51:13,000:ERROR:certbot._internal.renewal:Failed to renew certificate a.example with error: Some challenges have failed.\n"
	w.write(log, fails)
	at := func(args ...string) result {
		code, out, problems := runIn(w.dir, args...)
		return result{code, out, problems}
	}
	scan := []string{"pending", "scan", log, "--now", samples[4], "--server-from", `(web\d)/`}
	failing := func() bool {
		all := decode[failuresReport](w, at("failures", "--since", "2026-11-01", "--json").stdout).Lineages
		if len(all) != 1 || all[0].Server != "web1" || all[0].Lineage != "a.example" {
			t.Fatalf("failures: %+v", all)
		}
		return all[0].Failing
	}
	at(scan...).says(t, 0, "validation-failed")
	if !failing() {
		t.Error("it does not fail")
	}
	at("why", "a.example").says(t, 0, "fails on web1")
	w.write(log, begin("21")+
		"2026-11-21 02:51:14,000:DEBUG:certbot._internal.storage:Writing certificate to /etc/letsencrypt/archive/a.example/cert2.pem.\n"+
		"2026-11-21 02:51:14,000:DEBUG:certbot._internal.display.obj:Notifying user: no renewal failures\n")
	at(scan...).says(t, 0, "The logs tell of no failures.")
	if failing() {
		t.Error("it fails although it was renewed")
	}
	if r := at("why", "a.example"); !strings.Contains(r.stdout, "fine") || !strings.Contains(r.stdout, "renewed since") {
		t.Errorf("why: %s", r)
	}
}

// A log that is given twice, beside its copy, counts what failed once; and what is pasted, a flag's
// value that means nothing, and a trend without a past are what a new user met.
func TestWhatANewUserMetOfFailures(t *testing.T) {
	t.Parallel()
	w := &world{t: t, dir: t.TempDir()}
	at := func(args ...string) result {
		code, out, problems := runIn(w.dir, args...)
		return result{code, out, problems}
	}
	log := filepath.Join(w.dir, "logs", "letsencrypt.log")
	copied := filepath.Join(w.dir, "copy", "other.log")
	text := "2026-11-20 02:51:12,840:DEBUG:certbot._internal.main:certbot version: 2.1.0\n" +
		"2026-11-20 02:51:12,850:DEBUG:certbot._internal.display.obj:Notifying user: Processing /etc/letsencrypt/renewal/a.example.conf\n" +
		"2026-11-20 02:51:13,000:ERROR:certbot._internal.renewal:Failed to renew certificate a.example with error: Some challenges have failed.\n"
	w.write(log, text)
	w.write(copied, text)
	for _, f := range decode[heardReport](w, at("pending", "scan", "--no-ledger", "--json", log, copied).stdout).Failures {
		if f.Count != 1 {
			t.Errorf("%s counts %d", f.Name, f.Count)
		}
	}
	at("pending", "scan", "--no-ledger", log).says(t, 0, "1 name(s) failed; 1 of them were not renewed since")
	r := at("pending", "scan", "--no-ledger", "--server-from", "nomatch", "--now", "2026-11-28", log)
	if !strings.Contains(r.stderr, "--server-from nomatch finds no server's name") {
		t.Errorf("no warning: %q", r.stderr)
	}
	at("pending", "scan", "--check", "--server", "foo", log).says(t, 2, "is not the URL of an ACME directory")
	at("failures", "--since", "2999-01-01").says(t, 2, "yet to come")
	at("failures", "--class", "foo").says(t, 2, "The classes are ", "webroot-unset")
	r = at("pending", "scan", "--deadline", "1ns", log)
	if r.code != 75 || !strings.Contains(r.stderr, "stopped in time") || strings.Contains(r.stderr, "no-ledger") {
		t.Errorf("%d %q", r.code, r.stderr)
	}
}
