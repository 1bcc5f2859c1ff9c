package order

import (
	"fmt"
	"time"

	"orderly/acme"
	"orderly/ledger"
	"orderly/limit"
	"orderly/outside"
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
	// Replacement: the CA has renewal information, and so understands `replaces` (RFC 9773).
	Replacement bool
	// ChargesDeactivation: deactivating a pending authorization counts as a failed one (Boulder), so that letting it expire
	// costs less.
	ChargesDeactivation bool
	// RefusesCovered: newOrder for a name together with a wildcard that covers it is refused (Boulder).
	RefusesCovered bool
	// CountsPending: no order is made while more than so many authorizations of the account are pending (older Boulders had
	// 300); 0 where they are not counted. There an order that cannot go on is released.
	CountsPending int
	// OrderLifetime: how long an order may exist at the CA before it expires, at the most.
	OrderLifetime time.Duration
	// OrderLifetimes are those of profiles whose orders live shorter.
	OrderLifetimes map[string]time.Duration
	// Profiles are the certificate profiles that its directory offers.
	Profiles map[string]outside.Text
	// Limits are its rate limits, by name; empty where nothing is known of them.
	Limits map[string]limit.Limit
}

// Lifetime is how long an order of a profile may exist before it expires, at the most.
func (c CA) Lifetime(profile string) time.Duration {
	if life, ok := c.OrderLifetimes[profile]; ok {
		return life
	}
	return c.OrderLifetime
}

// HabitsOf are what a profile says of a CA.
func HabitsOf(p limit.Profile, d acme.Directory) CA {
	return CA{
		Name: p.Name, Reuses: p.ReusesOrders, HidesProcessing: p.HidesProcessing, LongestValidation: p.LongestValidation,
		Replacement: d.RenewalInfo != "", ChargesDeactivation: p.ChargesDeactivation, RefusesCovered: p.Boulder, CountsPending: p.CountsPending,
		OrderLifetime: p.OrderLifetime, OrderLifetimes: p.OrderLifetimes, Limits: p.Limits, Profiles: d.Meta.Profiles,
	}
}

// Cost says what releasing an order costs at this CA, for the person who is asked.
func (c CA) Cost(o *ledger.Order) string {
	open := len(Unfinished(o))
	switch {
	case open == 0 && (o.State == ledger.Valid || o.State == ledger.Processing):
		return "nothing is charged; it is issued, and put in place: where that fails, the certificate " +
			"is thrown away"
	case open == 0:
		return "nothing is charged: none of its authorizations is pending"
	case open == 1 && !c.ChargesDeactivation:
		return "one deactivation, which this CA does not charge"
	case !c.ChargesDeactivation:
		return fmt.Sprintf("%d deactivations, which this CA does not charge", open)
	case open == 1:
		return "one failed authorization for one name, of five an hour"
	}
	return fmt.Sprintf("one failed authorization for each of %d names, of five an hour", open)
}
