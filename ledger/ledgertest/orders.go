package ledgertest

import (
	"errors"
	"fmt"
	"time"

	"orderly/ledger"
)

// One live order for a lineage and a name set is the promise in one row: no store may let a second
// one in.

var orderTests = []test{
	{"two live orders for the same names never exist", oneLiveOrder},
	{"orders that differ in account, lineage, profile or names live beside each other", differentOrdersLive},
	{"names are the same whatever their order and case", namesAreCanonical},
	{"an order cannot come back to life beside another", noSecondLife},
	{"filters select orders", filtersSelect},
	{"live orders are found by any name they share, and no others", ordersThatShare},
	{"a limit keeps the newest, oldest first", limitKeepsTheNewest},
	{"authorizations keep their order and stay with theirs", authorizationsStay},
}

var states = []ledger.State{ledger.Creating, ledger.PendingState, ledger.Ready, ledger.Processing,
	ledger.Valid, ledger.Installed, ledger.Invalid, ledger.ExpiredState, ledger.ReleasedState,
	ledger.TakenState, ledger.LostState, ledger.RefusedState, ledger.Phantom,
	ledger.SupersededState}

func oneLiveOrder(b *bench) {
	for i, first := range states {
		for j, second := range states {
			lineage := fmt.Sprint("l", i, "-", j)
			o := b.saved(b.order(lineage, first))
			err := b.store.Commit(b.ctx,
				&ledger.Change{Orders: []*ledger.Order{b.order(lineage, second)}})
			if both := first.Live() && second.Live(); both != errors.Is(err, ledger.ErrLive) || !both && err != nil {
				b.Errorf("a %s order after a %s one: %v", second, first, err)
			}
			o.State = ledger.Installed
			b.saved(o)
			if err := b.store.Commit(b.ctx, &ledger.Change{Orders: []*ledger.Order{b.order(lineage+"x", second)}}); err != nil {
				b.Errorf("a %s order beside a finished one: %v", second, err)
			}
		}
	}
}

func differentOrdersLive(b *bench) {
	account := &ledger.Account{Server: "https://other.example/directory", URL: "u"}
	b.commit(&ledger.Change{Account: account})
	b.saved(b.order("a", ledger.PendingState, "a.example"))
	for what, differ := range map[string]func(*ledger.Order){
		"account": func(o *ledger.Order) { o.AccountID = account.ID },
		"lineage": func(o *ledger.Order) { o.Lineage = "b" },
		"profile": func(o *ledger.Order) { o.Profile = "shortlived" },
		"names":   func(o *ledger.Order) { o.Names = []string{"a.example", "b.example"} },
	} {
		o := b.order("a", ledger.PendingState, "a.example")
		differ(o)
		if err := b.store.Commit(b.ctx, &ledger.Change{Orders: []*ledger.Order{o}}); err != nil {
			b.Errorf("an order that differs in %s: %v", what, err)
		}
	}
}

func namesAreCanonical(b *bench) {
	o := b.saved(b.order("a", ledger.PendingState, "B.example", "a.example", "b.EXAMPLE"))
	b.equal("Names", o.Names, []string{"a.example", "b.example"})
	b.equal("Names as read", b.read(o.ID).Names, []string{"a.example", "b.example"})
	b.refused(&ledger.Change{Orders: []*ledger.Order{b.order("a", ledger.Creating, "A.example", "b.example")}}, ledger.ErrLive)
}

func noSecondLife(b *bench) {
	dead := b.saved(b.order("a", ledger.Invalid))
	b.saved(b.order("a", ledger.PendingState))
	dead.State = ledger.Ready
	b.refused(&ledger.Change{Orders: []*ledger.Order{dead},
		Events: []ledger.Event{{Kind: "step", Of: dead}}}, ledger.ErrLive)
	if got := b.read(dead.ID); got.State != ledger.Invalid || len(must(b.store.Events(b.ctx, 0, 0))(b)) != 0 {
		b.Errorf("after the refusal the order is %s", got.State)
	}
	b.saved(b.order("b", ledger.Creating)) // the store goes on after a refusal
}

