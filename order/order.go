// Package order is the heart of Orderly: the state machine of one ACME order. It decides and does nothing.
//
// Next is a pure function from what is known to the one thing to do now. Package drive writes the intent into the ledger, does
// it (one HTTP request, a set of parallel ones of one kind, or one local effect), writes the outcome, and asks again. There
// is no other control flow: the one-shot command, the resumption after a crash and whatever comes later all go through it.
//
// The package must never do anything itself: no request, no file, no look at a clock or a store. It says what is known of a
// CA, what its answers mean, and what this host is expected to provide (Solver, Installer, Locks, KeyStore, Clock).
package order

import (
	"context"
	"crypto"
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
	// Challenge says how r has a name proven, which may be a wildcard.
	Challenge(r ledger.Request, wildcard bool) Way
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

// Way is how a request has a name proven.
type Way struct {
	Type    string // ledger.HTTP01 or ledger.DNS01; "" where none of those that are wanted can
	Answers Answerer
}

// Answerer is whoever gives the CA's validation its answer.
type Answerer int

// Those who answer.
const (
	SiteAnswers Answerer = iota // the site's own web server, with a file: Place is free to be called again at any time
	RunAnswers                  // a server of the run's own
	HookAnswers                 // whatever a person's command does: Place is called no oftener than it must be
)

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
	// Deploys reports whether Deploy would run a hook.
	Deploys(o *ledger.Order) bool
}

// Proof is what the CA's validation of one name is to find.
type Proof struct {
	Type     string   // ledger.HTTP01 or ledger.DNS01
	Name     string   // in lower case; for a wildcard the name without "*."
	Token    string   // of the challenge
	Content  string   // what the CA is to find: the key authorization, or its digest in base64url (RFC 8555 §8.4)
	Together []string // the names that are put in place with this one, its own among them, in their order
	Index    int      // which of Together it is
}

// KeyStore keeps private keys and CSRs from before finalize until their certificate is in place (rule 7).
type KeyStore interface {
	// Make makes a key and a CSR for the order and returns when both are there to stay, whatever happens to the process.
	// It never overwrites what an earlier call made: that CSR may have been sent.
	Make(o *ledger.Order) (key, csr ledger.FileRef, err error)
	// Load reads an order's key and CSR. It reports false when either is gone or is not what the ledger speaks of.
	Load(o *ledger.Order) (Material, bool)
	// Remove forgets everything that was made for an order, also what the ledger never heard of.
	Remove(o *ledger.Order)
}

// Material is a key with its CSR, read back and checked.
type Material struct {
	PrivateKey []byte // PEM; nil where the CSR was a person's own
	CSR        []byte // DER
	Public     crypto.PublicKey
}

// SamePublicKey reports whether two public keys are one.
func SamePublicKey(a, b crypto.PublicKey) bool {
	key, ok := a.(interface{ Equal(crypto.PublicKey) bool })
	return ok && key.Equal(b)
}
