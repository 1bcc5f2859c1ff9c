package ledgertest

import (
	"fmt"
	"time"

	"orderly/ledger"
)

// A change is written whole or not at all, and what it gave to records is taken back with it.

var commitTests = []test{
	{"a change whose last part fails leaves nothing", failedChangeLeavesNothing},
	{"a stale order leaves nothing of what came with it", staleOrderLeavesNothing},
	{"ids are filled in, and taken back when the change fails", idsAreTakenBack},
	{"an order that another handle saved is not overwritten", staleOrderIsRefused},
	{"what is written under a lost lock leaves nothing", lostLockLeavesNothing},
	{"one change may save an order twice", orderTwiceInAChange},
	{"what names no run or order belongs to the change's", changeFillsIn},
	{"what is not synced is there for others as if it were", unsyncedIsThere},
}

// Unsynced changes and others take turns, and none is lost on the way.
func unsyncedIsThere(b *bench) {
	other := b.handle()
	for i := range 6 {
		o := b.order(fmt.Sprint("unsynced", i), ledger.Creating)
		b.commit(&ledger.Change{Orders: []*ledger.Order{o}, Unsynced: i%3 != 2})
		seen, err := other.Order(b.ctx, o.ID)
		if err != nil || seen.Lineage != o.Lineage {
			b.Errorf("another handle sees %+v, %v", seen, err)
		}
	}
	twin := b.order("unsynced0", ledger.Creating)
	b.refused(&ledger.Change{Orders: []*ledger.Order{twin}, Unsynced: true}, ledger.ErrLive)
}

func failedChangeLeavesNothing(b *bench) {
	b.commit(b.one(day))
	before := b.everything()
	c := b.one(day.Add(time.Hour))
	c.Orders[0].Names = []string{"other.example"}
	c.Account = &ledger.Account{Server: b.account.Server, URL: b.account.URL, KeyID: "new"}
	c.Events = append(c.Events, ledger.Event{Kind: "step", Of: &ledger.Order{}})
	b.refused(c, nil)
	b.same("the ledger after a failed change", b.everything(), before)

	c.Events = c.Events[:1]
	b.commit(c) // the same records again, without what was wrong
	if got := len(b.everything().Orders); got != 2 {
		b.Errorf("%d orders after the change was mended, want 2", got)
	}
}

func staleOrderLeavesNothing(b *bench) {
	o := b.saved(b.order("a", ledger.Creating))
	stale := *o
	b.saved(o)
	before := b.everything()
	b.refused(&ledger.Change{
		Orders: []*ledger.Order{b.order("b", ledger.Creating), &stale},
		Events: []ledger.Event{{Kind: "sent", Of: &stale}},
		Run:    &ledger.Run{Command: "renew"},
	}, ledger.ErrStale)
	b.same("the ledger", b.everything(), before)
}

func idsAreTakenBack(b *bench) {
	account := &ledger.Account{Server: "s", URL: "u"}
	c := b.one(day)
	c.Account = account
	c.Orders[0].AccountID = 0
	c.Events = append(c.Events, ledger.Event{Kind: "step", Of: &ledger.Order{}})
	b.refused(c, nil)
	o := c.Orders[0]
	b.equal("ids after a failed change",
		[]int64{account.ID, c.Run.ID, o.ID, o.Version, o.AccountID, o.Authorizations[0].ID,
			c.Certificate.ID, c.Certificate.OrderID, c.Tasks[0].ID, c.Tasks[0].RunID,
			c.Events[0].ID, c.Events[0].OrderID, c.Events[0].RunID}, make([]int64, 13))

	c.Events = c.Events[:1]
	b.commit(c)
	for what, id := range map[string]int64{"account": account.ID, "run": c.Run.ID, "order": o.ID, "version": o.Version,
		"authorization": o.Authorizations[0].ID, "certificate": c.Certificate.ID,
		"task": c.Tasks[0].ID, "event": c.Events[0].ID} {
		if id == 0 {
			b.Errorf("no id for the %s", what)
		}
	}
	b.equal("who belongs to whom",
		[]int64{o.AccountID, c.Certificate.OrderID, c.Tasks[0].RunID, c.Events[0].OrderID,
			c.Events[0].RunID}, []int64{account.ID, o.ID, c.Run.ID, o.ID, c.Run.ID})

	version := o.Version
	b.refused(&ledger.Change{Orders: []*ledger.Order{o, {ID: 99}}}, ledger.ErrStale)
	if o.Version != version {
		b.Errorf("the version went from %d to %d though the change failed", version, o.Version)
	}
	b.saved(o)
}

