package renewal_test

import (
	"context"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"orderly/account"
	"orderly/acme"
	"orderly/failure"
	"orderly/host"
	"orderly/ledger/memory"
	"orderly/renewal"
	"orderly/testca"
)

const day = 24 * time.Hour

func TestAWishIsFulfilledOnce(t *testing.T) {
	t.Parallel()
	h := newHost(t, testca.Config{})
	h.site("a.example", "b.example")
	s := h.process("certonly")
	s.Only()
	r := s.Obtain(t.Context(), h.wish("a.example", "b.example"))
	if r.Outcome != renewal.Issued || r.Lineage != "a.example" || r.Path == "" || r.Key == "" || r.Expires.IsZero() || r.Order == 0 {
		t.Fatalf("%+v", r)
	}
	must(t, s.End("done", 0, ""))
	h.process("certonly").Obtain(t.Context(), h.wish("b.example", "a.example")) // which asks when it should be renewed
	requests := len(h.ca.Truth().Requests)
	r = h.process("certonly").Obtain(t.Context(), h.wish("b.example", "a.example"))
	if r.Outcome != renewal.Kept || r.DueAt.IsZero() || len(h.ca.Truth().Requests) != requests {
		t.Errorf("%+v, %d requests", r, len(h.ca.Truth().Requests)-requests)
	}
	if left, err := os.ReadDir(h.root("a.example")); err != nil || len(left) != 0 {
		t.Errorf("left in the document root: %v, %v", left, err)
	}
	runs, err := h.ledger.Runs(t.Context(), 0)
	must(t, err)
	if first := runs[len(runs)-1]; first.Outcome != "done" || first.EndedAt.IsZero() {
		t.Errorf("the run's record: %+v", first)
	}
}

// Whatever is wrong with one lineage, the others are renewed, and the CA is asked for nothing on
// behalf of the broken.
func TestABrokenLineageDoesNotKeepTheOthersFromBeingRenewed(t *testing.T) {
	t.Parallel()
	h := newHost(t, testca.Config{})
	h.has("a.example", "nomap.example", "gone.example", "parse.example", "link.example", "nginx.example", "fresh.example", "off.example", "odd.example", "z.example")
	h.due("a.example", "nomap.example", "gone.example", "link.example", "nginx.example", "off.example", "z.example")
	h.edit("odd.example", "version = ", "renew_before_expiry = soon\nversion = ")
	h.edit("nomap.example", "nomap.example = "+h.root("nomap.example"), "")
	h.edit("nomap.example", "webroot_path = "+h.root("nomap.example")+",", "")
	must(t, os.RemoveAll(h.root("gone.example")))
	h.edit("parse.example", "[renewalparams]", "[renewalparams")
	must(t, os.RemoveAll(filepath.Join(h.dir, "etc/archive/link.example")))
	h.edit("nginx.example", "authenticator = webroot", "authenticator = nginx")
	h.edit("off.example", "[renewalparams]", "[renewalparams]\nautorenew = False")
	orders := len(h.ca.Truth().Orders)
	results, err := h.renew(renewal.Round{})
	must(t, err)
	want := "a.example issued, fresh.example kept, gone.example failed, link.example invalid, nginx.example failed, nomap.example failed, " +
		"odd.example kept, off.example kept, parse.example invalid, z.example issued"
	if got := outcomes(results); got != want {
		t.Errorf("%s\nnot %s", got, want)
	}
	classes := map[string]failure.Class{"gone.example": failure.WebrootGone, "link.example": failure.LineageBroken,
		"nginx.example": failure.RenewalFile, "nomap.example": failure.WebrootUnset, "parse.example": failure.RenewalFile}
	for _, r := range results {
		if r.Class != classes[r.Lineage] || r.Err != nil && (r.Sentence == "" || r.Remedy == "" || r.Path == "") {
			t.Errorf("%s: class %q, sentence %q, remedy %q, path %q", r.Lineage, r.Class, r.Sentence, r.Remedy, r.Path)
		}
	}
	if n := len(h.ca.Truth().Orders) - orders; n != 2 {
		t.Errorf("%d orders were made", n)
	}
	if renewal.Exit(results, err) != 1 {
		t.Error("the exit code is not 1")
	}
}

