package renewal_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"orderly/certbot"
	"orderly/certbot/damage"
	"orderly/failure"
	"orderly/host"
	"orderly/order"
	"orderly/renewal"
	"orderly/testca"
)

// onDisk names a lineage's files.
func (h *machine) onDisk(lineage string, others ...string) damage.Dir {
	return damage.Dir{Config: filepath.Join(h.dir, "etc"), Name: lineage, Others: others}
}

// ordered counts the CA's orders.
func (h *machine) ordered() int { return len(h.ca.Truth().Orders) }

// again is a run of certonly for the names of a lineage.
func (h *machine) again(w renewal.Wish) renewal.Result {
	h.t.Helper()
	s := h.process("certonly")
	r := s.Obtain(h.t.Context(), w)
	must(h.t, s.Finish(h.t.Context()))
	must(h.t, s.End("done", 0, ""))
	return r
}

// warned counts the warnings with a phrase.
func (h *machine) warned(phrase string) int {
	n := 0
	for _, line := range h.report.warnings {
		if strings.Contains(line, phrase) {
			n++
		}
	}
	return n
}

// Somebody put a pair of their own into the archive as the next version. It ends sooner than the
// one in use: nothing leads there, nothing is ordered for it, and one note says so.
func TestAVersionThatIsNoSuccessorIsLeftAloneByEveryCommand(t *testing.T) {
	t.Parallel()
	h := newHost(t, testca.Config{})
	h.has("a.example", "off.example")
	for _, name := range []string{"a.example", "off.example"} {
		must(t, h.onDisk(name).Add(2, 10*day))
	}
	h.edit("off.example", "[renewalparams]", "[renewalparams]\nautorenew = False")
	runs := map[string]func() error{
		"renew": func() error { _, err := h.renew(renewal.Round{}); return err },
		"certonly": func() error {
			if r := h.again(h.wish("a.example")); r.Outcome != renewal.Kept {
				return errors.New(r.Outcome)
			}
			return nil
		},
		"reconfigure": func() error {
			s := h.process("reconfigure")
			_, err := s.Reconfigure(t.Context(), renewal.Reconfiguration{Round: renewal.Round{CertName: "a.example"}, Only: true})
			return err
		},
	}
	orders := 2
	for _, command := range []string{"renew", "certonly", "reconfigure"} {
		h.report.warnings = nil
		must(t, runs[command]())
		if command == "reconfigure" {
			orders++ // its rehearsal
		}
		if n := h.ordered(); n != orders {
			t.Errorf("%s: %d orders, not %d", command, n, orders)
		}
		if n := h.warned("of a.example, version 2 in "); n != 1 {
			t.Errorf("%s: %d notes: %q", command, n, h.report.warnings)
		}
		for _, name := range []string{"a.example", "off.example"} {
			if l, err := h.disk().Open(name); err != nil || l.Version != 1 {
				t.Errorf("%s: %s is led to %+v, %v", command, name, l, err)
			}
		}
	}
}

