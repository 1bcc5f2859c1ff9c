package drive

// A CA may not know an order any more that has not expired: it lost it, or somebody tidied it away.
// One 404 proves nothing (a machine that lags behind, a wrong one behind a proxy), and rule 12
// forbids to call the order expired. But the CA's word that stays the same for a day, by the CA's
// own clock, must not keep the names from a certificate until the order would have expired: it is
// given up, with a back-off. Its authorizations are asked for before. What the CA shows as pending
// is answered, as that of any dead order; what it does not show may be pending all the same, and is
// counted until its time is over.

import (
	"context"
	"fmt"
	"time"

	"orderly/acme"
	"orderly/failure"
	"orderly/ledger"
	"orderly/order"
)

// mostMissing is how often in a row an order may be missing before it is left to a later run: a CA
// of several machines does not show at once on all of them what one has just made or finalized.
const mostMissing = 4

// missingFor is how long an order must be missing before it is given up.
const missingFor = 24 * time.Hour

// missing handles an order that the CA does not know, though it has not expired.
func (s *sight) missing(ctx context.Context, p *acme.Problem) error {
	o, now := s.o, s.caTime(p.Reply)
	given := o.State == ledger.Invalid && !o.MissingSince.IsZero()
	if s.patience.troubles["order"] < mostMissing-1 && !given {
		return s.trouble("order", p)
	}
	if !p.Page && (o.MissingSince.IsZero() || o.MissingSince.After(now)) {
		o.MissingSince = now
	}
	if p.Page || now.Sub(o.MissingSince) < missingFor {
		knows := "know"
		if p.Status != 404 {
			knows = "show"
		}
		return s.stop(failure.CARefused,
			"It is looked for again with every run, and given up when it has been missing for a day; "+failure.Do(failure.ShowOrder, fmt.Sprint(o.ID))+" has its history.",
			"the CA does not %s the order for %s any more, though it has not expired: %s", knows, o.Lineage, p.Error())
	}
	if ctx.Err() != nil {
		return nil // the loop ends here: the look was what a signal lets end
	}
	unseen, err := s.showLeft(ctx)
	if err != nil {
		return s.trouble("authorization", err)
	}
	s.lose(p, unseen)
	return nil
}

// showLeft asks for the authorizations of a missing order, and returns those that the CA does not
// know either.
func (s *sight) showLeft(ctx context.Context) (unseen []*ledger.Authorization, err error) {
	rctx, cancel := outliving(ctx)
	defer cancel()
	for _, a := range order.Unfinished(s.o) {
		reply, err := s.e.acme().Authorization(rctx, a.URL)
		if err == nil {
			err = unclearAuthorization(reply)
		}
		switch {
		case err == nil:
			s.authorizations.shown(a, reply)
		case denies(err):
			unseen = append(unseen, a)
		default:
			return nil, err
		}
	}
	return unseen, nil
}

// denies reports whether the CA itself says that it will not show something.
func denies(err error) bool {
	effect, p := order.EffectOf(err)
	return effect == order.Refused && !p.Page
}

// lose gives a missing order up. Where some of its authorizations are pending for certain it is not
// at its end before they are answered.
func (s *sight) lose(p *acme.Problem, unseen []*ledger.Authorization) {
	o := s.o
	pending := len(order.Unfinished(o)) > len(unseen)
	issued := !pending && !o.FinalizeSentAt.IsZero() && o.State.Live()
	if o.State != ledger.Invalid {
		o.Class, o.Remedy = string(failure.CARefused), ""
		o.Sentence = failure.Clean(fmt.Sprintf(
			"the CA has not known the order for %s since %s, though it had not expired: %s", o.Lineage,
			o.MissingSince.UTC().Format(time.RFC3339), p.Error()))
		s.said(p)
		if !issued { // whose end is nobody's failure here
			s.fell(s.e.clock.Now())
		}
	}
	s.booked, s.looked = true, true
	s.note("order missing", "%s", o.Sentence)
	switch {
	case pending:
		o.State = ledger.Invalid
		for _, a := range unseen {
			s.authorizations.seen[a.URL] = true
			s.proofs.block(a, p)
		}
	case issued:
		o.State, o.Class = ledger.LostState, string(failure.AnswerLost)
	default:
		o.State, o.Releasing = ledger.ReleasedState, true
	}
}
