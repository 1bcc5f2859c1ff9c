package acme

import "net/netip"

// Names and addresses are ordered as different things, and a CA refuses one that is called the
// other.

// The types of identifier this package orders (RFC 8555 §9.7.7, RFC 8738).
const (
	TypeDNS = "dns"
	TypeIP  = "ip"
)

type identifier struct {
	Type  string `json:"type"`
	Value string `json:"value"`
}

// IdentifierOf says as what a name is ordered: an IP address as TypeIP, in the one spelling that
// RFC 8738 §3 allows, and anything else as TypeDNS, unchanged. An address with a zone means nothing
// to a CA and so is no address.
func IdentifierOf(name string) (kind, value string) {
	if address, err := netip.ParseAddr(name); err == nil && address.Zone() == "" {
		return TypeIP, address.String()
	}
	return TypeDNS, name
}
