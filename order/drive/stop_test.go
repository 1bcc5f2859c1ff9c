package drive_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"testing"
	"time"

	"orderly/acme"
	"orderly/failure"
	"orderly/ledger"
	"orderly/order"
	"orderly/order/drive"
	"orderly/testca"
)

// signalled is a ledger that a signal reaches around a commit.
type signalled struct {
	ledger.Store
	commits, at int
	signal      func()
}

// Commit implements ledger.Store.
func (s *signalled) Commit(ctx context.Context, c *ledger.Change) error {
	if s.commits++; s.commits == s.at {
		s.signal()
	}
	return s.Store.Commit(ctx, c)
}

// TestASignalLosesNothing stops a process at each of its requests and commits; the next one goes on.
func TestASignalLosesNothing(t *testing.T) {
	for _, c := range characters() {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, c.config)
			moments := 0
			for i, what := range []string{"before request", "after request", "commit"} {
				for k := 1; ; k++ {
					name := fmt.Sprintf("s%d.m%d.example", k, i)
					if !w.stopAt(request(name, name, "www."+name), what, k) {
						break
					}
					if moments++; t.Failed() || moments > 100 {
						t.Fatalf("%s %d", what, k)
					}
				}
			}
			if moments < 25 {
				t.Errorf("only %d moments were tried", moments)
			}
		})
	}
}

// stopAt stops a process at a moment, lets the next one go on, and reports whether the first came to that moment.
func (w *world) stopAt(r ledger.Request, what string, k int) (stopped bool) {
	w.t.Helper()
	ctx, cancel := context.WithCancel(w.t.Context())
	defer cancel()
	e := w.engine()
	w.wire.forget()
	switch what {
	case "before request":
		w.wire.before = func(n int, _ string, _ *http.Request) {
			if n == k {
				cancel()
			}
		}
	case "after request":
		w.wire.after = func(n int, _ string, answer *http.Response) *http.Response {
			if n == k {
				cancel()
			}
			return answer
		}
	default:
		e = drive.Changed(e, func(c *drive.Config) { c.Store = &signalled{Store: w.store, at: k, signal: cancel} })
	}
	_, err := obtain(ctx, e, order.Plan{Request: r})
	stopped = ctx.Err() != nil
	if stopped && err != nil && failure.ClassOf(err) != failure.Stopped || !stopped && err != nil {
		w.t.Errorf("%s %d: class %q: %v", what, k, failure.ClassOf(err), err)
	}
	w.wire.forget()
	w.goOn(r)
	w.kept(r, 0) // a request under way is given the time to be answered, so that there is no phantom
	return stopped
}

// A CA that does not answer keeps nobody: the request under way is given a little time, and ends before the CA lets go of it.
// That it is less than two seconds is asked of the real program (e2e).
func TestASignalEndsAHangingRequest(t *testing.T) {
	for _, kind := range []string{"directory", "new-nonce", "new-order", "authorization", "challenge", "order", "finalize", "certificate"} {
		for _, after := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s %v", kind, after), func(t *testing.T) {
				t.Parallel()
				w := newWorld(t, testca.Config{OrdersList: true})
				w.ca.Inject(testca.Fault{Kind: kind, Nth: 1, Action: testca.Hold, After: after})
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				go func() {
					<-w.ca.Held()
					cancel()
				}()
				r := request("a.example", "a.example")
				_, err := obtain(ctx, w.engine(), order.Plan{Request: r})
				if failure.ClassOf(err) != failure.Stopped {
					t.Errorf("class %q: %v", failure.ClassOf(err), err)
				}
				w.ca.Release()
				w.goOn(r)
				w.kept(r, 0)
			})
		}
	}
}

func TestADeployHookThatIsStoppedRunsAgain(t *testing.T) {
	w := newWorld(t, testca.Config{})
	ctx, cancel := context.WithCancel(t.Context())
	w.disk.onDeploy = cancel
	r := request("a.example", "a.example")
	_, err := obtain(ctx, w.engine(), order.Plan{Request: r})
	if err != nil && failure.ClassOf(err) != failure.Stopped {
		t.Error(err)
	}
	w.goOn(r)
	w.kept(r, 0)
}

// A hook that restarts whoever runs it would end every run: it is begun once and three times again. What was counted is the
// row's, whatever events are called.
func TestADeployHookThatEndsEveryRunIsGivenUp(t *testing.T) {
	w := newWorld(t, testca.Config{})
	r := request("a.example", "a.example")
	w.disk.onDeploy = func() { panic(killed{}) }
	died := 0
	run := func() {
		defer func() {
			if _, ok := recover().(killed); ok {
				died++
			}
		}()
		e := w.engine()
		e = drive.Changed(e, func(c *drive.Config) { c.Store = reworded{w.store} })
		_, err := e.Obtain(t.Context(), r.Lineage, r.Names, func(context.Context) (*order.Plan, error) {
			if w.disk.has(r.Lineage) {
				return nil, nil
			}
			return &order.Plan{Request: r}, nil
		})
		must(t, err)
	}
	for range 6 {
		run()
	}
	if n := w.disk.deploys[r.Lineage]; n != 4 || died != 4 {
		t.Errorf("it was begun %d times, and ended %d runs", n, died)
	}
	w.kept(r, 0)
}

