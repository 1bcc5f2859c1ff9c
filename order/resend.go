package order

import (
	"slices"
	"time"

	"orderly/ledger"
)

// Resolution is what became of an earlier newOrder whose answer was lost, judged by the answer to the next one.
type Resolution string

// The ways in which a lost newOrder is resolved.
const (
	// Recovered: the answer is that very order.
	Recovered Resolution = "recovered"
	// NeverMade: the CA can show that no order came of it.
	NeverMade Resolution = "never-made"
	// Unknown: it may have made an order that nobody can find; a phantom stands for it (rule 2).
	Unknown Resolution = "unknown"
)

// Resent is what there is to judge by after a newOrder was sent again.
type Resent struct {
	FirstSent, SecondSent time.Time       // by the CA's clock where known
	Expires               time.Time       // of the order in the answer
	Lifetimes             []time.Duration // of this account's orders with a certain birth, seen earlier
	Listed                bool            // the CA's orders list was walked and did not have the first one
	Reuses                bool            // the CA reuses orders (CA.Reuses)
	Shadowed              bool            // an order of the same name set is known that ends reuse (Shadows)
	SentReplaces          string          // `replaces` of the first newOrder
	EchoedReplaces        string          // `replaces` in the answer
}

// tolerance is how far two readings of one `expires` may lie apart: CAs cut it to whole seconds.
const tolerance = 1500 * time.Millisecond

// Judge decides. An order's `expires` is its birth plus a lifetime that the CA keeps constant, so it
// tells when the order was born, unless it is tied to a reused authorization; that is why it must match
// a birth exactly to count, and why any doubt speaks for a second order. Without such evidence the CA's
// habit decides, and without a habit the first order counts as made and lost.
func Judge(r Resent) Resolution {
	if r.Listed {
		return NeverMade
	}
	first, second := r.births()
	switch {
	case r.isLater():
		return Unknown
	case second:
		return Unknown
	case r.SentReplaces != "" && r.EchoedReplaces == r.SentReplaces:
		return Recovered // rule 3; only where the first one has died may a second replace the same
	case first:
		return Recovered
	}
	if r.Reuses && !r.Shadowed && r.SentReplaces == "" {
		return Recovered
	}
	return Unknown
}

// births says for which of the two sendings any known lifetime speaks. All are asked: one that was
// measured while this host's clock was being corrected is off by seconds, and alone would take the
// second order for the first, which nobody would know of then.
func (r Resent) births() (first, second bool) {
	for _, life := range r.Lifetimes {
		one, other := near(r.Expires, r.FirstSent.Add(life)), near(r.Expires, r.SecondSent.Add(life))
		first, second = first || one && !other, second || other && !one
	}
	return first, second
}

// isLater reports whether the order in the answer lives longer than the first one can: no order
// outlives its birth plus the CA's lifetime, also where a reused authorization decides about its end.
func (r Resent) isLater() bool {
	return len(r.Lifetimes) > 0 && r.Expires.After(r.FirstSent.Add(slices.Max(r.Lifetimes)+tolerance))
}

// Shadows reports whether an order known to the ledger keeps a CA that reuses orders as Boulder does from handing back the
// one that is wanted, so that each newOrder makes another one: it is unexpired, was not issued (those are forgotten), and is
// another account's, of another profile, dead, or under way to its certificate.
func Shadows(o, wanted *ledger.Order, now time.Time) bool {
	if o.ID == wanted.ID || !o.Expires.IsZero() && !o.Expires.After(now) {
		return false
	}
	elsewhere := o.AccountID != wanted.AccountID || o.Profile != wanted.Profile
	switch o.State {
	case ledger.PendingState, ledger.Ready, ledger.Seen, ledger.Phantom:
		return elsewhere
	case ledger.Creating:
		return elsewhere && !o.CreateSentAt.IsZero()
	case ledger.Processing, ledger.Invalid:
		return true
	case ledger.ReleasedState:
		return o.Releasing // what was deactivated is as dead at Boulder as what failed
	}
	return false
}

func near(a, b time.Time) bool { return a.Sub(b).Abs() <= tolerance }
