package drive

import (
	"context"
	"testing"
	"time"

	"orderly/acme"
	"orderly/ledger"
	"orderly/order"
)

// hand is a clock that goes on where it is told to.
type hand struct{ now time.Time }

func (h *hand) Now() time.Time                                 { return h.now }
func (h *hand) Sleep(_ context.Context, d time.Duration) error { h.now = h.now.Add(d); return nil }

func waiting() (*hand, patience) {
	h := &hand{time.Date(2027, 3, 1, 12, 0, 0, 0, time.UTC)}
	return h, newPatience(h, time.Minute)
}

// A wait that began anew with each of two states that take turns would never end.
func TestPatienceCountsFromNewStatesOnly(t *testing.T) {
	h, p := waiting()
	for _, state := range []string{"pending", "ready", "pending", "ready", "pending"} {
		if p.isNew(state) {
			p.progress()
		}
		h.now = h.now.Add(10 * time.Second)
	}
	if want := h.now.Add(-40 * time.Second).Add(time.Minute); !p.ends.Equal(want) {
		t.Errorf("it ends at %s, not %s after the last new state", p.ends, time.Minute)
	}
}

// Two requests that take turns, one good, one bad, would otherwise go on for ever.
func TestTroubleOfOneKindStaysWhereAnotherSucceeds(t *testing.T) {
	_, p := waiting()
	for range 3 {
		p.count("authorization", nil)
		p.failed = &order.Trouble{Kind: "authorization"}
		p.calm("order")
	}
	if p.troubles["authorization"] != 3 || p.failed == nil {
		t.Errorf("%d are remembered", p.troubles["authorization"])
	}
	if p.calm("authorization"); p.troubles["authorization"] != 0 || p.failed != nil {
		t.Error("they are remembered after one succeeded")
	}
}

func TestThePauseAfterAFailureIsTheCAs(t *testing.T) {
	h, p := waiting()
	if p.count("order", nil); p.asked || !p.nextPoll.After(h.now) {
		t.Errorf("nobody asked: the next at %s", p.nextPoll)
	}
	p.count("order", &acme.Problem{Reply: acme.Reply{Status: 503, HasRetryAfter: true, RetryAfter: 20 * time.Second}})
	if !p.asked || !p.nextPoll.Equal(h.now.Add(20*time.Second)) {
		t.Errorf("20 s were asked for: the next at %s", p.nextPoll)
	}
}

func TestAClockThatWasSetBackBeginsTheWaitAnew(t *testing.T) {
	h, p := waiting()
	p.pause(h.now.Add(time.Hour), acme.Reply{})
	h.now = h.now.Add(-24 * time.Hour)
	if p.anew(); !p.nextPoll.IsZero() || !p.ends.Equal(h.now.Add(time.Minute)) {
		t.Errorf("the next at %s, until %s", p.nextPoll, p.ends)
	}
}

// A run that waits in many short pauses must not look like one that hangs, nor say so with each.
func TestAWaitIsToldOfOnce(t *testing.T) {
	_, p := waiting()
	told := 0
	for range 20 {
		if this, all := p.waits(time.Second, ledger.PendingState); this {
			t.Error("a second is told of")
		} else if all {
			told++
		}
	}
	if told != 1 {
		t.Errorf("told of %d times", told)
	}
	if this, all := p.waits(longPause, ledger.Processing); !this || all {
		t.Error("a long pause is not told of")
	}
}
