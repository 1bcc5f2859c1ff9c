package renewal

import (
	"context"
	"time"

	"orderly/certbot"
	"orderly/host"
	"orderly/order"
)

// Whether a certificate is to be renewed in this run: by its calendar, or at once where its key is
// lost or a person wants it. A clock that cannot be believed renews nothing.

// calendar says when certificates are to be renewed.
type calendar struct {
	*base
	known Known
	all   bool // what is known was read for all lineages, and not for one at a time
}

// readSuggestions reads what CAs suggested, for all lineages at once.
func (s *calendar) readSuggestions(ctx context.Context) (err error) {
	s.known.Suggestions, err = KnownSuggestions(ctx, s.Ledger, "")
	s.all = err == nil
	return err
}

// due is when a lineage is to be renewed, of those that are never renewed by themselves as well.
func (s *calendar) due(l *certbot.Lineage) (Due, error) {
	known := s.known
	if !s.all {
		var err error
		if known.Suggestions, err = KnownSuggestions(context.Background(), s.Ledger, l.Name); err != nil {
			return Due{}, err
		}
	}
	due, err := known.due(l)
	if err != nil || due.Because == DueRevoked || due.Because == DueByCA ||
		s.Clock.Now().Before(due.At) {
		return due, err
	}
	if t := termOf(l); !due.At.Before(t.usual().Add(-24*time.Hour)) || due.Because == DueByLifetime {
		due.At = s.notSinceBirth(l, due.At) // otherwise a person wants it earlier than it would be
	}
	return due, nil
}

// dueAt is the moment of due.
func (s *calendar) dueAt(l *certbot.Lineage) (time.Time, error) {
	due, err := s.due(l)
	return due.At, err
}

// notSinceBirth is when a certificate is due that was due when it was put in place: some CAs date
// certificates back by months, or let them end with a contract. Another one would be no better, and
// be ordered with every run; so its lifetime counts from then.
func (s *calendar) notSinceBirth(l *certbot.Lineage, at time.Time) time.Time {
	o := s.orderOf(l)
	if o == nil || o.InstalledAt.IsZero() || at.After(o.InstalledAt) {
		return at
	}
	if t := termOf(l); t.RenewBefore == "" && t.usual().After(o.InstalledAt) {
		return t.usual() // it was due at birth for being spread alone
	}
	later, err := DueAt(o.InstalledAt, l.Certificate.NotAfter, "")
	if err != nil || later.Before(at) {
		return at
	}
	return later
}

// needed reports whether a lineage is to be renewed, or rehearsed. What this run has renewed by
// finishing an earlier run's order is not, whatever is forced: two runs with --force-renewal, the
// first of them killed, are one renewal.
func (s *calendar) needed(l *certbot.Lineage, round Round) (bool, error) {
	needed, _, err := s.judge(l, round)
	return needed, err
}

// judge is needed, and says when the lineage is due where that was looked up.
func (s *calendar) judge(l *certbot.Lineage, round Round) (needed bool, due Due, err error) {
	if done := s.host.Finished.Of(s.host.Files.OrderName(l.Name)); done != nil {
		if r, err := host.FromFile(s.asOrdered(l), round.Said); err == nil && order.Fulfils(done,
			r.Request) {
			return false, due, nil
		}
	}
	if round.Renew || s.Settings.Rehearsal || s.host.Lineages.NeedsKey(l) {
		return true, due, nil
	}
	due, err = s.due(l)
	past := err == nil && !s.Clock.Now().Before(due.At)
	return past && !l.Renewal.Params.AutorenewOff, due, err
}

// pressing is urgent, and says so of a certificate that was revoked as well.
func (s *calendar) pressing(l *certbot.Lineage) bool {
	_, revoked := s.known.Revocations.Of(l.Certificate)
	return revoked || urgent(l.Certificate, s.Clock.Now())
}

// urgent reports whether so little time is left that an attempt is worth a failure: ten days or a
// fifth of the lifetime.
func urgent(c *certbot.Certificate, now time.Time) bool {
	left, life := c.NotAfter.Sub(now), c.NotAfter.Sub(c.NotBefore)
	if life < shortLived {
		return left < life/5
	}
	return left < 10*24*time.Hour || left < life/5
}
