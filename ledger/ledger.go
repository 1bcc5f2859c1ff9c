// Package ledger is what Orderly knows: accounts, orders, their authorizations and challenges,
// certificates, runs, and an append-only event for every step taken. It defines the records and the
// contract of a store; sub-packages implement it for SQLite (one server) and share one conformance
// suite (ledgertest).
//
// The ledger is the account's only inventory where the CA shows none (Boulder has no `orders`
// list), so it must never lose an answer that arrived, never hold secrets in clear (keys are files
// beside it; it knows path and hash), and never decide anything: what to do next is package order's
// business.
package ledger

import (
	"context"
	"errors"
	"time"

	"orderly/limit"
)

// Store is a durable ledger, shared by any number of processes.
//
// What every implementation guarantees:
//   - Commit is atomic and durable when it returns nil: after a power cut the whole change is there, unless it is
//     Unsynced. When it returns an error, none of it is, and the ids it gave to records are taken back. A context that ends while Commit waits for
//     another writer ends the wait; once it writes, nothing stops it half-way.
//   - At most one live order exists per account, lineage, profile and name set (invariant I2): Commit of a second one
//     answers ErrLive.
//   - What is written under a lock that is lost is not written: Commit answers ErrLost; see Guard.
//   - An order that another process saved since it was read is not overwritten: Commit answers ErrStale.
//   - Times are kept to the microsecond, in UTC; the zero time is kept as zero. The store never looks at a clock.
//   - What is read in one call is of one moment: an order never comes with authorizations saved earlier or later.
//   - A read shows all that was committed before it began, and does not wait for a commit under way.
//   - Events are never changed or removed.
type Store interface {
	// Commit writes everything in c in one transaction and fills in the ids of what is new.
	Commit(ctx context.Context, c *Change) error

	// Account returns the account with the given directory URL and account URL, or ErrNone.
	Account(ctx context.Context, server, url string) (*Account, error)
	// AccountByID returns an account, or ErrNone.
	AccountByID(ctx context.Context, id int64) (*Account, error)

	// Order returns an order with its authorizations, or ErrNone.
	Order(ctx context.Context, id int64) (*Order, error)
	// Orders returns the orders that match, oldest first, with their authorizations.
	Orders(ctx context.Context, f OrderFilter) ([]*Order, error)
	// Pending returns every authorization that is not final and has not expired at now, every
	// phantom, every newOrder that has no answer, and every pending order of which no authorization
	// is known, by expiry.
	Pending(ctx context.Context, now time.Time) ([]Pending, error)
	// Events returns the events of one order, or of all when order is 0, oldest first, at most
	// limit (0: no limit).
	Events(ctx context.Context, order int64, limit int) ([]Event, error)
	// Certificate returns the newest certificate of a lineage, or ErrNone.
	Certificate(ctx context.Context, lineage string) (*Certificate, error)
	// Issued reports whether a certificate for exactly the name set with this NameKey was issued to
	// an account after a moment, whatever lineage it was for.
	Issued(ctx context.Context, account int64, nameKey string, since time.Time) (bool, error)

	// Standing returns what is known about a lineage's failures; the zero Standing when nothing is.
	Standing(ctx context.Context, lineage string) (Standing, error)
	// Standings returns those of all lineages that something is known of, by lineage.
	Standings(ctx context.Context) ([]Standing, error)
	// Refusals returns the events of kind Refused of a lineage, "" for all, since a moment, oldest
	// first.
	Refusals(ctx context.Context, lineage string, since time.Time) ([]Event, error)
	// Charges returns what the CA charged an account for any of the names since a moment, oldest
	// first.
	Charges(ctx context.Context, account int64, names []string, since time.Time) ([]Charge, error)
	// Holds returns the holds of an account that have not ended at now, and those that do not end
	// by themselves; account 0 is every one.
	Holds(ctx context.Context, account int64, now time.Time) ([]Hold, error)

	// Buckets returns the rate-limit buckets of an account, by name and key; of all accounts when
	// account is 0.
	Buckets(ctx context.Context, account int64) ([]Bucket, error)
	// BucketsOf returns those of the named buckets that an account has, by name and key. It costs
	// what they cost, however many buckets there are: one per name set adds up to hundreds of
	// thousands.
	BucketsOf(ctx context.Context, account int64, buckets []limit.Bucket) ([]Bucket, error)

	// Runs returns runs, newest first, at most limit (0: no limit).
	Runs(ctx context.Context, limit int) ([]Run, error)
	// Tasks returns what is begun beside orders and has not ended, oldest first.
	Tasks(ctx context.Context) ([]Task, error)

	// Revocations returns the certificates that were revoked, the oldest first.
	Revocations(ctx context.Context) ([]Revocation, error)

	// Found returns what logs of other clients name and has not expired at now, the first to expire first.
	Found(ctx context.Context, now time.Time) ([]Found, error)

	// LogFailures returns what logs of other clients tell to have failed, by host, lineage, name and
	// class.
	LogFailures(ctx context.Context, f LogFilter) ([]LogFailure, error)

	// RenewalInfos returns what CAs said of when the certificates of a lineage should be renewed, of
	// all when lineage is "", and always what is known of the CAs themselves. By server and ID.
	RenewalInfos(ctx context.Context, lineage string) ([]RenewalInfo, error)

	// Memo returns what was last kept under a key, or ErrNone.
	Memo(ctx context.Context, key string) (Memo, error)
	// Sightings returns what was last seen of each name, by name.
	Sightings(ctx context.Context) ([]Sighting, error)
	// Messages returns what is still to be told, oldest first.
	Messages(ctx context.Context) ([]Message, error)

	// Close releases the store. It does not wait for other processes.
	Close() error
}