// A script that asks again for what it has gets no second lineage, whatever became of the links.
func TestAHarmedLineageIsNotMadeTwice(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		harm func(d damage.Dir) error
		want string // the outcome
		says string
	}{
		"live gone":        {func(d damage.Dir) error { return os.RemoveAll(filepath.Dir(d.Live(""))) }, "kept", ""},
		"one link gone":    {func(d damage.Dir) error { return os.Remove(d.Live("cert")) }, "kept", ""},
		"chain link gone":  {func(d damage.Dir) error { return os.Remove(d.Live("chain")) }, "kept", ""},
		"key link gone":    {func(d damage.Dir) error { return os.Remove(d.Live("privkey")) }, "kept", ""},
		"cert emptied":     {func(d damage.Dir) error { return os.Truncate(d.Archived("cert", 1), 0) }, "kept", ""},
		"chain removed":    {func(d damage.Dir) error { return os.Remove(d.Archived("chain", 1)) }, "kept", ""},
		"dangling":         {func(d damage.Dir) error { return d.Lead(7) }, "kept", ""},
		"a file in place":  {func(d damage.Dir) error { return flatten(d, "fullchain", "cert") }, "kept", ""},
		"to another place": {func(d damage.Dir) error { return astray(d) }, "kept", ""},
		"archive gone":     {func(d damage.Dir) error { return os.RemoveAll(filepath.Dir(d.Archived("", 1))) }, "failed", "does not exist"},
		"both gone": {func(d damage.Dir) error {
			return errors.Join(os.RemoveAll(filepath.Dir(d.Archived("", 1))), os.RemoveAll(filepath.Dir(d.Live(""))))
		}, "failed", "to be a symlink"},
		"a bought certificate in place": {func(d damage.Dir) error {
			return errors.Join(os.Remove(d.Live("cert")), os.WriteFile(d.Live("cert"), []byte("bought"), 0o644))
		}, "failed", "to be a symlink"},
		"renewal file torn": {func(d damage.Dir) error { return os.Truncate(d.Conf(), 100) }, "failed", "missing a required file reference"},
		"key gone":          {func(d damage.Dir) error { return os.Remove(d.Archived("privkey", 1)) }, "issued", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHost(t, testca.Config{})
			h.has("a.example", "b.example")
			must(t, c.harm(h.onDisk("a.example")))
			orders := 2
			if c.want == "issued" {
				orders++
			}
			for i := range 2 {
				r := h.again(h.wish("a.example"))
				if want := c.want; (r.Outcome != want && (i == 0 || want != "issued" || r.Outcome != "kept")) || r.Lineage != "a.example" && want != "failed" {
					t.Errorf("time %d: %+v", i, r)
				}
				if c.says != "" && (r.Class != failure.LineageBroken || !strings.Contains(r.Sentence, c.says) || !strings.Contains(r.Sentence, "a.example.conf") || r.Remedy == "") {
					t.Errorf("time %d: %q (%s), remedy %q", i, r.Sentence, r.Class, r.Remedy)
				}
			}
			if n := h.ordered(); n != orders {
				t.Errorf("%d orders, not %d", n, orders)
			}
			if _, err := os.Lstat(h.disk().Dirs.Renewal("a.example-0001")); err == nil {
				t.Error("there is a second lineage")
			}
			more := h.wish("a.example", "c.example")
			more.Expand = true
			h.site("c.example")
			r := h.again(more)
			if expanded := r.Outcome == renewal.Issued && r.Lineage == "a.example"; expanded == (c.want == "failed") {
				t.Errorf("expanded: %+v", r)
			}
			if c.want != "failed" {
				return
			}
			// The last part of the remedy, and the names have a certificate again.
			s := h.process("delete")
			if err := s.Delete(t.Context(), "a.example"); err != nil {
				t.Fatal(err)
			}
			if r := h.again(h.wish("a.example")); r.Outcome != renewal.Issued && name != "a bought certificate in place" {
				t.Errorf("after the remedy: %+v", r)
			}
		})
	}
}

// flatten makes files of links.
func flatten(d damage.Dir, kinds ...string) error {
	var all error
	for _, kind := range kinds {
		text, err := os.ReadFile(d.Live(kind))
		all = errors.Join(all, err, os.Remove(d.Live(kind)), os.WriteFile(d.Live(kind), text, 0o644))
	}
	return all
}

// astray leads the links into another lineage's archive.
func astray(d damage.Dir) error {
	other := d
	other.Name = "b.example"
	var all error
	for _, kind := range []string{"cert", "privkey", "chain", "fullchain"} {
		all = errors.Join(all, os.Remove(d.Live(kind)), os.Symlink(other.Archived(kind, 1), d.Live(kind)))
	}
	return all
}

