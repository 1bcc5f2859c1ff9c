package drive

// Ends that neither the CA nor the order's own course has brought. Whoever wants them (a person,
// the deletion of a lineage, an account that is given up or gone), the row is settled here, as
// every other is: tokens go, a newOrder without an answer leaves its phantoms, what the CA may have
// issued is counted.

import (
	"context"

	"orderly/failure"
	"orderly/ledger"
	"orderly/order"
)

// Abandon ends orders of any account, without a request. The caller holds their lineages' locks.
// commit writes what came of it in one transaction, with what the caller intends beside; nil: it is
// written as it is. Of an order whose names may still become valid when its lineage is deleted,
// only the certificate is given up: it is superseded.
func (e *Engine) Abandon(ctx context.Context, why order.Reason, orders []*ledger.Order,
	commit func(ledger.Change) error) error {
	var change ledger.Change
	var drivers []*driver
	for _, o := range orders {
		d, err := e.undertaker(ctx, o)
		if err != nil {
			return err
		}
		more, err := d.abandon(ctx, why)
		if err != nil {
			return err
		}
		change = joined(change, d.gathered(more))
		drivers = append(drivers, d)
	}
	change.Guards = order.GuardsOf(ctx)
	if commit == nil {
		commit = func(c ledger.Change) error { return e.store.Commit(context.WithoutCancel(ctx), &c) }
	}
	if err := commit(change); err != nil {
		return err
	}
	for _, d := range drivers {
		if d.unwritten = (unwritten{}); !d.o.SettledAt.IsZero() {
			d.e.host.Keys().Remove(d.o)
		}
	}
	return nil
}

// undertaker is the driver of an order of which the CA is asked nothing: what is known of that is
// what its address tells.
func (e *Engine) undertaker(ctx context.Context, o *ledger.Order) (*driver, error) {
	of := *e
	row := e.Account()
	if o.AccountID != row.ID {
		other, err := e.store.AccountByID(ctx, o.AccountID)
		if err != nil {
			return nil, err
		}
		row = *other
	}
	of.session = NewSession(nil, nil, &row)
	return newDriver(&of, o), nil
}

// abandon brings the order to what it comes to. What it returns is to be committed with it.
func (d *driver) abandon(ctx context.Context, why order.Reason) (ledger.Change, error) {
	act := order.Abandonment(d.o, why)
	if act.Kind == order.Supersede {
		d.o.Superseded, d.o.Request.New = true, false // nothing is installed, so nothing stands in its way
		d.note("order superseded", "%s", act.Why)
		return ledger.Change{}, nil
	}
	if err := d.proofs.takeAway(ctx); err != nil {
		return ledger.Change{}, err
	}
	if why == order.AccountGone {
		d.sight.lapse(d.e.clock.Now())
	}
	more := d.conclude(ctx, act)
	d.note("order given up", "%s", failure.Clean(act.Why))
	return more, nil
}

// joined adds what one order brings to what others brought.
func joined(a, b ledger.Change) ledger.Change {
	a.Orders = append(a.Orders, b.Orders...)
	a.Events = append(a.Events, b.Events...)
	a.Charges = append(a.Charges, b.Charges...)
	a.Holds = append(a.Holds, b.Holds...)
	a.Spends = append(a.Spends, b.Spends...)
	a.Standings = append(a.Standings, b.Standings...)
	return a
}
