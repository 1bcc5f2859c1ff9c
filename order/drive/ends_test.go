package drive_test

import (
	"context"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"orderly/failure"
	"orderly/ledger"
	"orderly/order"
	"orderly/order/drive"
	"orderly/order/keys"
	"orderly/testca"
)

// dieAt runs a process that dies before or after the nth request of a kind.
func (w *world) dieAt(r ledger.Request, kind string, nth int, after bool) {
	w.t.Helper()
	seen := 0
	w.wire.forget()
	w.wire.before = func(_ int, k string, _ *http.Request) {
		if k == kind {
			seen++
		}
		if k == kind && seen == nth && !after {
			panic(killed{})
		}
	}
	w.wire.after = func(_ int, k string, answer *http.Response) *http.Response {
		if k == kind && seen == nth && after {
			_ = answer.Body.Close()
			panic(killed{})
		}
		return answer
	}
	defer w.wire.forget()
	defer func() {
		if _, ok := recover().(killed); !ok {
			w.t.Fatalf("%s: the process did not die at %s %d", r.Lineage, kind, nth)
		}
	}()
	_, _ = obtain(context.Background(), w.engine(), order.Plan{Request: r}) // it never returns
}

func (w *world) loseKeys() {
	w.t.Helper()
	must(w.t, os.RemoveAll(w.keys.Dir))
}

func (w *world) wantStates(lineage, want string) {
	w.t.Helper()
	if got := w.states(lineage); got != want {
		w.explain()
		w.t.Errorf("the orders of %s are %q, not %q", lineage, got, want)
	}
}

// Another program with the same account key may finalize an order that both rest on (rule 6).
func TestAnOrderThatAnotherHolderFinalizedIsTaken(t *testing.T) {
	for _, c := range []struct {
		name, kind string
		after      bool
	}{{"before this one had a key", "challenge", true}, {"after this one had a key", "finalize", false}} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, testca.Config{})
			r := request("a.example", "a.example")
			w.dieAt(r, c.kind, 1, c.after)
			w.otherHolder(w.orders("a.example")[0].URL)
			w.get(r)
			w.wantStates("a.example", "taken installed")
			w.settled(r)
			if o := w.orders("a.example")[0]; o.Class != string(failure.Taken) || !strings.Contains(o.Sentence, "another holder") {
				t.Errorf("class %q: %s", o.Class, o.Sentence)
			}
		})
	}
}

// Rule 7: what is done about a key that is gone depends on whether its CSR can have been used.
func TestAPrivateKeyThatIsGone(t *testing.T) {
	for _, c := range []struct {
		name, kind, states string
		after              bool
		config             testca.Config
	}{
		{"while ready", "finalize", "installed", false, testca.Config{}},
		{"while processing", "finalize", "lost installed", true, testca.Config{AsyncFinalize: true, FinalizeDelay: time.Minute}},
		{"while valid", "certificate", "lost installed", false, testca.Config{}},
		{"once downloaded", "", "lost installed", false, testca.Config{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, c.config)
			r := request("a.example", "a.example")
			if c.kind != "" {
				w.dieAt(r, c.kind, 1, c.after)
			} else if !w.dying(r, death{commit: 7}) {
				t.Fatal("it did not die")
			}
			w.loseKeys()
			w.get(r)
			w.wantStates("a.example", c.states)
			w.settled(r)
		})
	}
}

func TestADamagedKeyIsNotUsed(t *testing.T) {
	w := newWorld(t, testca.Config{})
	r := request("a.example", "a.example")
	w.dieAt(r, "finalize", 1, false)
	files, err := filepath.Glob(filepath.Join(w.keys.Dir, "*.csr"))
	must(t, err)
	for _, path := range files {
		must(t, os.WriteFile(path, []byte("x"), 0o600))
	}
	w.get(r)
	w.wantStates("a.example", "installed")
	if left, err := os.ReadDir(w.keys.Dir); err != nil || len(left) != 0 {
		t.Errorf("left in the directory of keys: %v, %v", left, err)
	}
}

