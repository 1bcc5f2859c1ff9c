package drive

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"orderly/acme"
	"orderly/failure"
	"orderly/ledger"
	"orderly/limit"
	"orderly/order"
)

// look GETs the order. taken: the CA has taken this process's CSR, so that an order that is ready is waited for.
func (d *driver) look(ctx context.Context, taken bool) error {
	if d.o.URL == "" {
		return d.lookUnaddressed(ctx, taken)
	}
	rctx, cancel := outliving(ctx)
	defer cancel()
	reply, err := d.e.acme().Order(rctx, d.o.URL)
	if err != nil {
		return d.notShown(ctx, err)
	}
	if err := d.unclear(reply); err != nil {
		return d.notUnderstood(reply, err)
	}
	before := d.o.CAStatus
	first := !d.looked
	d.looked = true
	if first || before != reply.Status {
		d.note("order seen", "%s", failure.Clean(reply.Status))
	}
	fresh := !d.met[reply.Status] && before != reply.Status
	if fresh {
		d.progress()
	} else {
		d.calm("order")
	}
	d.absorb(reply)
	if d.unlocated() || d.outlived(reply.Reply) {
		return nil
	}
	if reply.Status == "pending" && (first || before != "pending" && d.isNew("taken back")) { // once, where states take turns
		d.reopen()
	}
	waits := reply.Status == "processing" || reply.Status == "valid" && d.o.Certificate == "" || reply.Status == "pending" && !first ||
		reply.Status == "ready" && taken
	if !fresh && waits {
		d.pause(reply.Reply)
	}
	return nil
}

// notShown handles an order that the CA does not show. A 404 means that it expired only if the CA's own clock is past its
// `expires` (rule 12): with a clock of our own that jumped, a live order would be given up and stay pending.
func (d *driver) notShown(ctx context.Context, err error) error {
	effect, p := order.EffectOf(err)
	reply, answered := answerIn(err)
	switch {
	case foreign(err) && d.e.clock.Now().After(d.end()): // nobody can ask for it, so that only time ends it
		d.expired(d.e.clock.Now(), err)
		return nil
	case d.accountTrouble(err) != nil:
		return d.trouble("order", err)
	case answered && d.caTime(reply).After(d.end()): // CAs have other words for it than 404
		d.expired(d.caTime(reply), err)
		return nil
	case effect != order.Refused || p.Status != 404:
		return d.trouble("order", err)
	}
	return d.missing(ctx, p)
}

// notUnderstood handles an order of which the CA shows nothing that can be understood.
func (d *driver) notUnderstood(reply acme.Order, err error) error {
	if now := d.caTime(reply.Reply); now.After(d.end()) {
		d.expired(now, err)
		return nil
	}
	return d.trouble("order", err)
}

// answerIn is the answer that an error was made of, where the CA gave one: a refusal, or a success that cannot be read.
func answerIn(err error) (acme.Reply, bool) {
	if effect, p := order.EffectOf(err); effect == order.Refused {
		return p.Reply, true
	}
	if e, ok := errors.AsType[*acme.Lost](err); ok && e.Reply.Status/100 == 2 {
		return e.Reply, true
	}
	return acme.Reply{}, false
}

// end is when the order expires; where the CA did not say, the latest moment at which it can.
func (d *driver) end() time.Time {
	if d.o.Expires.IsZero() {
		return d.o.CreatedAt.Add(d.e.known().Lifetime(d.o.Profile))
	}
	return d.o.Expires
}

// expired ends an order that the CA has forgotten. One that rests on authorizations of earlier orders expires with the first
// of them, and those it brought itself may stay pending longer: such a one keeps its status until its own end is past, so
// that it is still shown and counted.
func (d *driver) expired(now time.Time, err error) {
	d.o.State, d.o.Class = ledger.ExpiredState, string(failure.Expired)
	d.o.Sentence = fmt.Sprintf("the order for %s expired on %s before it was finished", d.o.Lineage, d.end().UTC().Format(time.RFC3339))
	d.lapse(now)
	d.looked = true
	d.note("order expired", "%s", failure.Clean(err.Error()))
}

