// Package limit is the arithmetic of rate limits: the generic cell rate algorithm (GCRA) that
// Boulder uses, the limits of the CAs by the CAs' own names, and what things cost at each of them.
// It is pure: it must never look at a clock, a ledger or the network.
package limit

import (
	"fmt"
	"strings"
	"time"
)

// Limit is a token bucket of Count tokens that takes Period to fill.
type Limit struct {
	Name   string // Boulder's
	Count  int64
	Period time.Duration
	// Part of Of is the share of the account's Whole that Count is; all are 0 where Count is the
	// whole.
	Part, Of, Whole int64
}

// Decision is what a bucket says to a wish for tokens.
type Decision struct {
	Allowed bool
	// TAT is the theoretical arrival time after the wish: the moment at which the bucket is full
	// again. It is the whole state of a bucket. A wish that is denied leaves it as it was.
	TAT       time.Time
	Remaining int64         // whole tokens left
	RetryIn   time.Duration // until the wish would be allowed; 0 if it is
	ResetIn   time.Duration // until the bucket is full
}

// emission is the time one token takes to come.
func (l Limit) emission() time.Duration { return l.Period / time.Duration(l.Count) }

// window is Period less what integer division loses, so that a full bucket has exactly Count
// tokens.
func (l Limit) window() time.Duration { return l.emission() * time.Duration(l.Count) }

// settled is tat as it can be: never in the past, since a bucket is not fuller than full, and never
// further in the future than an empty bucket's. A clock that was ahead for an hour would otherwise
// lock an account for a year.
func (l Limit) settled(tat, now time.Time) time.Time {
	if tat.Before(now) {
		return now
	}
	if empty := now.Add(l.window()); tat.After(empty) {
		return empty
	}
	return tat
}

// Clamp is what a stored TAT must be replaced with when a clock that was ahead left it further in
// the future than an empty bucket's: otherwise the bucket would stay empty for as long as that
// clock was ahead.
func (l Limit) Clamp(tat, now time.Time) (clamped time.Time, changed bool) {
	if l.Count <= 0 || !tat.After(now.Add(l.window())) {
		return tat, false
	}
	return now.Add(l.window()), true
}

// Spend takes cost tokens from a bucket at now, or says how long to wait. The zero tat is a full
// bucket; a Limit whose Count is 0 limits nothing.
func (l Limit) Spend(tat, now time.Time, cost int64) Decision {
	if l.Count <= 0 {
		return Decision{Allowed: true, TAT: tat}
	}
	tat = l.settled(tat, now)
	after := tat.Add(l.emission() * time.Duration(cost))
	if wait := after.Sub(now) - l.window(); wait > 0 {
		d := l.look(tat, now)
		d.Allowed, d.RetryIn = false, wait
		return d
	}
	return l.look(after, now)
}

// look describes a bucket.
func (l Limit) look(tat, now time.Time) Decision {
	return Decision{
		Allowed: true, TAT: tat, Remaining: int64((l.window() - tat.Sub(now)) / l.emission()),
		ResetIn: tat.Sub(now),
	}
}

// Check describes a bucket at now without spending: Allowed says whether cost tokens could be had.
func (l Limit) Check(tat, now time.Time, cost int64) Decision {
	d := l.Spend(tat, now, cost)
	if d.Allowed && l.Count > 0 {
		allowed := l.look(l.settled(tat, now), now)
		return allowed
	}
	return d
}

// Take spends cost tokens although the CA alone knows whether they are there: what was sent counts
// as spent, so the bucket may become emptier than empty by what others of the account used. It
// never says no.
func (l Limit) Take(tat, now time.Time, cost int64) time.Time {
	if l.Count <= 0 {
		return tat
	}
	return l.settled(l.settled(tat, now).Add(l.emission()*time.Duration(cost)), now)
}

// Refund gives cost tokens back, when the CA has certainly refused what they were spent on.
func (l Limit) Refund(tat, now time.Time, cost int64) time.Time {
	if l.Count <= 0 {
		return tat
	}
	return l.settled(l.settled(tat, now).Add(-l.emission()*time.Duration(cost)), now)
}

// Corrected is the state of a bucket that the CA knows better: it answered 429 with retryAfter, so
// one token is there after exactly that time.
func (l Limit) Corrected(now time.Time, retryAfter time.Duration) time.Time {
	if l.Count <= 0 {
		return time.Time{}
	}
	return l.settled(now.Add(retryAfter+l.window()-l.emission()), now)
}

// Share is the part of an account-wide limit that one of several ledgers may use, at least one
// token.
func (l Limit) Share(part, of int64) Limit {
	if of > 0 && part > 0 && part < of && l.Count > 0 {
		l.Part, l.Of, l.Whole = part, of, l.Count
		// a product of integers could overflow
		l.Count = max(1, int64(float64(l.Count)*float64(part)/float64(of)))
	}
	return l
}

// Says is the limit in words: "15 in 3h, which is share = 1/20 of the account's 300".
func (l Limit) Says() string {
	text := fmt.Sprintf("%d in %s", l.Count, period(l.Period))
	if l.Of > 0 {
		text += fmt.Sprintf(", which is share = %d/%d of the account's %d", l.Part, l.Of, l.Whole)
	}
	return text
}

// period is a length of time as people write it, "168h" for 168h0m0s.
func period(d time.Duration) string {
	text := d.String()
	if d%time.Minute == 0 {
		text = strings.TrimSuffix(text, "0s")
	}
	if d%time.Hour == 0 {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}
