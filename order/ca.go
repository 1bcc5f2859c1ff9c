package order

import (
	"time"

	"orderly/acme"
)

// CA is what is known of a certificate authority's habits, where they bear on what may be sent twice.
type CA struct {
	Name string
	// Reuses: newOrder for a name set whose order is pending or ready answers with that order (Boulder does, except where a
	// dead order of the set shadows it).
	Reuses bool
	// HidesProcessing: a challenge that is being validated is shown as `pending` (Boulder).
	HidesProcessing bool
	// LongestValidation: a challenge that is still shown `pending` so long after it may have been sent was not received.
	LongestValidation time.Duration
	// OrderLifetime: how long an order may exist at the CA before it expires, at the most.
	OrderLifetime time.Duration
}

// Habits returns the habits of the CA behind a directory: Boulder's where the directory carries Boulder's random entry,
// otherwise cautious ones. Boulder validates within 60 s; its orders live seven days.
func Habits(d acme.Directory) CA {
	ca := CA{Name: "generic", LongestValidation: 60 * time.Second, OrderLifetime: 7 * 24 * time.Hour}
	if d.Boulder {
		ca.Name, ca.Reuses, ca.HidesProcessing = "boulder", true, true
	}
	return ca
}
