package order

// What a newOrder that brought no order leads to. It stands in a file of its own since this is where most of what CAs answer
// oddly arrives: whatever the answer, it is one of a few ends, and which one is decided here and nowhere else.

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"orderly/acme"
	"orderly/failure"
	"orderly/ledger"
)

// Unmade is a newOrder that certainly did not bring an order.
type Unmade struct {
	Effect  Effect        // NotDone or Refused
	Problem *acme.Problem // what the CA said; nil where it said nothing
	Cause   error         // in whose chain the problem is
	// Account is the CA's word that the account cannot be used at all; nil where it did not say so (rule 13).
	Account error
	Renewal bool // it asked for names that the CA issued a certificate for of late
	SentAt  time.Time
	Times   int // how many in a row came to nothing
}

// unmade decides what follows from it. It reports false where newOrder may be sent again, by the rules for any newOrder: an
// earlier one may still be without an answer.
func (f *Facts) unmade() (Action, bool) {
	u, p := f.NewOrder.Unmade, f.NewOrder.Unmade.Problem
	switch {
	case u.Account != nil && !aboutReplaced(f.Order, p):
		return f.withdraw(failure.ClassOf(u.Account), failure.RemedyOf(u.Account), u.Account), true
	case u.Effect == Refused && f.Order.Replaces != "":
		// Of whatever type: each CA refuses in its own way what it does not replace (RFC 9773 §5).
		return Action{Kind: DropReplaces, Why: p.Error()}, true
	case p != nil && p.Status == 429:
		holds := HoldsOf(p, f.Order, u.Renewal, u.SentAt)
		act := f.withdraw(failure.Class(holds[0].Class), HeldBack(holds[0]), p)
		act.Holds = holds
		return act, true
	case u.Effect == Refused && !p.Page: // a page is no word of the CA's: something before it let nothing through
		class, remedy := RefusalOfType(f.Order, p)
		if remedy == "" && p.IsType("unauthorized") { // and the account itself is in order
			remedy = "Have the CA allow you to order these names, or ask another CA with " +
				failure.Do(failure.OtherCA) + "."
		}
		return f.withdraw(class, remedy, p), true
	case u.Times < MostTroubles && (p == nil || p.RetryAfter <= f.Wait.LongestWait):
		return Action{}, false
	}
	cause := u.Cause
	if p != nil && p.Page {
		cause = fmt.Errorf("something before the CA answered, and not the CA itself: %w", cause)
	}
	return f.withdraw(acme.Unavailable(cause), "The next run tries again; nothing was ordered.", cause), true
}

// aboutReplaced reports whether a refusal speaks of the certificate that was to be replaced, and not of the account that asks:
// Boulder says "Requester account did not request the certificate being replaced by this order", others perhaps "Certificate not
// found for this account". Where it was the account, the next refusal says so as well.
func aboutReplaced(o *ledger.Order, p *acme.Problem) bool {
	if o.Replaces == "" || p == nil {
		return false
	}
	said := strings.ToLower(p.Detail.Arrived())
	return slices.ContainsFunc([]string{"replac", "certificate", "serial"}, func(word string) bool { return strings.Contains(said, word) })
}

// withdraw settles an order that was certainly never made. If an earlier newOrder of the same row is unaccounted for, a
// phantom remains.
func (f *Facts) withdraw(class failure.Class, remedy failure.Remedy, cause error) Action {
	act := Action{Kind: Settle, State: ledger.RefusedState, Class: class, Remedy: remedy,
		Why: fmt.Sprintf("%s: %s", f.Order.Subject(), failure.Clean(cause.Error()))}
	if !f.Order.CreateSentAt.IsZero() {
		act.State = ledger.Phantom
	}
	return act
}
