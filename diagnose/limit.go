package diagnose

// Which limit of a CA's a text is about, by Boulder's names, and until when it is used up.

import (
	"regexp"
	"strings"
	"time"

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

// moments are how a text says when a limit ends.
var moments = regexp.MustCompile(`(?i)(?:retry[- ]after:?|retry again after|try again after|until|retry-after)\s+"?` +
	`(\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.\d+)?(?: ?(?:Z|UTC|GMT|[+-]\d\d:?\d\d))?|` +
	`[A-Z][a-z]{2}, \d{1,2} [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT)`)

// untilOf is the moment until which a text says to wait, zero where it says none.
func untilOf(text string) time.Time {
	if !strings.Contains(text, "20") { // no year, no moment: most texts have none
		return time.Time{}
	}
	found := moments.FindStringSubmatch(strings.ReplaceAll(text, "\n", " "))
	if found == nil {
		return time.Time{}
	}
	for _, layout := range []string{"2006-01-02 15:04:05 MST", "2006-01-02 15:04:05",
		"2006-01-02T15:04:05Z07:00", "2006-01-02 15:04:05 -0700", "2006-01-02 15:04:05-07:00",
		"2006-01-02T15:04:05.999999999Z07:00", "2006-01-02T15:04:05", "2006-01-02 15:04:05Z07:00",
		time.RFC1123} {
		if at, err := time.Parse(layout, found[1]); err == nil {
			return at.UTC()
		}
	}
	return time.Time{}
}
