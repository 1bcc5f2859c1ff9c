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
	"orderly/order"
)

// What the CA shows of an order is taken up here, once it is certain that it is about that order.

// sight is what this process sees of an order.
type sight struct {
	*core
	proofs         *proofs
	authorizations *authorizations
	phantoms       *phantoms
	listing        *listing
	sought         bool          // the list was searched for the order's URL
	early          bool          // finalize was refused as not ready
	refusal        *acme.Problem // what finalize was refused with, until the CA shows the order otherwise than ready
	dated          acme.Reply    // the last that showed an authorization, which tells the CA's time
}

// look GETs the order. taken: the CA has taken this process's CSR, so that an order that is ready
// is waited for.
func (s *sight) look(ctx context.Context, taken bool) error {
	if s.o.URL == "" {
		return s.lookUnaddressed(ctx, taken)
	}
	rctx, cancel := outliving(ctx)
	defer cancel()
	reply, err := s.e.acme().Order(rctx, s.o.URL)
	if err != nil {
		return s.notShown(ctx, err)
	}
	if err := s.unclear(reply); err != nil {
		s.notUnderstood(reply, err)
		return nil
	}
	before, asked := s.o.CAStatus, s.o.Finalize
	first := !s.looked
	s.looked = true
	if first || before != reply.Status {
		s.note("order seen", "%s", failure.Clean(reply.Status))
	}
	fresh := !s.patience.met[reply.Status] && before != reply.Status
	if fresh {
		s.progress()
	} else {
		s.calm("order")
	}
	s.absorb(reply)
	if reply.Status != "ready" || s.o.Finalize != asked {
		s.refusal = nil // what was refused is another matter by now
	}
	if s.unlocated() || s.outlived(reply.Reply) {
		return nil
	}
	if reply.Status == "pending" && (first || before != "pending" && s.patience.isNew("taken back")) { // once, where states take turns
		s.authorizations.reopen()
	}
	waits := reply.Status == "processing" || reply.Status == "valid" && s.o.Certificate == "" || reply.Status == "pending" && !first ||
		reply.Status == "ready" && taken
	if !fresh && waits {
		s.pause(reply.Reply)
	}
	return nil
}

// notShown handles an order that the CA does not show. A 404 means that it expired only if the CA's
// own clock is past its `expires` (rule 12): with a clock of our own that jumped, a live order
// would be given up and stay pending.
func (s *sight) notShown(ctx context.Context, err error) error {
	effect, p := order.EffectOf(err)
	reply, answered := answerIn(err)
	switch {
	case foreign(err) && s.e.clock.Now().After(s.end()): // nobody can ask for it, so that only time ends it
		s.expired(s.e.clock.Now(), err)
		return nil
	case s.accountTrouble(err) != nil:
		s.trouble("order", err)
		return nil
	case answered && s.caTime(reply).After(s.end()): // CAs have other words for it than 404
		s.expired(s.caTime(reply), err)
		return nil
	case effect != order.Refused || p.Status != 404 && p.Page:
		s.trouble("order", err)
		return nil
	}
	return s.missing(ctx, p) // whatever word the CA has for it: 404 is Boulder's
}

// notUnderstood handles an order of which the CA shows nothing that can be understood.
func (s *sight) notUnderstood(reply acme.Order, err error) {
	if now := s.caTime(reply.Reply); now.After(s.end()) {
		s.expired(now, err)
		return
	}
	s.trouble("order", err)
}

// answerIn is the answer that an error was made of, where the CA gave one: a refusal, or a success
// that cannot be read.
func answerIn(err error) (acme.Reply, bool) {
	if effect, p := order.EffectOf(err); effect == order.Refused {
		return p.Reply, true
	}
	if e, ok := errors.AsType[*acme.Lost](err); ok && e.Reply.Status/100 == 2 {
		return e.Reply, true
	}
	return acme.Reply{}, false
}

// expired ends an order that the CA has forgotten. One that rests on authorizations of earlier
// orders expires with the first of them, and those it brought itself may stay pending longer: such
// a one keeps its status until its own end is past, so that it is still shown and counted.
func (s *sight) expired(now time.Time, err error) {
	s.o.State, s.o.Class = ledger.ExpiredState, string(failure.Expired)
	s.o.Sentence = fmt.Sprintf("the order for %s expired on %s before it was finished",
		s.o.Lineage, s.end().UTC().Format(time.RFC3339))
	s.lapse(now)
	s.looked = true
	s.note("order expired", "%s", failure.Clean(err.Error()))
}

// lapse marks the authorizations whose own end is past.
func (s *sight) lapse(now time.Time) {
	for _, a := range order.Unfinished(s.o) {
		if a.Expires.IsZero() { // never shown
			a.Expires = s.o.CreatedAt.Add(s.e.known().Lifetime(s.o.Profile))
		}
		if !a.Expires.After(now) {
			a.Status = "expired"
		}
	}
}

