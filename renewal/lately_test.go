package renewal_test

import (
	"context"
	"testing"

	"orderly/ledger"
	"orderly/renewal"
	"orderly/testca"
)

// reading counts how many orders a round reads of one lineage, whatever their state.
type reading struct {
	ledger.Store
	read *int
}

// Orders implements ledger.Store.
func (r reading) Orders(ctx context.Context, f ledger.OrderFilter) ([]*ledger.Order, error) {
	orders, err := r.Store.Orders(ctx, f)
	if f.Lineage != "" && !f.Live && !f.Unsettled {
		*r.read += len(orders)
	}
	return orders, err
}

// A round does not read all that was ever ordered for a lineage to find what brought its
// certificate.
func TestARoundReadsTheLastOrdersAlone(t *testing.T) {
	t.Parallel()
	h := newHost(t, testca.Config{})
	h.has("a.example")
	forced := renewal.Round{Renew: true}
	for range 8 {
		if _, err := h.renew(forced); err != nil {
			t.Fatal(err)
		}
	}
	var read int
	h.through = reading{h.ledger, &read}
	h.due("a.example")
	results, err := h.renew(renewal.Round{})
	must(t, err)
	if got := outcomes(results); got != "a.example issued" {
		t.Errorf("%s", got)
	}
	if read > 9 { // all there are, each time it is asked, are twice as many
		t.Errorf("%d orders were read for one renewal", read)
	}
}
