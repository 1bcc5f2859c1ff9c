package host

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"time"

	"orderly/certbot"
	"orderly/failure"
	"orderly/ledger"
	"orderly/order"
	"orderly/order/keys"
)

// What a dead run left on this host would stay for ever, a private key among it: whoever runs next
// looks for it.

const (
	// leftoverPatience bounds the removal of what earlier runs could not remove: it must not keep
	// this run from its work.
	leftoverPatience = 20 * time.Second
	// leftoverAge is how long a token that cannot be removed is tried again. After that somebody
	// has seen to it, or nobody will.
	leftoverAge = 90 * 24 * time.Hour
)

// leftovers are what runs that died left on this host, and what they could not take away.
type leftovers struct {
	disk   *certbot.Store
	ledger ledger.Store
	locks  *Locks
	kept   *keys.Store
	proofs *Proofs
	voice  *Voice
	clock  order.Clock
	log    *slog.Logger
	run    *ledger.Run
}

func (l leftovers) sweep(ctx context.Context) error {
	l.disk.Accounts().SweepPendingKeys()
	if err := errors.Join(l.sweepTokens(ctx), l.sweepUnfinished(ctx)); err != nil {
		return err
	}
	return l.sweepKeys(ctx)
}

// sweepTokens removes tokens of settled orders that could not be removed when their orders came to
// an end: a document root was read-only, or did not answer.
func (l leftovers) sweepTokens(ctx context.Context) error {
	orders, err := l.ledger.Orders(ctx, ledger.OrderFilter{Stands: true})
	if err != nil {
		return err
	}
	bounded, cancel := context.WithTimeout(ctx, leftoverPatience)
	defer cancel()
	for _, o := range orders {
		if o.SettledAt.IsZero() || bounded.Err() != nil {
			continue // whoever goes on with the order sees to its tokens
		}
		if err := l.sweepOrder(bounded, o.ID); err != nil {
			return err
		}
	}
	return nil
}

func (l leftovers) sweepOrder(ctx context.Context, id int64) error {
	o, err := l.ledger.Order(ctx, id)
	if err != nil {
		return nil // the time is up
	}
	unlock, free, err := l.locks.TryLock(order.LineageLock(o.Lineage))
	if err != nil || !free {
		return err
	}
	if o, err = l.ledger.Order(context.WithoutCancel(ctx), id); err == nil &&
		!o.SettledAt.IsZero() {
		err = l.removeTokens(ctx, o)
	}
	return errors.Join(err, unlock())
}

func (l leftovers) removeTokens(ctx context.Context, o *ledger.Order) error {
	gone := false
	for _, a := range o.Authorizations {
		if a.Placement == "" {
			continue
		}
		err := l.proofs.Remove(ctx, a.Placement)
		if errors.Is(err, order.ErrStands) && l.clock.Now().Sub(o.SettledAt) < leftoverAge {
			if ctx.Err() == nil {
				l.voice.Warn("a token of %s is still in its document root: %s", o.Lineage,
					failure.Clean(err.Error()))
			}
			continue
		}
		l.log.Info("a token that an earlier run left is gone", "order", o.ID, "name", a.Name,
			"error", err)
		a.Placement, gone = "", true
	}
	if !gone {
		return nil
	}
	return l.ledger.Commit(context.WithoutCancel(ctx), &ledger.Change{Orders: []*ledger.Order{o}})
}

// sweepUnfinished removes new lineages that a killed run left without a name, a private key in
// them, and that no order is going to complete: its lineage was given up meanwhile, or renamed.
func (l leftovers) sweepUnfinished(ctx context.Context) error {
	for _, name := range l.disk.Unfinished() {
		unlock, free, err := l.locks.TryLock(order.LineageLock(name))
		if err != nil {
			return err
		}
		if !free {
			continue
		}
		orders, err := l.ledger.Orders(ctx, ledger.OrderFilter{Unsettled: true, Lineage: name})
		if err == nil && len(orders) == 0 {
			err = l.disk.ClearUnfinished(name)
		}
		if err = errors.Join(err, unlock()); err != nil {
			return err
		}
	}
	return nil
}

// sweepKeys removes private keys of orders that were settled just before their process died. Keys
// of orders that the ledger does not know stay: they may belong to a ledger that was moved aside.
func (l leftovers) sweepKeys(ctx context.Context) error {
	over := slices.DeleteFunc(l.kept.Orders(), func(id int64) bool {
		o, err := l.ledger.Order(ctx, id)
		return err != nil || o.SettledAt.IsZero()
	})
	if len(over) == 0 {
		return nil
	}
	// An end that another process wrote may not be synced, whatever its time says: a power cut takes
	// it back, and whoever goes on with the order then needs its key. What is synced after it was
	// seen syncs it. It is a row of its own, as SQLite writes, and syncs, none that stays the same.
	event := ledger.Event{At: l.clock.Now(), RunID: l.run.ID, Kind: "keys swept",
		Detail: failure.Words("%d orders are over that have keys still", len(over))}
	err := l.ledger.Commit(context.WithoutCancel(ctx), &ledger.Change{Events: []ledger.Event{event}})
	for _, id := range over {
		if err == nil {
			err = l.sweepKey(ctx, id)
		}
	}
	return err
}

// sweepKey removes the key of an order whose end is synced, unless its process is about to.
func (l leftovers) sweepKey(ctx context.Context, id int64) error {
	o, err := l.ledger.Order(ctx, id)
	if err != nil {
		return nil // the time is up
	}
	unlock, free, err := l.locks.TryLock(order.LineageLock(o.Lineage))
	if err != nil || !free {
		return err
	}
	if o, err = l.ledger.Order(ctx, id); err == nil && !o.SettledAt.IsZero() {
		l.kept.Remove(o)
	}
	return unlock()
}
