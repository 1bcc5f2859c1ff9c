package drive

// A CA may not know an order any more that has not expired: it lost it, or somebody tidied it away.
// One 404 proves nothing (a machine that lags behind, a wrong one behind a proxy), and rule 12
// forbids to call the order expired. But the CA's word that stays the same for a day, by the CA's
// own clock, must not keep the names from a certificate until the order would have expired: it is
// given up, with a back-off. Its authorizations are asked for before. What the CA shows as pending
// is answered, as that of any dead order; what it does not show may be pending all the same, and is
// counted until its time is over. The same holds of a single authorization that is missing while
// its order is shown: nobody can prove that name, and the order cannot become ready. What the CA
// calls the order proves the rest: of one that is ready or further on, every authorization is
// valid. And one that said before where its certificate is may be missing: that is asked for.

import (
	"context"
	"fmt"
	"slices"
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
	if o.State == ledger.Valid && o.Certificate != "" {
		s.note("order missing", "it said before where its certificate is: %s", p.Error())
		s.looked = true
		return nil
	}
	given := o.State == ledger.Invalid && !o.MissingSince.IsZero()
	if s.patience.troubles["order"] < mostMissing-1 && !given {
		s.trouble("order", p)
		return nil
	}
	if !p.Page {
		s.missed(now)
	}
	if p.Page || now.Sub(o.MissingSince) < missingFor {
		return s.stop(failure.CARefused, s.lookedFor(),
			"the CA does not %s the order for %s any more, though it has not expired: %s", knows(p), o.Subject(), p.Error())
	}
	if ctx.Err() != nil {
		return nil // the loop ends here: the look was what a signal lets end
	}
	unseen, err := s.showLeft(ctx)
	if err != nil {
		s.trouble("authorization", err)
		return nil
	}
	s.lose("order", p, unseen)
	return nil
}

// missed notes since when something of the order is missing.
func (s *sight) missed(now time.Time) {
	if s.o.MissingSince.IsZero() || s.o.MissingSince.After(now) {
		s.o.MissingSince = now
	}
}

// knows is what a CA does not do with what it answers so.
func knows(p *acme.Problem) string {
	if p.Status == 404 {
		return "know"
	}
	return "show"
}

// lookedFor is what is done about an order while it, or an authorization of it, is missing.
func (s *sight) lookedFor() failure.Remedy {
	return "It is looked for again with every run, and given up when it has been missing for a day; " +
		failure.Do(failure.ShowOrder, fmt.Sprint(s.o.ID)) + " has its history."
}

// unknown handles authorizations that the CA does not know, though they have not expired and it
// shows their order. Until they are given up their siblings go on.
func (s *sight) unknown(list []*ledger.Authorization, p *acme.Problem) error {
	o, now := s.o, s.caTime(p.Reply)
	pending := o.State == ledger.PendingState
	if s.patience.troubles["authorization"] < mostMissing-1 {
		s.looked = s.looked && !pending
		s.trouble("authorization", p)
		return nil
	}
	s.calm("authorization")
	if pending {
		s.missed(now)
	}
	if pending && now.Sub(o.MissingSince) >= missingFor {
		s.lose("authorization of "+listed(o.NamesOf(list[0])), p, list)
		return nil
	}
	for _, a := range list {
		s.authorizations.seen[a.URL], s.authorizations.unknown[a.URL] = true, true
		s.proofs.block(a, failure.New(failure.CARefused, s.lookedFor(),
			"the CA does not %s the authorization of %s any more, though it has not expired: %s",
			knows(p), listed(o.NamesOf(a)), p.Error()))
	}
	return nil
}

// allShown ends what was noted of an order that was missing, once nothing of it is.
func (s *sight) allShown() {
	missing := slices.ContainsFunc(order.Unfinished(s.o), func(a *ledger.Authorization) bool {
		return !s.authorizations.seen[a.URL] || s.authorizations.unknown[a.URL]
	})
	if s.o.State == ledger.PendingState && !missing {
		s.o.MissingSince = time.Time{}
	}
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

// lose gives up an order of which something is missing. Where some of its authorizations are
// pending for certain it is not at its end before they are answered.
func (s *sight) lose(what string, p *acme.Problem, unseen []*ledger.Authorization) {
	o := s.o
	for _, a := range unseen {
		if a.Expires.IsZero() && o.Expires.IsZero() {
			a.Expires = s.end() // the CA named none: it would be counted for ever
		}
	}
	pending := len(order.Unfinished(o)) > len(unseen)
	issued := !pending && !o.FinalizeSentAt.IsZero() && o.State.Live()
	if o.State != ledger.Invalid {
		o.Class, o.Remedy = string(failure.CARefused), ""
		o.Sentence = failure.Clean(fmt.Sprintf(
			"the CA has not known the %s for %s since %s, though it had not expired: %s", what, o.Subject(),
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
