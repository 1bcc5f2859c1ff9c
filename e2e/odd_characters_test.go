package e2e_test

import (
	"slices"
	"syscall"
	"testing"
	"time"

	"orderly/testca"
)

// The matrix at CAs that answer oddly, as some were seen to: what is odd there is so with every request, and a run is killed,
// or loses an answer, besides. Everything must come out as at any other CA.

// oddness is how a CA is odd while the first run is under way, and from then on.
type oddness struct {
	first, later testca.Odd
	faults       []testca.Fault // with every request of their kinds
	passing      []testca.Fault // the same, in the first run alone

	// spoils says that the first run may get as far as to an order in vain: it is over, and another one is made once the
	// back-off is over.
	spoils bool
	// requests are how many of a kind a first run has, where it is another number than usual; 0 is none.
	requests map[string]int
}

// beOdd makes the CA so from the first run on, besides the faults that are there.
func (c character) beOdd(w *world) {
	if c.odd == nil {
		return
	}
	w.ca.SetOdd(c.odd.first)
	for _, f := range slices.Concat(c.odd.passing, c.odd.faults) {
		w.ca.Inject(f)
	}
}

// beOddLater is what the CA is like from the second run on, without any other fault.
func (c character) beOddLater(w *world) {
	w.ca.ClearFaults()
	if c.odd == nil {
		return
	}
	w.ca.SetOdd(c.odd.later)
	for _, f := range c.odd.faults {
		w.ca.Inject(f)
	}
}

// always is an oddness that stays.
func always(odd testca.Odd, faults ...testca.Fault) *oddness {
	return &oddness{first: odd, later: odd, faults: faults}
}

// inVain is an oddness of the first run alone, whose order comes to nothing.
func inVain(odd testca.Odd, faults ...testca.Fault) *oddness {
	return &oddness{first: odd, passing: faults, spoils: true}
}

// having sets how many requests of a kind a first run has.
func (o *oddness) having(kind string, requests int) *oddness {
	if o.requests == nil {
		o.requests = map[string]int{}
	}
	o.requests[kind] = requests
	return o
}

// rewriting changes what is told in every answer of a kind.
func rewriting(kind, patch string) testca.Fault {
	return testca.Fault{Kind: kind, Action: testca.Rewrite, Patch: []byte(patch)}
}

func misshape(kind string, shape testca.Shape) testca.Fault {
	return testca.Fault{Kind: kind, Action: testca.Misshape, Shape: shape}
}

// oddCharacters are a handful; each has what several CAs were seen to do, as far as it does not hide each other.
func oddCharacters() []character {
	slow := testca.Config{ValidationDelay: 250 * time.Millisecond}
	listing := slow
	listing.OrdersList = true
	return []character{
		// The leaf is not where it belongs, and URLs are relative at first and have another form later.
		{"a CA with chains in disorder and URLs that change", slow, false, &oddness{
			first: testca.Odd{OddCertificate: testca.OddCertificate{Chain: "rotated"}, Relative: true},
			later: testca.Odd{OddCertificate: testca.OddCertificate{Chain: "rotated"}, Moved: 1}}},
		// What is ready is not, in turn, nor for a second after finalize was asked for.
		{"a CA of two minds", slow, false, always(testca.Odd{Alternates: []string{"pending", "ready"}, NotReadyFor: time.Second})},
		// A list that is no list, and names with the root's dot.
		{"a CA with a bare list", listing, true, always(testca.Odd{}, misshape("orders", testca.BareArray),
			misshape("new-order", testca.TrailingDot), misshape("order", testca.TrailingDot))},
		// A list that fails: none of the lost ones is found.
		{"a CA with a broken list", listing, false, always(testca.Odd{},
			testca.Fault{Kind: "orders", Action: testca.Respond, Status: 500, Problem: "serverInternal"})},
		// newOrder does not say where the order is: only the list and finalize do.
		{"a CA without Location", listing, true, always(testca.Odd{}, testca.Fault{Kind: "new-order", Action: testca.Rewrite,
			Header: map[string]string{"Location": ""}})},
		// Members that are of another type, or missing.
		{"a CA with odd members", slow, false, always(testca.Odd{}, rewriting("new-account", `{"status":null,"orders":[]}`),
			rewriting("new-order", `{"expires":"soon"}`), rewriting("order", `{"expires":12}`),
			rewriting("authorization", `{"expires":[]}`))},
		// Certificates that are none of the chain's.
		{"a CA with other certificates beside the chain", slow, false,
			always(testca.Odd{OddCertificate: testca.OddCertificate{Chain: "foreign"}})},
		{"a CA that takes RSA keys of accounts", testca.Config{ValidationDelay: slow.ValidationDelay, Algorithms: []string{"RS256"}},
			false, always(testca.Odd{}).having("new-account", 2)},
		// What fails is not over: the order goes on once the CA sees the site.
		{"a CA whose failed challenges stay pending", slow, false, &oddness{
			first:  testca.Odd{OddChallenge: testca.OddChallenge{FailedStays: "pending", Blind: true}},
			later:  testca.Odd{OddChallenge: testca.OddChallenge{FailedStays: "pending"}},
			spoils: true, requests: map[string]int{"order": 1, "finalize": 0, "certificate": 0}}},
		{"a CA that breaks what it finalizes", slow, false,
			inVain(testca.Odd{}, testca.Fault{Kind: "finalize", Action: testca.BreakOrder}).having("certificate", 0)},
		{"a CA whose certificate lacks a name", slow, false,
			inVain(testca.Odd{OddCertificate: testca.OddCertificate{DropNames: []string{someNames(2)[1]}}})},
	}
}

// oddCells are kills at every request of two names, and lost answers.
func oddCells() []cell {
	var all []cell
	for _, ca := range oddCharacters() {
		for _, m := range mishaps() {
			if m.signal != syscall.SIGKILL && m.fault.Action != testca.LoseAnswer {
				continue
			}
			for _, kind := range requestKinds() {
				for nth := 1; nth <= ca.howMany(kind, 2); nth++ {
					all = append(all, cell{ca, m, kind, nth, 2, betweenNothing})
					if m.signal == syscall.SIGKILL && m.fault.After && !ca.odd.spoils {
						all = append(all, cell{ca, m, kind, nth, 2, betweenMore})
					}
				}
			}
		}
	}
	return slices.DeleteFunc(all, func(c cell) bool { return !c.exists() })
}

// Of the cells at odd CAs a choice runs in `make test`: each CA, and each kind of request.
func TestTheFaultMatrixOfOddCAs(t *testing.T) {
	t.Parallel()
	cells := oddCells()
	if !whole {
		var some []cell
		for i, c := range cells {
			if i%17 == 0 {
				some = append(some, c)
			}
		}
		cells = some
	}
	for _, c := range sliceOf(cells) {
		c.runIn(t)
	}
}
