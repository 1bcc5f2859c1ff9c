package host

import (
	"strings"
	"sync"

	"orderly/ledger"
)

// A dry run's orders are kept apart from those that it rehearses, and what a run has finished of an
// earlier run's is remembered: both say under which name the ledger has an order.

// rehearsal prefixes the lineage of a dry run's order in the ledger. No lineage has such a name: a
// name has no slash. So a rehearsal has orders, locks, back-off and standing of its own, and cannot
// be mistaken for what it rehearses.
const rehearsal = "rehearsal/"

// LineageOf is the lineage that an order, perhaps a rehearsal's, is about.
func LineageOf(name string) string { return strings.TrimPrefix(name, rehearsal) }

// OrderName is the lineage under which the ledger keeps this run's order for one.
func (f *Files) OrderName(lineage string) string {
	if f.Rehearsal {
		return rehearsal + lineage
	}
	return lineage
}

// Rehearse makes a request one of a dry run, if this is one.
func (f *Files) Rehearse(r *Request) {
	if f.Rehearsal {
		r.Rehearsal, r.Lineage = true, rehearsal+r.Lineage
	}
}

// Finished are the orders that this run has brought to their good end, also those that it met on
// the way to another lineage.
type Finished struct {
	mu     sync.Mutex
	orders map[string]*ledger.Order // by lineage
}

// Add remembers one.
func (f *Finished) Add(o *ledger.Order) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.orders == nil {
		f.orders = map[string]*ledger.Order{}
	}
	f.orders[o.Lineage] = o
}

// Of is the one of a lineage, by the name under which the ledger has it; nil for none.
func (f *Finished) Of(name string) *ledger.Order {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.orders[name]
}