// A renewal file that was copied beside itself is worth no order.
func TestACopiedRenewalFileIsSkipped(t *testing.T) {
	t.Parallel()
	h := newHost(t, testca.Config{})
	h.has("a.example")
	h.due("a.example")
	text, err := os.ReadFile(h.disk().Dirs.Renewal("a.example"))
	must(t, err)
	for _, name := range []string{"a.example.bak", "0.a.example"} {
		must(t, os.WriteFile(h.disk().Dirs.Renewal(name), text, 0o644))
	}
	for i := range 2 {
		results, err := h.renew(renewal.Round{})
		must(t, err)
		if got := outcomes(results); got != "0.a.example skipped, a.example issued, a.example.bak skipped" || renewal.Exit(results, nil) != 0 {
			t.Errorf("%s", got)
		}
		for _, r := range results {
			if r.Outcome == renewal.Skipped && (!strings.Contains(r.Sentence, "are also those of a.example") || r.Remedy == "") {
				t.Errorf("%+v", r)
			}
		}
		if n := h.ordered(); n != i+2 {
			t.Errorf("%d orders", n)
		}
	}
	orders := h.ordered()
	h.set.Rehearsal = true
	results, err := h.renew(renewal.Round{})
	must(t, err)
	if got := outcomes(results); !strings.Contains(got, "a.example.bak skipped") || h.ordered() != orders+1 {
		t.Errorf("rehearsed: %s, %d orders", got, h.ordered()-orders)
	}
	h.set.Rehearsal = false
	orders = h.ordered()
	results, err = h.renew(renewal.Round{CertName: "a.example.bak", Renew: true})
	must(t, err)
	w := h.wish("a.example")
	w.CertName, w.Renew = "a.example.bak", true
	r := h.again(w)
	if results[0].Outcome != renewal.Invalid || r.Class != failure.LineageBroken || h.ordered() != orders {
		t.Errorf("named: %+v, %+v", results, r)
	}
	if r := h.again(h.wish("a.example")); r.Lineage != "a.example" {
		t.Errorf("certonly found %+v", r)
	}
}

// An interval that no certificate of this CA can keep is not obeyed: it would be ordered anew by
// every run.
func TestAnIntervalLongerThanTheLifetimeIsNotObeyed(t *testing.T) {
	t.Parallel()
	for _, interval := range []string{"30 days", "99 years", "99999 weeks", "160 hours", "-3 days", "0 days", "soon"} {
		t.Run(interval, func(t *testing.T) {
			t.Parallel()
			h := newHost(t, testca.Config{Lifetimes: testca.Lifetimes{Certificate: 160 * time.Hour}})
			h.set.SkipPreflight = map[string]bool{"http": true} // whose probe looks days old
			h.has("a.example")
			h.edit("a.example", "version = ", "renew_before_expiry = "+interval+"\nversion = ")
			for hours := range 8 { // a lifetime
				h.report.warnings = nil
				_, err := h.renew(renewal.Round{})
				must(t, err)
				n := h.ordered()
				if hours*24 < 64 && n != 1 || hours*24 > 80 && n != 2 { // in between it is spread
					t.Fatalf("%d orders after %d hours", n, hours*24)
				}
				if h.warned("renew_before_expiry") != 1 {
					t.Errorf("after %d hours: %q", hours*24, h.report.warnings)
				}
				if n == 2 {
					break // certificates are dated by the real clock: the next one would be due at once
				}
				h.clock.skip(24 * time.Hour)
			}
			h.report.warnings = nil
			if r := h.again(h.wish("a.example")); h.warned("renew_before_expiry") != 1 && r.Outcome == renewal.Kept {
				t.Errorf("certonly: %q", h.report.warnings)
			}
		})
	}
}

