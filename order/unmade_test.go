package order_test

import (
	"errors"
	"testing"
	"time"

	"orderly/acme"
	"orderly/failure"
	"orderly/ledger"
	"orderly/order"
	"orderly/outside"
)

// said is a newOrder that brought no order, by a problem of the CA's.
func said(status int, kind string, after time.Duration) *order.Unmade {
	p := &acme.Problem{Type: kind, Detail: outside.Of("no"),
		Reply: acme.Reply{Status: status, RetryAfter: max(after, 0), HasRetryAfter: after >= 0}}
	effect, _ := order.EffectOf(p)
	return &order.Unmade{Effect: effect, Problem: p, Cause: p, SentAt: noon, Times: 1}
}

// Whatever a newOrder came to that brought no order, it is one of a few ends.
func TestNextAfterANewOrderThatBroughtNoOrder(t *testing.T) {
	unmade := func(u *order.Unmade, more func(*order.Facts)) func(*order.Facts, *ledger.Order, *ledger.Authorization, *ledger.Authorization) {
		return func(f *order.Facts, _ *ledger.Order, _, _ *ledger.Authorization) {
			unsent(f, 0, 0)
			f.NewOrder.Unmade, f.Wait.LongestWait = u, time.Minute
			if more != nil {
				more(f)
			}
		}
	}
	often := func(f *order.Facts) { f.NewOrder.Unmade.Times = order.MostTroubles }
	replaces := func(f *order.Facts) { f.Order.Replaces = "x" }
	earlier := func(f *order.Facts) { f.Order.CreateSentAt = noon.Add(-time.Hour) }
	follow(t, []row{
		{"the CA says no", unmade(said(400, "rejectedIdentifier", -1), nil), order.Settle, ledger.RefusedState, ""},
		{"and an earlier one has no answer", unmade(said(400, "rejectedIdentifier", -1), earlier), order.Settle, ledger.Phantom, ""},
		{"it will not have what it replaces", unmade(said(409, "alreadyReplaced", -1), replaces), order.DropReplaces, "", ""},
		{"nothing is replaced", unmade(said(409, "alreadyReplaced", -1), nil), order.Settle, ledger.RefusedState, ""},
		{"a 429 is obeyed by later runs", unmade(said(429, "rateLimited", time.Second), nil), order.Settle, ledger.RefusedState, ""},
		{"503: once more", unmade(said(503, "", -1), nil), order.Create, "", ""},
		{"503: not before its Retry-After", unmade(said(503, "", time.Second), func(f *order.Facts) { f.Wait.NextPoll = noon.Add(time.Second) }), order.Wait, "", ""},
		{"503 with a Retry-After that is too long", unmade(said(503, "", time.Hour), nil), order.Settle, ledger.RefusedState, ""},
		{"503, again and again", unmade(said(503, "", -1), often), order.Settle, ledger.RefusedState, ""},
		{"nothing was sent", unmade(&order.Unmade{Effect: order.NotDone, Cause: errors.New("no route"), Times: 1}, nil), order.Create, "", ""},
		{"nothing was sent, again and again", unmade(&order.Unmade{Effect: order.NotDone, Cause: errors.New("no route")}, often), order.Settle, ledger.RefusedState, ""},
		{"the account cannot be used", unmade(&order.Unmade{Effect: order.NotDone, Cause: errors.New("no"), Times: 1,
			Account: failure.New(failure.Account, "", "no")}, nil), order.Settle, ledger.RefusedState, ""},
	})
}

func TestA429IsHeldFor(t *testing.T) {
	f := facts()
	unsent(&f, 0, 0)
	f.NewOrder.Unmade = said(429, "rateLimited", time.Minute)
	act := order.Next(f)
	if len(act.Holds) != 1 || !act.Holds[0].Until.Equal(noon.Add(time.Minute)) || act.Class != failure.RateLimited || act.Remedy == "" {
		t.Errorf("%+v", act)
	}
}

// Whoever is refused names that another account may have can do something about it.
func TestARefusalOfTheAccountsRightsHasARemedy(t *testing.T) {
	for kind, want := range map[string]bool{"unauthorized": true, "malformed": false} {
		f := facts()
		unsent(&f, 0, 0)
		f.NewOrder.Unmade = said(403, kind, -1)
		act := order.Next(f)
		if act.Kind != order.Settle || act.Class != failure.CARefused || (act.Remedy != "") != want {
			t.Errorf("%s: %+v", kind, act)
		}
	}
}
