package ledgertest

import (
	"fmt"
	"time"

	"orderly/ledger"
)

// Lists are in the order that their readers count on, and end where they say.

var listTests = []test{
	{"events come oldest first, of one order or of all", eventsInOrder},
	{"runs come newest first, with their last step", runsWithLastStep},
	{"tasks are shown until they have ended", tasksUntilEnded},
	{"charges are those of the account, the names and the time since", chargesSince},
	{"holds are those of the account that have not ended", holdsUntil},
}

func eventsInOrder(b *bench) {
	one, two := b.saved(b.order("a", ledger.Creating)), b.saved(b.order("b", ledger.Creating))
	for i := range 6 {
		// their clock does not order them
		e := ledger.Event{Kind: fmt.Sprint(i), At: day.Add(-time.Duration(i) * time.Hour)}
		switch i % 3 {
		case 0:
			e.OrderID = one.ID
		case 1:
			e.OrderID = two.ID
		}
		b.commit(&ledger.Change{Events: []ledger.Event{e}})
	}
	for _, c := range []struct {
		order int64
		limit int
		want  string
	}{
		{0, 0, "0 1 2 3 4 5 "}, {0, 2, "0 1 "}, {0, 9, "0 1 2 3 4 5 "},
		{one.ID, 0, "0 3 "}, {one.ID, 1, "0 "}, {two.ID, 0, "1 4 "}, {two.ID + 1, 0, ""},
	} {
		got := ""
		for _, e := range must(b.store.Events(b.ctx, c.order, c.limit))(b) {
			got += e.Kind + " "
		}
		b.equal(fmt.Sprintf("Events(%d, %d)", c.order, c.limit), got, c.want)
	}
}

func runsWithLastStep(b *bench) {
	runs := []*ledger.Run{}
	for i := range 3 {
		run := &ledger.Run{Command: fmt.Sprint("run", i), StartedAt: day}
		runs = append(runs, run)
		b.commit(&ledger.Change{Run: run})
	}
	b.commit(&ledger.Change{Run: runs[0],
		Events: []ledger.Event{{Kind: "first", At: day.Add(2 * time.Hour)},
			{Kind: "last", At: day.Add(time.Hour)}}}) // last is what was written last
	b.commit(&ledger.Change{Events: []ledger.Event{{Kind: "second's", RunID: runs[1].ID, At: day}, {Kind: "nobody's", At: day}}})
	line := func(r ledger.Run) string {
		return fmt.Sprintf("%s %q %t", r.Command, r.LastStep,
			r.LastAt.IsZero())
	}
	all := must(b.store.Runs(b.ctx, 0))(b)
	b.equal("Runs", each(all, line),
		"run2 \"\" true\nrun1 \"second's\" false\nrun0 \"last\" false\n")
	if !all[2].LastAt.Equal(day.Add(time.Hour)) {
		b.Errorf("the last step was at %v", all[2].LastAt)
	}
	b.equal("Runs(1)", each(must(b.store.Runs(b.ctx, 1))(b), line), "run2 \"\" true\n")
}

func tasksUntilEnded(b *bench) {
	tasks := []*ledger.Task{{Subject: "a", BegunAt: day.Add(time.Hour)},
		{Subject: "b", BegunAt: day}, {Subject: "c"}}
	b.commit(&ledger.Change{Tasks: tasks})
	line := func(t ledger.Task) string { return t.Subject + t.Step }
	b.equal("Tasks", each(must(b.store.Tasks(b.ctx))(b), line), "a\nb\nc\n")
	tasks[1].EndedAt, tasks[2].Step = day, " on"
	b.commit(&ledger.Change{Tasks: tasks[1:]})
	b.equal("Tasks after one has ended", each(must(b.store.Tasks(b.ctx))(b), line), "a\nc on\n")
}

func chargesSince(b *bench) {
	other := &ledger.Account{Server: "https://other.example/directory", URL: "u"}
	b.commit(&ledger.Change{Account: other})
	var charges []ledger.Charge
	for i, c := range []struct {
		account int64
		name    string
	}{{b.account.ID, "a"}, {b.account.ID, "b"}, {other.ID, "a"}, {b.account.ID, "a"},
		{b.account.ID, "c"}} {
		charges = append(charges, ledger.Charge{AccountID: c.account, Name: c.name, OrderID: int64(i), At: day.Add(-time.Duration(i) * time.Hour)})
	}
	b.commit(&ledger.Change{Charges: charges})
	for _, c := range []struct {
		names []string
		since time.Time
		want  string
	}{
		{[]string{"a", "b"}, time.Time{}, "3 1 0 "}, // oldest first
		{[]string{"a"}, day.Add(-3 * time.Hour), "3 0 "},
		{[]string{"a"}, day.Add(-3*time.Hour + time.Microsecond), "0 "},
		{[]string{"b", "c", "d", "b"}, day.Add(-9 * time.Hour), "4 1 "},
		{[]string{"d"}, time.Time{}, ""},
		{nil, time.Time{}, ""},
	} {
		got := ""
		for _, charge := range must(b.store.Charges(b.ctx, b.account.ID, c.names, c.since))(b) {
			got += fmt.Sprint(charge.OrderID, " ")
		}
		b.equal(fmt.Sprintf("Charges of %v since %v", c.names, c.since), got, c.want)
	}
}

func holdsUntil(b *bench) {
	other := &ledger.Account{Server: "https://other.example/directory", URL: "u"}
	b.commit(&ledger.Change{Account: other})
	b.commit(&ledger.Change{Holds: []ledger.Hold{
		{AccountID: b.account.ID, Scope: "new-order", Until: day.Add(time.Hour), Class: "rate-limited"},
		{AccountID: b.account.ID, Scope: "names:a.example", Until: day.Add(2 * time.Hour)},
		{AccountID: other.ID, Scope: "new-order", Until: day.Add(9 * time.Hour)},
	}})
	line := func(h ledger.Hold) string { return h.Scope + " " + h.Class }
	holds := func(now time.Time) string { return each(must(b.store.Holds(b.ctx, b.account.ID, now))(b), line) }
	b.equal("Holds", holds(day), "names:a.example \nnew-order rate-limited\n")
	b.equal("Holds after an hour", holds(day.Add(time.Hour)), "names:a.example \n")
	b.equal("Holds after two", holds(day.Add(2*time.Hour)), "")
	b.commit(&ledger.Change{Holds: []ledger.Hold{{AccountID: b.account.ID, Scope: "new-order", Until: day.Add(3 * time.Hour), Class: "paused"}}})
	b.equal("Holds after a new one", holds(day.Add(2*time.Hour)), "new-order paused\n")
	paused := ledger.Hold{AccountID: b.account.ID, Scope: "name:a.example", Class: "paused",
		Detail: "d", URL: "https://ca.example/unpause"}
	b.commit(&ledger.Change{Holds: []ledger.Hold{paused}})
	whole := func(h ledger.Hold) string { return fmt.Sprintf("%+v", h) }
	b.equal("Holds without an end",
		each(must(b.store.Holds(b.ctx, b.account.ID, day.AddDate(9, 0, 0)))(b), whole),
		whole(paused)+"\n")
	b.equal("Holds of every account",
		each(must(b.store.Holds(b.ctx, 0, day.Add(8*time.Hour)))(b), line),
		"name:a.example paused\nnew-order \n")
	paused.Until = day
	b.commit(&ledger.Change{Holds: []ledger.Hold{paused}})
	b.equal("Holds after one was lifted", holds(day.AddDate(9, 0, 0)), "")
}
