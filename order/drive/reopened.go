package drive

import (
	"errors"
	"fmt"
	"time"

	"orderly/acme"
	"orderly/failure"
	"orderly/ledger"
	"orderly/order"
)

// What a CA has shown once it may show otherwise later: an authorization that was valid and has to
// be proven again, or was given up by another client, another challenge, an order that is issued
// and never says where. What is believed because it was seen once must not make runs wait for what
// cannot come.

// reopen asks for all authorizations again where the order is pending though none of them was when
// an earlier run saw it.
func (az *authorizations) reopen() {
	if len(order.Unfinished(az.o)) > 0 {
		return
	}
	for _, a := range az.o.Authorizations {
		if a.Status != ledger.AuthorizationReplaced {
			a.Status = ledger.AuthorizationPending
			delete(az.seen, a.URL)
		}
	}
}

// doubt reports whether a status that says that all authorizations are valid is not believed before
// they were seen to be: one that only finalize leads to, though none was sent from here, or ready
// of an order that refuses finalize as not ready. CAs were seen to call an order so that waits for
// its names to be proven, which no one would do then. Until they are seen, they are pending.
func (s *sight) doubt(status string) bool {
	begun := status != "ready" && s.o.FinalizeSentAt.IsZero()
	if !begun && (status != "ready" || !s.early) {
		return false
	}
	doubted := s.disbelieve()
	if doubted {
		s.o.State = ledger.PendingState
	}
	return doubted
}

// disbelieve calls the authorizations pending that were not seen to be valid, and reports whether
// there are any.
func (s *sight) disbelieve() bool {
	doubted := false
	for _, a := range s.o.Authorizations {
		if a.Status == ledger.AuthorizationReplaced || s.patience.met[a.URL+" "+ledger.AuthorizationValid] {
			continue
		}
		if a.Status == ledger.AuthorizationValid {
			a.Status = ledger.AuthorizationPending
		}
		delete(s.authorizations.seen, a.URL)
		doubted = true
	}
	return doubted
}

// hopeless ends an order that the CA calls pending though one of its authorizations is over: its
// siblings are answered, and another order may follow.
func (s *sight) hopeless(a *ledger.Authorization) {
	s.dead(fmt.Sprintf("the order for %s cannot be finished: the authorization for %s is %s",
		s.o.Lineage, a.FullName(), a.Status))
}

func (s *sight) dead(why string) {
	s.o.State, s.o.Reason = ledger.Invalid, ledger.Because(failure.CARefused, "", why)
	s.note("order died", "%s", s.o.Sentence)
}

// unlocated ends an order of which the CA says that it has issued, and not where, for as long as a
// certificate that cannot be read is asked for.
func (s *sight) unlocated() bool {
	if s.o.State != ledger.Valid || s.o.Certificate != "" || !s.e.clock.Now().After(issuedSince(s.o).Add(unreadableFor)) {
		return false
	}
	s.dead("the CA calls the order for " + s.o.Lineage +
		" valid, and has not said for a day where its certificate is")
	return true
}

// outlivedFor is how long an order is waited for beyond its own end, by both clocks: RFC 8555 calls
// it invalid by then, but a CA may show for ever what it was.
const outlivedFor = 24 * time.Hour

// outlived ends an order that the CA still shows open though its time is over.
func (s *sight) outlived(shown acme.Reply) bool {
	switch s.o.State {
	case ledger.PendingState, ledger.Ready, ledger.Processing:
	default:
		return false
	}
	end, now := s.o.Expires.Add(outlivedFor), s.e.clock.Now()
	if s.o.Expires.IsZero() || !now.After(end) || !s.caTime(shown).After(end) {
		return false
	}
	s.expired(now, errors.New("its time is over, and the CA shows it all the same"))
	return true
}

// choose is which of an authorization's challenges is meant, -1 for none: of several of one type
// the one that was answered or whose token stands, else one that can still be answered.
func choose(a *ledger.Authorization, kind string, list []acme.Challenge) int {
	best, worth := -1, 0
	for i, c := range list {
		if c.Type != kind {
			continue
		}
		this := 1
		switch {
		case c.URL == a.ChallengeURL && c.Token == a.Token:
			this = 4
		case c.Token == a.Token:
			this = 3
		case c.Status != ledger.AuthorizationInvalid:
			this = 2
		}
		if this > worth {
			best, worth = i, this
		}
	}
	return best
}
