package doctor

// Names for which no public CA issues, by the rules that all of them have: the Baseline Requirements
// and Boulder's policy (policy/pa.go).

import (
	"strings"

	"golang.org/x/net/publicsuffix"

	"orderly/failure"
)

const (
	maxLabels = 10  // Boulder: maxLabels
	maxName   = 253 // RFC 1034
)

// unissuable tells of names for which the lineage's CA, a public one, will not issue. A private CA has
// rules of its own.
func unissuable(e *Exam, _ *network, x *Lineage, name string) []Finding {
	ca, known := issuerOf(x.Server)
	if !known {
		return nil
	}
	why := policyAgainst(base(name))
	if why == "" {
		return nil
	}
	rest := x.without(func(name string) bool { return policyAgainst(base(name)) != "" })
	return []Finding{e.suspects(x, "D47", []string{name}, failure.BadName, failure.Advise(
		"Give the site of %s another name, and %s.", name, rest),
		"%s issues for no name like %s: %s", ca.name, name, why)}
}

// policyAgainst is the rule that a name breaks, empty for none.
func policyAgainst(name string) string {
	if len(name) > maxName {
		return "it is longer than 253 characters"
	}
	labels := strings.Split(name, ".")
	if len(labels) > maxLabels {
		return "it has more than 10 labels"
	}
	for _, label := range labels {
		switch {
		case label == "":
			return "it has an empty label"
		case len(label) > 63:
			return "a label is longer than 63 characters"
		case strings.Contains(label, "_"):
			return "it has an underscore"
		case strings.HasPrefix(label, "-") || strings.HasSuffix(label, "-"):
			return "a label begins or ends with a hyphen"
		case len(label) >= 4 && label[2:4] == "--" && !strings.HasPrefix(label, "xn--"):
			return "a label has hyphens in its third and fourth place (R-LDH), and is no internationalized one"
		}
	}
	suffix, listed := publicsuffix.PublicSuffix(name)
	switch {
	case !listed && !strings.Contains(suffix, "."):
		return "it does not end in a public suffix"
	case listed && suffix == name:
		return "it is a public suffix itself"
	}
	return ""
}