func TestKeysAreOfTheKindAskedFor(t *testing.T) {
	made := &keys.Store{Dir: filepath.Join(t.TempDir(), "keys")}
	for _, r := range []ledger.Request{{KeyType: "rsa"}, {KeyType: "ecdsa", Curve: "secp384r1"}, {KeyType: "ecdsa"}} {
		o := &ledger.Order{ID: 7, Names: []string{"a.example"}, Request: r}
		var err error
		o.Key, o.CSR, err = made.Make(o)
		must(t, err)
		m, ok := made.Load(o)
		if !ok || !strings.Contains(string(m.PrivateKey), "PRIVATE KEY") {
			t.Fatalf("%+v: not there", r)
		}
		info, err := os.Stat(filepath.Join(made.Dir, o.Key.Path))
		must(t, err)
		if info.Mode().Perm() != 0o600 {
			t.Errorf("mode %v", info.Mode())
		}
		made.Remove(o)
		made.Remove(o)
		if _, ok := made.Load(o); ok {
			t.Error("what was removed is still there")
		}
	}
	blocked := &keys.Store{Dir: filepath.Join(made.Dir, "no", "\x00")}
	if _, _, err := blocked.Make(&ledger.Order{Names: []string{"a.example"}}); failure.ClassOf(err) != failure.Config {
		t.Errorf("error %v", err)
	}
}

func TestAnExpiredOrderIsFollowedByAnother(t *testing.T) {
	w := newWorld(t, testca.Config{})
	r := request("a.example", "a.example", "b.example")
	w.dieAt(r, "challenge", 1, false)
	w.ca.Advance(8 * 24 * time.Hour) // this host's clock is a week behind
	w.get(r)
	w.wantStates("a.example", "expired installed")
	w.settled(r)
}

// ahead is a clock that runs ahead of the CA's.
type ahead struct {
	order.Clock
	by time.Duration
}

func (a ahead) Now() time.Time { return a.Clock.Now().Add(a.by) }

// Rule 12: this host's clock says that the order has expired, the CA's does not.
func TestAClockThatJumpedDoesNotMakeAnOrderExpire(t *testing.T) {
	w := newWorld(t, testca.Config{})
	r := request("a.example", "a.example")
	w.dieAt(r, "challenge", 1, false)
	for nth := range 4 {
		w.ca.Inject(testca.Fault{Kind: "order", Nth: nth + 1, Action: testca.Respond, Status: 404, Problem: "malformed", Detail: "a hiccup"})
	}
	e := w.engine()
	e = drive.Changed(e, func(c *drive.Config) { c.Clock = ahead{w.clock, 9 * 24 * time.Hour} })
	_, err := obtain(t.Context(), e, order.Plan{Request: r})
	if failure.ClassOf(err) != failure.CARefused || w.orders("a.example")[0].State != ledger.PendingState {
		t.Fatalf("the order is %s: %v", w.states("a.example"), err)
	}
	e = w.engine()
	e = drive.Changed(e, func(c *drive.Config) { c.Clock = ahead{w.clock, 9 * 24 * time.Hour} })
	_, err = obtain(t.Context(), e, order.Plan{Request: r})
	must(t, err)
	w.wantStates("a.example", "installed")
}

// failed waits until the CA has found the authorization of a name invalid.
func (w *world) failed(name string) {
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for range tick.C {
		for _, o := range w.ca.Truth().Orders {
			if slices.ContainsFunc(o.Authorizations, func(a testca.TruthAuthorization) bool { return a.Name == name && a.Status == "invalid" }) {
				return
			}
		}
		if w.t.Context().Err() != nil {
			return // the test is over
		}
	}
}

