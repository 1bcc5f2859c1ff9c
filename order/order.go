// Package order is the heart of Orderly: the state machine of one ACME order and what drives it.
//
// Next is a pure function from what is known to the one thing to do now. The driver writes the intent into the ledger, does
// it (one HTTP request, a set of parallel ones of one kind, or one local effect), writes the outcome, and asks again. There
// is no other control flow: the one-shot command, the resumption after a crash and whatever comes later all go through it.
//
// The package must never send a state-changing request whose intent is not durable, never repeat one whose fate it has not
// looked at, and never give up an order because of a signal: it stops, and the next process goes on. It knows neither
// certbot's files nor SQL.
package order

import (
	"context"
	"errors"
	"time"

	"orderly/ledger"
)

// Clock is the time the engine lives by.
type Clock interface {
	Now() time.Time
	// Sleep returns after d, or earlier with the context's error.
	Sleep(ctx context.Context, d time.Duration) error
}

// Solver puts tokens where the CA's validation will look for them. A placement is its own record of what it did, kept in
// the ledger, so that another process can undo it.
type Solver interface {
	// Plan says what Place will do, without doing it, or why it will refuse. former is what stands for the name, another
	// process's perhaps, or "".
	Plan(ctx context.Context, r ledger.Request, p Proof, former string) (placement string, err error)
	// Suits reports whether a placement, an earlier process's perhaps, is where r wants the proof, so that it can stay.
	Suits(placement string, r ledger.Request, p Proof) bool
	// Place does it. It may be called again for the same placement. What it returns is recorded in the placement's stead,
	// also with an error; "" says that nothing stands. ErrMoved says that it is to be recorded before Place acts.
	Place(ctx context.Context, placement, content string) (string, error)
	// Leaving returns what a placement is recorded as before Remove is called: another text where that must be durable first.
	Leaving(placement string) string
	// Remove undoes it. That nothing is there is no error. ErrStands says that it is worth another try with a later run.
	Remove(ctx context.Context, placement string) error
}

// ErrMoved is Solver.Place's word that the proof belongs elsewhere than its placement says: a link on the way was changed.
// Nothing was done; what it returned is to be recorded, and then to be placed.
var ErrMoved = errors.New("the proof belongs elsewhere by now")

// ErrStands is Solver.Remove's word that the proof still stands and can be removed later: a document root may be read-only
// or not answer today.
var ErrStands = errors.New("the proof still stands")

// Installation is what became of a certificate that was to be put in place.
type Installation struct {
	// Superseded says what has taken its place meanwhile, so that it was left aside for good; "" where it is in place.
	Superseded string
}

// Installer puts certificates in place on this host.
type Installer interface {
	// Install is idempotent: called again after a crash with the same material, it ends in the same state. The private key
	// is PEM (PKCS #8), the chain PEM with the leaf first. An error says that it is refused for now: nothing in place has
	// changed, and a later run tries again.
	Install(ctx context.Context, o *ledger.Order, privateKey, chain []byte) (Installation, error)
	// Deploy is called for what was put in place alone. It runs the deploy hooks of an installed order. A hook that fails is reported by the hook's own output, not here.
	Deploy(ctx context.Context, o *ledger.Order) error
}

// Locks are kernel locks that die with their process (rule 11).
type Locks interface {
	Lock(ctx context.Context, key string) (unlock func() error, err error)
	TryLock(key string) (unlock func() error, ok bool, err error)
}

// LineageLock is the key under which a lineage is locked while anything is done for it, at the CA or on disk.
func LineageLock(lineage string) string { return "lineage:" + lineage }

// namesLock is the key under which calls for one name set take turns.
func namesLock(names []string) string { return "names:" + ledger.NameKey(names) }