// lapse marks the authorizations whose own end is past.
func (d *driver) lapse(now time.Time) {
	for _, a := range order.Unfinished(d.o) {
		if a.Expires.IsZero() { // never shown
			a.Expires = d.o.CreatedAt.Add(d.e.known().Lifetime(d.o.Profile))
		}
		if !a.Expires.After(now) {
			a.Status = "expired"
		}
	}
}

// caTime is the CA's clock as the answer shows it, ours where it does not.
func (d *driver) caTime(r acme.Reply) time.Time {
	if r.Date.IsZero() {
		return d.e.clock.Now()
	}
	return r.Date
}

// absorb takes up what the CA says of the order.
func (d *driver) absorb(reply acme.Order) {
	o := d.o
	o.CAStatus, d.met[reply.Status] = reply.Status, true
	o.Expires = d.endTold(reply.Expires, o.Expires, reply.Reply)
	if reply.Finalize != "" {
		o.Finalize = reply.Finalize
	}
	if reply.Certificate != "" {
		o.Certificate = reply.Certificate
	}
	d.adopt(reply.Authorizations)
	if o.State == ledger.Invalid && !o.MissingSince.IsZero() {
		d.booked = true
		return // it was given up, and another one may have been made meanwhile
	}
	o.MissingSince = time.Time{}
	switch reply.Status {
	case "pending":
		o.State = ledger.PendingState
	case "ready", "processing", "valid":
		o.State = ledger.State(reply.Status)
		for _, a := range o.Authorizations {
			if a.Status != ledger.AuthorizationReplaced {
				a.Status = ledger.AuthorizationValid
			}
		}
	case "invalid":
		d.died(reply)
	}
}

// died records that the CA gave the order up. Which name is to blame is known once its authorizations have been shown.
func (d *driver) died(reply acme.Order) {
	if d.o.State == ledger.Invalid {
		return
	}
	if d.o.Releasing { // that is what deactivations do to it; it keeps the reason why it was given up
		d.o.State = ledger.Invalid
		d.note("order died", "its authorizations were deactivated")
		return
	}
	d.o.State, d.o.Class = ledger.Invalid, string(failure.CARefused)
	d.o.Sentence = fmt.Sprintf("the CA made the order for %s %s", d.o.Lineage, failure.Clean(reply.Status))
	if reply.Error != nil {
		class, _ := order.RefusalOfType(d.o, reply.Error)
		d.o.Class, d.o.Sentence = string(class), d.o.Sentence+": "+reply.Error.Error()
		d.said(reply.Error)
	}
	d.note("order died", "%s", d.o.Sentence)
}

// show GETs authorizations.
func (d *driver) show(ctx context.Context, list []*ledger.Authorization) error {
	rctx, cancel := outliving(ctx)
	defer cancel()
	var trouble error
	changed, fell := false, len(order.Failed(d.o)) == 0
	var last acme.Reply
	together(rctx, d, list, func(ctx context.Context, a *ledger.Authorization) (acme.Authorization, error) {
		return d.e.acme().Authorization(ctx, a.URL)
	}, func(a *ledger.Authorization, reply acme.Authorization, err error) {
		switch effect, p := order.EffectOf(err); {
		case err == nil && unclearAuthorization(reply) != nil:
			trouble = cmp.Or(trouble, unclearAuthorization(reply))
		case err == nil:
			changed = d.absorbAuthorization(a, reply) || changed
			last = reply.Reply
		case effect == order.Refused && p.Status == 404 && d.caTime(p.Reply).After(d.endOf(a)):
			a.Status, changed = "expired", true
		case trouble == nil:
			trouble = err
		}
	})
	if list := order.Failed(d.o); len(list) > 0 {
		d.blame(list, fell)
	} else if list := order.GivenUp(d.o); len(list) > 0 && d.o.State == ledger.PendingState && !d.o.Releasing {
		d.hopeless(list[0])
	}
	if trouble != nil {
		d.looked = d.looked && d.o.State != ledger.PendingState
		return d.trouble("authorization", trouble)
	}
	if err := d.measure(ctx); err != nil {
		return err
	}
	if changed {
		d.progress()
		return nil
	}
	d.calm("authorization")
	d.pause(last)
	return nil
}

