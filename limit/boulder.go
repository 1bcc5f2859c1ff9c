package limit

import (
	"net/netip"
	"slices"
	"strings"

	"golang.org/x/net/publicsuffix"
)

// Let's Encrypt's limits are known by Boulder's names and keys, so that what is counted here is
// what it counts.

// The limits, by Boulder's names (ratelimits/names.go).
const (
	NewOrdersPerAccount                     = "NewOrdersPerAccount"
	CertificatesPerDomain                   = "CertificatesPerDomain"
	CertificatesPerFQDNSet                  = "CertificatesPerFQDNSet"
	FailedAuthorizationsPerDomainPerAccount = "FailedAuthorizationsPerDomainPerAccount"
	// PendingAuthorizationsPerAccount is the limit that Let's Encrypt retired in January 2025. It
	// is a count of what is open, no bucket: older and private Boulders have it.
	PendingAuthorizationsPerAccount = "PendingAuthorizationsPerAccount"
)

// Names lists the limits that buckets are kept for.
func Names() []string {
	return []string{NewOrdersPerAccount, CertificatesPerDomain, CertificatesPerFQDNSet,
		FailedAuthorizationsPerDomainPerAccount}
}

// Shared reports whether several servers of one account spend from the same bucket of a limit:
// always from the account's own, and from a registered domain's where its names are spread over
// servers. A name set, and the failures of a name, belong to the one server that has the
// certificate: a part of 5 in a week would forbid its second renewal.
func Shared(name string, spread bool) bool {
	return name == NewOrdersPerAccount || name == CertificatesPerDomain && spread
}

// Bucket names one bucket of a limit. Key is "" for the account's, otherwise the registered domain,
// the canonical name set, or the name.
type Bucket struct{ Name, Key string }

// Order is what matters of an order to the limits.
type Order struct {
	Names   []string // any case, any order
	Renewal bool     // this exact set was issued within 120 days, by anyone
	// it `replaces` a certificate within its renewal window (RFC 9773), which lifts all limits on
	// newOrder
	Exempt bool
}

// Spent are the buckets that a newOrder takes one token from: the account's, also when the CA hands
// an existing order back. Renewals and ARI replacements are exempt.
func Spent(o Order) []Bucket {
	if o.Renewal || o.Exempt {
		return nil
	}
	return []Bucket{{NewOrdersPerAccount, ""}}
}

// Checked are the buckets that must have a token left when newOrder is sent, though it takes none:
// Boulder checks what the issuance will cost, and the failures of each name.
func Checked(o Order) []Bucket {
	if o.Exempt {
		return nil
	}
	set := canonical(o.Names)
	all := []Bucket{{CertificatesPerFQDNSet, strings.Join(set, ",")}}
	for _, name := range set {
		all = append(all, Bucket{FailedAuthorizationsPerDomainPerAccount, name})
	}
	if o.Renewal {
		return all
	}
	for _, domain := range domains(set) {
		all = append(all, Bucket{CertificatesPerDomain, domain})
	}
	return all
}

// Issued are the buckets that an issuance takes one token from. CertificatesPerFQDNSet is spent by
// every one.
func Issued(o Order) []Bucket {
	set := canonical(o.Names)
	all := []Bucket{{CertificatesPerFQDNSet, strings.Join(set, ",")}}
	if o.Renewal || o.Exempt {
		return all
	}
	for _, domain := range domains(set) {
		all = append(all, Bucket{CertificatesPerDomain, domain})
	}
	return all
}

// Failed is the bucket that a failed validation of a name takes a token from, and at Boulder also
// the deactivation of a pending authorization.
func Failed(name string) Bucket {
	return Bucket{FailedAuthorizationsPerDomainPerAccount, strings.ToLower(name)}
}

func canonical(names []string) []string {
	set := make([]string, 0, len(names))
	for _, name := range names {
		set = append(set, strings.ToLower(name))
	}
	slices.Sort(set)
	return slices.Compact(set)
}

// domains are the registered domains of names (public suffix list, its private part included, as at
// Boulder); an IPv4 address stands for itself, an IPv6 one for its /64.
func domains(names []string) []string {
	var all []string
	for _, name := range names {
		domain := name
		if addr, err := netip.ParseAddr(name); err == nil {
			if prefix, err := addr.Prefix(64); addr.Is6() && err == nil {
				domain = prefix.String()
			}
		} else if registered, err := publicsuffix.EffectiveTLDPlusOne(strings.TrimPrefix(name, "*.")); err == nil {
			domain = registered
		}
		if !slices.Contains(all, domain) {
			all = append(all, domain)
		}
	}
	return all
}

// anchors tell which limit a 429 speaks of, by the end of the link in its detail.
var anchors = [...]struct{ link, limit string }{
	{"#new-orders-per-account", NewOrdersPerAccount},
	{"#new-certificates-per-registered-domain", CertificatesPerDomain},
	{"#new-certificates-per-exact-set-of-identifiers", CertificatesPerFQDNSet},
	{"#authorization-failures-per-identifier-per-account", FailedAuthorizationsPerDomainPerAccount},
}

// FromProblem names the limit that the detail of a 429 speaks of, "" for one it does not name.
func FromProblem(detail string) string {
	for _, anchor := range anchors {
		if strings.Contains(detail, anchor.link) {
			return anchor.limit
		}
	}
	if strings.Contains(detail, "pending authorizations") {
		return PendingAuthorizationsPerAccount
	}
	return ""
}
