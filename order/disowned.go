package order

import (
	"slices"
	"strings"

	"orderly/acme"
)

// A refusal that is about the account stops everything that is done in its name (rule 13), and its
// remedy is about the account. Taken for one, a refusal of a single domain ("your account is not
// authorized to issue for …") would stop every other certificate, and send a person to restore a
// directory that is in order. So the CA must say it clearly.

// Disowned reports whether a problem says that the account is not, or not any more, one: RFC 8555
// has a type for an unknown account, and for a deactivated one only `unauthorized` (§7.3.6), which
// stands for a great deal else.
func Disowned(p *acme.Problem, names []string) bool {
	switch {
	case p.IsType("accountDoesNotExist"):
		return true
	case !p.IsType("unauthorized"):
		return false
	}
	said := strings.ToLower(p.Detail.Arrived())
	aboutName := slices.ContainsFunc(names, func(name string) bool {
		return strings.Contains(said, strings.TrimPrefix(name, "*."))
	})
	if !strings.Contains(said, "account") || len(p.Subproblems) > 0 || aboutName {
		return false
	}
	return slices.ContainsFunc(ends(), func(word string) bool { return strings.Contains(said, word) })
}

// ends are the words by which CAs say that an account is at an end, or was never there.
func ends() []string {
	return []string{"deactivat", "revoked", "suspend", "disabled", "closed", "blocked", "banned", "terminated", "expired",
		"not valid", "invalid", "not active", "inactive", "not exist", "not found", "no such", "unknown", "no account"}
}
