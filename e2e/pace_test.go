package e2e_test

import (
	"slices"
	"testing"
	"time"

	"orderly/testca"
)

// pace is by how much the CA takes longer than usual, and the program is told so. What a cell is about needs times to be in
// order: the CA validates within what the program was told it takes, and not before the program looks for the first time.
// Where the machine was too slow for that nothing is judged: the cell is played again, at a slower pace.
type pace int

// slowest is a pace at which a validation takes minutes.
const slowest pace = 256

// atSomePace plays something at the pace that this machine keeps up with. play reports whether times were in order.
func atSomePace(t *testing.T, play func(p pace) bool) {
	t.Helper()
	for p := pace(1); p <= slowest; p *= 4 {
		if play(p) || t.Failed() {
			return
		}
		t.Logf("this machine was too slow for pace %d", p)
	}
	t.Errorf("what was to happen did not, however slow the CA was")
}

// inOrder reports whether every validation ended within the time that the program was told. That time runs from the
// program's intent, which no one sees: from the request before it, at the latest.
func (h *host) inOrder() bool {
	truth := h.ca.Truth()
	for _, o := range truth.Orders {
		for _, a := range o.Authorizations {
			if !a.Ended.IsZero() && a.Ended.Sub(askedBefore(truth.Requests, a.Answered)) >= h.longest {
				return false
			}
		}
	}
	return true
}

// askedBefore is when the last request came before a challenge was answered, other challenges aside.
func askedBefore(requests []testca.Request, answered time.Time) time.Time {
	last := answered
	for _, r := range slices.Backward(requests) {
		if r.Kind != "challenge" && r.At.Before(answered) {
			return r.At
		}
	}
	return last
}

// slowed is a host whose program is told to give validations as much more time.
func (h *host) slowed(p pace) *host {
	h.longest *= time.Duration(p)
	return h
}
