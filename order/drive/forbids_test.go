package drive_test

import (
	"testing"
	"time"

	"orderly/failure"
	"orderly/ledger"
	"orderly/order"
	"orderly/order/drive"
	"orderly/preflight"
	"orderly/testca"
)

// forbidden asks an engine whether an order would be forbidden, and wants that nobody is asked for
// it: no CA, no name.
func (w *world) forbidden(e *drive.Engine, p order.Plan) error {
	w.t.Helper()
	report := w.report
	defer func() { w.report = report }()
	w.report = func([]string) preflight.Report { w.t.Error("the names were checked"); return preflight.Report{} }
	var err error
	w.silent(func() { err = e.Forbids(w.t.Context(), p) })
	return err
}

func TestWhatForbidsAnOrderIsKnownWithoutANetwork(t *testing.T) {
	p := order.Plan{Request: request("a.example", "a.example")}
	for name, c := range map[string]struct {
		class  failure.Class
		lasts  time.Duration // 0: no moment is known
		happen func(*world)
	}{
		"nothing happened": {"", 0, func(*world) {}},
		"a 429 to newOrder": {failure.RateLimited, time.Hour, func(w *world) {
			w.ca.Inject(testca.Fault{Kind: "new-order", Nth: 1, Action: testca.Respond, Status: 429, Problem: "rateLimited", Detail: "slow down", RetryAfter: "3600"})
			_, err := w.fails(p, failure.RateLimited)
			w.wantUntil(err, time.Hour)
		}},
		"a pause": {failure.Paused, 0, func(w *world) {
			w.ca.Inject(testca.Fault{Kind: "new-order", Nth: 1, Action: testca.Respond, Status: 429, Problem: "rateLimited",
				Detail: "Your account is temporarily prevented from requesting certificates for a.example. Please visit: https://ca.example/unpause"})
			_, err := w.fails(p, failure.Paused)
			w.wantUntil(err, 0)
		}},
		"a failed validation": {failure.BackOff, time.Minute, func(w *world) {
			w.ca.SetDead("a.example", true)
			_, err := w.fails(p, failure.Validation)
			w.wantUntil(err, time.Minute)
		}},
		"three charges": {failure.BackOff, time.Hour, func(w *world) {
			now := w.clock.Now()
			charge := ledger.Charge{AccountID: w.row.ID, Name: "a.example", At: now, Class: string(failure.Validation)}
			must(t, w.store.Commit(t.Context(), &ledger.Change{Charges: []ledger.Charge{charge, charge, charge}}))
		}},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, testca.Config{})
			c.happen(w)
			err := w.forbidden(w.engine(), p)
			if failure.ClassOf(err) != c.class {
				t.Fatalf("forbidden: %v", err)
			}
			w.wantUntil(err, c.lasts)
			if err := w.forbidden(w.engine(), order.Plan{Request: p.Request, Force: true}); err != nil {
				t.Errorf("a person insists: %v", err)
			}
			if err := w.forbidden(w.engine(), order.Plan{Request: request("b.example", "b.example")}); (err != nil) != (name == "a 429 to newOrder") {
				t.Errorf("another name: %v", err)
			}
			if n := len(w.orders("a.example")); n > 1 {
				t.Errorf("%d orders", n)
			}
		})
	}
}

// wantUntil wants that an error lasts for a while from now, a second more or less.
func (w *world) wantUntil(err error, want time.Duration) {
	w.t.Helper()
	until := failure.UntilOf(err)
	if want == 0 && !until.IsZero() {
		w.t.Errorf("until %s: %v", until, err)
	}
	if left := until.Sub(w.clock.Now()); want > 0 && (left > want+time.Second || left < want-time.Minute) {
		w.t.Errorf("%s are left, not %s: %v", left, want, err)
	}
}

func TestABudgetThatIsSpentSaysUntilWhen(t *testing.T) {
	w := newWorld(t, testca.Config{})
	engine := w.profiled(w.engine(), "[ca.limits]\nNewOrdersPerAccount = \"1/1h\"\n")
	_, err := obtain(t.Context(), engine, order.Plan{Request: request("a.example", "a.example")})
	must(t, err)
	p := order.Plan{Request: request("b.example", "b.example")}
	err = w.forbidden(engine, p)
	if failure.ClassOf(err) != failure.RateLimited {
		t.Fatalf("%v", err)
	}
	w.wantUntil(err, time.Hour)
	_, admitted := obtain(t.Context(), engine, p)
	if !failure.UntilOf(admitted).Equal(failure.UntilOf(err)) {
		t.Errorf("%v, and then %v", err, admitted)
	}
}

// What a CA asks of an order that exists is in the error of the run that met it, and of the next.
func TestARetryAfterIsInTheErrorAsAMoment(t *testing.T) {
	w := newWorld(t, testca.Config{})
	w.ca.Inject(testca.Fault{Kind: "order", Nth: 1, Action: testca.Respond, Status: 503, RetryAfter: "7200"})
	p := order.Plan{Request: request("a.example", "a.example")}
	_, err := w.fails(p, failure.CAUnavailable)
	w.wantUntil(err, 2*time.Hour)
	_, err = w.fails(p, failure.RateLimited)
	w.wantUntil(err, 2*time.Hour)
}