// absorb takes up what the CA says of the order.
func (s *sight) absorb(reply acme.Order) {
	o := s.o
	o.CAStatus, s.patience.met[reply.Status] = reply.Status, true
	o.Expires = s.endTold(reply.Expires, o.Expires, reply.Reply)
	if reply.Finalize != "" {
		o.Finalize = reply.Finalize
	}
	if reply.Certificate != "" {
		o.Certificate = reply.Certificate
	}
	s.authorizations.adopt(reply.Authorizations)
	if o.State == ledger.Invalid && !o.MissingSince.IsZero() {
		s.booked = true
		return // it was given up, and another one may have been made meanwhile
	}
	if reply.Status != "pending" || len(order.Unfinished(o)) == 0 {
		o.MissingSince = time.Time{} // else it is once its authorizations are shown, too
	}
	switch reply.Status {
	case "pending":
		o.State = ledger.PendingState
	case "ready", "processing", "valid":
		if s.doubt(reply.Status) {
			break
		}
		o.State = ledger.State(reply.Status)
		for _, a := range o.Authorizations {
			if a.Status != ledger.AuthorizationReplaced {
				a.Status = ledger.AuthorizationValid
			}
		}
	case "invalid":
		if s.early {
			s.disbelieve() // it was called ready, and was not
		}
		s.died(reply)
	}
}

// died records that the CA gave the order up. Which name is to blame is known once its
// authorizations have been shown.
func (s *sight) died(reply acme.Order) {
	if s.o.State == ledger.Invalid {
		return
	}
	if s.o.Releasing { // that is what deactivations do to it; it keeps the reason why it was given up
		s.o.State = ledger.Invalid
		s.note("order died", "its authorizations were deactivated")
		return
	}
	s.o.State, s.o.Class = ledger.Invalid, string(failure.CARefused)
	s.o.Sentence = fmt.Sprintf("the CA made the order for %s %s", s.o.Subject(), failure.Clean(reply.Status))
	if why := cmp.Or(reply.Error, s.refusal); why != nil {
		class, remedy := order.RefusalOfType(s.o, why)
		s.o.Class, s.o.Sentence, s.o.Remedy = string(class), s.o.Sentence+": "+why.Error(), remedy.Keep()
		s.said(why)
	}
	s.note("order died", "%s", s.o.Sentence)
}

// answers is what the CA answered to a look at several authorizations.
type answers struct {
	news    bool       // something is otherwise than it was
	last    acme.Reply // of those that it showed
	unknown []*ledger.Authorization
	word    *acme.Problem // the CA's, that it does not know these
	trouble error         // the first one
}

// take takes up what the CA answered to a look at one authorization.
func (s *sight) take(got *answers, a *ledger.Authorization, reply acme.Authorization, err error) {
	switch effect, p := order.EffectOf(err); {
	case err == nil && unclearAuthorization(reply) != nil:
		got.trouble = cmp.Or(got.trouble, unclearAuthorization(reply))
	case err == nil:
		got.news = s.authorizations.shown(a, reply) || got.news
		got.last, s.dated = reply.Reply, reply.Reply
	case effect != order.Refused || s.accountTrouble(err) != nil || p.Page && p.Status != 404:
		got.trouble = cmp.Or(got.trouble, err)
	case s.caTime(p.Reply).After(s.endOf(a)): // CAs have other words for it than 404
		a.Status, got.news = "expired", true
	case p.Page:
		got.trouble = cmp.Or(got.trouble, err)
	default:
		got.unknown, got.word = append(got.unknown, a), p
	}
}

// show GETs authorizations.
func (s *sight) show(ctx context.Context, list []*ledger.Authorization) error {
	rctx, cancel := outliving(ctx)
	defer cancel()
	var got answers
	fell := len(order.Failed(s.o)) == 0
	together(rctx, s.core, list, func(ctx context.Context, a *ledger.Authorization) (acme.Authorization, error) {
		return s.e.acme().Authorization(ctx, a.URL)
	}, func(a *ledger.Authorization, reply acme.Authorization, err error) { s.take(&got, a, reply, err) })
	if list := order.Failed(s.o); len(list) > 0 {
		s.authorizations.blame(list, fell)
	} else if list := order.GivenUp(s.o); len(list) > 0 && s.o.State == ledger.PendingState && !s.o.Releasing {
		s.hopeless(list[0])
	}
	switch {
	case got.trouble != nil:
		s.looked = s.looked && s.o.State != ledger.PendingState
		s.trouble("authorization", got.trouble)
		return nil
	case len(got.unknown) > 0:
		return s.unknown(got.unknown, got.word)
	}
	if err := s.phantoms.measure(ctx); err != nil {
		return err
	}
	s.allShown()
	if got.news {
		s.progress()
		return nil
	}
	s.calm("authorization")
	s.pause(got.last)
	return nil
}

func (s *sight) endOf(a *ledger.Authorization) time.Time {
	if a.Expires.IsZero() {
		return s.end()
	}
	return a.Expires
}
