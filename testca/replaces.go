package testca

import (
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/letsencrypt/pebble/v2/acme"
)

// replaced is the order whose certificate a `replaces` means; nil if there is none.
func (c *CA) replaced(replaces string) *order {
	return c.state.bySerial[strings.TrimPrefix(serialIn(replaces), "00")]
}

// replacement is Boulder's refusal of a `replaces` (RFC 9773 §5): unknown serial, another account's, nothing in common,
// already replaced or about to be. Pebble itself refuses only after the replacement was issued.
func (c *CA) replacement(want wanted, account string, now time.Time) *problem {
	if want.Replaces == "" {
		return nil
	}
	original := c.replaced(want.Replaces)
	switch {
	case original == nil:
		return problemf(http.StatusNotFound, "malformed", "While validating the replacement: no such certificate")
	case original.AccountID != account:
		return problemf(http.StatusForbidden, "unauthorized", "Requester account did not request the certificate being replaced by this order")
	case !slices.ContainsFunc(want.names(), func(name string) bool { return slices.Contains(original.names(), name) }):
		return problemf(http.StatusBadRequest, "malformed", "Certificate replaced by this order does not include matching identifiers")
	}
	for _, o := range c.state.orders {
		if serialIn(o.Replaces) == serialIn(want.Replaces) && !o.expired(now) && o.status(now) != acme.StatusInvalid {
			return problemf(http.StatusConflict, "alreadyReplaced", "Cannot indicate an order replaces a certificate which already has a replacement order")
		}
	}
	return nil
}

// insideWindow reports whether a `replaces` frees the order from all limits: now, the certificate should be renewed.
func (c *CA) insideWindow(replaces string, now time.Time) bool {
	original := c.replaced(replaces)
	if replaces == "" || original == nil {
		return false
	}
	return original.suggested().IsWithin(now)
}
