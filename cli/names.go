package cli

// What people type as names becomes what is ordered, or a sentence: a name that no public CA
// certifies must not cost an order.

import (
	"net/netip"
	"slices"
	"strings"

	"golang.org/x/net/idna"

	"orderly/failure"
)

// mostNames is how many names Let's Encrypt takes in one order (profile classic).
const mostNames = 100

// eachOnce turns what a person typed into names as they are ordered, each once, in the order typed.
func eachOnce(typed []string, of func(string) (string, error)) ([]string, error) {
	var names []string
	for _, raw := range typed {
		name, err := of(raw)
		if err != nil {
			return nil, err
		}
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	if len(names) > mostNames {
		return nil, failure.New(failure.BadName, "Split them over several certificates.",
			"%d names are more than the %d that fit into one certificate",
			len(names), mostNames)
	}
	return names, nil
}

func dnsName(raw string) (string, error) {
	bad := func(why string) error {
		return failure.New(failure.BadName, "Give DNS names such as www.example.com.",
			"%q is not a name for a certificate: %s", failure.Clean(raw), why)
	}
	name := strings.TrimSuffix(strings.TrimSpace(raw), ".")
	switch {
	case name == "":
		return "", bad("it is empty")
	case strings.HasPrefix(name, "*."):
		rest, err := dnsName(name[2:])
		if err != nil || strings.HasPrefix(rest, "*.") {
			return "", bad("a wildcard has one * as its first part, and a name below it")
		}
		return "*." + rest, nil
	case strings.Contains(name, "://") || strings.Contains(name, "/"):
		return "", bad("it looks like a URL")
	}
	if _, err := netip.ParseAddr(name); err == nil {
		return "", failure.New(failure.BadName, "Give it as --ip-address.",
			"%q is an IP address, and no DNS name", failure.Clean(raw))
	}
	ascii, err := strings.ToLower(name), error(nil)
	if why := badLabels(ascii); why != "" && isASCII(name) {
		return "", bad(why) // in plainer words than those of the IDNA library
	}
	if ascii, err = idna.Lookup.ToASCII(name); err != nil {
		return "", bad(failure.Clean(strings.TrimPrefix(err.Error(), "idna: ")))
	}
	if why := badLabels(ascii); why != "" {
		return "", bad(why)
	}
	return ascii, nil
}

func isASCII(text string) bool {
	return !strings.ContainsFunc(text, func(r rune) bool { return r > 0x7f })
}

// badLabels says what is wrong with an ASCII name by RFC 1123 and by what public CAs take.
func badLabels(name string) string {
	if len(name) > 253 {
		return "it is longer than 253 characters"
	}
	labels := strings.Split(name, ".")
	if len(labels) < 2 {
		return "it has no dot"
	}
	for _, label := range labels {
		switch {
		case label == "":
			return "two dots follow one another"
		case len(label) > 63:
			return "a part of it is longer than 63 characters"
		case label[0] == '-' || label[len(label)-1] == '-':
			return "a part of it begins or ends with a hyphen"
		case strings.ContainsFunc(label, func(r rune) bool {
			return r != '-' && (r < '0' || r > '9') && (r < 'a' || r > 'z')
		}):
			return "it has characters other than letters, digits and hyphens"
		}
	}
	if last := labels[len(labels)-1]; last[0] >= '0' && last[0] <= '9' {
		return "its last part begins with a digit"
	}
	return ""
}
