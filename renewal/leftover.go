package renewal

import (
	"context"
	"errors"
	"time"

	"orderly/failure"
	"orderly/ledger"
	"orderly/order"
)

const (
	// leftoverPatience bounds the removal of what earlier runs could not remove: it must not keep this run from its work.
	leftoverPatience = 20 * time.Second
	// leftoverAge is how long a token that cannot be removed is tried again. After that somebody has seen to it, or nobody will.
	leftoverAge = 90 * 24 * time.Hour
)

// sweepTokens removes tokens of settled orders that could not be removed when their orders came to an end: a document root
// was read-only, or did not answer.
func (s *Server) sweepTokens(ctx context.Context) error {
	orders, err := s.Ledger.Orders(ctx, ledger.OrderFilter{Stands: true})
	if err != nil {
		return err
	}
	bounded, cancel := context.WithTimeout(ctx, leftoverPatience)
	defer cancel()
	for _, o := range orders {
		if o.SettledAt.IsZero() || bounded.Err() != nil {
			continue // whoever goes on with the order sees to its tokens
		}
		if err := s.sweepOrder(bounded, o.ID); err != nil {
			return err
		}
	}
	return nil
}

func (s *Server) sweepOrder(ctx context.Context, id int64) error {
	o, err := s.Ledger.Order(ctx, id)
	if err != nil {
		return nil // the time is up
	}
	unlock, free, err := s.Locks.TryLock(order.LineageLock(o.Lineage))
	if err != nil || !free {
		return err
	}
	if o, err = s.Ledger.Order(context.WithoutCancel(ctx), id); err == nil && !o.SettledAt.IsZero() {
		err = s.removeTokens(ctx, o)
	}
	return errors.Join(err, unlock())
}

func (s *Server) removeTokens(ctx context.Context, o *ledger.Order) error {
	gone := false
	for _, a := range o.Authorizations {
		if a.Placement == "" {
			continue
		}
		err := solvers{s}.Remove(ctx, a.Placement)
		if errors.Is(err, order.ErrStands) && s.Clock.Now().Sub(o.SettledAt) < leftoverAge {
			if ctx.Err() == nil {
				s.Report.Warn("a token of %s is still in its document root: %s", o.Lineage, failure.Clean(err.Error()))
			}
			continue
		}
		s.Log.Info("a token that an earlier run left is gone", "order", o.ID, "name", a.Name, "error", err)
		a.Placement, gone = "", true
	}
	if !gone {
		return nil
	}
	return s.Ledger.Commit(context.WithoutCancel(ctx), &ledger.Change{Orders: []*ledger.Order{o}})
}