func TestNothingIsSentWhenNothingIsDue(t *testing.T) {
	t.Parallel()
	h := newHost(t, testca.Config{})
	h.has("a.example", "b.example")
	_, err := h.renew(renewal.Round{}) // which asks when they should be renewed
	must(t, err)
	requests := len(h.ca.Truth().Requests)
	var progress []int
	results, err := h.renew(renewal.Round{Progress: func(p renewal.Progress) { progress = append(progress, p.Done, p.All) }})
	must(t, err)
	if got := outcomes(results); got != "a.example kept, b.example kept" || len(h.ca.Truth().Requests) != requests {
		t.Errorf("%s, %d requests", got, len(h.ca.Truth().Requests)-requests)
	}
	if len(progress) != 4 || progress[0] != 1 || progress[2] != 2 || progress[3] != 2 {
		t.Errorf("progress %v", progress)
	}
	results, err = h.renew(renewal.Round{CertName: "b.example", Renew: true})
	must(t, err)
	if got := outcomes(results); got != "b.example issued" {
		t.Error(got)
	}
	if _, err := h.renew(renewal.Round{CertName: "no.example"}); failure.ClassOf(err) != failure.Config {
		t.Errorf("a lineage that does not exist: %v", err)
	}
}

func TestARenewalSaysWhatItReplaces(t *testing.T) {
	t.Parallel()
	h := newHost(t, testca.Config{})
	h.has("a.example")
	h.due("a.example")
	_, err := h.renew(renewal.Round{})
	must(t, err)
	if orders := h.ca.Truth().Orders; len(orders) != 2 || orders[1].Replaces == "" {
		t.Errorf("orders %+v", orders)
	}
}

// Another program of the same account renewed it in between: what this ledger issued last is not what is replaced.
func TestARenewalReplacesWhatIsInPlace(t *testing.T) {
	t.Parallel()
	h := newHost(t, testca.Config{})
	h.has("a.example")
	h.due("a.example")
	ours, replaced := h.ledger, []string{""}
	for _, with := range []*memory.Store{memory.New(), ours} {
		replaced = append(replaced, acme.RenewalID(h.opened("a.example").Certificate.Leaf))
		h.ledger = with
		h.openLocks() // whose keys are a ledger's numbers
		_, err := h.renew(renewal.Round{})
		must(t, err)
	}
	for i, o := range h.ca.Truth().Orders {
		if o.Replaces != replaced[i] {
			t.Errorf("order %d replaces %q, not %q", i, o.Replaces, replaced[i])
		}
	}
}

// Of certbot's certificates the renewal file names the account. Where that is not the one that orders, or nothing of the old
// certificate is in the new one, nothing is said; where somebody changed it since, the CA refuses, and the order is made.
func TestWhatCertbotIssuedIsReplacedWhereTheAccountIsTheSame(t *testing.T) {
	t.Parallel()
	h := newHost(t, testca.Config{})
	first := h.registered()
	h.has("a.example", "b.example", "c.example")
	h.site("new.example")
	h.ledger = memory.New() // all of them are certbot's
	h.openLocks()
	s := h.process("certonly")
	w := h.wish("new.example")
	w.CertName, w.NewNames = "c.example", true
	if r := s.Obtain(t.Context(), w); r.Outcome != renewal.Issued {
		t.Fatalf("%+v", r)
	}
	h.ledger = memory.New()
	h.openLocks()
	away := filepath.Join(h.dir, "away")
	must(t, os.Rename(first.Dir, away))
	second := h.registered()
	must(t, os.Rename(away, first.Dir))
	if second.ID == first.ID {
		t.Fatal("the second account is the first one")
	}
	h.edit("a.example", "account = "+first.ID, "account = "+second.ID) // which the CA knows better
	h.due("a.example")
	h.due("b.example")
	old := acme.RenewalID(h.opened("b.example").Certificate.Leaf)
	got := h.round()
	if got["a.example"].Outcome != renewal.Issued || got["b.example"].Outcome != renewal.Issued {
		t.Errorf("%+v", got)
	}
	replaced := map[string][]string{}
	for _, o := range h.ca.Truth().Orders {
		replaced[o.Names[0]] = append(replaced[o.Names[0]], o.Replaces)
	}
	if want := map[string][]string{"a.example": {"", ""}, "b.example": {"", old}, "c.example": {""}, "new.example": {""}}; !maps.EqualFunc(replaced, want, slices.Equal) {
		t.Errorf("%q, not %q", replaced, want)
	}
	if n := h.ca.Truth().RequestsByKind["new-order"]; n != 7 { // one refused
		t.Errorf("%d newOrders", n)
	}
}

