package order

import (
	"errors"
	"slices"
	"strings"

	"orderly/acme"
	"orderly/failure"
	"orderly/ledger"
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

// AccountTrouble is the error that stops everything, where a request failed because the account cannot be used at all or its
// URL is another origin's (rule 13, invariant I11); nil where the request's failure says nothing of the kind. names are those
// that the request was about.
func AccountTrouble(err error, names []string, of ledger.Account) error {
	if e, ok := errors.AsType[*failure.Error](err); ok && e.Class == failure.CARefused {
		return e // a URL of another origin: nothing was sent
	}
	p, ok := errors.AsType[*acme.Problem](err)
	switch {
	case !ok:
		return nil
	case p.IsType("badPublicKey"):
		return failure.Wrap(err, failure.Account,
			"Give the account another key: "+failure.Do(failure.ChangeAccountKey, of.Server, of.KeyID)+".",
			"the CA does not accept the key of the account %s", of.URL)
	case p.IsType("userActionRequired"):
		remedy := failure.Remedy("Do what the CA asks for, and run the same command again.")
		if p.Link != "" {
			remedy = "Do what " + failure.Remedy(p.Link) + " asks for, and run the same command again."
		}
		return failure.Wrap(err, failure.Account, remedy, "the CA wants something of whoever has the account %s", of.URL)
	case Disowned(p, names):
		return failure.Wrap(err, failure.Account,
			"Put the account's directory back as it was, or name another account with "+
				failure.Do(failure.OtherAccount)+". None is made anew by itself: the orders of this one would be lost.",
			"the CA does not accept the account %s", of.URL)
	}
	return nil
}
