package e2e_test

import (
	"fmt"
	"syscall"
	"testing"
	"time"

	"orderly/testca"
)

// character is how a CA behaves where it matters to who lost an answer.
type character struct {
	name   string
	config testca.Config
	// finds says that an order whose newOrder was not answered can be found again.
	finds bool
	odd   *oddness // what it answers otherwise than others, nil for nothing
}

func characters() []character {
	slow := 250 * time.Millisecond // so that there is something to poll for
	return []character{
		{"a plain CA", testca.Config{ValidationDelay: slow}, false, nil},
		{"a CA with an orders list", testca.Config{ValidationDelay: slow, OrdersList: true}, true, nil},
		{"a CA like Boulder", testca.Config{ValidationDelay: slow, Reuse: true, HideProcessing: true, Boulder: true, Strict: true, AuthzReuse: true}, true, nil},
	}
}

// configFor lets the CA take its time where a second look at the order is to be interrupted: on a busy machine the first
// one may come late.
func (c character) configFor(at point, p pace) testca.Config {
	config := c.config
	if at.kind == "order" && at.nth > 1 {
		config.ValidationDelay = 1500 * time.Millisecond
	}
	config.ValidationDelay *= time.Duration(p)
	return config
}

// everyCharacter adds those that differ in whether a challenge under validation is shown as `processing`.
func everyCharacter() []character {
	all := characters()
	for _, c := range characters() {
		c.config.HideProcessing = !c.config.HideProcessing
		c.name += map[bool]string{true: ", processing hidden", false: ", processing shown"}[c.config.HideProcessing]
		all = append(all, c)
	}
	return all
}

func someNames(count int) []string {
	names := []string{"a.example.com"}
	for i := 1; i < count; i++ {
		names = append(names, fmt.Sprintf("www%d.a.example.com", i))
	}
	return names
}

// looksBeforeItActs checks that a run that takes an order over asks for it before it sends anything about it (rule 1).
func looksBeforeItActs(t *testing.T, requests []testca.Request) {
	t.Helper()
	for _, r := range requests {
		switch r.Kind {
		case "new-order", "order":
			return
		case "challenge", "finalize":
			t.Errorf("a %s was sent for an order that had not been looked at", r.Kind)
			return
		}
	}
}

// endedInTime checks how an interrupted program ended: at once when killed, otherwise within two seconds and saying so.
func endedInTime(t *testing.T, r result, signal syscall.Signal) {
	t.Helper()
	if signal == syscall.SIGKILL {
		if r.signal != signal {
			t.Fatalf("not killed: %s", r)
		}
		return
	}
	if r.code != 75 || r.idle > 2*time.Second {
		t.Errorf("after %s: exit %d, having waited for %s, not 75 within 2 s\n%s", signal, r.code, r.idle, r)
	}
}