// A clock that jumped makes everything look expired. It is not believed, however often it is asked.
func TestAJumpingClockOrdersNothing(t *testing.T) {
	t.Parallel()
	// The test CA dates certificates by the real clock: those that are to be of use after the jump
	// live longer.
	h := newHost(t, testca.Config{Profiles: map[string]testca.Lifetimes{"long": {Certificate: 800 * day}}})
	h.has("a.example", "b.example", "c.example")
	_, err := h.renew(renewal.Round{})
	must(t, err)
	h.clock.skip(400 * day)
	requests := len(h.ca.Truth().Requests)
	for i := range 3 {
		if _, err := h.renew(renewal.Round{}); failure.ClassOf(err) != failure.Clock {
			t.Fatalf("time %d: %v", i, err)
		}
	}
	if n := len(h.ca.Truth().Requests) - requests; n != 0 {
		t.Errorf("%d requests", n)
	}
	h.set.Force, h.set.SkipPreflight = true, map[string]bool{"http": true} // whose probe looks a year old
	results, err := h.renew(renewal.Round{Said: host.Said{Choice: host.Choice{RequiredProfile: host.Say("long")}}})
	must(t, err)
	if got := outcomes(results); strings.Count(got, "issued") != 3 {
		t.Error(got)
	}
	h.set.Force = false
	_, err = h.renew(renewal.Round{})
	must(t, err)
}

func TestHooksRunOnceAroundEverythingAndDeployEach(t *testing.T) {
	t.Parallel()
	h := newHost(t, testca.Config{})
	h.has("a.example", "b.example", "broken.example")
	must(t, os.RemoveAll(h.root("broken.example")))
	h.due("a.example", "b.example", "broken.example")
	_, err := h.renew(renewal.Round{Said: host.Said{Hooks: host.Hooked{Pre: host.Say(h.note("pre")), Post: host.Say(h.note("post")), Deploy: host.Say(h.note("deploy"))}}})
	must(t, err)
	if got, want := h.notes(), "pre; deploy a.example; deploy b.example; post a.example b.example"; got != want {
		t.Errorf("%q, not %q", got, want)
	}
	if debts := h.debts(); len(debts) != 0 {
		t.Errorf("still owed: %+v", debts)
	}
}

// A hook that stops a service does not run for a lineage that cannot be renewed.
func TestAHookDoesNotRunInVain(t *testing.T) {
	t.Parallel()
	h := newHost(t, testca.Config{})
	h.has("broken.example")
	must(t, os.RemoveAll(h.root("broken.example")))
	h.due("broken.example")
	results, err := h.renew(renewal.Round{Said: host.Said{Hooks: host.Hooked{Pre: host.Say(h.note("pre")), Post: host.Say(h.note("post"))}}})
	must(t, err)
	if got := h.notes(); got != "" || outcomes(results) != "broken.example failed" {
		t.Errorf("%q, %s", got, outcomes(results))
	}
}

// Rule 14: a run died between its pre-hook and its post-hook. Whoever comes next pays, once, and
// not while the run lives.
func TestAPostHookThatIsOwedIsPaidByTheNext(t *testing.T) {
	t.Parallel()
	h := newHost(t, testca.Config{})
	h.site("a.example")
	w := h.wish("a.example")
	w.Hooks = host.Hooked{Pre: host.Say(h.note("pre")), Post: host.Say(h.note("post"))}
	first := h.process("certonly")
	if r := first.Obtain(t.Context(), w); r.Outcome != renewal.Issued {
		t.Fatalf("%+v", r)
	}
	next := h.process("renew")
	must(t, next.PayDebts(t.Context()))
	if got := h.notes(); got != "pre" || len(h.debts()) != 1 {
		t.Errorf("while the run lives: %q, %d owed", got, len(h.debts()))
	}
	h.openLocks() // the first run is dead
	next = h.process("renew")
	must(t, next.PayDebts(t.Context()))
	must(t, next.PayDebts(t.Context()))
	if got := h.notes(); got != "pre; post a.example" || len(h.debts()) != 0 {
		t.Errorf("once it is dead: %q, %d owed", got, len(h.debts()))
	}
}

