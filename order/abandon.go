package order

// How an order ends that neither the CA nor its own course has ended: a person, or what a command does beside orders, wants
// nothing to come of it. It ends as every other does (End), so that what may be open at the CA is counted all the same.

import (
	"orderly/failure"
	"orderly/ledger"
)

// Reason is why an order is abandoned, as the operator reads it.
type Reason string

// The reasons.
const (
	GivenUpHere        Reason = "it was given up on this host, without a word to its CA"
	NotFinished        Reason = "it was given up, since what the CA has issued could not be put in place"
	LineageDeleted     Reason = "its lineage was deleted"
	LineageRetired     Reason = "its lineage was put aside"
	AccountDeactivated Reason = "its account was deactivated"
	// AccountGone: nobody can ask the CA about it, and it is long past its end by this host's clock.
	AccountGone Reason = "it expired while its account was gone from this host"
)

// Abandonment says what an order comes to that is abandoned: Settle, or Supersede, where its names are still to become valid so
// that nothing stays pending.
func Abandonment(o *ledger.Order, why Reason) Action {
	if (why == LineageDeleted || why == LineageRetired) && o.State.Live() && o.State != ledger.Processing && o.State != ledger.Valid {
		return Action{Kind: Supersede, Why: string(why)}
	}
	act := Action{Kind: Settle, State: ledger.ReleasedState, Class: failure.Released, Why: string(why)}
	switch {
	case o.State == ledger.Installed || o.State == ledger.Invalid: // these are what they are
		return Action{Kind: Settle, State: o.State, Class: failure.Class(o.Class), Why: o.Sentence, Remedy: failure.Kept(o.Remedy)}
	case o.State == ledger.Creating && !o.CreateSentAt.IsZero():
		act.State, act.Class, act.Why = ledger.Phantom, failure.AnswerLost, string(why)+"; whether the CA has made it is not known"
	case why == AccountGone:
		act.State, act.Class = ledger.ExpiredState, failure.Expired
	}
	return act
}
