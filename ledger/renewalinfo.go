package ledger

import "time"

// What a CA said of when a certificate should be renewed is asked for a few times a day at most,
// and the moment that was drawn in its window must be the same for every run until the window is
// another.

// RenewalInfo is what a CA last said of when a certificate should be renewed (RFC 9773), or, with
// the ID "", when the CA itself may be asked again: it has no renewal information, or does not
// answer.
type RenewalInfo struct {
	Server  string `json:"server"` // directory URL
	ID      string `json:"id"`     // RFC 9773 §4.1
	Lineage string `json:"lineage,omitempty"`
	// Start and End are the window as the CA said it, zero where it said none.
	Start time.Time `json:"start,omitzero"`
	End   time.Time `json:"end,omitzero"`
	// Moment was drawn in the window; zero where the window is of no use.
	Moment time.Time `json:"moment,omitzero"`
	// Early: the moment is long before the certificate would be due, or was past when the CA was
	// asked for the first time. A CA that says so of whatever it issues must not have order after
	// order made.
	Early       bool      `json:"early,omitempty"`
	Explanation string    `json:"explanation_url,omitempty"`
	FirstAt     time.Time `json:"first_at"` // when it was asked for the first time
	AskedAt     time.Time `json:"asked_at"`
	NextAt      time.Time `json:"next_at"`          // nobody is asked before
	Expires     time.Time `json:"expires,omitzero"` // of the certificate
}

// SameWindow reports whether two say the same window.
func (i RenewalInfo) SameWindow(other RenewalInfo) bool {
	return i.Start.Equal(other.Start) && i.End.Equal(other.End)
}