func TestAPostHookIsRunAfterASignalToo(t *testing.T) {
	t.Parallel()
	h := newHost(t, testca.Config{})
	h.site("a.example")
	w := h.wish("a.example")
	ctx, cancel := context.WithCancel(t.Context())
	w.Hooks = host.Hooked{Pre: host.Say(h.note("pre")), Post: host.Say(h.note("post"))}
	s := h.process("certonly")
	h.ca.Inject(testca.Fault{Kind: "authorization", Nth: 1, Action: testca.Hold, After: true})
	go func() { <-h.ca.Held(); cancel() }()
	if r := s.Obtain(ctx, w); r.Outcome != renewal.Stopped {
		t.Fatalf("%+v", r)
	}
	must(t, s.Finish(ctx))
	if got := h.notes(); got != "pre; post" || len(h.debts()) != 0 {
		t.Errorf("%q, %d owed", got, len(h.debts()))
	}
	h.ca.Release()
	r := h.process("certonly").Obtain(t.Context(), w)
	if r.Outcome != renewal.Issued || !r.Resumed || len(h.ca.Truth().Orders) != 1 {
		t.Errorf("%+v, %d orders", r, len(h.ca.Truth().Orders))
	}
}

func TestAHookThatFailsIsToldAndNothingElse(t *testing.T) {
	t.Parallel()
	h := newHost(t, testca.Config{})
	h.site("a.example")
	w := h.wish("a.example")
	w.Hooks = host.Hooked{Deploy: host.Say("printf 'out\\033[31m\\n'; exit 7")}
	if r := h.process("certonly").Obtain(t.Context(), w); r.Outcome != renewal.Issued {
		t.Fatalf("%+v", r)
	}
	said := strings.Join(append(h.report.lines, h.report.warnings...), "\n")
	if !strings.Contains(said, "reported error code 7") || strings.Contains(said, "\x1b") || !strings.Contains(said, " out") {
		t.Errorf("said: %q", said)
	}
}

func TestDirectoryHooksRunBeforeTheLineagesOwn(t *testing.T) {
	t.Parallel()
	h := newHost(t, testca.Config{})
	h.has("a.example")
	for _, kind := range []string{"pre", "deploy", "post"} {
		path := filepath.Join(h.dir, "etc/renewal-hooks", kind, "1.sh")
		must(t, os.MkdirAll(filepath.Dir(path), 0o755))
		must(t, os.WriteFile(path, []byte("#!/bin/sh\n"+h.note("dir-"+kind)+"\n"), 0o755))
	}
	h.due("a.example")
	h.set.DirectoryHooks = true
	_, err := h.renew(renewal.Round{Said: host.Said{Hooks: host.Hooked{Pre: host.Say(h.note("pre")), Post: host.Say(h.note("post")), Deploy: host.Say(h.note("deploy"))}}})
	must(t, err)
	if got, want := h.notes(), "dir-pre; pre; dir-deploy a.example; deploy a.example; dir-post a.example; post a.example"; got != want {
		t.Errorf("%q, not %q", got, want)
	}
}

func TestResumeGoesOnWithWhatAnEarlierRunLeft(t *testing.T) {
	t.Parallel()
	h := newHost(t, testca.Config{})
	h.site("a.example", "b.example")
	for _, name := range []string{"a.example", "b.example"} {
		ctx, cancel := context.WithCancel(t.Context())
		h.ca.Inject(testca.Fault{Kind: "authorization", Nth: 1, Action: testca.Hold, After: true})
		go func() { <-h.ca.Held(); cancel() }()
		if r := h.process("certonly").Obtain(ctx, h.wish(name)); r.Outcome != renewal.Stopped {
			t.Fatalf("%+v", r)
		}
		h.ca.ClearFaults()
		h.ca.Release()
	}
	results, err := h.process("resume").ResumeAll(t.Context())
	must(t, err)
	if got := outcomes(results); got != "a.example issued, b.example issued" {
		t.Error(got)
	}
	for _, r := range results {
		if !r.Resumed || r.Order == 0 || r.Path == "" {
			t.Errorf("%+v", r)
		}
	}
	results, err = h.process("resume").ResumeAll(t.Context())
	if err != nil || len(results) != 0 || h.ca.Truth().Pending() != 0 || len(h.ca.Truth().Orders) != 2 {
		t.Errorf("%v, %v, %d pending, %d orders", results, err, h.ca.Truth().Pending(), len(h.ca.Truth().Orders))
	}
}

