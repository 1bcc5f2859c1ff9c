package drive

// What happens between two commits is gathered here, and goes with the next one: a process that
// dies before it has done nothing that the ledger does not know of, since every intent is a commit
// of its own.

import "orderly/ledger"

// unwritten is what is to be written with an order at its next commit.
type unwritten struct {
	events  []ledger.Event
	charges []ledger.Charge
	stood   *ledger.Standing // the lineage's, where it changed
	holds   []ledger.Hold
	spends  []ledger.Spend
	account bool // the account's row changed
}

// told reports whether the CA said something that no look at it shows again: what it charged for,
// and what it wants no newOrder for.
func (u *unwritten) told() bool { return len(u.charges) > 0 || len(u.holds) > 0 }

// into adds the order and all that is to be written with it to a change. Events that are nobody's
// are the order's.
func (u *unwritten) into(c ledger.Change, o *ledger.Order, account ledger.Account) ledger.Change {
	c.Orders = append([]*ledger.Order{o}, c.Orders...)
	c.Events = append(u.events, c.Events...)
	c.Charges = append(u.charges, c.Charges...)
	c.Holds = append(u.holds, c.Holds...)
	c.Spends = append(u.spends, c.Spends...)
	if u.stood != nil {
		c.Standings = append(c.Standings, *u.stood)
	}
	if u.account {
		c.Account = &account
	}
	for i := range c.Events {
		if c.Events[i].OrderID == 0 && c.Events[i].Of == nil {
			c.Events[i].Of = o
		}
	}
	return c
}
