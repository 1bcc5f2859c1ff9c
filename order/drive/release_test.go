package drive_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"testing"

	"orderly/failure"
	"orderly/ledger"
	"orderly/order"
	"orderly/order/drive"
	"orderly/preflight"
	"orderly/testca"
)

// counting is an engine that knows that its CA counts what is pending, and whether it is a Boulder otherwise.
func (w *world) counting() *drive.Engine {
	w.t.Helper()
	directory, err := w.client().Directory(w.t.Context())
	must(w.t, err)
	return w.profiled(w.engine(), fmt.Sprintf("boulder = %t\n%s", directory.Boulder, countsPending))
}

// releasing runs a process, on a CA that counts what is pending, that gives an order up because a document root cannot be
// written, and lets it die at d. It reports whether it came so far.
func (w *world) releasing(r ledger.Request, d death) (died bool) {
	w.t.Helper()
	w.wire.forget()
	defer w.wire.forget()
	w.wire.before = func(n int, _ string, _ *http.Request) {
		if n == d.request && !d.after {
			panic(killed{})
		}
	}
	w.wire.after = func(n int, _ string, answer *http.Response) *http.Response {
		if n == d.request && d.after {
			_ = answer.Body.Close()
			panic(killed{})
		}
		return answer
	}
	defer func() {
		if p := recover(); p != nil {
			if _, ok := p.(killed); !ok {
				panic(p)
			}
			died = true
		}
	}()
	e := w.counting()
	e = drive.Changed(e, func(c *drive.Config) { c.Store = &mortal{Store: w.store, at: d.commit, after: d.after} })
	_, err := obtain(context.Background(), e, order.Plan{Request: r})
	if failure.ClassOf(err) != failure.WebrootLocked {
		w.t.Errorf("%s: a process that was not to die ended: %v", d, err)
	}
	return false
}

// A process may die at any moment of giving an order up: the next one completes it, and nothing stays pending.
func TestAReleaseThatDiesIsCompleted(t *testing.T) {
	for _, ca := range characters() {
		for _, after := range []bool{false, true} {
			for _, what := range []string{"commit", "request"} {
				t.Run(fmt.Sprint(ca.name, " ", what, " ", after), func(t *testing.T) {
					t.Parallel()
					for n := 1; n <= 60; n++ {
						d := death{after: after}
						if what == "commit" {
							d.commit = n
						} else {
							d.request = n
						}
						if !releaseDies(t, ca.config, d, ca.finds()) {
							return
						}
					}
					t.Error("it never comes to its end")
				})
			}
		}
	}
}

func releaseDies(t *testing.T, config testca.Config, d death, finds bool) bool {
	t.Helper()
	w := newWorld(t, config)
	r := request("a", "a.example.com", "www.a.example.com", "b.example.com")
	w.web.lock("/srv/a.example.com", true)
	died := w.releasing(r, d)
	if died {
		w.releasing(r, death{})
	}
	phantoms := 0
	for _, o := range w.orders("a") {
		if o.State == ledger.Phantom {
			phantoms++
		}
		if o.SettledAt.IsZero() {
			t.Errorf("%s: order %d is left %s", d, o.ID, o.State)
		}
	}
	if truth := w.ca.Truth(); truth.Pending() > 3*phantoms || phantoms > 0 && finds || truth.ValidatedTwice() > 0 {
		t.Errorf("%s: %d are pending with %d phantoms, %d validated twice", d, truth.Pending(), phantoms, truth.ValidatedTwice())
	}
	w.web.lock("/srv/a.example.com", false)
	w.report = func(names []string) preflight.Report { return passing("mended", names...) }
	if _, err := obtain(t.Context(), w.counting(), order.Plan{Request: r}); err != nil {
		t.Errorf("%s: mended: %v", d, err)
	}
	return died
}

// The CA may refuse a deactivation, or not answer it: the order is looked at again, and it is tried again.
func TestADeactivationThatFailsIsTriedAgain(t *testing.T) {
	for _, fault := range []testca.Fault{
		{Kind: "deactivate", Nth: 1, Action: testca.LoseAnswer},
		{Kind: "deactivate", Nth: 1, Action: testca.Drop},
		{Kind: "deactivate", Nth: 1, Action: testca.Respond, Status: 500},
		{Kind: "deactivate", Nth: 1, Action: testca.Respond, Status: 503, RetryAfter: "1"},
	} {
		t.Run(fmt.Sprint(fault.Action, fault.Status), func(t *testing.T) {
			w := newWorld(t, testca.Config{})
			r := request("a", "a.example.com", "b.example.com")
			w.web.lock("/srv/a.example.com", true)
			w.ca.Inject(fault)
			w.releasing(r, death{})
			if n := w.ca.Truth().Pending(); n != 0 {
				t.Errorf("%d are pending", n)
			}
			if got := w.states("a"); got != "released" {
				t.Errorf("the order is %s", got)
			}
		})
	}
}

func TestAnOrderThatARunWorksOnIsNotReleased(t *testing.T) {
	w := newWorld(t, testca.Config{})
	r := request("a", "a.example.com")
	w.web.lock("/srv/a.example.com", true)
	w.fails(order.Plan{Request: r}, failure.WebrootLocked)
	unlock, err := w.locks.Lock(t.Context(), order.LineageLock("a"))
	must(t, err)
	o := w.orders("a")[0]
	if err := w.engine().Release(t.Context(), o); failure.ClassOf(err) != failure.Locked || failure.RemedyOf(err) == "" {
		t.Errorf("%v", err)
	}
	must(t, errors.Join(unlock()))
	if err := w.engine().Release(t.Context(), o); o.State != ledger.ReleasedState {
		t.Errorf("%s, %v", o.State, err)
	}
}
