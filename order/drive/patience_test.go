package drive_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"orderly/failure"
	"orderly/order"
	"orderly/testca"
)

// Two states that take turns are no progress: a run comes to its end, and the CSR is sent a few times at the most.
func TestStatesThatTakeTurnsAreNoProgress(t *testing.T) {
	for _, turns := range [][]string{{"processing", "ready"}, {"pending", "ready"}, {"ready"}, {"processing", "pending", "ready"}, {"ready", "valid"}} {
		t.Run(strings.Join(turns, " "), func(t *testing.T) {
			w := newWorld(t, testca.Config{AsyncFinalize: true, FinalizeDelay: 24 * time.Hour})
			looks := 0
			w.rewrite("order", func(_ http.Header, object map[string]any) {
				if object["status"] == "processing" { // by the CA's own word
					object["status"] = turns[looks%len(turns)]
					looks++
				}
			})
			began := w.clock.Now()
			p := order.Plan{Request: request("a.example", "a.example")}
			w.fails(p, failure.Stopped)
			if took := w.clock.Now().Sub(began); took > 3*time.Minute {
				t.Errorf("it took %s", took)
			}
			if n := len(w.wire.kinds()); w.requests("finalize") > 4 || n > 60 || w.requests("new-order") != 1 {
				w.explain()
				t.Errorf("%d requests, %d finalizes, %d newOrders", n, w.requests("finalize"), w.requests("new-order"))
			}
		})
	}
}

// The same in testca's own way, before the order is finalized.
func TestAnOrderThatIsReadyNowAndThenIsNotFinalizedForEver(t *testing.T) {
	w := newWorld(t, testca.Config{})
	w.ca.SetOdd(testca.Odd{Alternates: []string{"pending", "ready"}})
	w.get(request("a.example", "a.example"))
	if w.requests("finalize") > 4 || w.requests("order") > 60 || w.requests("new-order") != 1 {
		t.Errorf("%d finalizes, %d looks, %d newOrders", w.requests("finalize"), w.requests("order"), w.requests("new-order"))
	}
	w.served("a.example", 1, true)
}

// A CA that needs some seconds to see that the order is ready is waited for; one that never does is left, with its words.
func TestAFinalizeThatIsTooEarlyIsSentAgain(t *testing.T) {
	for _, late := range []time.Duration{3 * time.Second, 40 * time.Second} {
		w := newWorld(t, testca.Config{})
		w.ca.SetOdd(testca.Odd{NotReadyFor: late})
		r := request("a.example", "a.example")
		w.get(r)
		w.settled(r)
		if n := w.requests("finalize"); n > 9 {
			t.Errorf("%s: %d finalizes", late, n)
		}
		w.served("a.example", 1, true)
	}
	w := newWorld(t, testca.Config{})
	w.ca.SetOdd(testca.Odd{NotReadyFor: time.Hour})
	p := order.Plan{Request: request("a.example", "a.example")}
	_, err := w.fails(p, failure.Stopped)
	if !strings.Contains(err.Error(), "not acceptable for finalization") || w.requests("finalize") > 20 {
		t.Errorf("%d finalizes; %v", w.requests("finalize"), err)
	}
	w.ca.SetOdd(testca.Odd{})
	w.get(p.Request)
	w.served("a.example", 1, true)
}