// Errors of a Store, for errors.Is.
var (
	// ErrNone: there is no such record.
	ErrNone = errors.New("no such record in the ledger")
	// ErrLive: a live order for the same account, lineage, profile and names exists already.
	ErrLive = errors.New("a live order for these names exists already")
	// ErrStale: another process saved the order since it was read.
	ErrStale = errors.New("another process changed the order meanwhile")
	// ErrLost: a lock under which this was to be written is another process's by now.
	ErrLost = errors.New("another process has taken over meanwhile")
)

// Change is what one Commit writes. Records without an id are inserted and get one. Orders with an
// id are updated, except for what an order is: account, lineage, names, profile and time of
// creation. Authorizations left out of an order stay as they are. A run, task or authorization with
// an id that is not there (or is another order's) answers ErrNone. Names must not be empty or
// contain commas; texts in a Request must be UTF-8, those of its Payload too (for other bytes
// encoding/json writes an escaped U+FFFD), or Commit refuses them.
type Change struct {
	Account     *Account     // inserted or updated, by server and URL
	Run         *Run         // inserted (ID 0) or updated
	Orders      []*Order     // inserted or updated with their authorizations
	Certificate *Certificate // inserted; its OrderID is that of the first order when 0
	Standings   []Standing   // replaced, by lineage
	Charges     []Charge     // inserted
	Holds       []Hold       // replaced, by account and scope
	Spends      []Spend      // read, computed and written, one after the other
	Tasks       []*Task      // inserted, or moved on (step, payload, end) when they have an id
	Revocations []Revocation // inserted, by fingerprint; the first of a certificate stays
	Found       []Found      // by URL: inserted; one with a Status replaces, one without replaces one without
	FoundOver   time.Time    // those of Found that expired before this moment are removed
	Logged      []LogFailure // by host, lineage, name and class: merged with what was known
	LoggedOver  time.Time    // those of Logged that befell last before this moment are removed
	// by server and ID: replaced, but for FirstAt, and for a moment drawn in the same window
	RenewalInfos     []RenewalInfo
	RenewalInfosOver time.Time  // those of RenewalInfos whose certificate expired before are removed
	Memos            []Memo     // replaced, by key
	Sightings        []Sighting // replaced, by name
	SightingsGone    []Sighting // removed, by name, where nobody has looked since (LookedAt)
	// inserted (ID 0) and given an id in place; one with an ID moves on (NextAt, Tries, Problem)
	// where it is still there, and is let be where another process delivered it meanwhile
	Messages  []Message
	Delivered []int64 // ids of Messages that are removed; one that is not there is no error
	Events    []Event // inserted; get the change's run where they name none; see Event.Of
	Guards    []Guard // of the locks under which it is written; see Guard

	// Unsynced: it may be lost in a power cut until a later change is synced, which never is there
	// without the earlier ones. Whatever ends the process, it is there. For what is found out again
	// by looking.
	Unsynced bool
}

// Guard is what a lock gave its holder that can be lost, as a lease can: with each holder of Key
// the Fence grows. A Commit with a Guard is refused with ErrLost once a Commit carried a newer
// fence of its key, so that a holder who does not know yet that the lock is another's writes
// nothing behind its back. A lock of this host's kernel dies with its process and needs none.
type Guard struct {
	Key   string
	Fence int64
}

// Empty reports whether there is nothing to write.
func (c *Change) Empty() bool {
	return c.Account == nil && c.Run == nil && len(c.Orders) == 0 && c.Certificate == nil &&
		len(c.Standings) == 0 && len(c.Charges) == 0 && len(c.Holds) == 0 && len(c.Spends) == 0 &&
		len(c.Events) == 0 && len(c.Revocations) == 0 && len(c.Tasks) == 0 &&
		len(c.Found) == 0 && c.FoundOver.IsZero() && len(c.Logged) == 0 && c.LoggedOver.IsZero() &&
		len(c.RenewalInfos) == 0 && c.RenewalInfosOver.IsZero() && len(c.Memos) == 0 &&
		len(c.Sightings) == 0 && len(c.SightingsGone) == 0 && len(c.Messages) == 0 && len(c.Delivered) == 0
}

// Account is an ACME account at one CA. Its key is in certbot's account directory, not here.
type Account struct {
	ID        int64  `json:"id"`
	Server    string `json:"server"` // directory URL
	KeyID     string `json:"key_id"` // certbot's account id: MD5 of the public key's PEM
	URL       string `json:"url"`
	OrdersURL string `json:"orders_url,omitempty"` // RFC 8555 §7.1.2.1; Boulder has none
	// UnlistedAt is when that list was found to be of no use, or not to be there; it is done
	// without for a while.
	UnlistedAt time.Time `json:"unlisted_at,omitzero"`
	CreatedAt  time.Time `json:"created_at"`
	// ShowsProcessing: this CA was once seen to show a challenge as `processing` (RFC 8555 §7.1.6),
	// so that one it shows as `pending` was certainly not answered. Boulder never does. Once true
	// it stays true.
	ShowsProcessing bool `json:"shows_processing,omitempty"`
}
