package ledger

import "time"

// Found is an authorization that the logs of another client name and nothing shows closed. It forbids
// nothing and counts against no limit: whether the CA holds it pending is not known until the CA was
// asked. One that is pending becomes an order then, which is finished or given up as any other.
type Found struct {
	URL     string    `json:"url"`
	Order   string    `json:"order_url,omitempty"` // the order's, where a log names it
	Name    string    `json:"name,omitempty"`      // several joined by commas where the log leaves it open
	Account string    `json:"account,omitempty"`   // the account's URL
	Server  string    `json:"server,omitempty"`    // directory URL
	Host    string    `json:"host,omitempty"`      // the server that the log is of
	File    string    `json:"file"`
	Line    int64     `json:"line"`
	Doubt   string    `json:"doubt,omitempty"` // why the logs do not tell
	Expires time.Time `json:"expires,omitzero"`
	FoundAt time.Time `json:"found_at"`
	// CheckedAt is when the CA was asked, and Status what it said: "pending" for one that is an order of
	// this ledger by now; "unknown" where it knows no such authorization.
	CheckedAt time.Time `json:"checked_at,omitzero"`
	Status    string    `json:"status,omitempty"`
}
