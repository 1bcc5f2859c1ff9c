package drive_test

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"orderly/ledger"
	"orderly/order"
	"orderly/testca"
)

// A power cut takes back what was not synced, and leaves on the disk what was written beside it. It
// comes at each moment at which a process may die, and at last when the process has done all.
func TestThePowerMayFailAtAnyMoment(t *testing.T) {
	for _, c := range characters() {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, c.config)
			w.disk.hookless = true
			lost := 0
			for _, kind := range []string{"commit", "request"} {
				for k := 1; ; k++ {
					d := death{after: true, request: k}
					if kind == "commit" {
						d = death{after: true, commit: k}
					}
					name := fmt.Sprintf("%s%d.example", kind, k)
					r := request(name, name, "www."+name)
					died := w.dying(r, d)
					before := w.told(r.Lineage)
					w.store.PowerCut()
					if w.told(r.Lineage) != before {
						lost++
					}
					if k > 60 {
						t.Fatal("the process never comes to its end")
					}
					well := w.revived(t, r, d, c)
					for _, o := range w.orders(r.Lineage) {
						if o.State == ledger.LostState {
							t.Errorf("%s: order %d is lost: %s", d, o.ID, o.Sentence)
						}
					}
					if !well || !died {
						break
					}
				}
			}
			if lost == 0 {
				t.Error("no power cut took anything back")
			}
		})
	}
}

// told is what the ledger says of a lineage's orders.
func (w *world) told(lineage string) (all string) {
	for _, o := range w.orders(lineage) {
		all += fmt.Sprintln(o.State, o.Version, o.SettledAt)
	}
	return all
}

// Whoever has the next change synced removes the keys of those that came to their end before, and
// nobody does so earlier.
func TestAKeyIsKeptUntilTheEndOfItsOrderIsSynced(t *testing.T) {
	w := newWorld(t, testca.Config{Boulder: true, HideProcessing: true, Reuse: true})
	e := w.engine()
	obtained := func(name string) *ledger.Order {
		t.Helper()
		out, err := obtain(t.Context(), e, order.Plan{Request: request(name, name)})
		must(t, err)
		return out.Order
	}
	kept := func(o *ledger.Order) bool {
		_, there := w.machine().Keys().Load(o)
		return there
	}
	first := obtained("a.example")
	if !kept(first) {
		t.Error("the key is gone before the end of its order is synced")
	}
	second := obtained("b.example")
	if kept(first) || !kept(second) {
		t.Errorf("the first key is kept: %v, the second: %v", kept(first), kept(second))
	}
	e.Synced()
	if kept(second) {
		t.Error("the key is kept after the ledger was synced")
	}
}

// Orders that end at once leave no key behind, whoever's change is synced.
func TestNoKeyOfManyIsLeft(t *testing.T) {
	w := newWorld(t, testca.Config{Reuse: true})
	e := w.engine()
	var all sync.WaitGroup
	for i := range 12 {
		r := request(fmt.Sprint("l", i), fmt.Sprintf("l%d.example", i))
		all.Go(func() {
			if _, err := obtain(context.Background(), e, order.Plan{Request: r}); err != nil {
				t.Errorf("%s: %v", r.Lineage, err)
			}
		})
	}
	all.Wait()
	e.Synced()
	for i := range 12 {
		for _, o := range w.orders(fmt.Sprint("l", i)) {
			if _, there := w.machine().Keys().Load(o); there {
				t.Errorf("a key of %s is left", o.Lineage)
			}
		}
	}
}

// A deploy hook that ends the whole machine is begun again as often as one that ends its process.
func TestADeployHookThatTakesThePowerAwayIsNotRunForEver(t *testing.T) {
	w := newWorld(t, testca.Config{Reuse: true})
	r := request("a.example", "a.example")
	for runs := 0; ; runs++ {
		if runs > 10 {
			t.Fatal("the hook is run for ever")
		}
		w.disk.onDeploy = func() { panic(killed{}) }
		if !w.dying(r, death{}) {
			break
		}
		w.store.PowerCut()
	}
	w.wantStates("a.example", "installed")
	if n := w.disk.deploys["a.example"]; n < 2 || n > 5 {
		t.Errorf("the hook was run %d times", n)
	}
}
