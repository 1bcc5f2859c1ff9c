package drive

// The loop stands here, and what leads from an action to whoever performs it. The parts depend on
// one another in one direction alone: core, then listing, phantoms and proofs, then authorizations,
// then sight, then newOrder and issuance.

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"time"

	"orderly/failure"
	"orderly/ledger"
	"orderly/order"
)

// mostSteps ends a driver that goes round in circles: no order needs a tenth of it.
const mostSteps = 5000

// driver drives one order: it asks Next and leads to whoever performs what that says. What is known
// beside the order's row is what this process has seen, and each of the parts has its share of
// that.
type driver struct {
	*core
	listing        *listing
	phantoms       *phantoms
	proofs         *proofs
	authorizations *authorizations
	sight          *sight
	newOrder       *newOrder
	issuance       *issuance
}

// newDriver takes an order over.
func newDriver(e *Engine, o *ledger.Order) *driver {
	c := newCore(e, o)
	d := &driver{core: c, listing: &listing{core: c}, phantoms: &phantoms{core: c}, proofs: newProofs(c)}
	d.authorizations = newAuthorizations(c, d.proofs)
	d.sight = &sight{core: c, proofs: d.proofs, authorizations: d.authorizations,
		phantoms: d.phantoms, listing: d.listing}
	d.newOrder = &newOrder{core: c, proofs: d.proofs, phantoms: d.phantoms, listing: d.listing, sight: d.sight}
	d.issuance = newIssuance(c, d.sight)
	return d
}

// facts is what Next may look at: what each part knows.
func (d *driver) facts() order.Facts {
	return order.Facts{
		Now: d.e.clock.Now(), Order: d.o, CA: d.e.known(), Known: d.e.learnt(),
		ShowsProcessing: d.e.Account().ShowsProcessing,
		Wanted:          &d.plan.Request, Insists: d.plan.Force, UntilIssued: d.untilIssued,
		Looked: d.looked, Seen: d.authorizations.seen, Unknown: d.authorizations.unknown,
		List: d.listing.facts(), NewOrder: d.newOrder.facts(), Proofs: d.proofs.facts(),
		Issuance: d.issuance.facts(), Wait: d.waitFacts(),
	}
}

// drive asks Next and obeys until the order is settled or nothing can be done now. A nil error
// means that the certificate is in place, or that a superseded order has come to rest.
func (d *driver) drive(ctx context.Context) error {
	ctx = order.About(ctx, d.o)
	if err := cmp.Or(d.newOrder.takeCount(ctx), d.issuance.takeRefusal(ctx)); err != nil {
		return err
	}
	for step := range mostSteps {
		act := order.Next(d.facts())
		switch {
		case act.Kind == order.Done:
			return d.verdict()
		case act.Kind == order.Leave && act.Class == "":
			return nil
		case act.Kind == order.Leave:
			return failure.New(act.Class, act.Remedy, "%s", act.Why).Lasting(d.until())
		case ctx.Err() != nil && act.Kind != order.Settle:
			return d.interrupted(ctx, act)
		}
		if step == 0 {
			d.begun()
		}
		if err := d.perform(ctx, act); err != nil {
			return err
		}
	}
	return d.stop(failure.Internal, "", "the order for %s does not come to an end", d.o.Subject())
}

// begun says that an order goes on, once something is really to be done for it.
func (d *driver) begun() {
	d.patience.heldUntil = time.Time{} // it is over, whatever the clock says from here on
	switch {
	case d.o.ID == 0 || !d.o.SettledAt.IsZero() || d.o.Releasing:
	case d.o.Request.NamesOnly:
		d.e.tell("Proving %s, which another client left open at the CA (order %d).",
			strings.Join(d.o.Names, ", "), d.o.ID)
	default:
		d.e.tell("Continuing order %d for %s, begun at %s by an earlier run.", d.o.ID, d.o.Subject(),
			d.o.CreatedAt.UTC().Format(time.RFC3339))
	}
}

// learn finds out with whom the engine deals.
func (d *driver) learn(ctx context.Context) error {
	err := d.e.learn(ctx)
	if err == nil || ctx.Err() != nil {
		return nil // the loop sees the context
	}
	return d.stop(failure.ClassOf(err), failure.RemedyOf(err), "%v", err)
}

func (d *driver) perform(ctx context.Context, act order.Action) error {
	d.patience.overtime = d.patience.overtime || act.Overtime
	switch act.Kind {
	case order.Create:
		return d.newOrder.create(ctx)
	case order.Probe:
		return d.newOrder.probe(ctx)
	case order.Search:
		return d.newOrder.search(ctx)
	case order.Look:
		if err := d.proofs.follow(ctx); err != nil {
			return err
		}
		return d.sight.look(ctx, d.issuance.finalizes > 0)
	case order.Show:
		if err := d.proofs.follow(ctx); err != nil {
			return err
		}
		return d.sight.show(ctx, act.Authorizations)
	case order.Check:
		if d.o.State == ledger.Creating {
			return d.newOrder.readmit(ctx)
		}
		return d.proofs.check(ctx, act.Authorizations)
	case order.Place:
		return d.proofs.place(ctx, act.Authorizations)
	case order.Answer:
		return d.authorizations.answer(ctx, act.Authorizations)
	case order.Release:
		return d.authorizations.release(ctx, act.Authorizations)
	case order.Clear:
		return d.proofs.clear(ctx, act.Authorizations)
	case order.MakeKey:
		return d.issuance.makeKey()
	case order.Learn:
		return d.learn(ctx)
	case order.Steady:
		d.steady()
		return nil
	case order.ChangeKey:
		d.issuance.changeKey()
		return nil
	case order.DropReplaces:
		d.newOrder.dropReplaces(act.Why)
		return nil
	case order.Finalize:
		return d.issuance.finalize(ctx)
	case order.Download:
		return d.issuance.download(ctx)
	case order.Install:
		return d.issuance.install(ctx)
	case order.Deploy:
		return d.issuance.deploy(ctx)
	case order.Forgo:
		d.issuance.forgo()
		return nil
	case order.Wait:
		return d.wait(ctx, act.Until)
	case order.Settle:
		return d.settle(ctx, act)
	case order.GiveUp:
		d.giveUp(act)
		return nil
	case order.Stop:
		return d.rest(act)
	case order.Adjourn:
		return d.adjourn(act)
	}
	return fmt.Errorf("no such action: %s", act.Kind)
}

// rest leaves an order with which nothing can be done now.
func (d *driver) rest(act order.Action) error {
	if !act.Until.IsZero() {
		d.o.NotBefore = act.Until
	}
	if act.Class == failure.Stopped && d.issuance.denial != "" {
		act.Why += "; it says: " + d.issuance.denial
	}
	if act.Failed {
		d.said(d.sight.refusal)
		d.fellFreely(d.e.clock.Now()) // once it may be tried at once: a person has mended it, perhaps
	}
	return d.stop(act.Class, act.Remedy, "%s", act.Why)
}

// adjourn leaves a dead order whose siblings cannot be answered now.
func (d *driver) adjourn(act order.Action) error {
	if err := d.leave(failure.New(act.Class, "", "%s", act.Why)); err != nil {
		return err
	}
	return d.verdict()
}
