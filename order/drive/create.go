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
	"orderly/limit"
	"orderly/order"
)

// newOrder is sent here, and what became of it is taken up: rule 2 is kept by the intent that is
// durable before, and by what is remembered of those that were not answered.

// newOrder is what this process has tried to have an order made.
type newOrder struct {
	*core
	proofs   *proofs
	phantoms *phantoms
	listing  *listing
	sight    *sight

	admitted  bool // nothing forbids it
	suspected bool // an order of the name set may be there that no newOrder of this row made
	crowded   bool // what may be pending unseen could fill the account
	worth     limit.Order
	sent      int           // without an answer
	sound     bool          // the CA was seen to answer newOrder since
	unmade    *order.Unmade // what is known of the last one, if it certainly brought no order
	unproven  time.Time     // when the one before the last was sent, if it is not known what became of it
}

func (n *newOrder) facts() order.NewOrderFacts {
	return order.NewOrderFacts{Admitted: n.admitted, Suspected: n.suspected, Sent: n.sent,
		Ghosts: n.phantoms.ghosts, Crowded: n.crowded, Sound: n.sound, Unmade: n.unmade}
}

// create sends newOrder. The intent is durable before, the answer is durable before anything is
// done with it.
func (n *newOrder) create(ctx context.Context) error {
	o := n.o
	n.unproven, n.unmade = o.CreateSentAt, nil
	if o.CreateSends == 0 {
		if err := n.decideProfile(); err != nil {
			return err
		}
		if err := order.Uncovered(o.Request, n.e.known()); err != nil {
			return err // the directory alone showed what CA this is
		}
		if !n.e.known().Replacement {
			o.Replaces = ""
		}
		if taken, err := n.takeSeen(ctx); taken || err != nil {
			return err
		}
	}
	if ready, err := n.nonceAtHand(ctx); !ready || ctx.Err() != nil {
		return err // after a signal one request more is let end, and no order is begun
	}
	done, err := n.room(ctx)
	defer done()
	if err != nil || ctx.Err() != nil {
		return err // the loop sees the context
	}
	now := n.e.clock.Now() // not earlier: by this moment it is judged which newOrder an order was born of
	o.CreateSentAt = now
	o.CreateSends++
	n.sent, n.sound = n.sent+1, false
	if err := n.payOrder(ctx); err != nil {
		return err
	}
	n.note("new-order intent", "attempt %d", o.CreateSends)
	if err := n.commit(ctx, ledger.Change{}); err != nil {
		return err
	}
	rctx, cancel := outliving(ctx)
	defer cancel()
	reply, err := n.e.acme().NewOrder(rctx, acme.OrderRequest{Names: o.Names, Profile: o.Profile, Replaces: o.Replaces})
	if err == nil {
		err = n.anothers(rctx, reply.URL, reply.Names)
	}
	if err != nil {
		return n.notCreated(ctx, now, err)
	}
	return n.created(ctx, reply)
}

// room waits, where the CA counts what is pending, until no other order of this process is about to be
// made, and looks whether there is room for this one: when it was admitted all of them were, and
// none was counted yet, nor had the CA told one of them that it wants no more. done is never nil.
func (n *newOrder) room(ctx context.Context) (done func(), err error) {
	done = func() {}
	if n.e.known().CountsPending > 0 {
		turn, err := n.e.session.births.Take(ctx)
		if err != nil {
			return done, nil // the loop sees the context
		}
		done = turn
	}
	return done, n.e.gate().Still(ctx, n.plan)
}

// nonceAtHand fetches a nonce where there is none, so that nothing stands between the intent of a
// newOrder and its first byte: a run that dies on the way to a CA that does not answer has then
// certainly sent none.
func (n *newOrder) nonceAtHand(ctx context.Context) (bool, error) {
	if n.e.session.client.Nonces() > 0 {
		return true, nil
	}
	rctx, cancel := outliving(ctx)
	defer cancel()
	err := n.e.session.client.FetchNonce(rctx)
	if err == nil || ctx.Err() != nil {
		return err == nil, nil // the loop sees the context
	}
	n.count("new-order", err)
	p, _ := errors.AsType[*acme.Problem](err)
	n.unmade = &order.Unmade{Effect: order.NotDone, Problem: p,
		Cause: &acme.NotSent{Kind: acme.KindNewOrder, Cause: err}, SentAt: n.e.clock.Now(), Times: n.patience.troubles["new-order"]}
	return false, nil
}