// reworded is a ledger into which another version wrote its events.
type reworded struct{ ledger.Store }

// Commit implements ledger.Store.
func (r reworded) Commit(ctx context.Context, c *ledger.Change) error {
	for i := range c.Events {
		c.Events[i].Kind, c.Events[i].Detail = "reworded", ""
	}
	return r.Store.Commit(ctx, c)
}

func TestWhoWaitsForALockCanBeStopped(t *testing.T) {
	w := newWorld(t, testca.Config{})
	unlock, err := w.locks.Lock(t.Context(), order.LineageLock("a.example"))
	must(t, err)
	defer func() { must(t, unlock()) }()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Millisecond)
	defer cancel()
	w.silent(func() {
		_, err = obtain(ctx, w.engine(), order.Plan{Request: request("a.example", "a.example")})
	})
	if failure.ClassOf(err) != failure.Stopped {
		t.Errorf("class %q: %v", failure.ClassOf(err), err)
	}
}

// failing is a ledger whose commits fail from the nth on.
type failing struct {
	ledger.Store
	commits, from int
	err           error
	failed        func()
}

// Commit implements ledger.Store.
func (f *failing) Commit(ctx context.Context, c *ledger.Change) error {
	if f.commits++; f.commits >= f.from {
		f.failed()
		return f.err
	}
	return f.Store.Commit(ctx, c)
}

// A disk that is full, or another process that changed the order: the run ends, nothing that changes anything is sent any
// more, and what it thought it knew is not used again.
func TestNothingIsSentThatTheLedgerDoesNotHold(t *testing.T) {
	full := failure.New(failure.Ledger, "Make room.", "the disk is full")
	for _, err := range []error{full, fmt.Errorf("writing: %w", ledger.ErrStale), fmt.Errorf("writing: %w", ledger.ErrLive)} {
		t.Run(err.Error(), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, testca.Config{Boulder: true, HideProcessing: true, Reuse: true})
			for k := 1; k <= 7; k++ {
				name := fmt.Sprintf("f%d.example", k)
				r := request(name, name, "www."+name)
				w.wire.forget()
				e := w.engine()
				sent := -1
				store := &failing{Store: w.store, from: k, err: err, failed: func() {
					if sent < 0 {
						sent = len(w.wire.kinds())
					}
				}}
				e = drive.Changed(e, func(c *drive.Config) { c.Store = store })
				_, got := obtain(t.Context(), e, order.Plan{Request: r})
				if !errors.Is(got, err) {
					t.Errorf("commit %d: error %v", k, got)
				}
				if later := w.wire.kinds()[sent:]; slices.ContainsFunc(later, changes) {
					t.Errorf("commit %d: after it failed %v was sent", k, later)
				}
				w.goOn(r)
				w.kept(r, 0)
			}
		})
	}
}

func changes(kind string) bool {
	return kind == "new-order" || kind == "challenge" || kind == "finalize"
}

// One commit that fails and then works again: what the driver has in memory must not be written over what is true.
func TestAStaleOrderIsNotUsedFurther(t *testing.T) {
	w := newWorld(t, testca.Config{})
	r := request("a.example", "a.example")
	w.dieAt(r, "challenge", 1, false)
	e := w.engine()
	meddled := false
	w.wire.before = func(_ int, kind string, _ *http.Request) {
		if kind == "authorization" && !meddled { // another process saves the order meanwhile
			meddled = true
			o := w.orders("a.example")[0]
			o.Sentence = "meddled"
			must(t, w.store.Commit(t.Context(), &ledger.Change{Orders: []*ledger.Order{o}}))
		}
	}
	_, err := obtain(t.Context(), e, order.Plan{Request: r})
	if !errors.Is(err, ledger.ErrStale) || w.orders("a.example")[0].Sentence != "meddled" {
		t.Errorf("error %v, sentence %q", err, w.orders("a.example")[0].Sentence)
	}
	if slices.ContainsFunc(w.wire.kinds(), changes) {
		t.Errorf("sent: %v", w.wire.kinds())
	}
	w.wire.forget()
	w.get(r)
	w.kept(r, 0)
}

// After a signal the request under way is let end, and no order is begun: the nonce is fetched before the intent.
func TestASignalWhileTheNonceIsFetchedBeginsNoOrder(t *testing.T) {
	w := newWorld(t, testca.Config{})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	e, fetched := w.engine(), false
	w.wire.after = func(_ int, kind string, answer *http.Response) *http.Response {
		if kind == acme.KindNewNonce {
			fetched = true
			cancel()
		}
		return answer
	}
	_, err := obtain(ctx, e, order.Plan{Request: request("a.example", "a.example")})
	if !fetched || failure.ClassOf(err) != failure.Stopped {
		t.Errorf("nonce fetched: %v; %v", fetched, err)
	}
	if n := len(w.ca.Truth().Orders); n != 0 || len(w.orders("a.example")) != 0 {
		t.Errorf("%d orders were made, and %d rows", n, len(w.orders("a.example")))
	}
}
