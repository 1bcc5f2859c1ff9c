package e2e_test

import (
	"slices"
	"syscall"
	"testing"

	"orderly/testca"
)

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

// An order that dies by the CA's own fault is nobody's here: it costs a second order, and that not at once, for whatever broke
// the first would break it as well.
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
			run := h.start(command...) // the CA asks for 60 s of patience
			until(t, "finalize is answered", func() bool {
				return slices.ContainsFunc(w.ca.Truth().Requests, func(r testca.Request) bool { return r.Kind == "finalize" && !r.Open })
			})
			run.signal(syscall.SIGTERM)
			endedInTime(t, run.wait(), syscall.SIGTERM)
			if again := h.orderly(command...); again.code != 1 || len(w.ca.Truth().Orders) != 1 {
				t.Errorf("%d orders after a run in the back-off: %s", len(w.ca.Truth().Orders), again)
			}
			h.must(append(command, "--force")...)
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
