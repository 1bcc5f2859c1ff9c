package sim

import (
	"strings"
	"time"
)

// What CAs other than Let's Encrypt were seen to answer. A year's CA has one of these habits, or none, from the first day to
// the last, beside those of its chains and of its challenges (authority.go): whatever is odd about it, every promise holds. What is true inside the CA stays as it is; only what is shown
// differs.

// oddity is a habit of the CA.
type oddity int

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

// oddYears is in one of how many years the CA is odd.
const oddYears = 2

// habits is how the CA is odd, and what it remembers of it.
type habits struct {
	oddity
	dice  *dice
	looks int
	asked map[*caOrder]time.Time // when finalize was asked for first
}

func (w *world) newHabits() habits {
	h := habits{dice: w.newDice("habits of the CA"), asked: map[*caOrder]time.Time{}}
	if h.dice.one(oddYears) {
		h.oddity = oddity(1 + h.dice.IntN(int(oddities)-1))
	}
	return h
}

// listed is the list of orders as it is shown.
func (h *habits) listed(urls []string) reply {
	switch h.oddity {
	case bareList:
		return object(200, urls)
	case brokenList:
		return problem(500, "serverInternal", "the list is broken")
	}
	return object(200, map[string]any{"orders": urls})
}

// named is a name of an order as it is shown.
func (h *habits) named(name string) string {
	switch h.oddity {
	case dottedNames:
		return name + "."
	case loudNames:
		return strings.ToUpper(name)
	}
	return name
}

// status is that of an order as it is shown to who looks.
func (h *habits) status(status string) string {
	if h.oddity != twoMinds || status != "ready" {
		return status
	}
	h.looks++
	return []string{"ready", "pending"}[h.looks%2]
}

// hesitates reports whether an order that is ready is not yet to be finalized.
func (h *habits) hesitates(o *caOrder, now time.Time) bool {
	if h.oddity != hesitation {
		return false
	}
	first, asked := h.asked[o]
	if !asked {
		first, h.asked[o] = now, now
	}
	return now.Before(first.Add(5 * time.Second))
}

// objection is a refusal of a `replaces` that RFC 9773 does not know.
func (h *habits) objection() (reply, bool) {
	if h.oddity != narrowMinded {
		return reply{}, false
	}
	refusals := []reply{problem(409, "conflict", "a replacement exists"), problem(404, "malformed", "no such certificate"),
		problem(400, "malformed", "the field replaces is not known"), problem(403, "unauthorized", "not yours")}
	return refusals[h.dice.IntN(len(refusals))], true
}
