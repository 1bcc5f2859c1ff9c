package drive_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"orderly/failure"
	"orderly/ledger"
	"orderly/order"
	"orderly/preflight"
	"orderly/testca"
)

// commands is a solver that runs a person's commands; that for one name fails.
type commands struct {
	*web
	fails string
	runs  int // of the one that fails
}

// Challenge implements order.Solver.
func (c *commands) Challenge(ledger.Request, bool) order.Way {
	return order.Way{Type: ledger.HTTP01, Answers: order.HookAnswers}
}

// Place implements order.Solver.
func (c *commands) Place(ctx context.Context, placement, content string) (string, error) {
	if c.fails != "" && strings.HasPrefix(placement, "/srv/"+c.fails+" ") {
		c.runs++
		return "", failure.New(failure.Hook, "Mend the hook.", "the auth hook for %s ended with code 9", c.fails)
	}
	return c.web.Place(ctx, placement, content)
}

// A command that fails to put a proof in place is not run by every run until the order expires: the
// names besides are proven, a back-off begins, and a change, or its end, lets the same order go on.
func TestAnAuthHookThatFailsIsNotRunByEveryRun(t *testing.T) {
	w := newWorld(t, testca.Config{})
	c := &commands{web: w.web, fails: "b.example"}
	w.solver = c
	p := order.Plan{Request: request("a.example", "a.example", "b.example")}
	runs := func(want int, class failure.Class) {
		t.Helper()
		_, err := w.fails(p, class)
		if c.runs != want || !strings.Contains(err.Error(), "ended with code 9") ||
			strings.Count(err.Error(), "Last time") > 1 {
			w.explain()
			t.Errorf("the hook was run %d times, not %d: %v", c.runs, want, err)
		}
	}
	runs(1, failure.Hook)
	runs(2, failure.Hook) // it may be mended
	for i, rest := range []time.Duration{time.Minute, 10 * time.Minute, 100 * time.Minute} {
		runs(2+i, failure.BackOff)
		w.clock.skip(rest - 5*time.Second)
		runs(2+i, failure.BackOff)
		w.clock.skip(10 * time.Second)
		runs(3+i, failure.Hook)
	}
	runs(5, failure.BackOff)
	c.fails = ""
	w.report = func(names []string) preflight.Report { return passing("mended", names...) }
	w.get(p.Request)
	w.settled(p.Request)
	w.served("a.example", 1, true)
}
