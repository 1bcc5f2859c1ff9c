package diagnose

// Which limit of a CA's a text is about, by Boulder's names.

import (
	"strings"

	"orderly/failure"
)

// limits are the limits by what a text says of them: the anchor of the page it names, or its words.
var limits = []struct{ words, limit string }{
	{"currently pending authorizations", "PendingAuthorizationsPerAccount"},
	{"{doc:authorization-failures", "FailedAuthorizationsPerDomainPerAccount"},
	{"{doc:failed-validation-limit", "FailedAuthorizationsPerDomainPerAccount"},
	{"failed authorizations", "FailedAuthorizationsPerDomainPerAccount"},
	{"invalid authorizations", "FailedAuthorizationsPerDomainPerAccount"},
	{"{doc:new-certificates-per-exact-set", "CertificatesPerFQDNSet"},
	{"{doc:duplicate-certificate-limit", "CertificatesPerFQDNSet"},
	{"exact set of", "CertificatesPerFQDNSet"},
	{"{doc:new-certificates-per-registered-domain", "CertificatesPerDomain"},
	{"{doc:new-orders-per-account", "NewOrdersPerAccount"},
	{"new orders", "NewOrdersPerAccount"},
	{"/48 subnet", "NewRegistrationsPerIPv6Range"},
	{"{doc:new-registrations-per-ipv6", "NewRegistrationsPerIPv6Range"},
	{"{doc:new-registrations", "NewRegistrationsPerIPAddress"},
	{"{doc:too-many-registrations", "NewRegistrationsPerIPAddress"},
	{"new registrations", "NewRegistrationsPerIPAddress"},
	{"registrations", "NewRegistrationsPerIPAddress"},
	{"already issued", "CertificatesPerDomain"},
	{"certificates per", "CertificatesPerDomain"},
}

// limitOf is the limit of a class that is about one, "" for others and where the text does not say.
// The load balancer's has no name of Boulder's.
func limitOf(class failure.Class, words string) string {
	switch class {
	case failure.RateLimited, failure.LimitFailures, failure.LimitSet, failure.LimitPending:
		for _, l := range limits {
			if strings.Contains(words, l.words) {
				return l.limit
			}
		}
	case failure.Paused:
		return "FailedAuthorizationsForPausingPerDomainPerAccount"
	}
	return ""
}