// The account on disk is another one than the order's: nothing is sent in its name.
func TestAnOrderOfAnAccountThatIsGoneIsNotResumed(t *testing.T) {
	t.Parallel()
	h := newHost(t, testca.Config{})
	h.site("a.example")
	ctx, cancel := context.WithCancel(t.Context())
	h.ca.Inject(testca.Fault{Kind: "authorization", Nth: 1, Action: testca.Hold, After: true})
	go func() { <-h.ca.Held(); cancel() }()
	h.process("certonly").Obtain(ctx, h.wish("a.example"))
	h.ca.ClearFaults()
	h.ca.Release()
	must(t, os.RemoveAll(filepath.Join(h.dir, "etc/accounts")))
	requests := len(h.ca.Truth().Requests)
	results, err := h.process("resume").ResumeAll(t.Context())
	if err != nil || outcomes(results) != "a.example failed" || len(h.ca.Truth().Requests) != requests {
		t.Errorf("%+v, %v", results, err)
	}
	// Nobody can ask for it ever again: long after its end it must not make every run fail.
	h.clock.skip(15 * day)
	for _, want := range []string{"a.example expired", ""} {
		results, err = h.process("resume").ResumeAll(t.Context())
		if err != nil || outcomes(results) != want || renewal.Exit(results, nil) != 0 {
			t.Errorf("%+v, %v", results, err)
		}
	}
}

func TestAnAccountThatTheCADoesNotAcceptEndsItsLineagesOnly(t *testing.T) {
	t.Parallel()
	h := newHost(t, testca.Config{})
	h.has("a.example", "b.example")
	h.due("a.example", "b.example")
	h.ca.Inject(testca.Fault{Kind: "new-order", Action: testca.Respond, Status: 400, Problem: "accountDoesNotExist", Detail: "gone"})
	before := h.ca.Truth().RequestsByKind["new-order"]
	results, _ := h.renew(renewal.Round{})
	if n := h.ca.Truth().RequestsByKind["new-order"] - before; n != 1 {
		t.Errorf("%d newOrders", n)
	}
	if strings.Contains(outcomes(results), "issued") || h.ca.Truth().RequestsByKind["new-account"] != 1 {
		t.Errorf("%s, %d newAccounts", outcomes(results), h.ca.Truth().RequestsByKind["new-account"])
	}
}

func TestAccountsAreMadeOnlyWhenThatWasSaid(t *testing.T) {
	t.Parallel()
	h := newHost(t, testca.Config{})
	h.site("a.example")
	w := h.wish("a.example")
	w.Registration = account.Registration{}
	r := h.process("certonly").Obtain(t.Context(), w)
	if r.Outcome != renewal.Failed || len(h.ca.Truth().Requests) != 0 {
		t.Errorf("%+v, %d requests", r, len(h.ca.Truth().Requests))
	}
	// The answer to newAccount is lost: the next run uses the same key, and finds the account that
	// was made.
	h.twice("new-account", testca.Fault{Action: testca.LoseAnswer})
	if r := h.process("certonly").Obtain(t.Context(), h.wish("a.example")); r.Outcome != renewal.Failed {
		t.Errorf("%+v", r)
	}
	if r := h.process("certonly").Obtain(t.Context(), h.wish("a.example")); r.Outcome != renewal.Issued {
		t.Errorf("%+v", r)
	}
	accounts := map[string]bool{}
	for _, request := range h.ca.Truth().Requests {
		if request.Kind == "new-account" {
			accounts[request.Account] = true
		}
	}
	if len(accounts) != 1 {
		t.Errorf("accounts %v", accounts)
	}
}

func TestALineageThatIsBrokenByADeadRunIsMended(t *testing.T) {
	t.Parallel()
	h := newHost(t, testca.Config{})
	h.has("a.example")
	h.due("a.example")
	_, err := h.renew(renewal.Round{})
	must(t, err)
	live := filepath.Join(h.dir, "etc/live/a.example")
	must(t, os.Remove(filepath.Join(live, "privkey.pem")))
	must(t, os.Symlink("../../archive/a.example/privkey9.pem", filepath.Join(live, "privkey.pem")))
	results, err := h.renew(renewal.Round{})
	must(t, err)
	if got := outcomes(results); got != "a.example issued" || len(h.report.warnings) == 0 {
		t.Errorf("%s, told: %q", got, h.report.warnings)
	}
}