// A certificate that was due when it was issued (dated back by months, or ending with a contract) is no reason to order another
// one with every run.
func TestACertificateThatWasBornDueIsNotOrderedWithEveryRun(t *testing.T) {
	t.Parallel()
	for _, said := range []string{"", "renew_before_expiry = 30 days\n"} {
		h := newHost(t, testca.Config{})
		h.set.SkipPreflight = map[string]bool{"http": true} // whose probe looks days old
		h.ca.SetOdd(testca.Odd{OddCertificate: testca.OddCertificate{Begins: -80 * day, Ends: 10 * day}})
		h.has("a.example")
		h.edit("a.example", "version = ", said+"version = ")
		for range 4 {
			_, err := h.renew(renewal.Round{})
			must(t, err)
			h.clock.skip(12 * time.Hour)
		}
		if n := h.ordered(); n != 1 {
			t.Errorf("%q: %d orders in two days", said, n)
		}
		if r := h.again(h.wish("a.example")); r.Outcome != renewal.Kept {
			t.Errorf("%q: certonly: %s", said, r.Outcome)
		}
		h.clock.skip(4 * day)
		_, err := h.renew(renewal.Round{})
		must(t, err)
		if n := h.ordered(); n != 2 {
			t.Errorf("%q: %d orders when half of its time was over", said, n)
		}
	}
}

// A lost key is no obstacle, and no reason to order with every run.
func TestALostKeyIsReplacedOnce(t *testing.T) {
	t.Parallel()
	h := newHost(t, testca.Config{})
	h.has("a.example", "same.example", "off.example")
	h.edit("off.example", "[renewalparams]", "[renewalparams]\nautorenew = False")
	h.edit("same.example", "[renewalparams]", "[renewalparams]\nreuse_key = True")
	for _, name := range []string{"a.example", "same.example", "off.example"} {
		must(t, os.Remove(h.onDisk(name).Archived("privkey", 1)))
	}
	run := func(want string, orders int) []renewal.Result {
		t.Helper()
		before := h.ordered()
		h.report.warnings = nil
		results, err := h.renew(renewal.Round{})
		must(t, err)
		if got := outcomes(results); got != want || h.ordered() != before+orders {
			t.Errorf("%s, %d orders; not %s, %d", got, h.ordered()-before, want, orders)
		}
		return results
	}
	for _, r := range run("a.example issued, off.example kept, same.example failed", 1) {
		if r.Lineage == "same.example" && (r.Class != failure.LineageBroken || !strings.Contains(string(r.Remedy), string(failure.Do(failure.RenewWith, "same.example", failure.NewKey)))) {
			t.Errorf("%+v", r)
		}
	}
	if h.warned("the private key of a.example is lost; the certificate is renewed with a new one") != 1 {
		t.Errorf("%q", h.report.warnings)
	}
	l, err := h.disk().Open("a.example")
	must(t, err)
	must(t, new(certbot.Verifier).Verify(l))
	must(t, os.Remove(h.onDisk("a.example").Archived("privkey", 2)))
	run("a.example kept, off.example kept, same.example failed", 0)
	if h.warned("is lost again") != 1 {
		t.Errorf("%q", h.report.warnings)
	}
	// With an older pair in the archive that one serves meanwhile, and the rules are the same.
	must(t, h.onDisk("a.example").Add(1, 50*day))
	must(t, h.onDisk("off.example").Add(3, 50*day))
	must(t, h.onDisk("off.example").Add(2, 60*day))
	must(t, h.onDisk("off.example").Lead(2))
	must(t, os.Remove(h.onDisk("off.example").Archived("privkey", 2)))
	run("a.example kept, off.example kept, same.example failed", 0)
	h.has("b.example")
	must(t, h.onDisk("b.example").Add(2, 95*day-time.Hour))
	must(t, h.onDisk("b.example").Lead(2))
	h.again(h.wish("b.example"))
	must(t, os.Remove(h.onDisk("b.example").Archived("privkey", 2)))
	run("a.example kept, b.example issued, off.example kept, same.example failed", 1)
	must(t, os.Remove(h.onDisk("b.example").Archived("privkey", 3)))
	run("a.example kept, b.example kept, off.example kept, same.example failed", 0)
	if l, err := h.disk().Open("b.example"); err != nil || l.Version != 1 || new(certbot.Verifier).Verify(l) != nil {
		t.Errorf("the older pair does not serve: %+v, %v", l, err)
	}
	results, err := h.renew(renewal.Round{Said: host.Said{Choice: host.Choice{NewKey: true}}, CertName: "same.example"}) // the remedies
	must(t, err)
	forced, err := h.renew(renewal.Round{CertName: "a.example", Renew: true})
	must(t, err)
	if results[0].Outcome != renewal.Issued || forced[0].Outcome != renewal.Issued {
		t.Errorf("%+v, %+v", results, forced)
	}
	run("a.example kept, b.example kept, off.example kept, same.example kept", 0)
}