func filtersSelect(b *bench) {
	account := &ledger.Account{Server: "https://other.example/directory", URL: "u"}
	b.commit(&ledger.Change{Account: account})
	lineages := []string{"a", "b", "a", "a", "c"}
	var all []int64
	for i, state := range []ledger.State{ledger.PendingState, ledger.Valid, ledger.Invalid, ledger.Installed, ledger.Ready} {
		o := b.order(lineages[i], state)
		if i >= 3 {
			o.SettledAt = day
		}
		if i == 0 || i == 3 {
			o.Authorizations = []*ledger.Authorization{{URL: "bare"},
				{URL: "standing", Placement: "somewhere"}, {URL: "too", Placement: "there"}}
		}
		if i == 4 {
			o.AccountID, o.URL = account.ID, "https://ca.example/order/4"
		}
		all = append(all, b.saved(o).ID)
	}
	for _, c := range []struct {
		filter ledger.OrderFilter
		want   []int
	}{
		{ledger.OrderFilter{}, []int{0, 1, 2, 3, 4}},
		{ledger.OrderFilter{Live: true}, []int{0, 1, 4}},
		{ledger.OrderFilter{Unsettled: true}, []int{0, 1, 2}},
		{ledger.OrderFilter{Live: true, Unsettled: true}, []int{0, 1}},
		{ledger.OrderFilter{Stands: true}, []int{0, 3}},
		{ledger.OrderFilter{Stands: true, Unsettled: true}, []int{0}},
		{ledger.OrderFilter{Lineage: "a"}, []int{0, 2, 3}},
		{ledger.OrderFilter{NameKey: "a.example"}, []int{0, 2, 3}},
		{ledger.OrderFilter{NameKey: "a.example", AccountID: account.ID}, nil},
		{ledger.OrderFilter{Lineage: "A"}, nil},
		{ledger.OrderFilter{Lineage: "a", Live: true}, []int{0}},
		{ledger.OrderFilter{Lineage: "a", Unsettled: true}, []int{0, 2}},
		{ledger.OrderFilter{AccountID: account.ID}, []int{4}},
		{ledger.OrderFilter{AccountID: b.account.ID, Unsettled: true}, []int{0, 1, 2}},
		{ledger.OrderFilter{URL: "https://ca.example/order/4"}, []int{4}},
		{ledger.OrderFilter{URL: "https://ca.example/order/4", Lineage: "a"}, nil},
		{ledger.OrderFilter{URL: "https://ca.example/order/5"}, nil},
		{ledger.OrderFilter{Live: true, Limit: 2}, []int{1, 4}},
		{ledger.OrderFilter{Lineage: "a", Limit: 1}, []int{3}},
	} {
		want := []int64{}
		for _, i := range c.want {
			want = append(want, all[i])
		}
		b.equal(fmt.Sprintf("Orders(%+v)", c.filter), ids(must(b.store.Orders(b.ctx, c.filter))(b)),
			want)
	}
}

func limitKeepsTheNewest(b *bench) {
	for i := range 5 {
		o := b.order(fmt.Sprint("l", i), ledger.Installed)
		// newest is what was committed last, whatever its clock said
		o.CreatedAt = day.Add(-time.Duration(i) * time.Hour)
		o.Authorizations = []*ledger.Authorization{{URL: o.Lineage}}
		b.saved(o)
	}
	for limit, want := range map[int]string{0: "l0 l1 l2 l3 l4", 1: "l4", 3: "l2 l3 l4", 9: "l0 l1 l2 l3 l4"} {
		got := ""
		for _, o := range must(b.store.Orders(b.ctx, ledger.OrderFilter{Limit: limit}))(b) {
			got += " " + o.Lineage
			if len(o.Authorizations) != 1 || o.Authorizations[0].URL != o.Lineage {
				b.Errorf("limit %d: order %s has the wrong authorizations", limit, o.Lineage)
			}
		}
		b.equal(fmt.Sprint("limit ", limit), got, " "+want)
	}
}

func authorizationsStay(b *bench) {
	one, two := b.order("a", ledger.PendingState), b.order("b", ledger.PendingState)
	for i := range 30 {
		one.Authorizations = append(one.Authorizations,
			&ledger.Authorization{URL: fmt.Sprint("one/", i)})
		two.Authorizations = append(two.Authorizations,
			&ledger.Authorization{URL: fmt.Sprint("two/", i)})
	}
	b.commit(&ledger.Change{Orders: []*ledger.Order{one, two}})
	two.Authorizations[3].Status = ledger.AuthorizationValid
	b.commit(&ledger.Change{Orders: []*ledger.Order{two, one}})
	b.same("Orders", must(b.store.Orders(b.ctx, ledger.OrderFilter{}))(b),
		[]*ledger.Order{one, two})
	two.Authorizations = two.Authorizations[3:4] // what is left out of a save is not forgotten
	b.saved(two)
	if got := b.read(two.ID); len(got.Authorizations) != 30 {
		b.Errorf("%d authorizations are left", len(got.Authorizations))
	}
}

// ordersThatShare lets an order die and live again: its names count while it lives.
func ordersThatShare(b *bench) {
	one := b.saved(b.order("a", ledger.PendingState, "a.example", "B.example"))
	two := b.saved(b.order("b", ledger.Creating, "b.example", "*.a.example"))
	b.saved(b.order("c", ledger.Installed, "b.example"))
	shared := func(names ...string) []int64 {
		return ids(must(b.store.Orders(b.ctx, ledger.OrderFilter{Sharing: names}))(b))
	}
	b.equal("b.example", shared("b.EXAMPLE", "other.example"), []int64{one.ID, two.ID})
	b.equal("a.example", shared("a.example"), []int64{one.ID})
	b.equal("of no name", ids(must(b.store.Orders(b.ctx, ledger.OrderFilter{Sharing: []string{}}))(b)), []int64{})
	b.equal("none of them", shared("c.example"), []int64{})
	b.equal("of one lineage", ids(must(b.store.Orders(b.ctx,
		ledger.OrderFilter{Sharing: []string{"b.example"}, Lineage: "b", Unsettled: true}))(b)),
		[]int64{two.ID})

	one.State = ledger.Invalid
	b.saved(one)
	b.equal("after one died", shared("b.example"), []int64{two.ID})
	one.State, one.Names = ledger.Ready, []string{"changed.example"} // what an order is stays
	b.saved(one)
	b.equal("after it came back", shared("b.example"), []int64{one.ID, two.ID})
	b.equal("a name it never had", shared("changed.example"), []int64{})
}
