package order

import (
	"cmp"
	"fmt"
	"time"

	"orderly/failure"
	"orderly/ledger"
)

// Issued reports whether nothing remains but what this host does by itself, whether or not the CA can be reached.
func Issued(o *ledger.Order) bool {
	return o.State == ledger.Installed || o.State == ledger.Valid && len(o.Chain) > 0
}

// End brings an order to its end as act says. It is the one place where an order is settled. It returns a phantom for every
// newOrder of it before the last that was never answered, and whether the CA has issued, or may have, though no certificate of
// it will be in place.
func End(o *ledger.Order, act Action, ca CA, now time.Time) (phantoms []*ledger.Order, issued bool) {
	underWay := o.State == ledger.Processing || o.State == ledger.Valid
	o.State, o.SettledAt, o.UpdatedAt = act.State, now, now
	if act.Class != "" {
		o.Class = string(act.Class)
	}
	if act.State == ledger.Installed {
		o.Reason, o.Problem = ledger.Reason{}, nil
	}
	if why := failure.Clean(act.Why); why != "" && (why != o.Sentence || act.Remedy != "") {
		o.Sentence, o.Remedy = why, act.Remedy.Keep() // a remedy is that of its sentence
	}
	if act.State == ledger.Phantom {
		o.Expires = o.CreateSentAt.Add(ca.Lifetime(o.Profile))
		for range o.CreateSends - 1 {
			phantoms = append(phantoms, PhantomOf(o, o.CreateSentAt, ca, now))
		}
	}
	return phantoms, MayBeIssued(o) || act.State == ledger.ReleasedState && underWay
}

// PhantomOf makes the record of an order that may exist unseen since a newOrder was sent for o.
func PhantomOf(o *ledger.Order, sent time.Time, ca CA, now time.Time) *ledger.Order {
	return &ledger.Order{
		AccountID: o.AccountID, Lineage: o.Lineage, Names: o.Names, Profile: o.Profile, State: ledger.Phantom,
		Request: o.Request, CreatedAt: sent, UpdatedAt: now, SettledAt: now, CreateSends: 1,
		Expires: sent.Add(ca.Lifetime(o.Profile)),
		Reason: ledger.Because(failure.AnswerLost, "", fmt.Sprintf(
			"newOrder of %s has no answer here; the CA may have made an order of it, which this ledger does not know",
			sent.UTC().Format(time.RFC3339))),
	}
}

// MayBeIssued reports whether the CA has issued, or may have, for an order that ends without its certificate in place: it
// counts what it issued, whoever has it.
func MayBeIssued(o *ledger.Order) bool {
	switch o.State {
	case ledger.LostState, ledger.TakenState:
		return true
	case ledger.Invalid:
		return o.CAStatus == "valid" // what it issued cannot be used
	case ledger.ExpiredState:
		return !o.FinalizeSentAt.IsZero()
	}
	return false
}

// Verdict is the error that a settled order amounts to, nil when its certificate is in place or it was superseded: before
// it was finalized, or after.
func Verdict(o *ledger.Order) error {
	switch o.State {
	case ledger.Installed, ledger.SupersededState, ledger.Ready:
		return nil
	}
	why := o.Err()
	why.Class = cmp.Or(why.Class, failure.CARefused)
	return why
}

// StartsAnew says whether an order's end calls for another order at once: one that nobody here is to blame for. An order
// that the CA broke after an earlier run left it is among them; one that it breaks under our eyes waits for the next run, and so
// does one whose certificate cannot be used. Whether another order may be made at all is for the back-off to say.
func StartsAnew(o *ledger.Order, resumed bool) bool {
	switch o.State {
	case ledger.TakenState, ledger.LostState, ledger.ExpiredState:
		return true
	case ledger.SupersededState:
		// what somebody put in place while this very order was made is for the next decision to judge
		return o.Superseded || resumed
	case ledger.Phantom:
		return o.Class == string(failure.Expired)
	case ledger.ReleasedState:
		return !o.Releasing // what was given up for a reason waits until the reason is gone
	case ledger.Invalid:
		return resumed && RefusedByCA(failure.Class(o.Class)) && !MayBeIssued(o)
	}
	return false
}
