package testca

import (
	"time"

	"github.com/letsencrypt/pebble/v2/acme"
)

// Truth is what is really the case inside the CA, whatever clients are shown. Its JSON names never change.
type Truth struct {
	Now    time.Time     `json:"now"`
	Orders []TruthOrder  `json:"orders"`
	Issued []Certificate `json:"certificates"`
	// Revoked is every revocation, in the order in which the certificates were issued.
	Revoked []Revocation `json:"revoked"`
	// Accounts is every account that was made here, in that order.
	Accounts []TruthAccount `json:"accounts"`
	// Requests is every request in the order of arrival, RequestsByKind how many there were.
	Requests       []Request      `json:"requests"`
	RequestsByKind map[string]int `json:"requests_by_kind"`
	// RateLimited counts the 429s by which Config.Limits refused an order; those of a Fault are in Requests only.
	RateLimited int `json:"rate_limited"`
}

// TruthOrder is an order, expired ones included.
type TruthOrder struct {
	URL     string   `json:"url"`
	Account string   `json:"account"` // its URL
	Names   []string `json:"names"`   // sorted
	Profile string   `json:"profile"` // "" if none was asked for
	// Status is pending, ready, processing, valid or invalid; of an expired order the last one it had.
	Status         string               `json:"status"`
	Created        time.Time            `json:"created"`
	Expires        time.Time            `json:"expires"`
	Expired        bool                 `json:"expired"`
	Replaces       string               `json:"replaces,omitempty"`
	Serial         string               `json:"serial,omitempty"` // of its certificate, hexadecimal
	Authorizations []TruthAuthorization `json:"authorizations"`
}

// TruthAuthorization is an authorization. A valid one that was reused stands in several orders, with the same URL.
type TruthAuthorization struct {
	URL    string `json:"url"`
	Name   string `json:"name"`
	Status string `json:"status"` // pending, also while it is being validated; valid, invalid, deactivated
	// ChallengeType and ChallengeStatus are those of the challenge that was tried, or of http-01.
	ChallengeType   string `json:"challenge_type"`
	ChallengeStatus string `json:"challenge_status"` // processing while it is being validated
	Validations     int    `json:"validations"`      // how many were begun
	// Answered is when the first validation was asked for, Ended when it had ended; by the machine's clock, not the CA's:
	// they tell a slow machine from a client that did not wait. Zero: not yet.
	Answered time.Time `json:"-"`
	Ended    time.Time `json:"-"`
	Expires  time.Time `json:"expires"`
	Expired  bool      `json:"expired"`
}

// Certificate is a certificate that was issued.
type Certificate struct {
	Serial string   `json:"serial"` // hexadecimal
	Names  []string `json:"names"`  // sorted
	Order  string   `json:"order"`  // the URL of its order
}

// Pending counts the authorizations that wait for an answer: pending and not expired.
func (t Truth) Pending() int {
	return t.count(func(a TruthAuthorization) bool { return a.Status == acme.StatusPending && !a.Expired })
}

// ValidatedTwice counts the authorizations for which more than one validation was begun.
func (t Truth) ValidatedTwice() int {
	return t.count(func(a TruthAuthorization) bool { return a.Validations > 1 })
}

func (t Truth) count(matches func(TruthAuthorization) bool) int {
	counted := map[string]bool{}
	for _, o := range t.Orders {
		for _, a := range o.Authorizations {
			if matches(a) {
				counted[a.URL] = true
			}
		}
	}
	return len(counted)
}

// Truth reports what is the case at this moment.
func (c *CA) Truth() Truth {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.now()
	t := Truth{Now: now, Orders: []TruthOrder{}, Issued: []Certificate{}, Revoked: []Revocation{}, Accounts: c.accounts(),
		RequestsByKind: map[string]int{}}
	for _, o := range c.state.orders {
		truth := c.truthOf(o, now)
		t.Orders = append(t.Orders, truth)
		if o.serial != "" {
			t.Issued = append(t.Issued, Certificate{Serial: o.serial, Names: truth.Names, Order: truth.URL})
			t.Revoked = append(t.Revoked, c.revocations(o)...)
		}
	}
	t.Requests, t.RateLimited = c.journal.snapshot()
	for _, r := range t.Requests {
		t.RequestsByKind[r.Kind]++
	}
	return t
}

func (c *CA) truthOf(o *order, now time.Time) TruthOrder {
	truth := TruthOrder{
		URL: c.base + orderPath + o.ID, Account: c.base + accountPath + o.AccountID, Names: o.names(), Profile: o.asked,
		Status: o.status(now), Created: o.created, Expires: o.expires, Expired: o.expired(now), Replaces: o.Replaces,
		Serial: o.serial, Authorizations: []TruthAuthorization{},
	}
	for _, a := range o.authzs {
		challenge := a.challenge()
		shown := TruthAuthorization{URL: c.base + authzPath + a.ID, Name: a.Identifier.Value, Status: a.Status,
			Validations: a.begun, Answered: a.answered, Ended: a.ended, Expires: a.expires, Expired: a.expired(now)}
		if challenge != nil { // a wildcard that was not tried has no http-01
			shown.ChallengeType, shown.ChallengeStatus = challenge.Type, challenge.Status
		}
		truth.Authorizations = append(truth.Authorizations, shown)
	}
	return truth
}
