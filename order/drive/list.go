package drive

// The account's list of orders (RFC 8555 §7.1.2.1), where a CA has one, shows what became of a
// newOrder without an answer (rule 2). CAs write it in their own ways, leave things out, or fail at
// it for good; so it proves that no order was made only where each order in it could be read and is
// certainly another one, and a list that is of no use must not keep a lineage from its certificate:
// it is done without, from then on.

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"orderly/acme"
	"orderly/failure"
	"orderly/ledger"
	"orderly/order"
)

// mostWalks is how often a list is asked for in one run where it fails.
const mostWalks = 3

// unlistedFor is how long a list that was of no use is done without.
const unlistedFor = 30 * 24 * time.Hour

// busyFor is how long a list whose CA asks for patience holds an unanswered newOrder back.
const busyFor = 24 * time.Hour

// listing is what this process has seen of the account's list.
type listing struct {
	*core
	walked bool // for the order's names, to its end
	none   bool // there is none that is of use
	proves bool // what it does not show was never made
	broken bool // it failed in this run, and is of no use once the CA answers something else
}

func (l *listing) facts() order.ListFacts {
	return order.ListFacts{Walked: l.walked, Proves: l.proves, None: l.none}
}

// search looks for the order of an unanswered newOrder in the account's list, where the CA has one
// (rule 2).
func (n *newOrder) search(ctx context.Context) error {
	if n.e.unlisted() {
		n.listing.none = true
		return nil
	}
	rctx, cancel := outliving(ctx)
	defer cancel()
	if n.e.Account().OrdersURL == "" {
		object, err := n.e.acme().Fetch(rctx)
		if err != nil {
			n.listing.inVain("account", err)
			return nil
		}
		n.calm("account")
		if object.Orders == "" {
			n.listing.unlist("the account shows none")
			return nil
		}
		n.changeAccount(func(a *ledger.Account) { a.OrdersURL = object.Orders })
	}
	seen, err := n.listing.walk(rctx)
	if errors.Is(err, errEndless) && len(seen.ours) > 0 { // what it has shown is there
		seen.doubts("the list", "has no end")
	} else if err != nil {
		n.listing.inVain("orders", err)
		return nil
	}
	n.calm("orders")
	// Of several unanswered newOrders it would show every one.
	n.listing.walked, n.listing.proves = true, seen.doubt == ""
	for _, dead := range seen.dead {
		if err := n.stray(ctx, rctx, dead); err != nil {
			return err
		}
	}
	if len(seen.ours) == 0 {
		n.note("orders list walked", "no order of the unanswered newOrder is in it%s",
			cmp.Or(seen.doubt, ", for certain"))
		return nil
	}
	n.note("orders list walked", "found %s%s", seen.ours[0].URL, seen.doubt)
	if err := n.created(ctx, seen.ours[0]); err != nil {
		return err
	}
	for _, another := range seen.ours[1:] { // two newOrders without an answer, and both had arrived
		if err := n.stray(ctx, rctx, another); err != nil {
			return err
		}
	}
	return nil
}

// stray counts an order of the list that is not gone on with, where anything of it is pending.
func (n *newOrder) stray(ctx, rctx context.Context, found acme.Order) error {
	o := n.e.strays().lostOrder(found)
	if ctx.Err() == nil { // otherwise the walk was what a signal lets end
		if _, err := n.e.strays().showAll(rctx, o); err != nil {
			n.note("authorization failed", "%s", failure.Clean(err.Error())) // what was not shown counts as pending
		}
	}
	if len(order.Unfinished(o)) == 0 {
		return nil
	}
	return n.e.strays().see(ctx, o, found.URL)
}

// unlisted reports whether the list was of no use not long ago.
func (e *Engine) unlisted() bool {
	return e.clock.Now().Sub(e.Account().UnlistedAt).Abs() < unlistedFor
}

// inVain decides about a list, or the account that names it, that was not shown. What is no list
// will be none tomorrow; a CA that is out of order may have one, so that this is remembered only
// once it answers something else.
func (l *listing) inVain(kind string, err error) {
	effect, p := order.EffectOf(err)
	most := map[order.Effect]int{order.NotDone: order.MostTroubles, order.Undecided: mostWalks}[effect]
	// A CA that asks for a longer pause is busy, and its list is no worse for it: the run ends, and
	// a later one looks. It is believed for a day, lest a list that is always busy blocks the
	// lineage.
	busy := effect == order.NotDone && p != nil && p.RetryAfter > l.e.effort.LongestWait &&
		l.e.clock.Now().Before(l.o.CreateSentAt.Add(busyFor))
	waits := busy || l.patience.troubles[kind]+1 < most && (p == nil || p.RetryAfter <= l.e.effort.LongestWait)
	switch {
	case foreign(err), errors.Is(err, errEndless), errors.Is(err, acme.ErrNoList):
		l.unlist(err.Error())
	case l.accountTrouble(err) != nil, waits:
		l.trouble(kind, err)
	case effect == order.Refused:
		l.unlist(err.Error())
	default:
		l.note("orders list walked", "in vain: %s", failure.Clean(err.Error()))
		l.calm(kind)
		l.none, l.broken = true, true
	}
}

