package drive

import (
	"context"
	"time"

	"orderly/acme"
	"orderly/failure"
	"orderly/ledger"
	"orderly/limit"
	"orderly/order"
)

// release deactivates pending authorizations (RFC 8555 §7.5.2), all intents in one commit. Each is
// deactivated by the very object that a POST-as-GET just answered with (invariant I11): the same
// payload sent to an account URL would deactivate the account.
func (az *authorizations) release(ctx context.Context, list []*ledger.Authorization) error {
	for _, a := range list {
		az.note("deactivate intent", "%s", failure.Clean(a.FullName()))
	}
	if err := az.commit(ctx, ledger.Change{}); err != nil {
		return err
	}
	rctx, cancel := outliving(ctx)
	defer cancel()
	for _, a := range list {
		reply, err := az.deactivate(rctx, a)
		if err != nil {
			delete(az.seen, a.URL)
			az.trouble("deactivate", err)
			return nil
		}
		az.shown(a, reply)
	}
	az.progress()
	return nil
}

// deactivate looks at an authorization and deactivates it if it is still pending.
func (az *authorizations) deactivate(
	ctx context.Context, a *ledger.Authorization) (acme.Authorization, error) {
	seen, err := az.e.acme().Authorization(ctx, a.URL)
	if err == nil {
		err = unclearAuthorization(seen)
	}
	if err != nil || seen.Status != ledger.AuthorizationPending {
		return seen, err
	}
	reply, err := az.e.acme().Deactivate(ctx, seen)
	if err == nil {
		err = unclearAuthorization(reply)
	}
	effect, _ := order.EffectOf(err)
	if done := err == nil || effect == order.Undecided; done && az.e.known().ChargesDeactivation {
		az.charge(a, failure.Released, az.e.clock.Now()) // unknown counts as spent
	}
	return reply, err
}

// charge books what the CA charges for an authorization that ends without being valid.
func (az *authorizations) charge(a *ledger.Authorization, class failure.Class, at time.Time) {
	az.unwritten.charges = append(az.unwritten.charges, ledger.Charge{
		AccountID: az.o.AccountID, Name: a.FullName(), OrderID: az.o.ID, At: at, Class: string(class)})
	az.pay([]limit.Bucket{limit.Failed(a.FullName())}, false)
}

// Release gives an order up because the operator says so, whatever it costs. An order whose
// certificate the CA has issued is brought to its end, and given up where that fails.
func (e *Engine) Release(ctx context.Context, o *ledger.Order) error {
	held, ok, err := e.host.TryLock(order.LineageLock(o.Lineage))
	if err != nil {
		return err
	}
	if !ok {
		return failure.New(failure.Locked, "Run the command again when that run has ended.",
			"a run is at work on %s", o.Subject())
	}
	ctx, release := held.Under(ctx)
	defer release()
	fresh, err := e.store.Order(ctx, o.ID)
	if err != nil {
		return err
	}
	*o = *fresh
	switch {
	case !o.SettledAt.IsZero() && o.State != ledger.Ready:
		return nil
	case o.State == ledger.Creating, o.State == ledger.Phantom:
		return failure.New(failure.CARefused,
			failure.Do(failure.Resume)+" finds out whether it exists.",
			"order %d for %s has no URL that could be released", o.ID, o.Subject())
	}
	o.Releasing, o.SettledAt = true, time.Time{}
	if o.State.Live() { // what kept an earlier try from it is not how it ends
		o.Reason, o.Problem = ledger.Reason{}, nil
	}
	err = newDriver(e, o).drive(ctx)
	issued := o.State == ledger.Valid || o.State == ledger.Processing
	if err == nil || ctx.Err() != nil || !o.SettledAt.IsZero() || !issued {
		return err
	}
	// Nothing of it is pending at the CA, and what was issued can be neither had nor put in place:
	// no order is kept against the word of the operator.
	e.host.Tell("Order %d for %s could not be brought to its end, and is given up: %v", o.ID, o.Subject(), err)
	return e.Abandon(ctx, order.NotFinished, []*ledger.Order{o}, nil)
}