// The retired sibling of a dead order is answered all the same: it becomes valid, and is reused.
func TestSiblingsOfAFailedNameBecomeValid(t *testing.T) {
	for _, c := range characters() {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, c.config)
			w.ca.SetDead("dead.example", true)
			w.web.roots["late.example"] = "/elsewhere"
			w.web.fetch = func(name string) {
				if name == "late.example" {
					w.failed("dead.example") // it fails after the other
				}
			}
			r := request("a.example", "a.example", "b.example", "dead.example", "late.example")
			out, err := w.fails(order.Plan{Request: r}, failure.Validation)
			for _, name := range []string{"dead.example", "late.example"} {
				if !strings.Contains(err.Error(), name) {
					t.Errorf("%s is not named: %v", name, err)
				}
			}
			for _, a := range w.truth(r.Names...)[0].Authorizations {
				bad := a.Name == "dead.example" || a.Name == "late.example"
				if want := map[bool]string{true: "invalid", false: "valid"}[bad]; a.Status != want || a.Validations != 1 {
					t.Errorf("%s is %s after %d validations", a.Name, a.Status, a.Validations)
				}
			}
			if out.Order.SettledAt.IsZero() || len(w.web.left()) != 0 {
				t.Errorf("settled %v, tokens left in %v", out.Order.SettledAt, w.web.left())
			}
			charges, err := w.store.Charges(t.Context(), w.row.ID, r.Names, time.Time{})
			must(t, err)
			if len(charges) != 2 {
				t.Errorf("%d charges are booked, not one for each failed name: %+v", len(charges), charges)
			}
			s, err := w.store.Standing(t.Context(), "a.example")
			must(t, err)
			if s.Failures != 1 || s.Class != string(failure.Validation) || s.Fingerprint == "" {
				t.Errorf("standing %+v", s)
			}
		})
	}
}

// The back-off begins when the name has failed, though a sibling cannot be answered and keeps the order from settling.
func TestAFailureIsBookedThoughASiblingIsLeft(t *testing.T) {
	w := newWorld(t, testca.Config{})
	w.ca.SetDead("dead.example", true)
	r := request("a.example", "dead.example", "locked.example")
	w.web.lock("/srv/locked.example", true)
	p := order.Plan{Request: r}
	w.fails(p, failure.Validation)
	w.fails(p, failure.BackOff)
	s, err := w.store.Standing(t.Context(), "a.example")
	must(t, err)
	if s.Failures != 1 || s.Class != string(failure.Validation) {
		t.Errorf("standing %+v", s)
	}
	if n := w.requests("new-order"); n != 1 {
		t.Errorf("%d newOrders", n)
	}
	w.web.lock("/srv/locked.example", false)
	w.fails(p, failure.BackOff)
	if truth := w.ca.Truth(); truth.Pending() != 0 {
		t.Errorf("%d authorizations are left pending", truth.Pending())
	}
	w.wantStates("a.example", "invalid")
}

func TestAnOrderThatTheCABreaksIsMadeAnewByTheNextRun(t *testing.T) {
	w := newWorld(t, testca.Config{AuthzReuse: true})
	w.ca.Inject(testca.Fault{Kind: "finalize", Nth: 1, Action: testca.BreakOrder})
	r := request("a.example", "a.example")
	w.fails(order.Plan{Request: r}, failure.CARefused)
	w.get(r)
	w.wantStates("a.example", "invalid installed")
	s, err := w.store.Standing(t.Context(), "a.example")
	must(t, err)
	if s.Failures != 0 || s.Class != "" {
		t.Errorf("standing %+v", s)
	}
}

func TestReplacesIsDroppedWhereTheCARefusesIt(t *testing.T) {
	for _, problem := range []struct {
		status int
		kind   string
	}{{409, "alreadyReplaced"}, {403, "unauthorized"}, {404, "malformed"}, {400, "malformed"}} {
		t.Run(problem.kind, func(t *testing.T) {
			w := newWorld(t, testca.Config{})
			r := request("a.example", "a.example")
			w.get(r)
			certificate, err := w.store.Certificate(t.Context(), "a.example")
			must(t, err)
			r.Replaces = certificate.RenewalID
			w.ca.Inject(testca.Fault{Kind: "new-order", Nth: 1, Action: testca.Respond, Status: problem.status, Problem: problem.kind,
				Detail: "Requester account did not request the certificate being replaced by this order"})
			w.get(r)
			truth := w.truth("a.example")
			if len(truth) != 2 || truth[1].Replaces != "" || truth[1].Serial == "" {
				t.Errorf("orders %+v", truth)
			}
			w.wantStates("a.example", "installed installed")
		})
	}
}