// Keys that are there and of no use are told as well, of many lineages at once.
func TestForeignKeysAreReplacedToo(t *testing.T) {
	t.Parallel()
	h := newHost(t, testca.Config{})
	names := []string{"a.example", "b.example", "c.example", "d.example"}
	h.has(names...)
	foreign, err := os.ReadFile(h.onDisk("d.example").Archived("privkey", 1))
	must(t, err)
	for _, name := range names[:3] {
		must(t, os.WriteFile(h.onDisk(name).Archived("privkey", 1), foreign, 0o600))
	}
	must(t, h.onDisk("c.example").Add(2, 100*day)) // not valid yet, and therefore no successor
	must(t, os.Truncate(h.onDisk("b.example").Archived("privkey", 1), 20))
	results, err := h.renew(renewal.Round{})
	must(t, err)
	if got := outcomes(results); got != "a.example issued, b.example issued, c.example issued, d.example kept" || h.ordered() != 7 {
		t.Errorf("%s, %d orders", got, h.ordered())
	}
	results, err = h.renew(renewal.Round{})
	must(t, err)
	if got := outcomes(results); strings.Contains(got, "issued") || h.ordered() != 7 {
		t.Errorf("again: %s, %d orders", got, h.ordered())
	}
}

// What cannot be put in place is not ordered. Not even root makes a file in the directory that
// stands for one with chattr +i.
func TestNothingIsOrderedThatCannotBePutInPlace(t *testing.T) {
	t.Parallel()
	h := newHost(t, testca.Config{})
	h.has("a.example", "b.example")
	h.due("a.example", "b.example")
	h.edit("a.example", "archive_dir = "+filepath.Join(h.dir, "etc/archive/a.example"), "archive_dir = /proc/self/fdinfo")
	orders := h.ordered()
	for _, rehearsal := range []bool{true, false} {
		h.set.Rehearsal = rehearsal
		results, err := h.renew(renewal.Round{})
		must(t, err)
		if got := outcomes(results); !strings.HasPrefix(got, "a.example failed, b.example ") || strings.Contains(got, "b.example failed") {
			t.Errorf("%s", got)
		}
	}
	w := h.wish("a.example")
	w.Renew = true
	if r := h.again(w); r.Class != failure.Config || !strings.Contains(r.Sentence, "nothing can be written to /proc/self/fdinfo") || r.Remedy == "" {
		t.Errorf("%+v", r)
	}
	for _, o := range h.ca.Truth().Orders[orders:] {
		if o.Names[0] == "a.example" {
			t.Error("an order was made")
		}
	}
}

