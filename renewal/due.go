package renewal

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"math"
	"time"

	"orderly/acme"
	"orderly/certbot"
	"orderly/failure"
	"orderly/ledger"
)

// When a certificate is due: from its files and from what the ledger knows, without asking anybody,
// so that lists say what a round will do. What a CA suggests may bring a renewal forward, and delay
// it a little; nothing that it says may cost a certificate, or one order after the other.

// Why a certificate is due when it is.
const (
	DueByCA       = "ari"                 // the CA suggests it (RFC 9773)
	DueByLifetime = "lifetime"            // a third of its lifetime is left, or half
	DueByFile     = "renew_before_expiry" // its renewal file says so
	DueRevoked    = "revoked"             // it was revoked from here
	DueNever      = "off"                 // its renewal file says autorenew = False
)

// Due is when a certificate is to be renewed.
type Due struct {
	At          time.Time // zero for never
	Because     string    // one of the constants
	Explanation string    // page of the CA that says why, "" for none
	// Calmed: the CA wants it sooner, as it did of what was renewed before. See Suggestions.calm.
	Calmed bool
}

// shortLived is the lifetime below which a certificate is renewed when half of it is left instead
// of a third.
const shortLived = 10 * 24 * time.Hour

// DueAt is the moment from which a certificate is to be renewed at the latest: renew_before_expiry
// before its end where the renewal file says so, otherwise when a third of its lifetime is left,
// half for one that lives less than ten days (certbot ≥ 4.0).
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

// Term is all of a lineage that says when its certificate is due.
type Term struct {
	Lineage             string
	NotBefore, NotAfter time.Time
	// renew_before_expiry, "" where the renewal file leaves it to the program
	RenewBefore string
}

func termOf(l *certbot.Lineage) Term {
	return Term{Lineage: l.Name, NotBefore: l.Certificate.NotBefore, NotAfter: l.Certificate.NotAfter,
		RenewBefore: l.Renewal.Params.RenewBeforeExpiry}
}

func (t Term) life() time.Duration { return t.NotAfter.Sub(t.NotBefore) }

// latest is the moment when a fifth of the lifetime is left: no suggestion delays a renewal beyond
// it.
func (t Term) latest() time.Time { return t.NotAfter.Add(-t.life() / 5) }

// usual is when it would be due if nobody had said anything.
func (t Term) usual() time.Time {
	at, _ := DueAt(t.NotBefore, t.NotAfter, "") // no interval, no error
	return at
}

// spreadOver is the part of a lifetime over which renewals spread themselves.
const spreadOver = 10

// Own is when it is due without the CA's word. Where nobody said when, each lineage has a moment of
// its own in the last tenth of a lifetime before that: what was issued on one day would otherwise
// be renewed on one day for ever.
func (t Term) Own() (Due, error) {
	if t.RenewBefore != "" {
		at, err := DueAt(t.NotBefore, t.NotAfter, t.RenewBefore)
		return Due{At: at, Because: DueByFile}, err
	}
	over := float64(t.life() / spreadOver)
	early := over*(1-dither)*share(t.Lineage) + over*dither*share(t.Lineage, t.NotBefore.Unix())
	return Due{At: t.usual().Add(-time.Duration(early)), Because: DueByLifetime}, nil
}

// dither is the part of the spread that differs from one certificate of a lineage to the next.
// Rounds are made twice a day: lineages whose cycles come to the same number of rounds would
// otherwise meet on the same days again and again.
const dither = 0.1

// share is a lineage's own part of one, or its certificate's, for good: it must be the same in
// every run and version.
func share(lineage string, begins ...int64) float64 {
	text := []byte(lineage)
	for _, at := range begins {
		text = binary.BigEndian.AppendUint64(append(text, 0), uint64(at))
	}
	sum := sha256.Sum256(text)
	return float64(binary.BigEndian.Uint64(sum[:])) / (math.MaxUint64 + 1.0)
}

// With is when it is due given what its CA says of it, "" for its ID where it says nothing. An
// explicit renew_before_expiry stays the latest moment, as with certbot.
func (t Term) With(info ledger.RenewalInfo, rest time.Duration) (Due, error) {
	if info.Moment.IsZero() {
		return t.Own()
	}
	at, calm := info.Moment, info.FirstAt.Add(rest)
	calmed := info.Early && rest > 0 && at.Before(calm)
	if calmed {
		fresh := Term{NotBefore: info.FirstAt, NotAfter: t.NotAfter}
		at = sooner(calm, fresh.usual())
	}
	at = sooner(at, t.latest())
	if t.RenewBefore != "" {
		if own, err := t.Own(); err != nil || !at.Before(own.At) {
			return own, err
		}
	}
	return Due{At: at, Because: DueByCA, Explanation: info.Explanation, Calmed: calmed}, nil
}

