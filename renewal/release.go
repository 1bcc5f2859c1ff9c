package renewal

import (
	"context"

	"orderly/failure"
	"orderly/ledger"
	"orderly/order"
)

// Orders are given up because a person says so: at their CA, or on this host alone where the CA or
// the account is gone.

// releases gives orders up.
type releases struct {
	*base
	*engines
}

// ReleaseCost says what giving an order up costs at its CA.
func (s *releases) ReleaseCost(ctx context.Context, o *ledger.Order) string {
	engine, err := s.engineOf(ctx, o)
	if err != nil {
		return "unknown: " + failure.Clean(err.Error())
	}
	habits, err := engine.Habits(ctx)
	if err != nil {
		return "unknown: " + failure.Clean(err.Error())
	}
	return habits.Cost(o)
}

// ReleaseAll gives orders up. One that cannot be does not keep the others.
func (s *releases) ReleaseAll(ctx context.Context, orders []*ledger.Order) []Result {
	var results []Result
	for _, o := range orders {
		result := Result{Lineage: o.Lineage, Names: o.Request.Names, Order: o.ID}
		engine, err := s.engineOf(ctx, o)
		if err == nil {
			err = engine.Release(ctx, o)
			s.Accounts().Mourn(engine.Account().Server, engine.Account().URL, err)
			err = ofNoUse(o, err)
			if failure.ClassOf(err) == failure.Locked {
				err = s.host.Locks.By(ctx, o.Lineage)
			}
		}
		result.Outcome = string(o.State)
		if err != nil && o.State != ledger.ReleasedState {
			result.fail(err)
		}
		results = append(results, result)
		if endsRound(ctx, result) != nil {
			break
		}
	}
	s.dropKeys(ctx)
	return results
}

// GiveUpAll gives orders up on this host alone: their CA, or their account, is gone for good, and
// every run would fail because of them. What may be open of them there stays among what is pending
// until it has expired.
func (s *releases) GiveUpAll(ctx context.Context, orders []*ledger.Order) []Result {
	var results []Result
	for _, o := range orders {
		result := Result{Lineage: o.Lineage, Names: o.Request.Names, Order: o.ID}
		if err := s.giveUpLocally(ctx, o); err != nil {
			result.fail(err)
		} else {
			result.Outcome = string(o.State)
		}
		results = append(results, result)
	}
	s.dropKeys(ctx)
	return results
}

func (s *releases) giveUpLocally(ctx context.Context, o *ledger.Order) error {
	unlock, free, err := s.Locks.TryLock(order.LineageLock(o.Lineage))
	if err != nil {
		return err
	}
	if !free {
		return s.host.Locks.By(ctx, o.Lineage)
	}
	defer func() { _ = unlock() }() // it cannot outlive the process
	fresh, err := s.Ledger.Order(ctx, o.ID)
	if err != nil {
		return err
	}
	if *o = *fresh; !o.SettledAt.IsZero() {
		return nil
	}
	return s.abandon(ctx, order.GivenUpHere, []*ledger.Order{o}, nil)
}
