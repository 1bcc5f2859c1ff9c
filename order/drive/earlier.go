package drive

// What became of a newOrder whose answer is not known (rule 2). Whatever is not certain stays in
// the ledger as a phantom: an order that nobody counted is one that stays pending, and that the
// next one is refused for where pending ones are counted.

import (
	"context"
	"slices"
	"time"

	"orderly/acme"
	"orderly/failure"
	"orderly/ledger"
	"orderly/order"
)

// phantoms are the orders of the name set that may exist unseen.
type phantoms struct {
	*core
	ghosts int       // those that other rows have left
	born   time.Time // when the newOrder was sent that this process was answered
}

// judgeEarlier decides what became of the earlier newOrder, and records a phantom where it may have
// made an order that nobody can find.
func (n *newOrder) judgeEarlier(ctx context.Context, reply acme.Order, more *ledger.Change) error {
	r := order.Resent{
		FirstSent: n.unproven, SecondSent: n.o.CreateSentAt, Expires: reply.Expires, Listed: n.listing.proves,
		Reuses: n.e.known().Reuses, SentReplaces: n.o.Replaces, EchoedReplaces: reply.Replaces,
	}
	orders, err := n.e.store.Orders(ctx, ledger.OrderFilter{AccountID: n.e.Account().ID, Limit: 50})
	if err != nil {
		return err
	}
	for _, o := range orders {
		if o.CreateSends == 1 && !o.Expires.IsZero() && o.Profile == n.o.Profile && o.ID != n.o.ID {
			r.Lifetimes = append(r.Lifetimes, o.Expires.Sub(o.CreatedAt))
		}
	}
	now := n.caTime(reply.Reply)
	if now.After(n.unproven) {
		now = n.unproven // what was in the way then may have expired since
	}
	if r.Shadowed, err = n.phantoms.shadowed(ctx, now); err != nil {
		return err
	}
	result := order.Judge(r)
	n.note("new-order resent", "the order of the earlier one: %s", result)
	if result == order.Unknown {
		for range n.o.CreateSends - 1 { // each that has no answer
			more.Orders = append(more.Orders, n.phantoms.record(n.unproven))
		}
	}
	return nil
}

// shadowed reports whether an order is known that ends reuse at Boulder. Boulder looks at one row,
// the earliest-expiring unexpired order of the name set, of whatever profile or account, and hands
// it back or makes a new one with each newOrder. All of the set's orders are asked, since a busy
// account makes hundreds of others in a week. now is the CA's: with ours weeks ahead, a dead order that
// is in the way would count as expired.
func (p *phantoms) shadowed(ctx context.Context, now time.Time) (bool, error) {
	orders, err := p.e.store.Orders(ctx, ledger.OrderFilter{NameKey: ledger.NameKey(p.o.Names)})
	if err != nil {
		return false, err
	}
	servers := map[int64]bool{p.e.Account().ID: true}
	for _, o := range orders {
		same, known := servers[o.AccountID]
		if !known {
			account, err := p.e.store.AccountByID(ctx, o.AccountID)
			if err != nil {
				return false, err
			}
			same = account.Server == p.e.Account().Server
			servers[o.AccountID] = same
		}
		if same && order.Shadows(o, p.o, now) {
			return true, nil
		}
	}
	return false, nil
}

// record makes the record of an order that may exist unseen since sent.
func (p *phantoms) record(sent time.Time) *ledger.Order {
	return order.PhantomOf(p.o, sent, p.e.known(), p.e.clock.Now())
}

// unexpired are the unexpired phantoms of the order's account and name set.
func (p *phantoms) unexpired(ctx context.Context) ([]*ledger.Order, error) {
	rows, err := p.e.store.Orders(ctx,
		ledger.OrderFilter{AccountID: p.o.AccountID, NameKey: ledger.NameKey(p.o.Names)})
	now := p.e.clock.Now()
	return slices.DeleteFunc(rows, func(o *ledger.Order) bool {
		return o.State != ledger.Phantom || !o.Expires.After(now)
	}), err
}

// refute ends the phantoms of which it is shown that nothing came: a CA that looks at the
// earliest-expiring order of a name set alone, whoever made it, has handed back one that expires
// later than they would.
func (p *phantoms) refute(
	ctx context.Context, known []*ledger.Order, reply acme.Order, more *ledger.Change) error {
	handedBack := slices.ContainsFunc(known, func(o *ledger.Order) bool { return o.ID != p.o.ID })
	if !handedBack || !p.e.known().Reuses || reply.Expires.IsZero() {
		return nil
	}
	phantoms, err := p.unexpired(ctx)
	for _, o := range phantoms {
		if !o.Expires.After(reply.Expires) {
			order.End(o, order.Action{Kind: order.Settle, State: ledger.ReleasedState, Class: failure.Released,
				Why: "nothing came of its newOrder: the CA handed back a later order of these names"},
				p.e.known(), p.e.clock.Now())
			more.Orders = append(more.Orders, o)
		}
	}
	return err
}

// sendSlack is how much later than it was sent a newOrder may have been carried out, where its
// answer was lost.
const sendSlack = 5 * time.Minute

// measure brings the phantoms of the order's name set and profile to the end that such an order
// has, once the CA has shown that of this one and all of its authorizations, none of which is an
// earlier order's.
func (p *phantoms) measure(ctx context.Context) error {
	born, last := p.born, p.o.Expires
	p.born = time.Time{}
	if born.IsZero() || last.IsZero() || p.o.CreateSends < 2 && p.ghosts == 0 {
		return nil
	}
	if p.e.known().Reuses {
		return nil // it may be a phantom's own order, handed back long after its birth
	}
	for _, a := range p.o.Authorizations {
		if a.Status != ledger.AuthorizationPending || a.Expires.IsZero() {
			return nil
		}
		if a.Expires.After(last) {
			last = a.Expires
		}
	}
	phantoms, err := p.unexpired(context.WithoutCancel(ctx))
	if err != nil {
		return err
	}
	life := last.Sub(born) + sendSlack
	var shorter []*ledger.Order
	for _, o := range phantoms {
		end := o.CreatedAt.Add(life)
		if o.Profile == p.o.Profile && o.CreatedAt.Before(born) && end.Before(o.Expires) {
			o.Expires = end
			shorter = append(shorter, o)
		}
	}
	if len(shorter) == 0 {
		return nil
	}
	return p.commit(ctx, ledger.Change{Orders: shorter})
}
