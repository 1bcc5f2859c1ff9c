package order

import (
	"net/netip"
	"slices"
	"strings"

	"orderly/acme"
	"orderly/failure"
	"orderly/ledger"
	"orderly/outside"
)

// NotValidated is the error of names that the CA could not validate, in its own words. way says how each was proven.
func NotValidated(failed []*ledger.Authorization, way func(*ledger.Authorization) Way) *failure.Error {
	var texts []string
	for _, a := range failed {
		said := a.ErrorDetail
		if a.ErrorType != "" {
			said = a.ErrorType + ": " + said
		}
		texts = append(texts, failure.Clean(a.FullName())+": "+said)
	}
	return failure.New(failure.Validation, Mending(failed, way), "the CA could not validate %s", strings.Join(texts, "; "))
}

// ProblemOf is what the CA said of names that it could not validate, as one problem (RFC 8555 §6.7.1); nil where it said
// nothing.
func ProblemOf(failed []*ledger.Authorization) *acme.Problem {
	var all []acme.Subproblem
	for _, a := range failed {
		if a.ErrorType != "" || a.ErrorDetail != "" {
			all = append(all, acme.Subproblem{Type: a.ErrorType, Detail: outside.Of(a.ErrorDetail), Name: a.FullName()})
		}
	}
	if len(all) == 0 {
		return nil
	}
	p := &acme.Problem{Type: all[0].Type, Detail: all[0].Detail, Subproblems: all, Document: true}
	for _, s := range all[1:] {
		if p.Detail = outside.Of("several names could not be validated"); s.Type != p.Type {
			p.Type = "compound"
		}
	}
	return p
}

// Mending is what to do about the names that the CA could not validate: once where they need the same, otherwise for each.
func Mending(failed []*ledger.Authorization, way func(*ledger.Authorization) Way) failure.Remedy {
	var all []failure.Remedy
	for _, a := range failed {
		if text := mendingOf(a, way(a).Answers); !slices.Contains(all, text) {
			all = append(all, text)
		}
	}
	if len(all) == 1 && all[0] == outage {
		return outage
	}
	var text failure.Remedy
	for _, one := range all {
		text += one + " "
	}
	return text + "Then run the command again: a change lifts the back-off."
}

// outage is said of what nobody but the CA can mend.
const outage = "Wait: this is the CA's own trouble, and nothing here is to be changed. The next run after the back-off tries again."

// words says which words in the CA's detail mean what. The first that fits decides.
type words struct {
	any  []string // "" for a detail that none of the others fits
	mend failure.Remedy
}

// mendingOf reads what the CA says of one name. The type comes before the words, since customers' pages are quoted in them;
// DNS comes first of the words, since it fails under other types as well.
func mendingOf(a *ledger.Authorization, by Answerer) failure.Remedy {
	name, detail := failure.Remedy(failure.Clean(a.FullName())), strings.ToLower(a.ErrorDetail)
	switch a.ErrorType {
	case "serverInternal":
		return outage
	case "rateLimited":
		return "Wait: the CA has had too many requests. The next run after the back-off tries again."
	case "caa":
		return "Let the CAA record of " + name + " name this CA (issue, and issuewild for a wildcard), or remove the record."
	case "rejectedIdentifier", "unsupportedIdentifier":
		return "Leave " + name + " out, or ask another CA with " + failure.Do(failure.OtherCA) + "."
	}
	at := name
	if address, ok := addressIn(a.ErrorDetail); ok {
		at = failure.Remedy(address.String())
	}
	for _, w := range meanings(name, at, by, a.ErrorType) {
		for _, word := range w.any {
			if strings.Contains(detail, word) {
				return w.mend
			}
		}
	}
	return "See what the CA says of " + name + ", and mend that."
}

