package order_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"orderly/acme"
	"orderly/failure"
	"orderly/ledger"
	"orderly/order"
)

// What a request that failed leads to, whichever it was: another one after its pause, or the order
// is left to a later run.
func TestNextAfterARequestThatFailed(t *testing.T) {
	busy := &acme.Problem{Type: "rateLimited", Reply: acme.Reply{Status: 429, RetryAfter: time.Hour, HasRetryAfter: true}}
	trouble := func(times int, pause time.Duration, cause error) *order.Trouble {
		return &order.Trouble{Kind: "order", Cause: cause, Times: times, Pause: pause}
	}
	broken := errors.New("connection reset")
	for _, c := range []struct {
		sentence string
		change   func(*order.Facts)
		kind     order.Kind
		class    failure.Class
		until    time.Time
	}{
		{"it is sent again after a pause", func(f *order.Facts) {
			f.Wait.Trouble, f.Wait.NextPoll = trouble(1, time.Second, broken), noon.Add(time.Second)
		}, order.Wait, "", noon.Add(time.Second)},
		{"after that at once", func(f *order.Facts) { f.Wait.Trouble = trouble(4, 8*time.Second, broken) }, order.Answer, "", time.Time{}},
		{"not a fifth time", func(f *order.Facts) { f.Wait.Trouble = trouble(5, 16*time.Second, broken) }, order.Stop, failure.CAUnavailable, time.Time{}},
		{"a CA that asks for a long pause is left", func(f *order.Facts) {
			f.Wait.Trouble, f.Wait.NextPoll, f.Wait.Asked = trouble(1, time.Hour, busy), noon.Add(time.Hour), true
		}, order.Stop, failure.RateLimited, noon.Add(time.Hour)},
		{"for a day at the most", func(f *order.Facts) {
			f.Wait.Trouble, f.Wait.NextPoll, f.Wait.Asked = trouble(1, 1000*time.Hour, busy), noon.Add(1000*time.Hour), true
		}, order.Stop, failure.RateLimited, noon.Add(order.LongestHold)},
		{"an account that is none stops everything", func(f *order.Facts) {
			f.Wait.Trouble = trouble(0, 0, broken)
			f.Wait.Trouble.Account = failure.New(failure.Account, "Put it back.", "none")
		}, order.Stop, failure.Account, time.Time{}},
	} {
		f := facts()
		f.Wait.LongestWait = time.Minute
		c.change(&f)
		act := order.Next(f)
		if act.Kind != c.kind || act.Class != c.class || !act.Until.Equal(c.until) {
			t.Errorf("%s: %s %s until %s", c.sentence, act.Kind, act.Class, act.Until)
		}
		if act.Kind == order.Stop && (act.Why == "" || act.Remedy == "") {
			t.Errorf("%s: no reason, or no remedy: %+v", c.sentence, act)
		}
	}
}

// What was never ordered is not called kept.
func TestATroubleSaysWhetherAnythingWasOrdered(t *testing.T) {
	f := facts()
	f.Wait.Trouble = &order.Trouble{Kind: "new-order", Cause: errors.New("no"), Times: 5, Advice: "Open the firewall."}
	if act := order.Next(f); !strings.HasPrefix(string(act.Remedy), "Open the firewall. The order is kept") {
		t.Errorf("%q", act.Remedy)
	}
	unsent(&f, 0, 0)
	f.Order.ID = 0
	if act := order.Next(f); !strings.HasSuffix(string(act.Remedy), "Nothing was ordered; the next run tries again.") {
		t.Errorf("%q", act.Remedy)
	}
}

// What the CA asks for is obeyed; for one Retry-After that ends after patience there is one look
// more.
func TestNextObeysWhatTheCAAsksFor(t *testing.T) {
	asked := func(after, patience time.Duration, overtime bool) func(*order.Facts) {
		return func(f *order.Facts) {
			answered(f, time.Second)
			f.Wait.NextPoll, f.Wait.GiveUp, f.Wait.Asked, f.Wait.Overtime = noon.Add(after), noon.Add(patience), true, overtime
		}
	}
	for _, c := range []struct {
		sentence string
		change   func(*order.Facts)
		kind     order.Kind
		overtime bool
	}{
		{"while patience lasts", asked(30*time.Second, time.Minute, false), order.Wait, false},
		{"also for long, while patience lasts", asked(2*time.Minute, 3*time.Minute, false), order.Wait, false},
		{"once beyond it", asked(30*time.Second, 10*time.Second, false), order.Wait, false},
		{"for one look more", asked(-time.Millisecond, -time.Second, false), order.Look, true},
		{"and not again", asked(30*time.Second, 10*time.Second, true), order.Stop, false},
		{"not for long", asked(2*time.Minute, 10*time.Second, false), order.Stop, false},
		{"nor before a challenge is answered", func(f *order.Facts) {
			f.Wait.NextPoll, f.Wait.Asked = noon.Add(2*time.Hour), true
		}, order.Stop, false},
	} {
		f := facts()
		f.Wait.LongestWait, f.Wait.Patience = time.Minute, 3*time.Minute
		c.change(&f)
		act := order.Next(f)
		if act.Kind != c.kind || act.Overtime != c.overtime {
			t.Errorf("%s: %s, overtime %t", c.sentence, act.Kind, act.Overtime)
		}
		if act.Kind == order.Stop && !act.Until.Equal(f.Wait.NextPoll) {
			t.Errorf("%s: the next run does not know of %s", c.sentence, f.Wait.NextPoll)
		}
	}
}

// The looks come further and further apart, unless the CA says when.
func TestTheNextLookIsWhenTheCASays(t *testing.T) {
	ca, o := order.CA{LongestValidation: 10 * time.Second}, &ledger.Order{}
	at := func(looks int, r acme.Reply) time.Duration { return order.NextLook(o, ca, looks, r, noon).Sub(noon) }
	for looks, want := range []time.Duration{100 * time.Millisecond, 200 * time.Millisecond, 400 * time.Millisecond} {
		if got := at(looks, acme.Reply{}); got != want {
			t.Errorf("after %d looks: %s", looks, got)
		}
	}
	if got := at(50, acme.Reply{}); got != 5*time.Second {
		t.Errorf("at the most %s", got)
	}
	if got := at(50, acme.Reply{HasRetryAfter: true, RetryAfter: 2 * time.Second}); got != 2*time.Second {
		t.Errorf("asked for 2 s: %s", got)
	}
	if got := at(0, acme.Reply{HasRetryAfter: true}); got != 100*time.Millisecond {
		t.Errorf("asked for none: %s", got)
	}
	o.Authorizations = []*ledger.Authorization{{Status: "pending", AnswerSentAt: noon.Add(-9 * time.Second)}}
	if got := at(50, acme.Reply{}); got != 1100*time.Millisecond {
		t.Errorf("an answer of unknown fate can be asked for sooner: %s", got)
	}
}
