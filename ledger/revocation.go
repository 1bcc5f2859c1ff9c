package ledger

import "time"

// That a certificate was revoked is seen by nobody who looks at its files; renewal and its lists
// must know.

// Revocation is a certificate that a command of this ledger revoked, or found revoked. Nobody else
// is asked: what was revoked elsewhere is not known here.
type Revocation struct {
	Fingerprint string    `json:"sha256"` // hex, of the certificate's DER
	Serial      string    `json:"serial"` // hex
	Lineage     string    `json:"lineage,omitempty"`
	Reason      string    `json:"reason"`
	At          time.Time `json:"at"`
}
