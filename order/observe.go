package order

import (
	"context"
	"fmt"
	"strings"
	"time"

	"orderly/acme"
	"orderly/failure"
	"orderly/ledger"
)

// look GETs the order.
func (d *driver) look(ctx context.Context) error {
	rctx, cancel := outliving(ctx)
	defer cancel()
	reply, err := d.e.ACME.Order(rctx, d.o.URL)
	if err != nil {
		return d.notShown(err)
	}
	before := d.o.CAStatus
	first := !d.looked
	d.looked = true
	if first || before != reply.Status {
		d.progress()
		d.note("order seen", "%s", reply.Status)
	} else {
		d.calm()
	}
	d.absorb(reply)
	if before == reply.Status && (reply.Status == "pending" || reply.Status == "processing") && !(first && before == "pending") {
		d.pause(reply.Reply)
	}
	return nil
}

// notShown handles an order that the CA does not show. A 404 means that it expired only if the CA's own clock is past its
// `expires` (rule 12): with a clock of our own that jumped, a live order would be given up and stay pending.
func (d *driver) notShown(err error) error {
	fate, p := judgeError(err)
	if fate != refused || p.Status != 404 {
		return d.trouble("order", err)
	}
	if !d.o.Expires.IsZero() && d.caTime(p.Reply).After(d.o.Expires) {
		d.o.State, d.o.Class = ledger.ExpiredState, string(failure.Expired)
		d.o.Sentence = fmt.Sprintf("the order for %s expired on %s before it was finished", d.o.Lineage,
			d.o.Expires.UTC().Format(time.RFC3339))
		for _, a := range unfinished(d.o) {
			a.Status = "expired"
		}
		d.looked = true
		d.note("order expired", "%s", p.Error())
		return nil
	}
	return d.stop(failure.CARefused, "It is looked for again with every run until it has expired; `orderly order show` has its history.",
		"the CA does not know the order for %s any more, though it has not expired: %s", d.o.Lineage, p.Error())
}

// caTime is the CA's clock as the answer shows it, ours where it does not.
func (d *driver) caTime(r acme.Reply) time.Time {
	if r.Date.IsZero() {
		return d.e.Clock.Now()
	}
	return r.Date
}

// absorb takes up what the CA says of the order.
func (d *driver) absorb(reply acme.Order) {
	o := d.o
	o.CAStatus = reply.Status
	if !reply.Expires.IsZero() {
		o.Expires = reply.Expires
	}
	if reply.Finalize != "" {
		o.Finalize = reply.Finalize
	}
	if reply.Certificate != "" {
		o.Certificate = reply.Certificate
	}
	switch reply.Status {
	case "pending":
		o.State = ledger.PendingState
	case "ready", "processing", "valid":
		o.State = ledger.State(reply.Status)
		for _, a := range o.Authorizations {
			a.Status = ledger.AuthorizationValid
		}
	default:
		d.died(reply)
	}
}

// died records that the CA gave the order up. Which name is to blame is known once its authorizations have been shown.
func (d *driver) died(reply acme.Order) {
	if d.o.State == ledger.Invalid {
		return
	}
	d.o.State, d.o.Class = ledger.Invalid, string(failure.CARefused)
	d.o.Sentence = fmt.Sprintf("the CA made the order for %s %s", d.o.Lineage, failure.Clean(reply.Status))
	if reply.Error != nil {
		d.o.Sentence += ": " + reply.Error.Error()
	}
	d.note("order died", "%s", d.o.Sentence)
}

