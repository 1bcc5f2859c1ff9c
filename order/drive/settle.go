package drive

import (
	"context"
	"errors"

	"orderly/failure"
	"orderly/ledger"
	"orderly/order"
)

// settleOverlaps brings live orders of other lineages that share a name to where nothing of them is
// open at the CA, each under its own lock. A certificate that comes of it waits for a run about its
// own lineage, whose hooks are that run's to start. It runs before the lineage's own lock is taken:
// two processes that each held one lineage and waited for the other's would wait for ever.
func (e *Engine) settleOverlaps(ctx context.Context, lineage string, names []string) error {
	if e.nobody() || len(names) == 0 {
		return nil
	}
	orders, err := e.store.Orders(ctx,
		ledger.OrderFilter{Sharing: names, Unsettled: true, AccountID: e.Account().ID})
	if err != nil {
		return err
	}
	for _, o := range orders {
		if o.Lineage == lineage {
			continue
		}
		if order.Issued(o) {
			continue // nothing of it is open at the CA
		}
		if o.Request.NamesOnly {
			continue // it is another client's: whoever broke there would pay here, before its own order
		}
		if !e.host.Mine(o) {
			return failure.New(failure.Config,
				"Run "+failure.Do(failure.Resume)+", which finishes that order, and then this again.",
				"order %d for %s shares a name and is unfinished; a rehearsal does not go on with it", o.ID, o.Subject())
		}
		if err := e.settleOther(ctx, o); err != nil {
			return err
		}
	}
	return nil
}

func (e *Engine) settleOther(ctx context.Context, o *ledger.Order) error {
	ctx, release, err := e.lock(ctx, order.LineageLock(o.Lineage), o.Lineage)
	if err != nil {
		return err
	}
	defer release()
	fresh, err := e.store.Order(ctx, o.ID)
	if err != nil {
		return err
	}
	if !fresh.SettledAt.IsZero() || !fresh.State.Live() {
		return nil
	}
	e.unwish(fresh)
	d := e.takeOver(fresh)
	d.untilIssued = true
	return e.tolerate(d.drive(ctx), fresh)
}

// finishLineage settles what earlier processes left for this lineage, except the live order for
// exactly the wanted names, which the caller goes on with. An order that was not finalized yet and
// is not wanted any more is superseded: its names become valid, so that nothing stays pending, but
// no certificate is made of it. One that the CA has issued already is put in place all the same;
// the lineage is then no new one any more. It returns the order that came to be all that is wanted,
// nil if none did.
func (e *Engine) finishLineage(
	ctx context.Context, lineage string, wanted *ledger.Request) (*ledger.Order, error) {
	if e.nobody() {
		return nil, nil
	}
	var done *ledger.Order
	orders, err := e.store.Orders(ctx,
		ledger.OrderFilter{Unsettled: true, Lineage: lineage, AccountID: e.Account().ID})
	if err != nil {
		return nil, err
	}
	for _, o := range orders {
		if wanted != nil && o.State.Live() && order.Serves(o, *wanted) {
			continue
		}
		if wanted == nil {
			e.unwish(o) // the lineage is as it should be: certbot may have renewed it after this order was left
		}
		// In Processing, too: if finalize never arrived, the CA says `ready`.
		o.Superseded = o.Superseded || (wanted != nil && o.State.Live() && o.State != ledger.Valid)
		d := newDriver(e, o)
		if wanted == nil {
			d = e.takeOver(o)
		}
		if err := e.tolerate(d.drive(ctx), o); err != nil {
			return nil, err
		}
		if wanted != nil && o.State == ledger.Installed {
			wanted.New = false
		}
		if wanted != nil && !o.SettledAt.IsZero() && order.Fulfils(o, *wanted) {
			done = o
		}
	}
	return done, nil
}

// tolerate lets the caller go on although an order that it only met on its way did not come to a
// good end. What stops everything still does.
func (e *Engine) tolerate(err error, o *ledger.Order) error {
	switch failure.ClassOf(err) {
	case "":
		return nil
	case failure.Stopped:
		if errors.Is(err, order.ErrInterrupted) {
			return err
		}
	case failure.Account, failure.Ledger, failure.Locked, failure.Internal:
		return err
	}
	e.log.InfoContext(order.About(context.Background(), o), "an earlier order could not be finished", "why", err)
	return nil
}
