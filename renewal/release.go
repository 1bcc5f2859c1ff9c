package renewal

import (
	"context"

	"orderly/failure"
	"orderly/ledger"
)

// ReleaseCost says what giving an order up costs at its CA.
func (s *Server) ReleaseCost(ctx context.Context, o *ledger.Order) string {
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
func (s *Server) ReleaseAll(ctx context.Context, orders []*ledger.Order) []Result {
	var results []Result
	for _, o := range orders {
		result := Result{Lineage: o.Lineage, Names: o.Request.Names, Order: o.ID}
		engine, err := s.engineOf(ctx, o)
		if err == nil {
			err = engine.Release(ctx, o)
			s.mourn(engine.Account.Server, engine.Account.URL, err)
			if failure.ClassOf(err) == failure.Locked {
				err = s.lockedBy(ctx, o.Lineage)
			}
		}
		result.Outcome = string(o.State)
		if err != nil && o.State != ledger.ReleasedState {
			result.fail(err)
		}
		results = append(results, result)
		if s.endsRound(ctx, result) != nil {
			break
		}
	}
	return results
}