func sooner(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// drawn is the moment for a window that the CA suggests, zero where the window is of no use: one
// that ended more than a lifetime before the certificate began, or began before it and is open for
// more than a third of that, or begins when it has expired. chance is in [0, 1). What lies before
// the certificate counts as its beginning (a CA that revokes what it has just issued may say so),
// what lies after the latest moment as that.
func (t Term) drawn(start, end, now time.Time, chance float64) time.Time {
	switch {
	case !start.Before(end), end.Before(t.NotBefore.Add(-t.life())), !start.Before(t.NotAfter):
		return time.Time{}
	case start.Before(t.NotBefore) && end.After(now) && end.Sub(start) > t.life()/3:
		return time.Time{} // it says nothing of this certificate; "yesterday to tomorrow" does
	case !end.After(t.NotBefore):
		return t.NotBefore
	case start.Before(t.NotBefore):
		start = t.NotBefore
	}
	end = sooner(end, t.latest())
	if !start.Before(end) {
		return t.latest()
	}
	return start.Add(time.Duration(chance * float64(end.Sub(start)))).Truncate(time.Microsecond)
}

// early reports whether a moment is long before a certificate would be due.
func (t Term) early(moment time.Time) bool {
	return !moment.IsZero() && moment.Before(t.usual().Add(-t.life()/spreadOver))
}

// judged takes a window into what is known of a certificate.
func (t Term) judged(info ledger.RenewalInfo, start, end, now time.Time,
	chance float64) ledger.RenewalInfo {
	info.Start, info.End, info.Moment = start, end, t.drawn(start, end, now, chance)
	info.Early = t.early(info.Moment) || !info.Moment.IsZero() && info.Moment.Before(info.FirstAt)
	return info
}

// Suggestions are what CAs said of certificates, by directory URL and RFC 9773's identifier.
type Suggestions struct {
	said  map[suggestion]ledger.RenewalInfo
	early map[string][]string // identifiers of certificates that were renewed early, by lineage
}

// suggestion is what is suggested about.
type suggestion struct{ server, id string }

// KnownSuggestions reads those for a lineage, or for all of them with "".
func KnownSuggestions(ctx context.Context, store ledger.Store,
	lineage string) (Suggestions, error) {
	list, err := store.RenewalInfos(ctx, lineage)
	known := Suggestions{make(map[suggestion]ledger.RenewalInfo, len(list)), map[string][]string{}}
	for _, info := range list {
		known.take(info)
	}
	return known, err
}

// Said is what a CA said of a certificate, or of itself with the id ""; the zero value where nothing
// is known.
func (k Suggestions) Said(server, id string) ledger.RenewalInfo {
	return k.said[suggestion{server, id}]
}

func (k Suggestions) take(info ledger.RenewalInfo) {
	k.said[suggestion{info.Server, info.ID}] = info
	if info.Early {
		k.early[info.Lineage] = append(k.early[info.Lineage], info.ID)
	}
}

// calm is how long a certificate is let alone whatever its CA says, since its predecessors were
// renewed early on the CA's word already: six hours, so that a second incident within a day is
// answered in time, then twelve, then a day, two, four. A CA that suggests the past for whatever it
// issues would otherwise have one order made with each run.
func (k Suggestions) calm(lineage, id string) time.Duration {
	others := map[string]bool{}
	for _, one := range k.early[lineage] {
		others[one] = true
	}
	delete(others, id)
	if len(others) == 0 {
		return 0
	}
	return 6 * time.Hour << min(len(others)-1, 10)
}

// Known is what a ledger knows of when certificates are due.
type Known struct {
	Revocations Revocations
	Suggestions Suggestions
}

// ReadKnown reads it for all lineages.
func ReadKnown(ctx context.Context, store ledger.Store) (known Known, err error) {
	if known.Revocations, err = KnownRevocations(ctx, store); err != nil {
		return known, err
	}
	known.Suggestions, err = KnownSuggestions(ctx, store, "")
	return known, err
}

// Due is when a lineage's certificate is to be renewed.
func (k Known) Due(l *certbot.Lineage) (Due, error) {
	if l.Renewal.Params.AutorenewOff {
		return Due{Because: DueNever}, nil
	}
	return k.due(l)
}

// due is Due, of lineages that are never renewed by themselves as well. A certificate that was
// revoked is due since then, as with certbot, which asks the CA (OCSP): visitors are warned of it.
func (k Known) due(l *certbot.Lineage) (Due, error) {
	if v, ok := k.Revocations.Of(l.Certificate); ok {
		return Due{At: v.At, Because: DueRevoked}, nil
	}
	return k.without(termOf(l), l.Renewal.Params.Server, acme.RenewalID(l.Certificate.Leaf))
}

// without is due for a certificate that was not revoked.
func (k Known) without(t Term, server, id string) (Due, error) {
	info, ok := k.Suggestions.said[suggestion{server, id}]
	if !ok || id == "" {
		return t.Own()
	}
	return t.With(info, k.Suggestions.calm(t.Lineage, id))
}
