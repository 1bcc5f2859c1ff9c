package ledger

import (
	"net/netip"
	"time"
)

// What commands remember from one run to the next beside what the promise hangs on: it forbids no
// order and makes none, and a ledger that lost all of it would lose no certificate.

// Memo is what a command remembers for its next run, under a key of its own: what a report said the
// last time. Its body is the command's business. It must hold no secrets.
type Memo struct {
	Key  string    `json:"key"`
	At   time.Time `json:"at"`
	Body []byte    `json:"body"`
}

// Sighting is what was last seen of a name from this host: where it points, and when a file put
// into its document root was served under it. It says nothing of what a CA sees.
type Sighting struct {
	Name string `json:"name"`
	// Addresses are those at which this host was reached under it, or that it has had since it is
	// elsewhere.
	Addresses []netip.Addr `json:"addresses,omitempty"`
	// ServedAt is when this host was last known to be reached under the name.
	ServedAt time.Time `json:"served_at,omitzero"`
	// ElsewhereSince is since when the name has had only addresses that are none of ours, and this
	// host is not reached under it; zero while that is not so.
	ElsewhereSince time.Time `json:"elsewhere_since,omitzero"`
	// DeadSince is since when the name has had no address; zero while it has one.
	DeadSince time.Time `json:"dead_since,omitzero"`
	LookedAt  time.Time `json:"looked_at"`
}

// Message is what is still to be told to people. It stays until it was delivered, however often
// that fails. Where it goes and what is needed to get in there stands in the configuration of its
// channel: nothing of a Message may be a secret, since the ledger keeps it in clear and exports it.
type Message struct {
	ID      int64     `json:"id"`
	Channel string    `json:"channel"` // that delivers it
	Subject string    `json:"subject"`
	Body    []byte    `json:"body"`
	Created time.Time `json:"created"`
	NextAt  time.Time `json:"next_at,omitzero"`  // it is not tried before
	Tries   int       `json:"tries"`             // that failed
	Problem string    `json:"problem,omitempty"` // of the last of them
}