func staleOrderIsRefused(b *bench) {
	o := b.saved(b.order("a", ledger.PendingState))
	other := b.handle()
	theirs := must(other.Order(b.ctx, o.ID))(b)
	theirs.State = ledger.Ready
	b.commitTo(other, &ledger.Change{Orders: []*ledger.Order{theirs}})

	o.State = ledger.Invalid
	b.refused(&ledger.Change{Orders: []*ledger.Order{o}}, ledger.ErrStale)
	if got := b.read(o.ID); got.State != ledger.Ready {
		b.Errorf("the order is %s", got.State)
	}
	fresh := b.read(o.ID)
	fresh.State = ledger.Processing
	b.saved(fresh)
	if got := must(other.Order(b.ctx, o.ID))(b); got.State != ledger.Processing {
		b.Errorf("after reading it again the order is %s", got.State)
	}
}

func lostLockLeavesNothing(b *bench) {
	old, taken := ledger.Guard{Key: "lineage:a", Fence: 7}, ledger.Guard{Key: "lineage:a", Fence: 8}
	beside := ledger.Guard{Key: "names:a.example", Fence: 1}
	event := func(kind string, guards ...ledger.Guard) *ledger.Change {
		return &ledger.Change{Events: []ledger.Event{{Kind: kind}}, Guards: guards}
	}
	b.commit(event("first", old))
	b.commit(event("again", beside, old))
	b.commitTo(b.handle(), event("taken over", taken))
	before := b.everything()
	c := b.one(day)
	c.Guards = []ledger.Guard{beside, old}
	b.refused(c, ledger.ErrLost)
	b.same("the ledger", b.everything(), before)
	if c.Orders[0].ID != 0 {
		b.Errorf("the order has id %d", c.Orders[0].ID)
	}

	// What is refused for another reason does not fence anybody off.
	b.refused(&ledger.Change{Orders: []*ledger.Order{{ID: 99}},
		Guards: []ledger.Guard{{Key: beside.Key, Fence: 5}}}, ledger.ErrStale)
	b.commit(event("beside", beside, taken))
	b.commit(event("under no lock"))
}

func orderTwiceInAChange(b *bench) {
	o := b.order("a", ledger.Creating)
	b.refused(&ledger.Change{Orders: []*ledger.Order{o, o, {ID: 99}}}, ledger.ErrStale)
	if o.ID != 0 || o.Version != 0 {
		b.Errorf("after a failed change the order has id %d, version %d", o.ID, o.Version)
	}
	b.commit(&ledger.Change{Orders: []*ledger.Order{o, o}})
	b.saved(o)
	if got := must(b.store.Orders(b.ctx, ledger.OrderFilter{}))(b); len(got) != 1 || got[0].Version != o.Version {
		b.Errorf("%d orders", len(got))
	}
}

func changeFillsIn(b *bench) {
	first, run := b.saved(b.order("a", ledger.Creating)), &ledger.Run{Command: "renew", StartedAt: day}
	c := &ledger.Change{Run: run, Orders: []*ledger.Order{first, b.order("b", ledger.Creating)},
		Certificate: &ledger.Certificate{AccountID: b.account.ID, Lineage: "a"},
		Tasks:       []*ledger.Task{{Subject: "true"}},
		Events: []ledger.Event{{Kind: "none"}, {Kind: "of"},
			{Kind: "given", OrderID: first.ID, Lineage: "own", RunID: 7}}}
	c.Events[1].Of = c.Orders[1]
	b.commit(c)
	events := must(b.store.Events(b.ctx, 0, 0))(b)
	b.equal("Events", each(events, func(e ledger.Event) string { return fmt.Sprint(e.Kind, " ", e.OrderID, e.Lineage, " ", e.RunID) }),
		fmt.Sprintf("none 0 %d\nof %db %d\ngiven %down 7\n", run.ID, c.Orders[1].ID, run.ID,
			first.ID))
	if got := must(b.store.Certificate(b.ctx, "a"))(b); got.OrderID != first.ID {
		b.Errorf("the certificate is of order %d", got.OrderID)
	}
	if got := must(b.store.Tasks(b.ctx))(b); len(got) != 1 || got[0].RunID != run.ID {
		b.Errorf("tasks: %+v", got)
	}
}