func (d *driver) endOf(a *ledger.Authorization) time.Time {
	if a.Expires.IsZero() {
		return d.end()
	}
	return a.Expires
}

// absorbAuthorization takes up what the CA says of an authorization and reports whether that is news.
func (d *driver) absorbAuthorization(a *ledger.Authorization, reply acme.Authorization) bool {
	news := d.isNew(a.URL + " " + reply.Status)
	d.seen[a.URL] = true
	a.SeenAt = d.e.clock.Now()
	a.Name, a.Wildcard = nameShown(d.o, reply)
	a.Expires = d.endTold(reply.Expires, a.Expires, reply.Reply)
	d.inherit(a, reply)
	if reply.Status != a.Status && reply.Status != ledger.AuthorizationPending {
		d.note("authorization "+failure.Clean(reply.Status), "%s", failure.Clean(a.FullName()))
	}
	if reply.Status == ledger.AuthorizationInvalid && a.Status != reply.Status {
		// The CA has charged for it (Boulder: FailedAuthorizationsPerDomainPerAccount).
		d.unwritten.charges = append(d.unwritten.charges, ledger.Charge{AccountID: d.o.AccountID, Name: a.FullName(), OrderID: d.o.ID, At: a.SeenAt,
			Class: string(failure.Validation)})
		d.pay([]limit.Bucket{limit.Failed(a.FullName())}, false)
	}
	a.Status = reply.Status
	kind := d.kindOf(a)
	chosen := choose(a, kind, reply.Challenges)
	for i, c := range reply.Challenges {
		if i == chosen {
			d.absorbChallenge(a, c)
		} else if c.Type != kind && a.Final() && c.Error != nil { // another holder of the account tried it by another challenge
			a.ErrorType, a.ErrorDetail = c.Error.Type, c.Error.Detail.String()
		}
	}
	if !a.Final() && (a.ChallengeURL == "" || a.ChallengeType != kind) {
		d.block(a, d.offersNone(a, kind))
	}
	return news
}

func (d *driver) absorbChallenge(a *ledger.Authorization, c acme.Challenge) {
	before, status := order.Fallen(a), d.statusOf(a, c)
	if c.Token != a.Token {
		d.placed[a.URL] = false // what stands is for a token that the CA does not look for any more
	}
	a.ChallengeURL, a.ChallengeType, a.ChallengeStatus, a.Token = c.URL, c.Type, status, c.Token
	if c.Status == "processing" && !d.e.Account().ShowsProcessing {
		d.changeAccount(func(a *ledger.Account) { a.ShowsProcessing = true })
	}
	if c.Error != nil {
		a.ErrorType, a.ErrorDetail = c.Error.Type, c.Error.Detail.String()
	}
	if !before && order.Fallen(a) {
		d.fallen(a, c.Status)
	}
}

// block remembers that an authorization cannot be answered now, and why.
func (d *driver) block(a *ledger.Authorization, why error) {
	d.unplaceable[a.URL] = true
	if d.blocked == nil {
		d.blocked = why
	}
	d.note("not answered", "%s: %s", failure.Clean(a.FullName()), failure.Clean(why.Error()))
}

// blame names the names that failed and made the order die. The back-off begins with the first of them, and not only when
// the last of their siblings is done: until then another run must not order anew.
func (d *driver) blame(list []*ledger.Authorization, first bool) {
	d.o.State, d.o.Class = ledger.Invalid, string(failure.Validation)
	why := order.NotValidated(list, d.way)
	d.o.Sentence, d.o.Remedy = failure.Clean(why.Sentence), why.Remedy.Keep()
	d.o.Problem = order.ProblemOf(list).Encode()
	if first && !d.booked {
		d.fell(d.e.clock.Now())
	}
}