// probe finds out whether the CA answers newOrder.
func (n *newOrder) probe(ctx context.Context) error {
	rctx, cancel := outliving(ctx)
	defer cancel()
	if err := n.e.acme().TakesOrders(rctx); err != nil {
		n.trouble("new-order", err)
		return nil
	}
	n.sound = true
	n.calm("new-order")
	n.note("new-order probed", "the CA answers it")
	return nil
}

// takeCount counts what may be pending unseen before a newOrder of an order that does not exist
// yet.
func (n *newOrder) takeCount(ctx context.Context) error {
	if n.o.State != ledger.Creating {
		return nil
	}
	rows, err := n.e.store.Orders(ctx,
		ledger.OrderFilter{AccountID: n.o.AccountID, NameKey: ledger.NameKey(n.o.Names)})
	if err != nil {
		return err
	}
	for _, o := range rows {
		if o.State == ledger.Phantom && o.Expires.After(n.e.clock.Now()) {
			n.phantoms.ghosts++
		}
	}
	n.crowded, err = n.e.gate().Crowded(ctx, n.o.Names)
	return err
}

// decideProfile asks for the preferred profile where the CA offers it, and refuses a required one
// that it does not offer: the CA would refuse it as well.
func (n *newOrder) decideProfile() error {
	o, offered := n.o, n.e.known().Profiles
	if _, ok := offered[o.Request.PreferredProfile]; ok && o.Profile == "" {
		o.Profile = o.Request.PreferredProfile
	}
	if _, ok := offered[o.Profile]; o.Profile == "" || ok || len(offered) == 0 {
		return nil
	}
	return failure.New(failure.Config, "Ask for one of those, or for none.",
		"%s asks for the profile %q, and the CA offers only %s",
		o.Lineage, failure.Clean(o.Profile), failure.Clean(strings.Join(slices.Sorted(maps.Keys(offered)), ", ")))
}

// created takes up the answer to newOrder. A signal that came while it was waited for must not keep
// it from the ledger.
func (n *newOrder) created(ctx context.Context, reply acme.Order) error {
	o, ctx := n.o, context.WithoutCancel(ctx)
	var more ledger.Change
	if o.CreateSends > 1 {
		if err := n.judgeEarlier(ctx, reply, &more); err != nil {
			return err
		}
	}
	if err := n.takeFrom(ctx, reply, &more); err != nil {
		return err
	}
	n.phantoms.born = o.CreateSentAt
	o.CreateSentAt, o.URL, o.Replaces = time.Time{}, reply.URL, reply.Replaces
	o.State = ledger.PendingState
	if n.listing.broken { // the CA is well, so that the list alone is not
		n.listing.unlist("it failed again and again")
	}
	n.progress()
	shown := reply
	if order.Closed(shown.Status) {
		// No order is born at its end: a look tells, lest another is made while this one is
		// pending.
		shown.Status = ""
	}
	n.sight.absorb(shown)
	if n.plan.Force {
		n.lifted(ctx)
	}
	n.looked = order.Told(shown.Status)
	n.note("new-order answered", "%s, %s", reply.Status, reply.URL)
	if err := n.commit(ctx, more); err != nil {
		return err
	}
	for _, other := range more.Orders {
		n.e.host.Keys().Remove(other)
	}
	return nil
}

// takeFrom handles an order URL that another row of the ledger has: the CA handed back an order
// that another lineage, or an earlier request, rests on. That row is released in the same commit,
// so that an order has one owner. What is known of its authorizations moves with it: otherwise a
// challenge would be answered a second time, and a token would stay.
func (n *newOrder) takeFrom(ctx context.Context, reply acme.Order, more *ledger.Change) error {
	others, err := n.rowsOf(ctx, reply)
	if err != nil {
		return err
	}
	for _, other := range others {
		if other.ID == n.o.ID || other.AccountID != n.o.AccountID {
			continue
		}
		if !other.State.Live() && other.State != ledger.Seen {
			continue // it has come to its end here
		}
		order.End(other, order.Action{Kind: order.Settle, State: ledger.ReleasedState, Class: failure.Released,
			Why: fmt.Sprintf("the CA handed it to order %d", n.o.ID)}, n.e.known(), n.e.clock.Now())
		for _, a := range other.Authorizations {
			moved := *a
			moved.ID = 0
			n.o.Authorizations = append(n.o.Authorizations, &moved)
			a.Status, a.Placement = string(ledger.ReleasedState), ""
		}
		more.Orders = append(more.Orders, other)
	}
	return n.phantoms.refute(ctx, others, reply, more)
}