// meanings are the words of Boulder, Pebble and step-ca in the order in which they decide.
func meanings(name, at failure.Remedy, by Answerer, kind string) []words {
	port := "Nothing listens on port 80 of " + at + ": start the web server there, or let DNS name the right address."
	if by == RunAnswers {
		port = "Nothing listens on port 80 of " + at + ": lead port 80 of that address to the port of " +
			failure.Do(failure.OwnPort) + " on this host."
	}
	served := "Let the web server at " + at + " serve /.well-known/acme-challenge/ of " + name + " unchanged from the document root that is written to, or name the one it serves: " +
		failure.Do(failure.DocumentRoot, "DIR") + "."
	if by != SiteAnswers {
		served = "Let " + at + " lead /.well-known/acme-challenge/ of " + name + " to this host, where the challenge is answered."
	}
	dns := []words{
		{[]string{"nxdomain", "no valid a records", "no valid ip address", "no such host", "unknownhost"},
			"Create an A or AAAA record of " + name + " that points to this server, or order without this name."},
		{[]string{"servfail", "refused looking up", "query timed out", "dnssec", "no valid answers", "nameservers may be malfunctioning", "networking error looking up"},
			"Mend the name servers of " + name + ": they do not answer the CA properly (also when asked for CAA)."},
		{[]string{"txt record"}, "Let the auth hook put the TXT record of _acme-challenge." + failure.Remedy(strings.TrimPrefix(string(name), "*.")) + " in place, and wait until every name server shows it."},
	}
	if kind == "dns" {
		dns = append(dns, words{[]string{""}, "Mend the name servers of " + name + ": they do not answer the CA properly (also when asked for CAA)."})
	}
	return append(dns, []words{
		{[]string{"secondary validation"},
			"Let the whole world reach /.well-known/acme-challenge/ on port 80 of " + at + ": a firewall lets some countries or networks in only."},
		{[]string{"redirect"}, "Except /.well-known/acme-challenge/ of " + name + " from the redirect, or redirect to a name on port 80 or 443."},
		{[]string{"connection refused"}, port},
		{[]string{"timeout", "timed out", "no route", "unreachable"}, "Open port 80 of " + at + " to the Internet (firewall), or let DNS name the right address" + ofIPv6(at) + "."},
		{[]string{"connection reset", "eof", "error getting validation data", "error reading"},
			"Look at the web server at " + at + ": it breaks connections off."},
		{[]string{"did not match", ": 404", ": 410", "status 404", "got 404", "key authorization"}, served},
		{[]string{": 401", ": 403", ": 429", ": 50", "status 40", "status 50"},
			"Except /.well-known/acme-challenge/ of " + name + " from passwords, firewalls and rewriting: the site answers it with an error."},
		{[]string{"tls", "certificate"}, "Mend TLS at " + at + ", or except /.well-known/acme-challenge/ of " + name + " from the redirect to https."},
		{[]string{"invalid response"}, served},
	}...)
}

// ofIPv6 adds what is the usual reason where an IPv6 address fails.
func ofIPv6(at failure.Remedy) failure.Remedy {
	if address, err := netip.ParseAddr(string(at)); err == nil && address.Is6() {
		return "; the AAAA record may name a wrong one"
	}
	return ""
}

// addressIn finds the address that the CA used: before the first colon and blank (Boulder since 2021), or in brackets.
func addressIn(detail string) (netip.Addr, bool) {
	detail = strings.TrimPrefix(detail, "During secondary validation: ")
	if before, _, ok := strings.Cut(detail, ": "); ok {
		if address, err := netip.ParseAddr(before); err == nil {
			return address, true
		}
	}
	for rest := detail; ; {
		_, after, ok := strings.Cut(rest, "[")
		if !ok {
			return dialled(detail)
		}
		inside, _, _ := strings.Cut(after, "]")
		if address, err := netip.ParseAddr(inside); err == nil {
			return address, true
		}
		rest = after
	}
}

// dialled finds the address in an error of Go's, as Pebble passes it on: "dial tcp 192.0.2.1:80: connect: connection refused".
func dialled(detail string) (netip.Addr, bool) {
	_, after, _ := strings.Cut(detail, "dial tcp ")
	word, _, _ := strings.Cut(after, ": ")
	at, err := netip.ParseAddrPort(word)
	return at.Addr(), err == nil
}

// RemedyFor completes the remedy of a check, which knows names alone, with the certificate's.
func RemedyFor(r ledger.Request, remedy failure.Remedy) failure.Remedy {
	return remedy.For(strings.TrimPrefix(r.Lineage, "rehearsal/"))
}
