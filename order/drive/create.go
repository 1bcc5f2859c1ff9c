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
	d.unproven, d.unmade = o.CreateSentAt, nil
	if o.CreateSends == 0 {
		if err := d.decideProfile(); err != nil {
			return err
		}
		if err := order.Uncovered(o.Request, d.e.known()); err != nil {
			return err // the directory alone showed what CA this is
		}
		if !d.e.known().Replacement {
			o.Replaces = ""
		}
		if taken, err := d.takeSeen(ctx); taken || err != nil {
			return err
		}
	}
	if ready, err := d.nonceAtHand(ctx); !ready || ctx.Err() != nil {
		return err // after a signal one request more is let end, and no order is begun
	}
	now := d.e.clock.Now() // not earlier: by this moment it is judged which newOrder an order was born of
	o.CreateSentAt = now
	o.CreateSends++
	d.sent, d.sound = d.sent+1, false
	if err := d.payOrder(ctx); err != nil {
		return err
	}
	d.note("new-order intent", "attempt %d", o.CreateSends)
	if err := d.commit(ctx, ledger.Change{}); err != nil {
		return err
	}
	rctx, cancel := outliving(ctx)
	defer cancel()
	reply, err := d.e.acme().NewOrder(rctx, acme.OrderRequest{Names: o.Names, Profile: o.Profile, Replaces: o.Replaces})
	if err == nil {
		err = d.anothers(rctx, reply.URL, reply.Names)
	}
	if err != nil {
		return d.notCreated(ctx, now, err)
	}
	return d.created(ctx, reply)
}

// nonceAtHand fetches a nonce where there is none, so that nothing stands between the intent of a newOrder and its first byte: a
// run that dies on the way to a CA that does not answer has then certainly sent none.
func (d *driver) nonceAtHand(ctx context.Context) (bool, error) {
	if d.e.session.client.Nonces() > 0 {
		return true, nil
	}
	rctx, cancel := outliving(ctx)
	defer cancel()
	err := d.e.session.client.FetchNonce(rctx)
	if err == nil || ctx.Err() != nil {
		return err == nil, nil // the loop sees the context
	}
	d.count("new-order", err)
	p, _ := errors.AsType[*acme.Problem](err)
	d.unmade = &order.Unmade{Effect: order.NotDone, Problem: p, Cause: &acme.NotSent{Kind: acme.KindNewOrder, Cause: err},
		SentAt: d.e.clock.Now(), Times: d.troubles["new-order"]}
	return false, nil
}

// probe finds out whether the CA answers newOrder.
func (d *driver) probe(ctx context.Context) error {
	rctx, cancel := outliving(ctx)
	defer cancel()
	if err := d.e.acme().TakesOrders(rctx); err != nil {
		return d.trouble("new-order", err)
	}
	d.sound = true
	d.calm("new-order")
	d.note("new-order probed", "the CA answers it")
	return nil
}

// takeCount counts what may be pending unseen before a newOrder of an order that does not exist yet.
func (d *driver) takeCount(ctx context.Context) error {
	if d.o.State != ledger.Creating {
		return nil
	}
	rows, err := d.e.store.Orders(ctx, ledger.OrderFilter{AccountID: d.o.AccountID, NameKey: ledger.NameKey(d.o.Names)})
	if err != nil {
		return err
	}
	for _, o := range rows {
		if o.State == ledger.Phantom && o.Expires.After(d.e.clock.Now()) {
			d.ghosts++
		}
	}
	d.crowded, err = d.e.gate().Crowded(ctx, d.o.Names)
	return err
}

