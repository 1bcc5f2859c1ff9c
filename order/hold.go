package order

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"orderly/acme"
	"orderly/failure"
	"orderly/ledger"
)

// holdNewOrder is the scope of a hold on every newOrder of an account.
const holdNewOrder = "new-order"

// holdFirst is the scope of a hold on every newOrder of an account that is no renewal. Boulder
// counts those alone against #new-orders-per-account: one new customer's order must not keep what
// it would go on renewing from its certificates.
const holdFirst = "first-order"

// holdNames is the scope of a hold on one name set, holdName that on every set with a name.
func holdNames(names []string) string { return "names:" + ledger.NameKey(names) }
func holdName(name string) string     { return "name:" + name }

// HoldsOf is what a 429 to newOrder asks for; renewal says that the order was one. Boulder names the
// limit by an anchor in its detail; only #new-orders-per-account concerns every name of the account.
// One without Retry-After is Boulder's pause or the retired limit on pending authorizations.
func HoldsOf(p *acme.Problem, o *ledger.Order, renewal bool, now time.Time) []ledger.Hold {
	h := ledger.Hold{AccountID: o.AccountID, Scope: holdNames(o.Names), Class: string(failure.RateLimited),
		Detail: p.Detail.String()}
	if !p.HasRetryAfter && (p.Detail.Contains("unpause") || p.Detail.Contains("temporarily prevented")) {
		return pauses(p, o, h)
	}
	aboutNames := p.Detail.Contains("#") || len(BlamedNames(o, p)) > 0 // by its anchor, or its subproblems (RFC 8555 §6.7.1)
	if p.Detail.Contains("#new-orders-per-account") || p.Detail.Contains("pending authorizations") || !aboutNames {
		h.Scope = holdNewOrder
	}
	if p.Detail.Contains("#new-orders-per-account") && !renewal {
		h.Scope = holdFirst
	}
	h.Until = now.Add(time.Hour)
	if p.HasRetryAfter {
		h.Until = now.Add(min(p.RetryAfter, longestLimit))
	}
	return []ledger.Hold{h}
}

// longestLimit bounds what a Retry-After can ask of new orders: no CA is known whose limits count over more than a week, and a
// slip of the CA's must not keep an account from its certificates for a year. A newOrder that is denied costs nothing.
const longestLimit = 7 * 24 * time.Hour

// pauses are the holds on the names that a pause speaks of; they end when a person says that it is lifted. Boulder pauses an
// account's use of single names, and refuses every order that has one of them; its detail lists those of the order. Where
// it names none, the whole set is held.
func pauses(p *acme.Problem, o *ledger.Order, h ledger.Hold) []ledger.Hold {
	h.Class, h.URL = string(failure.Paused), p.Link
	words := strings.FieldsFunc(strings.ToLower(p.Detail.Arrived()), func(r rune) bool { return strings.ContainsRune(" ,\"'", r) })
	var all []ledger.Hold
	for _, name := range o.Names {
		if slices.ContainsFunc(words, func(w string) bool { return strings.TrimRight(w, ".;:") == name }) {
			one := h
			one.Scope = holdName(name)
			all = append(all, one)
		}
	}
	if len(all) == 0 {
		all = append(all, h)
	}
	return all
}

// Binds reports whether a hold concerns an order for names, which may be a renewal.
func Binds(h ledger.Hold, names []string, renewal bool) bool {
	switch h.Scope {
	case holdNewOrder, holdNames(names):
		return true
	case holdFirst:
		return !renewal
	}
	name, single := strings.CutPrefix(h.Scope, "name:")
	return single && slices.Contains(names, name)
}

// HeldBack is the remedy for a hold.
func HeldBack(h ledger.Hold) failure.Remedy {
	if h.Until.IsZero() {
		page := failure.Remedy("at the CA")
		if h.URL != "" {
			page = "at " + failure.Remedy(h.URL)
		}
		return "A person must lift this " + page + ", and then run " +
			failure.Do(failure.Unpause, strings.Fields(HeldNames(h))...) + "."
	}
	what := HeldNames(h)
	switch {
	case HoldsFirst(h):
		what = "names that have no certificate of this account yet; renewals go on"
	case what == "":
		what = "any name of this account"
	}
	return failure.Remedy(fmt.Sprintf("Runs after %s try again; until then nothing is ordered for %s.",
		h.Until.UTC().Format(time.RFC3339), what))
}

// HoldsFirst reports whether a hold is about orders that are no renewals, and no others.
func HoldsFirst(h ledger.Hold) bool { return h.Scope == holdFirst }

// HeldNames are the names that a hold is about, separated by blanks, "" where it is about the whole account.
func HeldNames(h ledger.Hold) string {
	_, names, _ := strings.Cut(h.Scope, ":")
	return strings.ReplaceAll(names, ",", " ")
}
