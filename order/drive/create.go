package drive

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"orderly/acme"
	"orderly/failure"
	"orderly/ledger"
	"orderly/order"
)

// create sends newOrder. The intent is durable before, the answer is durable before anything is done with it.
func (d *driver) create(ctx context.Context) error {
	o := d.o
	now := d.e.Clock.Now()
	d.unproven = o.CreateSentAt
	if o.CreateSends == 0 {
		if err := d.decideProfile(); err != nil {
			return err
		}
		if !d.e.CA.Replacement {
			o.Replaces = ""
		}
		if taken, err := d.takeSeen(ctx); taken || err != nil {
			return err
		}
	}
	o.CreateSentAt = now
	o.CreateSends++
	if err := d.payOrder(ctx); err != nil {
		return err
	}
	d.note("new-order intent", "attempt %d", o.CreateSends)
	if err := d.commit(ctx, ledger.Change{}); err != nil {
		return err
	}
	rctx, cancel := outliving(ctx)
	defer cancel()
	reply, err := d.e.ACME.NewOrder(rctx, acme.OrderRequest{Names: o.Names, Profile: o.Profile, Replaces: o.Replaces})
	if err != nil {
		return d.notCreated(ctx, now, err)
	}
	return d.created(ctx, reply)
}

// decideProfile asks for the preferred profile where the CA offers it, and refuses a required one that it does not offer:
// the CA would refuse it as well.
func (d *driver) decideProfile() error {
	o, offered := d.o, d.e.CA.Profiles
	if _, ok := offered[o.Request.PreferredProfile]; ok && o.Profile == "" {
		o.Profile = o.Request.PreferredProfile
	}
	if _, ok := offered[o.Profile]; o.Profile == "" || ok || len(offered) == 0 {
		return nil
	}
	return failure.New(failure.Config, "Ask for one of those, or for none.", "%s asks for the profile %q, and the CA offers only %s",
		o.Lineage, failure.Clean(o.Profile), failure.Clean(strings.Join(slices.Sorted(maps.Keys(offered)), ", ")))
}

// created takes up the answer to newOrder. A signal that came while it was waited for must not keep it from the ledger.
func (d *driver) created(ctx context.Context, reply acme.Order) error {
	o, ctx := d.o, context.WithoutCancel(ctx)
	var more ledger.Change
	if o.CreateSends > 1 {
		if err := d.judgeEarlier(ctx, reply, &more); err != nil {
			return err
		}
	}
	if err := d.takeFrom(ctx, reply.URL, &more); err != nil {
		return err
	}
	o.CreateSentAt, o.URL, o.Replaces = time.Time{}, reply.URL, reply.Replaces
	o.State = ledger.PendingState
	d.progress()
	d.absorb(reply)
	if d.plan.Force {
		d.lifted(ctx)
	}
	d.looked = true
	d.note("new-order answered", "%s, %s", reply.Status, reply.URL)
	if err := d.commit(ctx, more); err != nil {
		return err
	}
	for _, other := range more.Orders {
		d.e.Keys.Remove(other)
	}
	return nil
}

// takeFrom handles an order URL that another row of the ledger has: the CA handed back an order that another lineage, or
// an earlier request, rests on. That row is released in the same commit, so that an order has one owner. What is known of
// its authorizations moves with it: otherwise a challenge would be answered a second time, and a token would stay.
func (d *driver) takeFrom(ctx context.Context, url string, more *ledger.Change) error {
	others, err := d.e.Store.Orders(ctx, ledger.OrderFilter{URL: url})
	if err != nil {
		return err
	}
	for _, other := range others {
		if other.ID == d.o.ID || other.AccountID != d.o.AccountID {
			continue
		}
		if !other.State.Live() && other.State != ledger.Seen {
			continue // it has come to its end here
		}
		other.State, other.SettledAt, other.UpdatedAt = ledger.ReleasedState, d.e.Clock.Now(), d.e.Clock.Now()
		other.Class, other.Sentence = string(failure.Released), fmt.Sprintf("the CA handed it to order %d", d.o.ID)
		for _, a := range other.Authorizations {
			moved := *a
			moved.ID = 0
			d.o.Authorizations = append(d.o.Authorizations, &moved)
			a.Status, a.Placement = string(ledger.ReleasedState), ""
		}
		more.Orders = append(more.Orders, other)
	}
	return nil
}

// notCreated handles a newOrder that did not bring an order.
func (d *driver) notCreated(ctx context.Context, sent time.Time, err error) error {
	if e, ok := errors.AsType[*acme.Lost](err); ok && e.Location != "" {
		return d.createdUnread(ctx, e.Location)
	}
	effect, p := order.EffectOf(err)
	if effect == order.Undecided {
		d.listWalked = false               // what the list showed before says nothing about this one
		return d.trouble("new-order", err) // CreateSentAt stays: Next finds out what became of it
	}
	// This one certainly came to nothing; an earlier one without an answer may not have.
	d.o.CreateSends--
	d.o.CreateSentAt = d.unproven
	d.refund()
	if stop := d.accountTrouble(err); stop != nil && !aboutReplaced(d.o, p) {
		return d.withdraw(ctx, failure.ClassOf(stop), failure.RemedyOf(stop), stop)
	}
	if effect == order.Refused && d.o.Replaces != "" {
		// Of whatever type: each CA refuses in its own way what it does not replace (RFC 9773 §5).
		d.note("new-order without replaces", "%s", p.Error())
		d.o.Replaces = ""
		// What replaces it may be an order of ours that nobody here knows, made since the list was looked at.
		d.suspected, d.listWalked = true, false
		return nil
	}
	if p != nil && (effect == order.Refused || p.Status == 429) {
		return d.refusedOrder(ctx, sent, p)
	}
	if d.troubles["new-order"]+1 < mostTroubles && (p == nil || p.RetryAfter <= d.e.LongestWait) {
		return d.trouble("new-order", err)
	}
	return d.withdraw(ctx, failure.CAUnavailable, "The next run tries again; nothing was ordered.", err)
}