func TestReplacesIsSentAndItsAnswerJudged(t *testing.T) {
	w := newWorld(t, testca.Config{Boulder: true, Reuse: true, HideProcessing: true})
	r := request("a.example", "a.example")
	w.get(r)
	certificate, err := w.store.Certificate(t.Context(), "a.example")
	must(t, err)
	r.Replaces = certificate.RenewalID
	w.lose("new-order", 1)
	w.get(r)
	truth := w.truth("a.example")
	if len(truth) != 2 || truth[1].Replaces == "" {
		t.Errorf("orders %+v", truth)
	}
	if o := w.orders("a.example")[1]; o.State != ledger.Installed || o.Replaces != "" && o.Replaces != r.Replaces {
		t.Errorf("order %+v", o)
	}
}

func TestALiveOrderOfAnOverlappingLineageIsSettledFirst(t *testing.T) {
	w := newWorld(t, testca.Config{AuthzReuse: true})
	first, second := request("a.example", "a.example", "shared.example"), request("b.example", "b.example", "shared.example")
	w.dieAt(first, "challenge", 1, false)
	w.get(second)
	o := w.orders("a.example")[0]
	if !order.Issued(o) || w.disk.installs["a.example"] != 0 {
		t.Errorf("the order for %s is %s, installed %v: it goes as far as its certificate", o.Lineage, o.State, w.disk.installs)
	}
	_, err := w.engine().Resume(t.Context(), o) // its own next run
	must(t, err)
	w.settled(first)
	w.settled(second)
	if truth := w.ca.Truth(); truth.Pending() != 0 || truth.ValidatedTwice() != 0 || len(truth.Orders) != 2 {
		t.Errorf("%d pending, %d validated twice, %d orders", truth.Pending(), truth.ValidatedTwice(), len(truth.Orders))
	}
	for _, a := range w.truth(second.Names...)[0].Authorizations {
		if a.Name == "shared.example" && a.URL != w.truth(first.Names...)[0].Authorizations[1].URL {
			t.Error("the name of both is validated twice instead of being reused")
		}
	}
}

// Two lineages with one name set: the CA hands the order of the one to the other.
func TestOneOrderHasOneOwner(t *testing.T) {
	w := newWorld(t, testca.Config{Boulder: true, Reuse: true, HideProcessing: true})
	first, second := request("one", "a.example"), request("two", "a.example")
	w.web.lock("/srv/a.example", true)
	w.fails(order.Plan{Request: first}, failure.WebrootLocked)
	other := second
	other = inRoots(other, map[string]string{"a.example": "/new"})
	w.web.roots["a.example"] = "/new"
	w.get(other)
	w.wantStates("one", "released")
	w.settled(other)
	if truth := w.ca.Truth(); len(truth.Orders) != 1 || truth.Pending() != 0 {
		t.Errorf("%d orders, %d pending", len(truth.Orders), truth.Pending())
	}
	pending, err := w.store.Pending(t.Context(), w.clock.Now())
	must(t, err)
	if len(pending) != 0 {
		t.Errorf("said to be pending: %+v", pending)
	}
}

