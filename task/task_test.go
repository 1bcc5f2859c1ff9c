package task_test

import (
	"errors"
	"testing"
	"time"

	"orderly/acme"
	"orderly/ledger"
	"orderly/ledger/memory"
	"orderly/task"
)

// clock stands still.
type clock struct{ now time.Time }

// Now implements task.Book's clock.
func (c clock) Now() time.Time { return c.now }

func TestATaskIsDurableFromItsFirstStepToItsEnd(t *testing.T) {
	store := memory.New()
	run := &ledger.Run{Command: "revoke"}
	noon := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	book := task.Book{Ledger: store, Clock: clock{noon}, Run: run}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(store.Commit(t.Context(), &ledger.Change{Run: run}))
	begun, err := book.Undertake(t.Context(), ledger.RevokeTask, "cert.pem", map[string]string{"serial": "1"}, ledger.Change{})
	must(err)
	open := func() []ledger.Task {
		t.Helper()
		tasks, err := store.Tasks(t.Context())
		must(err)
		return tasks
	}
	if all := open(); len(all) != 1 || all[0].Step != task.Intended || all[0].Payload != `{"serial":"1"}` || all[0].RunID != run.ID {
		t.Errorf("begun: %+v", all)
	}
	must(book.Move(t.Context(), begun, "sent", ledger.Event{Kind: "sent"}))
	if all := open(); len(all) != 1 || all[0].Step != "sent" {
		t.Errorf("moved: %+v", all)
	}
	must(book.End(t.Context(), begun, ledger.Event{Kind: "ended"}))
	if all := open(); len(all) != 0 {
		t.Errorf("ended: %+v", all)
	}
	events, err := store.Events(t.Context(), 0, 0)
	must(err)
	if len(events) != 2 || events[1].Kind != "ended" || events[1].RunID != run.ID || !events[1].At.Equal(noon) {
		t.Errorf("events %+v", events)
	}
}

// What a person was told was not done must not be done later; what may have been done is found out.
func TestWhenATaskIsInVain(t *testing.T) {
	noon := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	book := task.Book{Clock: clock{noon}, Run: &ledger.Run{ID: 2}}
	refused := &acme.Problem{Type: "malformed", Reply: acme.Reply{Status: 400}}
	limited := &acme.Problem{Type: "rateLimited", Reply: acme.Reply{Status: 429}}
	for _, c := range []struct {
		name  string
		run   int64
		begun time.Duration // ago
		err   error
		want  bool
	}{
		{"lost", 2, 0, &acme.Lost{Cause: errors.New("reset")}, false},
		{"a gateway's error", 2, 0, &acme.Problem{Reply: acme.Reply{Status: 502}}, false},
		{"refused", 2, 0, refused, true},
		{"not sent", 2, 0, &acme.NotSent{Cause: errors.New("no route")}, true},
		{"limited", 2, 0, limited, true},
		{"another run's, refused", 1, time.Hour, refused, true},
		{"another run's, not sent", 1, time.Hour, &acme.NotSent{Cause: errors.New("no route")}, false},
		{"another run's, not sent for a month", 1, 31 * 24 * time.Hour, &acme.NotSent{Cause: errors.New("no route")}, true},
		{"another run's, limited", 1, time.Hour, limited, false},
	} {
		if got := book.InVain(&ledger.Task{RunID: c.run, BegunAt: noon.Add(-c.begun)}, c.err); got != c.want {
			t.Errorf("%s: %t", c.name, got)
		}
	}
}