// unlist does without the account's list from now on.
func (l *listing) unlist(why string) {
	l.note("orders list walked", "it is of no use: %s", failure.Clean(why))
	l.calm("orders")
	l.none, l.broken = true, false
	l.changeAccount(func(a *ledger.Account) { a.UnlistedAt = l.e.clock.Now() })
}

func gone(err error) bool {
	p, ok := errors.AsType[*acme.Problem](err)
	return ok && p.Status == 404
}

// sighted is what a walk over the list has shown of the wanted order.
type sighted struct {
	ours  []acme.Order // open, and for exactly the wanted names
	dead  []acme.Order // may be what the newOrder made, and died: authorizations may be pending all the same
	doubt string       // why it would prove nothing that ours has none; "" if nothing speaks against it
}

// doubts notes the first reason for which the list proves nothing.
func (s *sighted) doubts(url, format string, args ...any) {
	if s.doubt == "" {
		s.doubt = failure.Clean("; but it proves nothing: " + url + " " + fmt.Sprintf(format, args...))
	}
}

// walk searches the list for the order that came of the newOrder.
func (l *listing) walk(ctx context.Context) (sighted, error) {
	var seen sighted
	known := 0
	err := l.e.strays().eachUnknown(ctx, &known, func(o acme.Order) error {
		switch {
		case l.ours(o):
			seen.ours = append(seen.ours, o)
		case l.died(o):
			seen.dead = append(seen.dead, o)
		case order.MayBe(o, l.o, l.caTime(o.Reply)):
			seen.doubts(o.URL, "may be it")
		}
		return nil
	}, func(url string, err error) error {
		effect, _ := order.EffectOf(err)
		if !foreign(err) && effect != order.Refused && l.patience.troubles["orders"]+1 < mostWalks {
			return err // it may be shown in a second
		}
		seen.doubts(url, "cannot be read: %v", err)
		return nil
	})
	return seen, err
}

// ours reports whether an order of the list can be the one our newOrder made: the same names, and
// still open (one that died or was issued meanwhile is nothing to go on with).
func (l *listing) ours(o acme.Order) bool {
	alive := o.Status == "pending" || o.Status == "ready"
	return alive && ledger.NameKey(o.Names) == ledger.NameKey(l.o.Names) &&
		order.MayBe(o, l.o, l.caTime(o.Reply))
}

// died reports whether an order of the list may be what our newOrder made, and is dead by now.
func (l *listing) died(o acme.Order) bool {
	if o.Status != string(ledger.Invalid) {
		return false
	}
	o.Status = ""
	return order.MayBe(o, l.o, l.caTime(o.Reply))
}

// takeSeen takes up an order for exactly the wanted names that was seen in the account's list, in
// newOrder's stead: with a second one the first would stay pending, and might be ours. It reports
// whether newOrder is to wait.
func (n *newOrder) takeSeen(ctx context.Context) (bool, error) {
	rows, err := n.e.store.Orders(ctx,
		ledger.OrderFilter{AccountID: n.o.AccountID, Lineage: ledger.SeenPrefix + n.o.Names[0]})
	if err != nil {
		return false, err
	}
	rctx, cancel := outliving(ctx)
	defer cancel()
	for _, o := range rows {
		if o.State != ledger.Seen || ledger.NameKey(o.Names) != ledger.NameKey(n.o.Names) {
			continue
		}
		reply, err := n.e.acme().Order(rctx, o.URL)
		switch {
		case err == nil && n.listing.ours(reply):
			return true, n.created(ctx, reply)
		case err == nil && !order.Closed(reply.Status): // of another profile, or nothing to go on with
		case err == nil || gone(err):
			o.CAStatus = cmp.Or(reply.Status, o.CAStatus)
			if err := n.e.strays().forget(rctx, o); err != nil {
				n.trouble("authorization", err)
				return true, nil
			}
		default:
			n.trouble("order", err)
			return true, nil
		}
	}
	return false, nil
}