// decideProfile asks for the preferred profile where the CA offers it, and refuses a required one that it does not offer:
// the CA would refuse it as well.
func (d *driver) decideProfile() error {
	o, offered := d.o, d.e.known().Profiles
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
	if err := d.takeFrom(ctx, reply, &more); err != nil {
		return err
	}
	d.born = o.CreateSentAt
	o.CreateSentAt, o.URL, o.Replaces = time.Time{}, reply.URL, reply.Replaces
	o.State = ledger.PendingState
	if d.listBroken { // the CA is well, so that the list alone is not
		d.unlist("it failed again and again")
	}
	d.progress()
	shown := reply
	if order.Closed(shown.Status) {
		shown.Status = "" // no order is born at its end: a look tells, lest another is made while this one is pending
	}
	d.absorb(shown)
	if d.plan.Force {
		d.lifted(ctx)
	}
	d.looked = order.Told(shown.Status)
	d.note("new-order answered", "%s, %s", reply.Status, reply.URL)
	if err := d.commit(ctx, more); err != nil {
		return err
	}
	for _, other := range more.Orders {
		d.e.host.Keys().Remove(other)
	}
	return nil
}

// takeFrom handles an order URL that another row of the ledger has: the CA handed back an order that another lineage, or
// an earlier request, rests on. That row is released in the same commit, so that an order has one owner. What is known of
// its authorizations moves with it: otherwise a challenge would be answered a second time, and a token would stay.
func (d *driver) takeFrom(ctx context.Context, reply acme.Order, more *ledger.Change) error {
	others, err := d.rowsOf(ctx, reply)
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
		order.End(other, order.Action{Kind: order.Settle, State: ledger.ReleasedState, Class: failure.Released,
			Why: fmt.Sprintf("the CA handed it to order %d", d.o.ID)}, d.e.known(), d.e.clock.Now())
		for _, a := range other.Authorizations {
			moved := *a
			moved.ID = 0
			d.o.Authorizations = append(d.o.Authorizations, &moved)
			a.Status, a.Placement = string(ledger.ReleasedState), ""
		}
		more.Orders = append(more.Orders, other)
	}
	return d.refute(ctx, others, reply, more)
}

// notCreated takes up what is known of a newOrder that did not bring an order. Next decides what follows from it.
func (d *driver) notCreated(ctx context.Context, sent time.Time, err error) error {
	e, ok := errors.AsType[*acme.Lost](err)
	if ok && e.Location != "" && d.anothers(context.WithoutCancel(ctx), e.Location, nil) == nil {
		return d.createdUnread(ctx, e.Location)
	}
	effect, p := order.EffectOf(err)
	if effect == order.Refused && (p.Status == 303 || p.Status/100 == 3 && !p.Page) {
		effect = order.Undecided // it may say that what was asked for is done, and to be seen elsewhere
	}
	if effect == order.Undecided {
		// What the list showed before says nothing about this one.
		d.listWalked, d.listProves = false, false
		return d.trouble("new-order", err) // CreateSentAt stays: Next finds out what became of it
	}
	// This one certainly came to nothing; an earlier one without an answer may not have.
	d.o.CreateSends--
	d.sent--
	d.o.CreateSentAt = d.unproven
	d.refund()
	d.count("new-order", err)
	d.unmade = &order.Unmade{Effect: effect, Problem: p, Cause: err, Account: d.accountTrouble(err), SentAt: sent,
		Times: d.troubles["new-order"]}
	if p != nil && p.Status == 429 {
		d.correct(p)
	}
	return nil
}

// dropReplaces lets the next newOrder replace none.
func (d *driver) dropReplaces(why string) {
	d.note("new-order without replaces", "%s", why)
	d.o.Replaces, d.unmade = "", nil
	d.calm("new-order")
	// What replaces it may be an order of ours that nobody here knows, made since the list was looked at.
	d.suspected, d.listWalked, d.listProves = true, false, false
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
	if err := d.takeFrom(ctx, acme.Order{URL: url}, &more); err != nil {
		return err
	}
	d.o.CreateSentAt, d.o.URL, d.o.State = time.Time{}, url, ledger.PendingState
	d.looked = false
	d.note("new-order answered", "unreadable, at %s", failure.Clean(url))
	return d.commit(ctx, more)
}