// Between finalize and installation a person mended the renewal file. The mended file stays, and
// what the order brought beside.
func TestSettingsMendedBeforeTheInstallationStay(t *testing.T) {
	t.Parallel()
	h := newHost(t, testca.Config{})
	h.has("a.example")
	h.due("a.example")
	h.edit("a.example", "[renewalparams]", "[renewalparams]\npost_hook = echo old\nmust_staple = True\npreferred_chain = Nobody's\nuser_agent = me")
	h.ca.Inject(testca.Fault{Kind: "certificate", Action: testca.Respond, Status: 503, Problem: "serverInternal", RetryAfter: "3600"})
	results, err := h.renew(renewal.Round{Said: host.Said{Choice: host.Choice{PreferredProfile: host.Say("classic")}}})
	must(t, err)
	if got := outcomes(results); got == "a.example issued" {
		t.Fatal("it was installed at once")
	}
	h.ca.ClearFaults()
	h.edit("a.example", "post_hook = echo old", "post_hook = echo new")
	h.edit("a.example", "must_staple = True\n", "")
	h.edit("a.example", "user_agent = me", "user_agent = you")
	h.clock.skip(2 * time.Hour)
	s := h.process("resume")
	left, err := s.ResumeAll(t.Context())
	must(t, err)
	must(t, s.Finish(t.Context()))
	if got := outcomes(left); got != "a.example issued" {
		t.Fatalf("%s: %+v", got, left)
	}
	l, err := h.disk().Open("a.example")
	must(t, err)
	p := l.Renewal.Params
	if p.PostHook != "echo new" || p.MustStaple || p.UserAgent != "you" || p.PreferredChain != "Nobody's" || p.PreferredProfile != "classic" {
		t.Errorf("%+v", p)
	}
}

// A run that was killed while it made a new lineage left a private key aside. Who comes next
// removes it, unless an order is going to complete it.
func TestALineageThatAKillLeftWithoutANameIsSwept(t *testing.T) {
	t.Parallel()
	h := newHost(t, testca.Config{})
	h.site("kept.example")
	h.ca.Inject(testca.Fault{Kind: "certificate", Action: testca.Respond, Status: 503, Problem: "serverInternal", RetryAfter: "3600"})
	if r := h.again(h.wish("kept.example")); r.Outcome == renewal.Issued {
		t.Fatal("it was installed at once")
	}
	left := func(name string) string {
		return filepath.Join(h.dir, "etc/archive", "."+name+".orderly-new", "privkey1.pem")
	}
	for _, name := range []string{"gone.example", "kept.example", "busy.example"} {
		must(t, os.MkdirAll(filepath.Dir(left(name)), 0o755))
		must(t, os.WriteFile(left(name), []byte("a private key"), 0o600))
	}
	unlock, err := h.locks.Lock(t.Context(), order.LineageLock("busy.example"))
	must(t, err)
	h.process("renew")
	must(t, unlock())
	for name, stays := range map[string]bool{"gone.example": false, "kept.example": true, "busy.example": true} {
		if _, err := os.Lstat(left(name)); (err == nil) != stays {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A configuration directory that was moved says so, and every command that works on a lineage goes
// on there. The remedy of the listing is what the test does.
func TestAMovedDirectoryIsRecognised(t *testing.T) {
	t.Parallel()
	h := newHost(t, testca.Config{})
	h.has("a.example", "b.example")
	before := filepath.Join(h.dir, "etc")
	must(t, os.Rename(before, filepath.Join(h.dir, "moved")))
	h.config = "moved"
	disk := h.disk()
	_, bad := disk.LookAll()
	if len(bad) != 2 || !strings.Contains(bad[0].Error(), "was moved") || !strings.Contains(string(failure.RemedyOf(bad[0])), string(failure.Do(failure.RenewAll, disk.Dirs.Config))) {
		t.Fatalf("%v", bad)
	}
	if r := h.again(h.wish("a.example")); r.Outcome != renewal.Kept {
		t.Errorf("%+v", r)
	}
	results, err := h.renew(renewal.Round{})
	must(t, err)
	if got := outcomes(results); got != "a.example kept, b.example kept" || h.ordered() != 2 {
		t.Errorf("%s, %d orders", got, h.ordered())
	}
	if h.warned("named "+before+", which is gone, and names "+disk.Dirs.Config+" now") != 2 {
		t.Errorf("%q", h.report.warnings)
	}
	results, err = h.renew(renewal.Round{Renew: true})
	must(t, err)
	if got := outcomes(results); got != "a.example issued, b.example issued" {
		t.Errorf("%s: %+v", got, results)
	}
	if _, err := os.Lstat(before); err == nil {
		t.Error("something was put into the former directory")
	}
}
