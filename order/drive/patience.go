package drive

// When a CA is asked again, and for how long it is waited for. Patience counts from new states
// only: of two that take turns neither was the last one, and a wait that began anew with each would
// never end. Nothing here knows the order or asks anybody: a clock is enough to try it.

import (
	"time"

	"orderly/acme"
	"orderly/ledger"
	"orderly/order"
)

// patience is what a process has waited for, and what failed meanwhile.
type patience struct {
	clock  order.Clock
	length time.Duration // of a wait without anything changing
	ends   time.Time

	nextPoll  time.Time
	asked     bool           // the CA asked for nextPoll
	heldUntil time.Time      // no request before this moment: an earlier run was asked so
	polls     int            // looks since the last progress
	overtime  bool           // it was looked at once after patience had ended
	troubles  map[string]int // requests that failed since the last progress, by kind
	failed    *order.Trouble // the last request that did

	met      map[string]bool // what this process has seen of order and authorizations
	waited   time.Duration   // for the CA, while the order was as it is in waitedAs
	waitedAs ledger.State
}

func newPatience(clock order.Clock, length time.Duration) patience {
	return patience{clock: clock, length: length, ends: clock.Now().Add(length),
		troubles: map[string]int{}, met: map[string]bool{}}
}

func (p *patience) facts() order.WaitFacts {
	return order.WaitFacts{Patience: p.length, Trouble: p.failed, NextPoll: p.nextPoll,
		GiveUp: p.ends, Asked: p.asked, Overtime: p.overtime, NotBefore: p.heldUntil}
}

// anew begins the wait anew, and lets the CA be asked at once.
func (p *patience) anew() {
	p.nextPoll, p.ends = time.Time{}, p.clock.Now().Add(p.length)
}

// count counts a failed request and plans the next one, a pause from now.
func (p *patience) count(kind string, said *acme.Problem) time.Duration {
	p.troubles[kind]++
	p.asked = said != nil && said.HasRetryAfter
	pause := order.PauseAfter(p.troubles[kind], said)
	p.nextPoll = p.clock.Now().Add(pause)
	return pause
}

// calm forgets earlier trouble with requests of a kind. That with other kinds stays: two that took
// turns, one good, one bad, would go on for ever.
func (p *patience) calm(kind string) {
	delete(p.troubles, kind)
	if p.failed != nil && p.failed.Kind == kind {
		p.failed = nil
	}
	p.nextPoll, p.asked = time.Time{}, false
}

// progress forgets all trouble and begins the wait anew.
func (p *patience) progress() {
	clear(p.troubles)
	p.failed, p.asked, p.polls, p.overtime = nil, false, 0, false
	p.anew()
}

// pause plans the next look after one that showed nothing new.
func (p *patience) pause(next time.Time, r acme.Reply) {
	p.nextPoll, p.asked = next, r.HasRetryAfter && r.RetryAfter > 0
	p.polls++
}

// isNew reports whether something of the CA's is seen for the first time. Only that is progress.
func (p *patience) isNew(what string) bool {
	met := p.met[what]
	p.met[what] = true
	return !met
}

// longPause is a wait, in one or in many pauses, that a person should be told of, lest it looks
// like a run that hangs.
const longPause = 8 * time.Second

// waits counts a pause, and reports whether a person should be told of this one, or that many short
// ones have become a long wait.
func (p *patience) waits(pause time.Duration, as ledger.State) (this, all bool) {
	if p.waitedAs != as {
		p.waited, p.waitedAs = 0, as
	}
	told := p.waited >= longPause
	p.waited += max(pause, 0)
	this = pause >= longPause
	return this, !this && !told && p.waited >= longPause
}
