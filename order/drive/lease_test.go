package drive_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"testing"

	"orderly/failure"
	"orderly/ledger"
	"orderly/order"
	"orderly/testca"
)

// leases are locks that can be lost, as those of a database that several hosts share.
type leases struct {
	order.Locks
	fence int64
	lost  context.Context
	lose  context.CancelCauseFunc
}

func newLeases(w *world) *leases {
	l := &leases{Locks: order.Kernel(w.locks), fence: 7}
	l.lost, l.lose = context.WithCancelCause(context.Background())
	w.t.Cleanup(func() { l.lose(nil) })
	return l
}

// Lock implements order.Locks.
func (l *leases) Lock(ctx context.Context, key string) (order.Held, error) {
	held, err := l.Locks.Lock(ctx, key)
	held.Guard, held.Lost = ledger.Guard{Key: key, Fence: l.fence}, l.lost
	return held, err
}

// sentAfter lets something happen before the first request of a kind, and returns what was sent after that one.
func (w *world) sentAfter(kind string, happens func()) (later func() []string) {
	at := 0
	w.wire.before = func(n int, k string, _ *http.Request) {
		if k == kind && at == 0 {
			at = n
			happens()
		}
	}
	return func() []string {
		if at == 0 {
			w.t.Fatalf("no %s was sent", kind)
		}
		return w.wire.kinds()[at:]
	}
}

// A holder that stood still does not know that its lease ran out and that another one is at work.
func TestWhoHasLostItsLockWritesAndSendsNothingMore(t *testing.T) {
	for _, kind := range []string{"new-order", "authorization", "challenge", "finalize", "certificate"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, testca.Config{Boulder: true, HideProcessing: true, Reuse: true})
			r := request("a.example", "a.example", "b.example")
			l, e := newLeases(w), w.engine()
			on(e).Locks = l
			w.wire.forget()
			saved := int64(0)
			later := w.sentAfter(kind, func() {
				must(t, w.store.Commit(t.Context(), &ledger.Change{Events: []ledger.Event{{Kind: "taken over"}},
					Guards: []ledger.Guard{{Key: order.LineageLock(r.Lineage), Fence: l.fence + 1}}}))
				saved = w.orders(r.Lineage)[0].Version
			})
			_, err := obtain(t.Context(), e, order.Plan{Request: r})
			if !errors.Is(err, ledger.ErrLost) {
				t.Errorf("error %v", err)
			}
			if sent := later(); slices.ContainsFunc(sent, changes) && kind != "challenge" { // of one commit
				t.Errorf("sent after it: %v", sent)
			}
			if now := w.orders(r.Lineage)[0].Version; now != saved {
				t.Errorf("the order was saved %d times", now-saved)
			}
			w.wire.forget()
			w.goOn(r)
			w.kept(r, 0)
		})
	}
}

// One that is told of it ends as it would for a signal, and says why.
func TestALostLockEndsTheRun(t *testing.T) {
	ranOut := errors.New("the lease ran out")
	for _, kind := range []string{"authorization", "challenge", "certificate"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, testca.Config{})
			r := request("a.example", "a.example")
			l, e := newLeases(w), w.engine()
			on(e).Locks = l
			w.wire.forget()
			later := w.sentAfter(kind, func() { l.lose(ranOut) })
			_, err := obtain(t.Context(), e, order.Plan{Request: r})
			if failure.ClassOf(err) != failure.Stopped || !errors.Is(err, ranOut) {
				t.Errorf("class %q: %v", failure.ClassOf(err), err)
			}
			if sent := fmt.Sprint(later()); sent != "[]" {
				t.Errorf("sent after it: %s", sent)
			}
			w.wire.forget()
			w.goOn(r)
			w.kept(r, 0)
		})
	}
}