// notCreated takes up what is known of a newOrder that did not bring an order. Next decides what
// follows from it.
func (n *newOrder) notCreated(ctx context.Context, sent time.Time, err error) error {
	e, ok := errors.AsType[*acme.Lost](err)
	if ok && e.Location != "" && n.anothers(context.WithoutCancel(ctx), e.Location, nil) == nil {
		return n.createdUnread(ctx, e.Location)
	}
	effect, p := order.EffectOf(err)
	if effect == order.Refused && (p.Status == 303 || p.Status/100 == 3 && !p.Page) {
		effect = order.Undecided // it may say that what was asked for is done, and to be seen elsewhere
	}
	if effect == order.Undecided {
		// What the list showed before says nothing about this one.
		n.listing.walked, n.listing.proves = false, false
		n.trouble("new-order", err) // CreateSentAt stays: Next finds out what became of it
		return nil
	}
	// This one certainly came to nothing; an earlier one without an answer may not have.
	n.o.CreateSends--
	n.sent--
	n.o.CreateSentAt = n.unproven
	n.refund()
	n.count("new-order", err)
	n.unmade = &order.Unmade{Effect: effect, Problem: p, Cause: err,
		Account: n.accountTrouble(err), Renewal: n.worth.Renewal, SentAt: sent,
		Times: n.patience.troubles["new-order"]}
	if p != nil && p.Status == 429 {
		n.correct(p)
	}
	return nil
}

// dropReplaces lets the next newOrder replace none.
func (n *newOrder) dropReplaces(why string) {
	n.note("new-order without replaces", "%s", why)
	n.o.Replaces, n.unmade = "", nil
	n.calm("new-order")
	// What replaces it may be an order of ours that nobody here knows, made since the list was
	// looked at.
	n.suspected, n.listing.walked, n.listing.proves = true, false, false
}

// createdUnread: the CA made the order and said where, in an answer that cannot be read otherwise.
// The look that comes next shows the rest.
func (n *newOrder) createdUnread(ctx context.Context, url string) error {
	ctx = context.WithoutCancel(ctx)
	var more ledger.Change
	if n.o.CreateSends > 1 {
		if err := n.judgeEarlier(ctx, acme.Order{URL: url}, &more); err != nil {
			return err
		}
	}
	if err := n.takeFrom(ctx, acme.Order{URL: url}, &more); err != nil {
		return err
	}
	n.o.CreateSentAt, n.o.URL, n.o.State = time.Time{}, url, ledger.PendingState
	n.looked = false
	n.note("new-order answered", "unreadable, at %s", failure.Clean(url))
	return n.commit(ctx, more)
}

// readmit finds out whether a newOrder that was not answered may be sent again. If not, its row
// stays for a later run.
func (n *newOrder) readmit(ctx context.Context) error {
	// The row may be an earlier run's, and its document roots of that time.
	n.e.host.Refresh(ctx, &n.plan.Request)
	n.e.host.Adopt(n.o, n.plan.Request)
	report, err := n.e.gate().Admit(ctx, n.plan)
	if ctx.Err() != nil {
		return nil // the loop ends here
	}
	n.admitted, n.proofs.checked, n.fingerprint = err == nil, err == nil, report.Fingerprint
	return err
}

// lifted ends the pauses of the names of an order that the CA made in spite of them, because a
// person insisted.
func (n *newOrder) lifted(ctx context.Context) {
	holds, err := n.e.store.Holds(ctx, n.o.AccountID, n.e.clock.Now())
	if err != nil {
		return // the commit that follows fails as well, and says so
	}
	for _, h := range holds {
		if h.Until.IsZero() && order.Binds(h, n.o.Names, false) {
			h.Until = n.e.clock.Now()
			n.unwritten.holds = append(n.unwritten.holds, h)
		}
	}
}
