package ledgertest

import (
	"fmt"
	"strings"
	"time"

	"orderly/ledger"
)

// What the CA may hold pending is a question that costs nothing only if every row that can answer
// it does.

var pendingTests = []test{
	{"pending shows authorizations that are pending, whatever became of their order", pendingAuthorizations},
	{"pending goes by the authorization's expiry, else the order's, else shows it", pendingExpiry},
	{"pending shows phantoms until they have expired", pendingPhantoms},
	{"pending shows a newOrder sent without an answer", pendingCreations},
	{"pending shows an order of which no authorization is known yet", pendingUnread},
	{"pending is sorted by expiry and carries what is shown", pendingSorted},
}

// pending prints what Pending answers at now.
func (b *bench) pending(now time.Time) string {
	b.Helper()
	return each(must(b.store.Pending(b.ctx, now))(b), func(p ledger.Pending) string {
		return strings.TrimSpace(p.Lineage + " " + p.URL)
	})
}

func pendingAuthorizations(b *bench) {
	want := ""
	for i, state := range states {
		if state == ledger.Phantom || state == ledger.Creating {
			continue // they show themselves, too
		}
		o := b.order(fmt.Sprintf("l%02d", i), state)
		for _, status := range []string{"pending", "valid", "invalid", "expired", "deactivated", "revoked"} {
			o.Authorizations = append(o.Authorizations,
				&ledger.Authorization{URL: status, Status: status, Expires: day.Add(time.Hour)})
		}
		b.saved(o)
		want += o.Lineage + " pending\n"
	}
	b.equal("Pending", b.pending(day), want)
}

func pendingExpiry(b *bench) {
	at := func(hours int) time.Time {
		if hours == 0 {
			return time.Time{}
		}
		return day.Add(time.Duration(hours) * time.Hour)
	}
	for _, c := range []struct{ authorization, order int }{{1, 0}, {1, 9}, {0, 2}, {0, 0}, {3, 1}} {
		o := b.order(fmt.Sprintf("%d-%d", c.authorization, c.order), ledger.PendingState)
		o.Expires = at(c.order)
		o.Authorizations = []*ledger.Authorization{{Status: "pending",
			Expires: at(c.authorization)}}
		b.saved(o)
	}
	for _, c := range []struct {
		now  time.Time
		want string
	}{
		{day, "0-0\n1-0\n1-9\n0-2\n3-1\n"},
		{at(1).Add(-time.Microsecond), "0-0\n1-0\n1-9\n0-2\n3-1\n"},
		{at(1), "0-0\n0-2\n3-1\n"},
		{at(2), "0-0\n3-1\n"},
		{at(9), "0-0\n"},
	} {
		b.equal(fmt.Sprint("Pending at ", c.now), b.pending(c.now), c.want)
	}
	for _, p := range must(b.store.Pending(b.ctx, day))(b) {
		want := map[string]time.Time{"1-0": at(1), "1-9": at(1), "0-2": at(2),
			"3-1": at(3)}[p.Lineage]
		if !p.Expires.Equal(want) {
			b.Errorf("%s expires at %v, want %v", p.Lineage, p.Expires, want)
		}
	}
}

func pendingPhantoms(b *bench) {
	o := b.order("a", ledger.Phantom, "a.example", "b.example")
	o.Expires, o.SettledAt = day.Add(time.Hour), day
	b.saved(o)
	b.equal("before its expiry", b.pending(day), "a\n")
	b.equal("at its expiry", b.pending(day.Add(time.Hour)), "")
	unknown := b.order("b", ledger.Phantom)
	b.saved(unknown)
	b.equal("one whose expiry is unknown", b.pending(day.Add(1000*time.Hour)), "b\n")
}

// pendingUnread: the answer to newOrder told where the order is, and not what is in it.
func pendingUnread(b *bench) {
	o := b.order("a", ledger.PendingState, "a.example", "b.example")
	b.saved(o)
	b.equal("an order that was not shown", b.pending(day), "a\n")
	if list := must(b.store.Pending(b.ctx, day))(b); len(list) != 1 || len(list[0].Names) != 2 || !list[0].Since.Equal(o.CreatedAt) {
		b.Errorf("Pending: %+v", list)
	}
	o.Expires = day.Add(time.Hour)
	b.saved(o)
	b.equal("before its expiry", b.pending(day), "a\n")
	b.equal("at its expiry", b.pending(day.Add(time.Hour)), "")
	o.Authorizations = []*ledger.Authorization{{URL: "one", Status: "valid"},
		{URL: "two", Status: "pending"}}
	b.saved(o)
	b.equal("one that was shown", b.pending(day), "a two\n")
}

func pendingCreations(b *bench) {
	for _, state := range states {
		if state == ledger.PendingState {
			continue // it shows itself, too
		}
		for _, sent := range []bool{false, true} {
			o := b.order(fmt.Sprint(state, sent), state)
			if sent {
				o.CreateSentAt = day
			}
			if state == ledger.Phantom {
				o.Expires = day.Add(-time.Hour)
			}
			b.saved(o)
		}
	}
	b.equal("Pending", b.pending(day), "creatingtrue\n")
	twice := b.order("twice", ledger.Creating)
	twice.CreateSentAt, twice.CreateSends = day, 2
	b.saved(twice)
	b.equal("each newOrder without an answer", b.pending(day), "creatingtrue\ntwice\ntwice\n")
	twice.CreateSentAt, twice.State, twice.SettledAt = time.Time{}, ledger.ReleasedState, day
	b.saved(twice)
	b.equal("much later", b.pending(day.Add(1000*time.Hour)), "creatingtrue\n")
}

func pendingSorted(b *bench) {
	o := b.order("a", ledger.PendingState, "a.example", "b.example")
	o.NotBefore, o.Expires = day.Add(time.Minute), day.Add(9*time.Hour)
	o.Authorizations = []*ledger.Authorization{
		{URL: "late", Name: "a.example", Status: "pending", Expires: day.Add(5 * time.Hour), Answered: true},
		{URL: "early", Status: "pending", Expires: day.Add(2 * time.Hour)},
	}
	phantom := b.order("p", ledger.Phantom, "q.example", "p.example")
	phantom.CreatedAt, phantom.Expires = day.Add(-time.Hour), day.Add(3*time.Hour)
	creating := b.order("c", ledger.Creating, "d.example", "c.example")
	creating.CreateSentAt, creating.Expires = day.Add(time.Minute), day.Add(time.Hour)
	b.commit(&ledger.Change{Orders: []*ledger.Order{o, phantom, creating}})
	both := []string{"a.example", "b.example"}
	b.same("Pending", must(b.store.Pending(b.ctx, day))(b), []ledger.Pending{
		{OrderID: creating.ID, Lineage: "c", State: ledger.Creating, Names: []string{"c.example", "d.example"}, Since: creating.CreateSentAt},
		{OrderID: o.ID, Lineage: "a", State: ledger.PendingState, Names: both, URL: "early", Since: day,
			Expires: day.Add(2 * time.Hour), NotBefore: o.NotBefore},
		{OrderID: phantom.ID, Lineage: "p", State: ledger.Phantom, Names: []string{"p.example", "q.example"},
			Since: phantom.CreatedAt, Expires: phantom.Expires},
		{OrderID: o.ID, Lineage: "a", State: ledger.PendingState, Names: both[:1], URL: "late", Answered: true, Since: day,
			Expires: day.Add(5 * time.Hour), NotBefore: o.NotBefore},
	})
}
