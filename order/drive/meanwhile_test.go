package drive_test

import (
	"context"
	"testing"
	"time"

	"orderly/failure"
	"orderly/order"
	"orderly/order/drive"
	"orderly/preflight"
	"orderly/slot"
	"orderly/testca"
)

// What one of many orders learns counts for those that were admitted before it was known.

// The CA answers 429 to one order while another, which was admitted before, has its names checked.
func TestA429HoldsBackWhatWasAdmittedBeforeIt(t *testing.T) {
	w := newWorld(t, testca.Config{})
	w.ca.Inject(testca.Fault{Kind: "new-order", Action: testca.Respond, Status: 429,
		Problem: "rateLimited", Detail: orderLimit, RetryAfter: "3600"})
	e := w.engine()
	first, second := request("a.example", "a.example"), request("b.example", "b.example")
	w.report = func(names []string) preflight.Report {
		if names[0] == "b.example" {
			if _, err := obtain(t.Context(), e, order.Plan{Request: first}); failure.ClassOf(err) != failure.RateLimited {
				t.Errorf("the first: %v", err)
			}
		}
		return passing("as it was", names...)
	}
	out, err := obtain(t.Context(), e, order.Plan{Request: second})
	if failure.ClassOf(err) != failure.RateLimited || !out.Refused || out.Made != 0 {
		t.Errorf("the second: %+v, %v", out, err)
	}
	if n := w.requests("new-order"); n != 1 {
		t.Errorf("%d newOrders, and the first one was answered 429", n)
	}
	if s, err := w.store.Standing(t.Context(), "b.example"); err != nil || s.Class != string(failure.RateLimited) {
		t.Errorf("why nothing was ordered is not in the ledger: %+v, %v", s, err)
	}
	w.ca.ClearFaults()
	w.report = func(names []string) preflight.Report { return passing("as it was", names...) }
	w.clock.skip(time.Hour + time.Minute)
	w.get(second)
}

// endingTurn is a turn that comes in the very moment in which the run of whoever has it ends.
type endingTurn struct {
	end         context.CancelFunc
	taken, back int
}

func (e *endingTurn) Take(context.Context) (done func(), err error) {
	e.taken++
	e.end()
	return func() { e.back++ }, nil
}

// Others would wait for the turn for as long as the run goes on.
func TestWhoEndsWhileItsTurnComesGivesItBack(t *testing.T) {
	w := newWorld(t, testca.Config{})
	ctx, end := context.WithCancel(t.Context())
	defer end()
	row, err := w.store.AccountByID(t.Context(), w.row.ID)
	must(t, err)
	session, births := drive.NewSession(w.client(), w.key, row), &endingTurn{end: end}
	session.TakeTurns(slot.NewTurn(), births)
	e := w.profiled(w.made(session), "counts_pending = 3\ncharges_deactivation = false\n")
	_, err = obtain(ctx, e, order.Plan{Request: request("a.example", "a.example")})
	if failure.ClassOf(err) != failure.Stopped || births.taken != 1 || births.back != 1 || w.requests("new-order") != 0 {
		t.Errorf("%v; the turn was taken %d times, and came back %d times; %d newOrders",
			err, births.taken, births.back, w.requests("new-order"))
	}
}