// aboutReplaced reports whether a refusal speaks of the certificate that was to be replaced, and not of the account that asks:
// Boulder says "Requester account did not request the certificate being replaced by this order".
func aboutReplaced(o *ledger.Order, p *acme.Problem) bool {
	return o.Replaces != "" && p != nil && p.Detail.Contains("replac")
}

// createdUnread: the CA made the order and said where, in an answer that cannot be read otherwise. The look that comes next
// shows the rest.
func (d *driver) createdUnread(ctx context.Context, url string) error {
	ctx = context.WithoutCancel(ctx)
	var more ledger.Change
	if d.o.CreateSends > 1 {
		if err := d.judgeEarlier(ctx, acme.Order{URL: url}, &more); err != nil {
			return err
		}
	}
	if err := d.takeFrom(ctx, url, &more); err != nil {
		return err
	}
	d.o.CreateSentAt, d.o.URL, d.o.State = time.Time{}, url, ledger.PendingState
	d.looked = false
	d.note("new-order answered", "unreadable, at %s", failure.Clean(url))
	return d.commit(ctx, more)
}

// refusedOrder: the CA said no to newOrder. A 429 is remembered for the account or the names, and obeyed by later runs.
func (d *driver) refusedOrder(ctx context.Context, sent time.Time, p *acme.Problem) error {
	if p.Status != 429 {
		class, remedy := order.RefusalOfType(d.o, p)
		return d.withdraw(ctx, class, remedy, p)
	}
	holds := order.HoldsOf(p, d.o, sent)
	d.holds = append(d.holds, holds...)
	d.correct(p)
	return d.withdraw(ctx, failure.Class(holds[0].Class), order.HeldBack(holds[0]), p)
}

// withdraw settles an order that was certainly never made. If an earlier newOrder of the same row is unaccounted for, a
// phantom remains.
func (d *driver) withdraw(ctx context.Context, class failure.Class, remedy string, cause error) error {
	act := order.Action{State: ledger.RefusedState, Class: class,
		Why: fmt.Sprintf("%s: %s", d.o.Lineage, failure.Clean(cause.Error()))}
	if !d.o.CreateSentAt.IsZero() {
		act.State = ledger.Phantom
	}
	d.o.Remedy = remedy
	if err := d.settle(ctx, act); err != nil {
		return err
	}
	return failure.New(class, remedy, "%s", act.Why)
}

// Bounds of a walk over the account's orders list.
const (
	mostPages  = 50
	mostReads  = 500
	mostListed = 50_000
)

// search looks for the order of an unanswered newOrder in the account's list, where the CA has one (rule 2).
func (d *driver) search(ctx context.Context) error {
	rctx, cancel := outliving(ctx)
	defer cancel()
	if d.e.Account.OrdersURL == "" {
		object, err := d.e.ACME.Fetch(rctx)
		if err != nil {
			return d.trouble("account", err)
		}
		d.calm("account")
		if object.Orders == "" {
			d.noList = true
			return nil
		}
		d.e.Account.OrdersURL, d.account = object.Orders, true
	}
	found, err := d.walk(rctx)
	switch {
	case errors.Is(err, errEndless), foreign(err), gone(err): // as good as none
		d.note("orders list walked", "in vain: %s", failure.Clean(err.Error()))
		d.noList = true
		return nil
	case err != nil:
		return d.trouble("orders", err)
	case found == nil:
		d.calm("orders")
		d.listWalked = true
		d.note("orders list walked", "no order of the unanswered newOrder is in it")
		return nil
	}
	d.note("orders list walked", "found %s", found.URL)
	d.listWalked = true // of several unanswered newOrders the list would show every one
	return d.created(ctx, *found)
}

func gone(err error) bool {
	p, ok := errors.AsType[*acme.Problem](err)
	return ok && p.Status == 404
}

// errEndless says that the list is too long to be searched to its end, so that it proves nothing.
var errEndless = errors.New("the account's list of orders is too long")

// walk searches the list for the order that came of the newOrder, nil if it is not there.
func (d *driver) walk(ctx context.Context) (*acme.Order, error) {
	var hit *acme.Order
	known := 0
	err := d.eachUnknown(ctx, &known, func(o acme.Order) (bool, error) {
		if d.ours(o) {
			hit = &o
		}
		return hit != nil, nil
	})
	return hit, err
}

// ours reports whether an order of the list can be the one our newOrder made: the same names, and still open (one that
// died or was issued meanwhile is nothing to go on with).
func (d *driver) ours(o acme.Order) bool {
	alive := o.Status == "pending" || o.Status == "ready"
	return alive && ledger.NameKey(o.Names) == ledger.NameKey(d.o.Names) && (o.Profile == "" || o.Profile == d.o.Profile || d.o.Profile == "")
}
