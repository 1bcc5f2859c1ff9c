package renewal

import (
	"time"

	"orderly/certbot"
	"orderly/failure"
	"orderly/host"
	"orderly/order"
)

// When a certificate is to be renewed: by its renewal file, or a third of its lifetime before its
// end, or at once where it was revoked or its key is lost. A clock that cannot be believed renews
// nothing.

// calendar says when certificates are to be renewed.
type calendar struct {
	*base
	revocations Revocations
}

// shortLived is the lifetime below which a certificate is renewed when half of it is left instead
// of a third.
const shortLived = 10 * 24 * time.Hour

// DueAt is the moment from which a certificate is to be renewed: renew_before_expiry before its end
// where the renewal file says so, otherwise when a third of its lifetime is left, half for one that
// lives less than ten days (certbot ≥ 4.0).
func DueAt(notBefore, notAfter time.Time, renewBefore string) (time.Time, error) {
	if renewBefore == "" {
		life := notAfter.Sub(notBefore)
		if life < shortLived {
			return notAfter.Add(-life / 2), nil
		}
		return notAfter.Add(-life / 3), nil
	}
	// The interval is counted from now in certbot; counted back from the end it is the same but for
	// the lengths of months.
	later, err := certbot.AddInterval(notAfter, renewBefore)
	if err != nil {
		return time.Time{}, failure.Wrap(err, failure.RenewalFile,
			"Write it as in `renew_before_expiry = 30 days`.",
			"renew_before_expiry cannot be understood")
	}
	return notAfter.Add(-later.Sub(notAfter)), nil
}

// dueAt is the moment from which a lineage is to be renewed. A certificate that was revoked is due
// since then, as with certbot, which asks the CA (OCSP): visitors are warned of it.
func (s *calendar) dueAt(l *certbot.Lineage) (time.Time, error) {
	if v, ok := s.revocations.Of(l.Certificate); ok {
		return v.At, nil
	}
	c := l.Certificate
	at, err := DueAt(c.NotBefore, c.NotAfter, l.Renewal.Params.RenewBeforeExpiry)
	if err != nil || s.Clock.Now().Before(at) {
		return at, err
	}
	usual, err := DueAt(c.NotBefore, c.NotAfter, "")
	if at.Before(usual.Add(-24 * time.Hour)) {
		return at, err // a person wants it earlier than it would be
	}
	return s.notSinceBirth(l, at), err
}

// notSinceBirth is when a certificate is due that was due when it was put in place: some CAs date
// certificates back by months, or let them end with a contract. Another one would be no better, and
// be ordered with every run; so its lifetime counts from then.
func (s *calendar) notSinceBirth(l *certbot.Lineage, at time.Time) time.Time {
	o := s.orderOf(l)
	if o == nil || o.InstalledAt.IsZero() || at.After(o.InstalledAt) {
		return at
	}
	later, err := DueAt(o.InstalledAt, l.Certificate.NotAfter, "")
	if err != nil || later.Before(at) {
		return at
	}
	return later
}

// due reports whether a lineage is to be renewed, or rehearsed. What this run has renewed by
// finishing an earlier run's order is not, whatever is forced: two runs with --force-renewal, the
// first of them killed, are one renewal.
func (s *calendar) due(l *certbot.Lineage, round Round) (bool, error) {
	if done := s.host.Finished.Of(s.host.Files.OrderName(l.Name)); done != nil {
		if r, err := host.FromFile(s.asOrdered(l), round.Said); err == nil && order.Fulfils(done,
			r.Request) {
			return false, nil
		}
	}
	if round.Renew || s.Settings.Rehearsal || s.host.Lineages.NeedsKey(l) {
		return true, nil
	}
	at, err := s.dueAt(l)
	return err == nil && !l.Renewal.Params.AutorenewOff && !s.Clock.Now().Before(at), err
}

// pressing is urgent, and says so of a certificate that was revoked as well.
func (s *calendar) pressing(l *certbot.Lineage) bool {
	_, revoked := s.revocations.Of(l.Certificate)
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
