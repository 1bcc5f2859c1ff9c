package order

// Whether an order that a CA shows can be the one that was asked for. CAs write names and statuses in their own ways; what is
// not certainly another order must not be taken for a proof that the wanted one was never made.

import (
	"slices"
	"strings"
	"time"

	"orderly/acme"
	"orderly/ledger"
	"orderly/outside"
)

// Closed reports whether a status says that somebody has gone on with an order, or that nobody can. One that RFC 8555 does not
// know says neither.
func Closed(status string) bool {
	return status == "valid" || status == "invalid" || status == "processing"
}

// Told reports whether a status is one of RFC 8555's for an order. Another says nothing of it.
func Told(status string) bool {
	return status == "pending" || status == "ready" || Closed(status)
}

// ToldOfAuthorization is Told for an authorization.
func ToldOfAuthorization(status string) bool {
	switch status {
	case "pending", "valid", "invalid", "deactivated", "expired", "revoked":
		return true
	}
	return false
}

// Strangers reports whether an order that shows these names is certainly another than the wanted one: it has none of its
// names. Where some are the same, or cannot be read, it may be the wanted one, shown in the CA's own way.
func Strangers(shown, wanted []string) bool {
	bare := func(name string) string { return strings.TrimPrefix(strings.ToLower(name), "*.") }
	for _, name := range shown {
		plain, ok := outside.Name(name)
		if !ok || slices.ContainsFunc(wanted, func(w string) bool { return bare(w) == bare(plain) }) {
			return false
		}
	}
	return len(shown) > 0
}

// MayBe reports whether an order that the CA shows may be the open one that the newOrder of wanted made.
func MayBe(shown acme.Order, wanted *ledger.Order, now time.Time) bool {
	if shown.Status == "invalid" || shown.Certificate != "" {
		return false // processing, or valid without a certificate, is what some CAs call an order that waits to be proven
	}
	// A CA whose orders ended years ago (1970) has not told when they end.
	expired := shown.Expires.Before(now) && shown.Expires.After(now.AddDate(-2, 0, 0))
	profiled := shown.Profile != "" && wanted.Profile != "" && shown.Profile != wanted.Profile
	return !expired && !profiled && alike(shown.Names, wanted.Names)
}

// alike reports whether two lists may be of the same names: some CAs leave out the "*." of a wildcard, or show what is no name.
// A name that is certainly none of the others' makes it another order.
func alike(shown, wanted []string) bool {
	bare := func(name string) string { return strings.TrimPrefix(strings.ToLower(name), "*.") }
	left := map[string]bool{}
	for _, name := range wanted {
		left[bare(name)] = true
	}
	odd := len(shown) == 0
	for _, name := range shown {
		plain, ok := outside.Name(name)
		if !ok {
			odd = true
			continue
		}
		if !slices.ContainsFunc(wanted, func(w string) bool { return bare(w) == bare(plain) }) {
			return false
		}
		delete(left, bare(plain))
	}
	return odd || len(left) == 0
}
