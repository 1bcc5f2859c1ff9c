package drive

import (
	"context"
	"fmt"

	"orderly/acme"
	"orderly/failure"
	"orderly/ledger"
	"orderly/order"
	"orderly/preflight"
)

// A challenge can fail although its authorization stays pending: step-ca keeps it pending with the error and
// validates it again when it is asked to, others make the challenge alone invalid, and a firewall before a CA
// answers the POST with a page of its own. The order is kept then, since it can still become valid, but the
// challenge is not answered again before the back-off allows it, and the CA's reason is what is said.

// statusOf is the status of a challenge that was answered, as far as it is known: one that shows an error is an
// invalid one, whatever the CA calls it. An error that was there before the last answer says nothing of that
// until the CA has had its time.
func (d *driver) statusOf(a *ledger.Authorization, c acme.Challenge) string {
	told := c.Status == "processing" || c.Status == ledger.AuthorizationValid || c.Status == ledger.AuthorizationInvalid
	if a.Final() || a.AnswerSentAt.IsZero() || told {
		return c.Status
	}
	p := c.Error
	switch {
	case order.Fallen(a):
		return ledger.AuthorizationInvalid
	case p == nil:
		return d.refusedStatus(a, c)
	}
	known := p.Type == a.ErrorType && p.Detail.String() == a.ErrorDetail
	late := a.SeenAt.Sub(a.AnswerSentAt) > d.e.known().LongestValidation
	if !known || late {
		return ledger.AuthorizationInvalid
	}
	return c.Status
}

// refusedStatus is that of a challenge whose answer the CA refused and that it shows as pending all the same.
func (d *driver) refusedStatus(a *ledger.Authorization, c acme.Challenge) string {
	p := d.refusals[c.URL]
	if p == nil {
		return c.Status
	}
	a.ErrorType, a.ErrorDetail = p.Type, fmt.Sprintf("the answer was refused with %d: %s", p.Status, p.Detail)
	return ledger.AuthorizationInvalid
}

// mostFallen is how often a challenge that the CA calls invalid is answered at the most, over all runs.
const mostFallen = 5

// fallen handles a challenge that has just been seen to have failed. Where the CA itself calls it invalid, and refuses another
// answer or makes nothing of several, it is so for good: the order cannot be proven any more and is given up.
func (d *driver) fallen(a *ledger.Authorization, status string) {
	why := order.NotValidated([]*ledger.Authorization{a}, d.way)
	d.block(a, why)
	if !d.booked && d.o.State != ledger.Invalid {
		d.fell(d.e.clock.Now())
	}
	again := a.Answers > 1 && d.refusals[a.ChallengeURL] != nil || a.Answers >= mostFallen
	if again && status == ledger.AuthorizationInvalid && d.o.State == ledger.PendingState {
		d.o.Class, d.o.Sentence, d.o.Remedy = string(why.Class), failure.Clean(why.Sentence), why.Remedy.Keep()
		d.said(order.ProblemOf([]*ledger.Authorization{a}))
		d.o.Releasing = true
		d.note("given up", "%s", failure.Clean(why.Sentence))
	}
}

// heldBack is why a challenge that failed is not answered again now, nil if it may be, or if it did not fail.
func (d *driver) heldBack(a *ledger.Authorization, report preflight.Report) error {
	if !order.Fallen(a) {
		return nil
	}
	s, err := d.e.store.Standing(context.Background(), d.o.Lineage)
	if err != nil {
		return err
	}
	return d.e.gate().HoldsBack(d.plan, s, report)
}
