package outside

import (
	"net/netip"
	"strings"

	"golang.org/x/net/idna"
)

// One name has many spellings, and files and CAs use them all. Compared are names in one.

// Name is what arrived as the name of a certificate, as names are compared: an IP address in its
// one spelling, a DNS name in lower case, as A-labels, without the root's dot, a wildcard with its
// "*.". It reports false for anything else.
func Name(arrived string) (string, bool) {
	if address, err := netip.ParseAddr(arrived); err == nil && address.Zone() == "" {
		return address.Unmap().String(), true
	}
	name := strings.ToLower(strings.TrimSuffix(arrived, "."))
	if len(name) <= longest && strings.ContainsFunc(name, func(r rune) bool { return r > 0x7f }) {
		if ascii, err := idna.Lookup.ToASCII(name); err == nil {
			name = ascii
		}
	}
	return name, isDNSName(strings.TrimPrefix(name, "*."))
}

// isDNSName is generous (underscores, one label): whether a CA takes a name is not decided here.
func isDNSName(name string) bool {
	if len(name) > 253 {
		return false
	}
	for label := range strings.SplitSeq(name, ".") {
		if label == "" || len(label) > 63 || strings.ContainsFunc(label, notInLabel) {
			return false
		}
	}
	return true
}

func notInLabel(r rune) bool {
	return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-' && r != '_'
}
