package drive_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"orderly/failure"
	"orderly/ledger"
	"orderly/order"
	"orderly/order/drive"
	"orderly/testca"
)

func someNames(stem string, n int) []string {
	names := []string{stem}
	for i := 1; i < n; i++ {
		names = append(names, fmt.Sprintf("w%d.%s", i, stem))
	}
	return names
}

// The budget of an issuance: as many commits and requests, those of a run's begin and end included.
func TestAnIssuanceStaysWithinItsBudget(t *testing.T) {
	for _, c := range []struct{ names, parallel, commits, requests int }{{1, 4, 8, 10}, {2, 4, 8, 11}, {10, 4, 8, 28}, {2, 1, 8, 11}} {
		t.Run(fmt.Sprintf("%d names, %d at once", c.names, c.parallel), func(t *testing.T) {
			w := newWorld(t, testca.Config{Boulder: true, HideProcessing: true, Reuse: true})
			w.clock.nap = time.Hour // real time, as the first poll counts
			commits := w.store.Commits()
			run := &ledger.Run{Command: "certonly", StartedAt: w.clock.Now()}
			must(t, w.store.Commit(t.Context(), &ledger.Change{Run: run}))
			e := w.engine().With(parallel(c.parallel))
			e = drive.Changed(e, func(c *drive.Config) { c.Run = run })
			on(e).last = func() *ledger.Run { run.EndedAt, run.Outcome = w.clock.Now(), "done"; return run }
			r := request("a.example", someNames("a.example", c.names)...)
			out, err := obtain(t.Context(), e, order.Plan{Request: r})
			must(t, err)
			if out.Resumed || out.Order.State != ledger.Installed {
				t.Errorf("resumed %v, state %s", out.Resumed, out.Order.State)
			}
			if got := int(w.store.Commits() - commits); got > c.commits {
				t.Errorf("%d commits, not %d", got, c.commits)
			}
			if got := w.wire.kinds(); len(got) > c.requests {
				t.Errorf("%d requests, not %d: %v", len(got), c.requests, got)
			}
			runs, err := w.store.Runs(t.Context(), 1)
			must(t, err)
			if runs[0].Outcome != "done" || runs[0].EndedAt.IsZero() {
				t.Errorf("the run's end is not recorded: %+v", runs[0])
			}
			w.settled(r)
		})
	}
}

func TestAHundredNamesAreOneOrder(t *testing.T) {
	w := newWorld(t, testca.Config{Boulder: true, HideProcessing: true, Reuse: true})
	e := w.engine().With(parallel(4))
	r := request("big.example", someNames("big.example", 100)...)
	_, err := obtain(t.Context(), e, order.Plan{Request: r})
	must(t, err)
	w.settled(r)
	if truth := w.ca.Truth(); len(truth.Orders) != 1 || truth.ValidatedTwice() != 0 || truth.Pending() != 0 {
		t.Errorf("%d orders, %d validated twice, %d pending", len(truth.Orders), truth.ValidatedTwice(), truth.Pending())
	}
}

func TestASecondCallFindsItsWorkDone(t *testing.T) {
	w := newWorld(t, testca.Config{})
	e := w.engine()
	r := request("a.example", "a.example")
	_, err := obtain(t.Context(), e, order.Plan{Request: r})
	must(t, err)
	w.wire.forget()
	out, err := e.Obtain(t.Context(), "a.example", r.Names, func(context.Context) (*order.Plan, error) { return nil, nil })
	if err != nil || out.Order != nil || len(w.wire.kinds()) != 0 {
		t.Errorf("order %v, requests %v, error %v", out.Order, w.wire.kinds(), err)
	}
}

// Whoever comes at the same time for the same finds the work done, and whoever wants another certificate for the same names
// gets one of its own.
func TestManyAtOnceMakeOneOrderForEachLineage(t *testing.T) {
	for _, c := range characters() {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, c.config)
			var all sync.WaitGroup
			for i := range 9 {
				r := request(fmt.Sprintf("l%d", i%3), "a.example", "b.example")
				e := w.engine()
				all.Go(func() {
					_, err := e.Obtain(t.Context(), r.Lineage, r.Names, func(context.Context) (*order.Plan, error) {
						if w.disk.has(r.Lineage) {
							return nil, nil
						}
						return &order.Plan{Request: r}, nil
					})
					if err != nil {
						t.Errorf("%s: %v", r.Lineage, err)
					}
				})
			}
			all.Wait()
			truth := w.ca.Truth()
			if len(truth.Orders) != 3 || len(truth.Issued) != 3 || truth.Pending() != 0 || truth.ValidatedTwice() != 0 {
				t.Errorf("%d orders, %d certificates, %d pending, %d validated twice", len(truth.Orders), len(truth.Issued), truth.Pending(), truth.ValidatedTwice())
			}
			for i := range 3 {
				w.settled(request(fmt.Sprintf("l%d", i), "a.example", "b.example"))
			}
		})
	}
}

// That a CA shows `processing` is believed once it was seen, and never guessed.
func TestThatTheCAShowsProcessingIsSeenNotGuessed(t *testing.T) {
	for hides, want := range map[bool]bool{false: true, true: false} {
		w := newWorld(t, testca.Config{HideProcessing: hides})
		w.get(request("a.example", "a.example"))
		row, err := w.store.AccountByID(t.Context(), w.row.ID)
		must(t, err)
		if row.ShowsProcessing != want {
			t.Errorf("hidden %v: recorded %v", hides, row.ShowsProcessing)
		}
	}
}

func TestAnEngineLeavesTheOrdersOfOtherAccountsAlone(t *testing.T) {
	w := newWorld(t, testca.Config{})
	r := request("a.example", "a.example")
	w.dieAt(r, "challenge", 1, false)
	former := w.orders("a.example")[0]
	w.register() // another account
	did, err := w.engine().Resume(t.Context(), former)
	if did || failure.ClassOf(err) != failure.Internal {
		t.Errorf("did %v, error %v", did, err)
	}
	w.get(r)
	w.wantStates("a.example", "pending installed")
	if o := w.orders("a.example")[1]; o.AccountID != w.row.ID || former.AccountID == w.row.ID {
		t.Errorf("accounts %d and %d", former.AccountID, o.AccountID)
	}
}

func TestOneEngineServesSeveralLineages(t *testing.T) {
	w := newWorld(t, testca.Config{Boulder: true, HideProcessing: true, Reuse: true})
	e := w.engine()
	w.ca.SetDead("dead.example", true)
	bad := request("dead.example", "dead.example", "sibling.example")
	if _, err := obtain(t.Context(), e, order.Plan{Request: bad}); err == nil {
		t.Fatal("a name that the CA cannot validate got a certificate")
	}
	for _, name := range []string{"a.example", "b.example"} {
		r := request(name, name)
		out, err := obtain(t.Context(), e, order.Plan{Request: r})
		must(t, err)
		if out.Order.Class != "" || out.Order.Sentence != "" || out.Order.NotBefore != (time.Time{}) {
			t.Errorf("%s got what belongs to another order: %+v", name, out.Order)
		}
		w.settled(r)
	}
}
