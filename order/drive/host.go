package drive

import (
	"context"

	"orderly/ledger"
	"orderly/order"
	"orderly/order/admit"
)

// What an engine knows of the machine that it runs on stands here, in one place: whoever drives
// orders elsewhere (another store of keys, another web server, a simulation) implements it and
// nothing else.

// Host is one machine to the engine. The contract, beside what each method says:
//
//   - It is for any number of goroutines at once.
//   - Every call may follow the death of a process in the same call: what it does is done again, and ends
//     in the same state. What must be known afterwards is durable before the call returns.
//   - It never speaks to a CA, but for Enrol, and never changes an order's row: it answers, and the engine
//     decides.
//   - A wait for another process or a hook ends with ctx and is told of.
//   - An error is a failure.Error: its class, sentence and remedy are what the operator reads.
type Host interface {
	// The checks before an order, and what has to be done before the CA looks.
	admit.Host
	// Refresh brings up to date what a request says of this host, before an order that exists is
	// looked at.
	Refresh(ctx context.Context, r *ledger.Request)

	// Proofs of names.
	order.Solver
	// Certificates in their place, and the deploy hooks.
	order.Installer
	// Locks: those of the kernel among the processes of this host, or leases that may be lost.
	order.Locks
	// Keys are kept from before finalize until their certificate is in place.
	Keys() order.KeyStore

	// Wanted reports whether an order that an earlier process left still makes sense here.
	Wanted(o *ledger.Order) bool
	// Mended is what is wanted of such an order: its request, and what a person has changed since
	// it was made.
	Mended(o *ledger.Order) ledger.Request
	// Adopt takes up in an order what a newer request wants of this host: document roots, hooks.
	// What the order is was taken up before; while it has a CSR that stays, so does what the host
	// wants with that.
	Adopt(o *ledger.Order, r ledger.Request)
	// Mine reports whether such an order is this run's to go on with. A rehearsal leaves the others
	// alone.
	Mine(o *ledger.Order) bool

	// Enrol makes the account where an engine has none. It is called once nothing stands in the way
	// of the first order, so that what is broken here costs the CA not even an account.
	Enrol(ctx context.Context, r ledger.Request) (Enrolment, error)
	// Last is the run's own last record, asked for when an order comes to its good end, so that
	// both are one commit. It is empty where the run goes on after this order.
	Last() ledger.Change
}

// Enrolment is an account that was made for a first order.
type Enrolment struct {
	Session *Session
	Known   bool // the ledger had it: another process was quicker
}