func TestASupersededOrderRestsAndIsTakenUpAgain(t *testing.T) {
	w := newWorld(t, testca.Config{})
	old, changed := request("a.example", "a.example", "old.example"), request("a.example", "a.example", "new.example")
	w.dieAt(old, "challenge", 1, false)
	w.get(changed)
	w.wantStates("a.example", "ready installed")
	if o := w.orders("a.example")[0]; !o.Superseded || o.SettledAt.IsZero() {
		t.Errorf("the old order is superseded %v, settled %v", o.Superseded, o.SettledAt)
	}
	if truth := w.ca.Truth(); truth.Pending() != 0 || len(truth.Issued) != 1 {
		t.Errorf("%d pending, %d certificates", truth.Pending(), len(truth.Issued))
	}
	out := w.get(old)
	if !out.Resumed || len(w.truth(old.Names...)) != 1 {
		t.Errorf("resumed %v, %d orders", out.Resumed, len(w.truth(old.Names...)))
	}
	w.wantStates("a.example", "installed installed")
	w.settled(old)
}

// A document root that was moved between the processes: the token goes where it is served now.
func TestAMendedDocumentRootIsUsedByTheNextProcess(t *testing.T) {
	w := newWorld(t, testca.Config{})
	r := request("a.example", "a.example")
	r = inRoots(r, map[string]string{"a.example": "/wrong"})
	w.dieAt(r, "challenge", 1, false)
	w.get(request("a.example", "a.example"))
	w.wantStates("a.example", "installed")
	if left := w.web.left(); len(left) != 0 {
		t.Errorf("tokens are left in %v", left)
	}
}

func TestResumeGoesOnUnlessTheLineageIsLocked(t *testing.T) {
	w := newWorld(t, testca.Config{})
	r := request("a.example", "a.example")
	w.dieAt(r, "challenge", 1, false)
	o := w.orders("a.example")[0]
	unlock, err := w.locks.Lock(t.Context(), order.LineageLock("a.example"))
	must(t, err)
	did, err := w.engine().Resume(t.Context(), o)
	if did || err != nil || len(w.wire.kinds()) != 0 {
		t.Errorf("did %v, error %v, requests %v", did, err, w.wire.kinds())
	}
	must(t, unlock())
	did, err = w.engine().Resume(t.Context(), o)
	if !did || err != nil || o.State != ledger.Installed {
		t.Errorf("did %v, error %v, state %s", did, err, o.State)
	}
	did, err = w.engine().Resume(t.Context(), o)
	if did || err != nil {
		t.Errorf("a settled order is resumed: %v, %v", did, err)
	}
	w.kept(r, 0)
}

// The run's end is written with the order that the run is about, not with one that it met on its way.
func TestTheRunDoesNotEndWithAnotherOrder(t *testing.T) {
	w := newWorld(t, testca.Config{})
	w.dieAt(request("a.example", "a.example", "shared.example"), "challenge", 1, false)
	e := w.engine()
	ended := 0
	on(e).last = func() *ledger.Run {
		ended++
		if w.disk.installs["b.example"] == 0 {
			t.Error("the run is said to have ended before its own order has")
		}
		return nil
	}
	_, err := obtain(t.Context(), e, order.Plan{Request: request("b.example", "b.example", "shared.example")})
	must(t, err)
	if ended != 1 || w.disk.installs["a.example"] != 0 {
		t.Errorf("asked %d times, installed %v", ended, w.disk.installs)
	}
}

// A certificate that is downloaded is put in place though the CA cannot be reached.
func TestADownloadedCertificateNeedsNoCA(t *testing.T) {
	w := newWorld(t, testca.Config{})
	r := request("a.example", "a.example")
	w.disk.refuse = failure.New(failure.LineageBroken, "Repair it.", "the links are wrong")
	_, err := w.fails(order.Plan{Request: r}, failure.LineageBroken)
	if failure.RemedyOf(err) != "Repair it." {
		t.Errorf("remedy %q", failure.RemedyOf(err))
	}
	w.ca.Inject(testca.Fault{Action: testca.Drop})
	w.disk.refuse = nil
	out := w.get(r)
	if out.Order.Sentence != "" || out.Order.Class != "" {
		t.Errorf("an installed order says %q", out.Order.Sentence)
	}
	w.settled(r)
}
