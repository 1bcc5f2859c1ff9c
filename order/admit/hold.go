package admit

import (
	"time"

	"orderly/failure"
	"orderly/ledger"
	"orderly/order"
)

// held returns the error for a hold on the account or the names. What only a person can end is told before what ends by
// itself.
func (v evidence) held() error {
	var found *ledger.Hold
	for i, h := range v.holds {
		if order.Binds(h, ledger.CanonicalNames(v.plan.Request.Names)) && (found == nil || h.Until.IsZero()) {
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