// show GETs authorizations.
func (d *driver) show(ctx context.Context, list []*ledger.Authorization) error {
	rctx, cancel := outliving(ctx)
	defer cancel()
	var trouble error
	changed := false
	var last acme.Reply
	together(rctx, d, list, func(ctx context.Context, a *ledger.Authorization) (acme.Authorization, error) {
		return d.e.ACME.Authorization(ctx, a.URL)
	}, func(a *ledger.Authorization, reply acme.Authorization, err error) {
		switch fate, p := judgeError(err); {
		case err == nil:
			changed = d.absorbAuthorization(a, reply) || changed
			last = reply.Reply
		case fate == refused && p.Status == 404 && !a.Expires.IsZero() && d.caTime(p.Reply).After(a.Expires):
			a.Status, changed = "expired", true
		case trouble == nil:
			trouble = err
		}
	})
	d.blame()
	if trouble != nil {
		d.looked = d.looked && d.o.State != ledger.PendingState
		return d.trouble("authorization", trouble)
	}
	if changed {
		d.progress()
		return nil
	}
	d.calm()
	d.pause(last)
	return nil
}

// absorbAuthorization takes up what the CA says of an authorization and reports whether that is news.
func (d *driver) absorbAuthorization(a *ledger.Authorization, reply acme.Authorization) bool {
	news := !d.seen[a.URL] || a.Status != reply.Status
	d.seen[a.URL] = true
	a.SeenAt = d.e.Clock.Now()
	a.Name, a.Wildcard, a.Expires = strings.ToLower(reply.Name), reply.Wildcard, reply.Expires
	if reply.Status != a.Status && reply.Status != ledger.AuthorizationPending {
		d.note("authorization "+failure.Clean(reply.Status), "%s", failure.Clean(a.Name))
	}
	a.Status = reply.Status
	for _, c := range reply.Challenges {
		if c.Type == "http-01" {
			d.absorbChallenge(a, c)
		}
	}
	if !a.Final() && a.ChallengeURL == "" {
		d.block(a, failure.New(failure.CARefused, "Order this name with another challenge.",
			"the CA offers no http-01 challenge for %s", failure.Clean(a.Name)))
	}
	return news
}

func (d *driver) absorbChallenge(a *ledger.Authorization, c acme.Challenge) {
	a.ChallengeURL, a.ChallengeType, a.ChallengeStatus, a.Token = c.URL, c.Type, c.Status, c.Token
	if c.Status == "processing" && !d.e.Account.ShowsProcessing {
		d.e.Account.ShowsProcessing, d.account = true, true
	}
	if c.Error != nil {
		a.ErrorType, a.ErrorDetail = c.Error.Type, c.Error.Detail
	}
}

// block remembers that an authorization cannot be answered now, and why.
func (d *driver) block(a *ledger.Authorization, why error) {
	d.unplaceable[a.URL] = true
	if d.blocked == nil {
		d.blocked = why
	}
	d.note("not answered", "%s: %s", failure.Clean(a.Name), failure.Clean(why.Error()))
}

// blame names the names that failed, once an order is dead and its authorizations are known, and books what the CA charged
// for them (Boulder: FailedAuthorizationsPerDomainPerAccount).
func (d *driver) blame() {
	var failed []string
	for _, a := range d.o.Authorizations {
		if a.Status == ledger.AuthorizationInvalid {
			failed = append(failed, fmt.Sprintf("%s: %s: %s", failure.Clean(a.Name), a.ErrorType, a.ErrorDetail))
		}
	}
	if len(failed) == 0 || d.o.Class == string(failure.Validation) && d.o.State == ledger.Invalid {
		return
	}
	d.o.State, d.o.Class = ledger.Invalid, string(failure.Validation)
	d.o.Sentence = failure.Clean("the CA could not validate " + strings.Join(failed, "; "))
	d.o.Remedy = "Mend what the CA complains of, then run the command again: a change lifts the back-off."
	for _, a := range d.o.Authorizations {
		if a.Status == ledger.AuthorizationInvalid {
			d.charges = append(d.charges, ledger.Charge{AccountID: d.o.AccountID, Name: a.Name, OrderID: d.o.ID,
				At: d.e.Clock.Now(), Class: string(failure.Validation)})
		}
	}
}
