package sim

import (
	"time"
)

// What CAs other than Let's Encrypt were seen to answer. A year's CA has up to two of these habits,
// from the first day to the last, beside those of its chains and of its challenges (authority.go):
// whatever is odd about it, every promise holds. What is true inside the CA is what the invariants are
// judged by; how the oddities show it is in the files named oddity_*.

// oddity is a habit of the CA.
type oddity int

// The first habits: about one year in two has one.
const (
	nothingOdd   oddity = iota
	bareList            // the list of orders is an array and no object
	brokenList          // the list of orders is always a 500
	dottedNames         // the names of orders end with the root's dot
	loudNames           // they are in upper case
	hesitation          // what is ready is not yet, for some seconds after finalize was asked for first
	twoMinds            // what is ready is shown as pending every other time
	narrowMinded        // a newOrder with `replaces` is refused, each time for another reason
	oddities
)

// The further habits: about one year in two has one, whatever the first one is.
const (
	circularList   oddity = oddities + iota // the list of orders has another page, which is the same one
	busyList                                // the list of orders is often a 503 that asks for a long pause
	strangeWords                            // statuses that RFC 8555 does not know, now and then
	forgetfulness                           // some orders are not known for hours or days, and then again
	mirrors                                 // what was just made or finalized is not known for some seconds
	reopening                               // what was proven has to be proven again
	unfitness                               // certificates that are not what was asked for
	scribbling                              // certificates that are written down in odd ways
	withholding                             // certificates that cannot be had for hours or days
	oddBirths                               // newOrder's answer calls the order something that it is not
	stillbirths                             // some orders are dead as soon as they are made
	finality                                // a challenge that failed is invalid for good, its authorization pending
	freshTokens                             // another token for each run that looks
	noAddress                               // newOrder's answer does not say where the order is
	pages                                   // newOrder is answered by a proxy's pages, for days
	firewall                                // challenges are answered by a firewall's pages, for days
	afterlife                               // an order is shown as it was when its time is over
	flicker                                 // what is processing is shown as ready every other time
	brokenIssuance                          // every finalize breaks its order, for days
	movingURLs                              // authorizations, challenges and finalize have other URLs now and then
	mumbling                                // problem documents are called text
	oddMembers                              // members of other types, or missing ones
	elsewhere                               // newOrder is answered with See Other
	confusion                               // another order than the one that was asked for
	furtherOddities
)

// oddYears is in one of how many years the CA has a habit of each list.
const oddYears = 2

// habits are how the CA is odd, and what it remembers of it.
type habits struct {
	w         *world
	has       map[oddity]bool
	dice      *dice
	looks     int
	asked     map[*caOrder]time.Time // when finalize was asked for first
	spells    []span                 // of what lasts for days
	forgotten map[*caOrder]span
	served    map[*caOrder]span // when the certificate cannot be had
}

type span struct{ from, to time.Time }

func (s span) has(t time.Time) bool { return !t.Before(s.from) && t.Before(s.to) }

func (w *world) newHabits() habits {
	h := habits{w: w, has: map[oddity]bool{}, dice: w.newDice("habits of the CA"), asked: map[*caOrder]time.Time{},
		forgotten: map[*caOrder]span{}, served: map[*caOrder]span{}}
	if h.dice.one(oddYears) {
		h.has[oddity(1+h.dice.IntN(int(oddities)-1))] = true
	}
	further := w.newDice("further habits of the CA")
	if further.one(oddYears) {
		h.has[oddities+oddity(further.IntN(int(furtherOddities-oddities)))] = true
	}
	if h.has[pages] || h.has[firewall] || h.has[brokenIssuance] || h.has[movingURLs] {
		h.spell(further)
	}
	return h
}

// mostSpells is how often in a year something lasts for days.
const mostSpells = 8

// spell says when what lasts for days happens.
func (h *habits) spell(d *dice) {
	for range mostSpells {
		from := h.w.time().Add(d.between(0, time.Duration(h.w.o.Days)*day))
		lasts := d.between(time.Hour, 4*day)
		h.spells = append(h.spells, span{from, from.Add(lasts)})
		h.w.after(from.Add(lasts).Sub(start), func() { h.recover() })
	}
}

// backOff is how long an order may be held back for what the CA did with the one before.
const backOff = 4 * day

// recover lets everybody have time once something is over.
func (h *habits) recover() {
	h.w.troubled(everyone)
	for _, l := range h.w.lineages {
		l.trouble = h.w.time().Add(backOff)
	}
}

// spelled reports whether it is one of those days.
func (h *habits) spelled() bool {
	now := h.w.time()
	for _, s := range h.spells {
		if s.has(now) {
			return !h.w.quiet
		}
	}
	return false
}

// strikes reports whether something that a habit does in one of n cases happens now.
func (h *habits) strikes(habit oddity, n int) bool {
	return h.has[habit] && h.dice.one(n) && !h.w.quiet
}

// hinder notes that nobody can bring the lineages of an order their certificate before then.
func (h *habits) hinder(o *caOrder, until time.Time) {
	h.w.troubled(func(l *lineage) bool { return share(l.names, o.names) })
	for _, l := range h.w.lineages {
		if share(l.names, o.names) && l.trouble.Before(until) {
			l.trouble = until
		}
	}
}

// says writes a habit's deed into the trace.
func (h *habits) says(o *caOrder, words ...string) {
	h.w.log("CA", o.lineage, append([]string{orderURL(o)}, words...)...)
}
