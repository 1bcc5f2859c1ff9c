package testca

import (
	"github.com/letsencrypt/pebble/v2/acme"
	"github.com/letsencrypt/pebble/v2/core"
)

// OddChallenge says how failed validations are written down otherwise than RFC 8555 has it.
type OddChallenge struct {
	// FailedStays is the status of a challenge whose validation failed, with its error, while its
	// authorization stays pending: "pending" as step-ca has it, which validates it again when it is
	// answered again; or "invalid". "" is RFC 8555: both become invalid.
	FailedStays string `json:"failed_stays"`
	// Blind makes every http-01 and dns-01 validation fail, whatever the site serves.
	Blind bool `json:"blind"`
}

// staysPending writes a failure down where the authorization is to stay pending, and reports whether it did.
func (c *CA) staysPending(a *authorization, challenge *core.Challenge, failed *problem) bool {
	if failed == nil {
		challenge.Error = nil // of a try before
		return false
	}
	if c.odd.FailedStays == "" || a.Status != acme.StatusPending {
		return false
	}
	challenge.Status, challenge.Error = c.odd.FailedStays, failed.details()
	return true
}
