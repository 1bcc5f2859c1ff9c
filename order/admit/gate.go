// Package admit decides whether a new order may be made: by what the CA asked for (holds), by what failed before (the
// back-off), by what the CA's limits leave (the budget), and by the checks of the names (preflight). It reads the ledger and
// records why not, so that a refusal costs the CA nothing and the operator reads its reason.
//
// It must never send anything to a CA, and never let an order pass that a rule forbids because something could not be read.
package admit

import (
	"context"

	"orderly/ledger"
	"orderly/order"
	"orderly/preflight"
)

// Gate is what stands before the new orders of one account.
type Gate struct {
	Store   ledger.Store
	Account *ledger.Account // without an id while there is no account yet
	CA      order.CA        // what is known of it without asking
	Clock   order.Clock
	Run     *ledger.Run // that events belong to

	Preflight func(ctx context.Context, r ledger.Request, names []string) preflight.Report
	// Start, where set, does what has to be done on this host before the CA looks, and reports whether it did anything now.
	Start func(ctx context.Context, r ledger.Request) bool
	// Starts reports whether Start would do anything; nil: it would not.
	Starts func(r ledger.Request) bool
	// Tell, where set, is told what is waited for.
	Tell func(format string, args ...any)
}

func (g Gate) tell(format string, args ...any) {
	if g.Tell != nil {
		g.Tell(format, args...)
	}
}

// nobody reports whether the account is yet to be made. The ledger then has nothing of it, and an id of 0 would stand for
// every account.
func (g Gate) nobody() bool { return g.Account.ID == 0 }
