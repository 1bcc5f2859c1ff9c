package order

import (
	"testing"

	"orderly/ledger"
)

func TestTheCostOfGivingUpIsSaidInWords(t *testing.T) {
	for _, c := range []struct {
		state   ledger.State
		open    int
		charges bool
		want    string
	}{
		{ledger.PendingState, 0, true, "nothing is charged: none of its authorizations is pending"},
		{ledger.PendingState, 0, false, "nothing is charged: none of its authorizations is pending"},
		{ledger.PendingState, 1, true, "one failed authorization for one name, of five an hour"},
		{ledger.PendingState, 2, true,
			"one failed authorization for each of 2 names, of five an hour"},
		{ledger.PendingState, 1, false, "one deactivation, which this CA does not charge"},
		{ledger.PendingState, 2, false, "2 deactivations, which this CA does not charge"},
		{ledger.Valid, 0, true, "nothing is charged; it is issued, and put in place: where that " +
			"fails, the certificate is thrown away"},
	} {
		o := &ledger.Order{State: c.state, Authorizations: []*ledger.Authorization{{Status: "valid"}}}
		for range c.open {
			o.Authorizations = append(o.Authorizations, &ledger.Authorization{Status: "pending"})
		}
		if got := (CA{ChargesDeactivation: c.charges}).Cost(o); got != c.want {
			t.Errorf("%s, %d open: %q", c.state, c.open, got)
		}
	}
}
