package drive

import (
	"fmt"

	"orderly/acme"
	"orderly/failure"
	"orderly/ledger"
	"orderly/order"
)

// A challenge can fail although its authorization stays pending: step-ca keeps it pending with the
// error and validates it again when it is asked to, others make the challenge alone invalid, and a
// firewall before a CA answers the POST with a page of its own. The order is kept then, since it
// can still become valid, but the challenge is not answered again before the back-off allows it,
// and the CA's reason is what is said.

// statusOf is the status of a challenge that was answered, as far as it is known: one that shows an
// error is an invalid one, whatever the CA calls it. An error that was there before the last answer
// says nothing of that until the CA has had its time.
func (az *authorizations) statusOf(a *ledger.Authorization, c acme.Challenge) string {
	told := c.Status == "processing" || c.Status == ledger.AuthorizationValid ||
		c.Status == ledger.AuthorizationInvalid
	if a.Final() || a.AnswerSentAt.IsZero() || told {
		return c.Status
	}
	p := c.Error
	switch {
	case order.Fallen(a):
		return ledger.AuthorizationInvalid
	case p == nil:
		return az.refusedStatus(a, c)
	}
	known := p.Type == a.ErrorType && p.Detail.String() == a.ErrorDetail
	late := a.SeenAt.Sub(a.AnswerSentAt) > az.e.known().LongestValidation
	if !known || late {
		return ledger.AuthorizationInvalid
	}
	return c.Status
}

// refusedStatus is that of a challenge whose answer the CA refused and that it shows as pending all
// the same.
func (az *authorizations) refusedStatus(a *ledger.Authorization, c acme.Challenge) string {
	p := az.refusals[c.URL]
	if p == nil {
		return c.Status
	}
	a.ErrorType, a.ErrorDetail = p.Type, fmt.Sprintf("the answer was refused with %d: %s", p.Status, p.Detail)
	return ledger.AuthorizationInvalid
}

// mostFallen is how often a challenge that the CA calls invalid is answered at the most, over all
// runs.
const mostFallen = 5

// fallen handles a challenge that has just been seen to have failed. Where the CA itself calls it
// invalid, and refuses another answer or makes nothing of several, it is so for good: the order
// cannot be proven any more and is given up.
func (az *authorizations) fallen(a *ledger.Authorization, status string) {
	why := order.NotValidated([]*ledger.Authorization{a}, az.proofs.way)
	az.proofs.block(a, why)
	if !az.booked && az.o.State != ledger.Invalid {
		az.fell(az.e.clock.Now())
	}
	again := a.Answers > 1 && az.refusals[a.ChallengeURL] != nil || a.Answers >= mostFallen
	if again && status == ledger.AuthorizationInvalid && az.o.State == ledger.PendingState {
		az.o.Reason = ledger.Because(why.Class, why.Remedy, why.Sentence)
		az.said(order.ProblemOf([]*ledger.Authorization{a}))
		az.o.Releasing = true
		az.note("given up", "%s", failure.Clean(why.Sentence))
	}
}
