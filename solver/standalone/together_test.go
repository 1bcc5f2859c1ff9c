package standalone_test

import (
	"fmt"
	"sync"
	"testing"

	"orderly/solver/standalone"
)

// path is where a token is fetched.
func path(token string) string { return "/.well-known/acme-challenge/" + token }

// Forty orders of one run come and go, several with a token in common: each finds its own served for as
// long as it needs it, whoever else has ended, and the port is given up with the last.
func TestOrdersOfOneRunDoNotTakeThePortFromEachOther(t *testing.T) {
	s, at := new(standalone.Server), standalone.Place{Address: "127.0.0.1", Port: freePort(t)}
	var all sync.WaitGroup
	for i := range 40 {
		all.Go(func() {
			whom, own, shared := fmt.Sprintf("order %d", i), fmt.Sprintf("own%d", i), fmt.Sprintf("shared%d", i/4)
			for range 5 {
				if err := s.Open(whom, at); err != nil {
					t.Error(err)
					return
				}
				for _, token := range []string{own, shared} {
					s.Serve(whom, token, token+".key")
				}
				for _, token := range []string{own, shared} {
					if status, body := ask(t, "GET", at.Address, at.Port, path(token)); status != 200 || body != token+".key" {
						t.Errorf("%s: %d %q", token, status, body)
					}
					s.Withdraw(whom, token)
				}
				if err := s.Rest(whom); err != nil {
					t.Error(err)
				}
				if s.Listens(whom) {
					t.Errorf("%s is over, and its port is open for it", whom)
				}
			}
		})
	}
	all.Wait()
	if len(s.Addresses()) != 0 {
		t.Errorf("it listens on %v for nobody", s.Addresses())
	}
}

// What one order opened and has not served anything at yet is not shut by another one's end.
func TestAPortIsOpenForWhomeverOpenedIt(t *testing.T) {
	s, port := opened(t, "127.0.0.1")
	must(t, s.Open("b", standalone.Place{Address: "127.0.0.1", Port: port}))
	s.Serve("b", "t", "c")
	s.Withdraw("b", "t")
	must(t, s.Rest("b"))
	if s.Listens("b") || !s.Listens("a") || len(s.Addresses()) != 1 {
		t.Errorf("it listens on %v", s.Addresses())
	}
	s.Serve("a", "t", "c")
	s.Withdraw("b", "t") // which is no token of b's
	if status, _ := ask(t, "GET", "127.0.0.1", port, path("t")); status != 200 {
		t.Errorf("status %d", status)
	}
}

// Two ports, and one port on all addresses and on one, are served side by side.
func TestOrdersWithPlacesOfTheirOwnAreServedSideBySide(t *testing.T) {
	for name, c := range map[string]struct {
		other func(port int) standalone.Place
		doors int // at most, where the host has IPv6 as well
	}{
		"another port":      {func(int) standalone.Place { return standalone.Place{Address: "127.0.0.1", Port: freePort(t)} }, 2},
		"on every address":  {func(port int) standalone.Place { return standalone.Place{Port: port} }, 2},
		"the same, on one":  {func(port int) standalone.Place { return standalone.Place{Address: "127.0.0.1", Port: port} }, 1},
		"on one, all first": {func(port int) standalone.Place { return standalone.Place{Address: "127.0.0.1", Port: port} }, 2},
	} {
		t.Run(name, func(t *testing.T) {
			first := "127.0.0.1"
			if name == "on one, all first" {
				first = ""
			}
			s, port := opened(t, first)
			s.Serve("a", "ta", "ca")
			at := c.other(port)
			must(t, s.Open("b", at))
			s.Serve("b", "tb", "cb")
			for port, token := range map[int]string{port: "ta", at.Port: "tb"} {
				if status, _ := ask(t, "GET", "127.0.0.1", port, path(token)); status != 200 {
					t.Errorf("%s: %d", token, status)
				}
			}
			s.Withdraw("b", "tb")
			must(t, s.Rest("b"))
			if status, _ := ask(t, "GET", "127.0.0.1", port, path("ta")); status != 200 || len(s.Addresses()) > c.doors {
				t.Errorf("afterwards: %d, %v", status, s.Addresses())
			}
		})
	}
}

// A place that cannot be had takes nothing from those who have theirs.
func TestAPlaceThatCannotBeHadDisturbsNobody(t *testing.T) {
	s, port := opened(t, "127.0.0.1")
	s.Serve("a", "t", "c")
	taken, err := elsewhere(port)
	if err != nil {
		return // a host without IPv6 has nowhere else
	}
	defer taken.Close()
	if err := s.Open("b", standalone.Place{Port: port}); err == nil {
		t.Error("every address was taken, though another program has one")
	}
	if status, _ := ask(t, "GET", "127.0.0.1", port, path("t")); status != 200 || s.Listens("b") {
		t.Errorf("status %d", status)
	}
}

// An order whose port was changed moves there.
func TestAnOrderThatMovesLeavesItsOldPort(t *testing.T) {
	s, port := opened(t, "127.0.0.1")
	next := freePort(t)
	must(t, s.Open("a", standalone.Place{Address: "127.0.0.1", Port: next}))
	if all := s.Addresses(); len(all) != 1 || all[0].String() != fmt.Sprintf("127.0.0.1:%d", next) || next == port {
		t.Errorf("it listens on %v", all)
	}
}
