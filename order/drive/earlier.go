package drive

// What became of a newOrder whose answer is not known (rule 2). Whatever is not certain stays in the ledger as a phantom: an
// order that nobody counted is one that stays pending, and that the next one is refused for where pending ones are counted.

import (
	"context"
	"time"

	"orderly/acme"
	"orderly/ledger"
	"orderly/order"
)

// judgeEarlier decides what became of the earlier newOrder, and records a phantom where it may have made an order that
// nobody can find.
func (d *driver) judgeEarlier(ctx context.Context, reply acme.Order, more *ledger.Change) error {
	r := order.Resent{
		FirstSent: d.unproven, SecondSent: d.o.CreateSentAt, Expires: reply.Expires, Listed: d.listProves,
		Reuses: d.e.known().Reuses, SentReplaces: d.o.Replaces, EchoedReplaces: reply.Replaces,
	}
	orders, err := d.e.Store.Orders(ctx, ledger.OrderFilter{AccountID: d.e.Account().ID, Limit: 50})
	if err != nil {
		return err
	}
	for _, o := range orders {
		if o.CreateSends == 1 && !o.Expires.IsZero() && o.Profile == d.o.Profile && o.ID != d.o.ID {
			r.Lifetimes = append(r.Lifetimes, o.Expires.Sub(o.CreatedAt))
		}
	}
	if r.Shadowed, err = d.shadowed(ctx); err != nil {
		return err
	}
	result := order.Judge(r)
	d.note("new-order resent", "the order of the earlier one: %s", result)
	if result == order.Unknown {
		for range d.o.CreateSends - 1 { // each that has no answer
			more.Orders = append(more.Orders, d.phantom(d.unproven))
		}
	}
	return nil
}

// shadowed reports whether an order is known that ends reuse at Boulder. Boulder looks at one row, the earliest-expiring
// unexpired order of the name set, of whatever profile or account, and hands it back or makes a new one with each newOrder.
// All of the set's orders are asked, since a busy account makes hundreds of others in a week.
func (d *driver) shadowed(ctx context.Context) (bool, error) {
	orders, err := d.e.Store.Orders(ctx, ledger.OrderFilter{NameKey: ledger.NameKey(d.o.Names)})
	if err != nil {
		return false, err
	}
	servers := map[int64]bool{d.e.Account().ID: true}
	for _, o := range orders {
		same, known := servers[o.AccountID]
		if !known {
			account, err := d.e.Store.AccountByID(ctx, o.AccountID)
			if err != nil {
				return false, err
			}
			same = account.Server == d.e.Account().Server
			servers[o.AccountID] = same
		}
		if same && order.Shadows(o, d.o, d.e.Clock.Now()) {
			return true, nil
		}
	}
	return false, nil
}

// phantom makes the record of an order that may exist unseen since sent.
func (d *driver) phantom(sent time.Time) *ledger.Order {
	return order.PhantomOf(d.o, sent, d.e.known(), d.e.Clock.Now())
}
