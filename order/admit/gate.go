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
	Host    Host
}

// Host is what a gate asks of the machine.
type Host interface {
	// Preflight makes the checks for names of a request.
	Preflight(ctx context.Context, r ledger.Request, names []string) preflight.Report
	// Begins reports whether Begin would do anything.
	Begins(r ledger.Request) bool
	// Begin does what has to be done before the CA looks, such as hooks that open a port, each thing once in a
	// run. It is called when nothing certain stands in an order's way any more, and reports whether it did
	// anything now: then the checks are made again.
	Begin(ctx context.Context, r ledger.Request) bool
	// Tell tells a person who watches what goes on and what is waited for.
	Tell(format string, args ...any)
}

func (g Gate) tell(format string, args ...any) { g.Host.Tell(format, args...) }

// nobody reports whether the account is yet to be made. The ledger then has nothing of it, and an id of 0 would stand for
// every account.
func (g Gate) nobody() bool { return g.Account.ID == 0 }
