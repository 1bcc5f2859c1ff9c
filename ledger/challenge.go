package ledger

import "strings"

// A wildcard and the name below it are two names of an order and one name of an authorization: here
// is where they meet.

// The types of challenge by which a name can be proven (RFC 8555 §8.3, §8.4).
const (
	HTTP01 = "http-01"
	DNS01  = "dns-01"
)

// FullName is the authorization's name as orders have it: the CA shows the one of a wildcard
// without "*.".
func (a *Authorization) FullName() string {
	if a.Wildcard && !strings.HasPrefix(a.Name, "*.") {
		return "*." + a.Name
	}
	return a.Name
}
