package order

// What is to be done where this host's clock was wrong for a while. The moments in an order's row may be ones that have not
// come yet, and a run that believed them would wait, or go on asking, for as long as the clock had been ahead.

import (
	"time"

	"orderly/ledger"
)

// LongestHold bounds what a Retry-After can ask of later runs: a mistake of the CA must not freeze a lineage for a year.
const LongestHold = 24 * time.Hour

// clockSetBack reports whether patience would end later than it can: the clock was set back since it began.
func (f *Facts) clockSetBack() bool {
	return f.Wait.GiveUp.After(f.Now.Add(f.Wait.Patience + f.Wait.LongestWait + time.Second))
}

// NoLater brings stamps of a clock that was ahead down to now: a run would otherwise wait until that clock's time has come.
func NoLater(o *ledger.Order, now time.Time) {
	stamps := []*time.Time{&o.CreateSentAt}
	for _, a := range o.Authorizations {
		stamps = append(stamps, &a.AnswerSentAt, &a.SeenAt)
	}
	for _, stamp := range stamps {
		if stamp.After(now) {
			*stamp = now
		}
	}
	// No hold is longer when it is recorded. It is dropped and not cut to the longest one: that would
	// begin anew with every run, for as long as the clock had been ahead.
	if o.NotBefore.After(now.Add(LongestHold)) {
		o.NotBefore = time.Time{}
	}
}
