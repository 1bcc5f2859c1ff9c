package admit

import (
	"context"
	"time"

	"orderly/failure"
	"orderly/ledger"
	"orderly/order"
)

// readHolds reads what the CA asked for, and whether this order is a renewal to it.
func (g Gate) readHolds(ctx context.Context, v *evidence) (err error) {
	if v.holds, err = g.Store.Holds(ctx, g.Account.ID, v.now); err != nil || len(v.holds) == 0 {
		return err
	}
	worth, err := g.Worth(ctx, v.plan.Request)
	v.renewal = worth.Renewal
	return err
}

// held returns the error for a hold on the account or the names. What only a person can end is told before what ends by
// itself.
func (v evidence) held() error {
	var found *ledger.Hold
	for i, h := range v.holds {
		if order.Binds(h, ledger.CanonicalNames(v.plan.Request.Names), v.renewal) && (found == nil || h.Until.IsZero()) {
			found = &v.holds[i]
		}
	}
	if found == nil {
		return nil
	}
	until := "before a person has lifted its pause"
	if !found.Until.IsZero() {
		until = "before " + found.Until.UTC().Format(time.RFC3339)
	}
	return failure.New(failure.Class(found.Class), order.HeldBack(*found), "the CA wants no order for %s %s: %s",
		v.plan.Request.Lineage, until, found.Detail).Lasting(found.Until)
}
