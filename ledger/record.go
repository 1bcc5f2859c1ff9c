package ledger

import "time"

// What is known beside orders: runs, events, certificates, and what a new order must not overlook.

// Event is one thing that happened, kept for good: an intent, its outcome, a transition.
type Event struct {
	ID      int64     `json:"id"`
	At      time.Time `json:"at"`
	RunID   int64     `json:"run"`
	OrderID int64     `json:"order,omitempty"`
	Lineage string    `json:"lineage,omitempty"`
	Kind    string    `json:"kind"`
	Detail  string    `json:"detail,omitempty"`

	// Of is the order the event belongs to when it has no id yet, because the same Commit inserts
	// it.
	Of *Order `json:"-"`
}

// Refused is the kind of the event that says why no order was made; its detail is a class of
// package failure, a colon, and the sentence.
const Refused = "refused"

// Run is one invocation of a command that may change something.
type Run struct {
	ID        int64     `json:"id"`
	Command   string    `json:"command"` // the verb and what it was about; never a secret
	PID       int       `json:"pid"`
	StartedAt time.Time `json:"started_at"`
	EndedAt   time.Time `json:"ended_at,omitzero"`
	Outcome   string    `json:"outcome,omitempty"` // "done", "failed", "stopped"; empty while it runs or when it vanished
	ExitCode  int       `json:"exit_code"`
	Detail    string    `json:"detail,omitempty"`
	Round     bool      `json:"-"`                   // it went over the lineages, believing the clock
	LastStep  string    `json:"last_step,omitempty"` // kind of its last event
	LastAt    time.Time `json:"last_at,omitzero"`

	LastDetail  string `json:"last_detail,omitempty"` // of that event
	LastLineage string `json:"lineage,omitempty"`     // the certificate that it was about
	LastOrder   int64  `json:"order,omitempty"`
}

// Certificate is one that was issued to this ledger's orders.
type Certificate struct {
	ID          int64     `json:"id"`
	OrderID     int64     `json:"order"`
	AccountID   int64     `json:"account_id"`
	Lineage     string    `json:"lineage"`
	Names       []string  `json:"names"`
	Serial      string    `json:"serial"` // hex
	NotBefore   time.Time `json:"not_before"`
	NotAfter    time.Time `json:"not_after"`
	RenewalID   string    `json:"renewal_id,omitempty"` // RFC 9773 §4.1
	Fingerprint string    `json:"sha256"`
	IssuedAt    time.Time `json:"issued_at"` // when finalize was sent: however long the answer was not fetched
}

// Standing is what is known of a lineage's failures: why it is not renewed, since when, and when it
// may try again.
type Standing struct {
	Lineage string `json:"lineage"`
	Reason
	At time.Time `json:"at,omitzero"` // of the last failure or refusal

	Failures    int       `json:"failures"`              // charged failures in a row
	NextAt      time.Time `json:"next_at,omitzero"`      // end of the back-off
	Fingerprint string    `json:"fingerprint,omitempty"` // of what failed; a changed one lifts the back-off

	RefusedSince time.Time `json:"refused_since,omitzero"`  // refused on network grounds alone, without a break
	LetThroughAt time.Time `json:"let_through_at,omitzero"` // last attempt made in spite of such a refusal
}

// Charge is one failure the CA counted against account and name (Boulder:
// FailedAuthorizationsPerDomainPerAccount).
type Charge struct {
	AccountID int64     `json:"account_id"`
	Name      string    `json:"name"`
	OrderID   int64     `json:"order"`
	At        time.Time `json:"at"`
	Class     string    `json:"class"`
}

// Hold is what the CA wants no newOrder for: until a moment, or until a person has lifted it there.
type Hold struct {
	AccountID int64     `json:"account_id"`
	Scope     string    `json:"scope"`          // "new-order" for the whole account, "first-order" for all but renewals, "names:" and a NameKey, or "name:" and a DNS name
	Until     time.Time `json:"until,omitzero"` // zero: it does not end by itself
	Class     string    `json:"class"`
	Detail    string    `json:"detail"`
	URL       string    `json:"url,omitempty"` // the page on which a person lifts it
}

// Bucket is one rate-limit bucket of an account: its theoretical arrival time (GCRA), the moment at
// which it is full again.
type Bucket struct {
	AccountID int64     `json:"account_id"`
	Name      string    `json:"limit"` // the CA's name for the limit
	Key       string    `json:"key"`   // "" for the account's own, otherwise a name, a registered domain or a name set
	TAT       time.Time `json:"full_at"`
}

// Spend changes one bucket within the transaction of a Change, so that two processes never take the
// same token. Next is given the bucket's TAT, zero for one that is not there yet, and returns the
// new one; its error undoes the whole Change and is what Commit answers. A Commit that begins anew
// asks it again: it must do nothing but compute.
type Spend struct {
	AccountID int64
	Name, Key string
	Next      func(tat time.Time) (time.Time, error)
}
