package e2e_test

import (
	"fmt"
	"testing"

	"orderly/testca"
)

// mishap is what befalls one request of a kind.
type mishap struct {
	name  string
	fault testca.Fault
}

func mishaps() []mishap {
	return []mishap{
		{"the answer is lost", testca.Fault{Action: testca.LoseAnswer}},
		{"the request is dropped", testca.Fault{Action: testca.Drop}},
		{"a bad nonce", testca.Fault{Action: testca.BadNonce}},
		{"500 in HTML", testca.Fault{Action: testca.Respond, Status: 500}},
		{"500 as a problem", testca.Fault{Action: testca.Respond, Status: 500, Problem: "serverInternal", RetryAfter: "1"}},
		{"502 in HTML", testca.Fault{Action: testca.Respond, Status: 502}},
		{"503 in HTML", testca.Fault{Action: testca.Respond, Status: 503, RetryAfter: "1"}},
		{"503 without Retry-After", testca.Fault{Action: testca.Respond, Status: 503, Problem: "rateLimited"}},
		{"429 as a problem", testca.Fault{Action: testca.Respond, Status: 429, Problem: "rateLimited", RetryAfter: "1"}},
		{"429 in HTML", testca.Fault{Action: testca.Respond, Status: 429}},
	}
}

// unlucky is one issuance with one mishap.
type unlucky struct {
	character
	mishap
	kind string
}

func unluckies() []unlucky {
	var all []unlucky
	kinds := []string{"directory", "new-nonce", "new-account", "new-order", "authorization", "challenge", "order", "finalize", "certificate"}
	for i, ca := range characters() {
		for j, m := range mishaps() {
			for k, kind := range kinds {
				if m.fault.Action == testca.BadNonce && (kind == "directory" || kind == "new-nonce") {
					continue // they are not signed
				}
				if whole || m.fault.Action == testca.LoseAnswer || (i+j+k)%4 == 0 {
					all = append(all, unlucky{ca, m, kind})
				}
			}
		}
	}
	return all
}

func TestOneMishapCostsAtMostAnotherRun(t *testing.T) {
	for _, u := range unluckies() {
		t.Run(fmt.Sprintf("%s, %s, %s", u.character.name, u.kind, u.mishap.name), func(t *testing.T) {
			t.Parallel()
			u.run(t)
		})
	}
}

func (u unlucky) run(t *testing.T) {
	w := newWorld(t, u.config)
	h := w.host("one")
	names := someNames(2)
	command := h.certonly(w.site(names...), names...)
	fault := u.fault
	fault.Kind, fault.Nth = u.kind, 1
	w.ca.Inject(fault)
	first := h.orderly(command...)
	switch {
	case first.code == 1 && u.kind == "new-order" && fault.Status == 429:
		h.must(append(command, "--force")...) // the hold is obeyed by all but a person, as another test shows
	case first.code == 1:
		h.must(command...)
	case first.code != 0:
		t.Fatalf("the first run: %s", first)
	}
	h.kept(promise{names: names, phantom: u.phantom()})
}

// phantom is what the mishap leaves at the CA.
func (u unlucky) phantom() phantom {
	switch {
	case u.finds || u.kind != "new-order":
		return noPhantom
	case u.fault.Action == testca.LoseAnswer:
		return isPhantom
	case u.fault.Action == testca.Drop || u.fault.Status == 500 || u.fault.Status == 502:
		return mayPhantom
	}
	return noPhantom
}

func TestALostNewOrderIsFoundInTheSameRun(t *testing.T) {
	t.Parallel()
	for _, ca := range characters() {
		t.Run(ca.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, ca.config)
			h := w.host("one")
			names := someNames(2)
			w.ca.Inject(testca.Fault{Kind: "new-order", Nth: 1, Action: testca.LoseAnswer})
			h.must(h.certonly(w.site(names...), names...)...)
			if orders := len(w.ca.Truth().Orders); ca.finds && orders != 1 {
				t.Errorf("%d orders were made, not 1", orders)
			}
			if sent := w.ca.Truth().RequestsByKind["new-order"]; ca.config.OrdersList && sent != 1 {
				t.Errorf("newOrder was sent %d times although the list has the order", sent)
			}
			want := noPhantom
			if !ca.finds {
				want = isPhantom
			}
			h.kept(promise{names: names, phantom: want})
		})
	}
}

// An order that dies by the CA's own fault is nobody's here: it costs a second order, and no more than another run.
func TestAnOrderTheCABrokeIsReplaced(t *testing.T) {
	t.Parallel()
	for _, ca := range characters() {
		t.Run(ca.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, ca.config)
			h := w.host("one")
			names := someNames(2)
			command := h.certonly(w.site(names...), names...)
			w.ca.Inject(testca.Fault{Kind: "finalize", Nth: 1, Action: testca.BreakOrder})
			first := h.orderly(append(command, "--deadline", "3s")...) // the CA asks for 60 s of patience
			if first.code != 75 {
				t.Errorf("the first run: %s", first)
			}
			h.must(command...)
			h.kept(promise{names: names})
			if orders := len(w.ca.Truth().Orders); orders != 2 {
				t.Errorf("%d orders were made, not 2", orders)
			}
		})
	}
}

// A CA that is gone for a while must find the order where it was.
func TestACAThatIsDownLosesNothing(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"authorization", "challenge", "order", "finalize", "certificate"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, characters()[2].config)
			h := w.host("one")
			names := someNames(2)
			command := h.certonly(w.site(names...), names...)
			w.ca.Inject(testca.Fault{Kind: kind, Action: testca.Respond, Status: 503, RetryAfter: "3600"})
			first := h.orderly(command...)
			if first.code != 1 {
				t.Errorf("the first run: %s", first)
			}
			before := len(w.ca.Truth().Requests)
			if again := h.orderly(command...); again.code != 1 {
				t.Errorf("the second run: %s", again)
			}
			if n := len(w.ca.Truth().Requests); n != before {
				t.Errorf("%d requests were made although the CA asked for none for an hour", n-before)
			}
			if entries := h.pending(); len(entries) == 0 && w.ca.Truth().Pending() > 0 {
				t.Error("orderly pending does not list what is pending")
			}
		})
	}
}
