package diagnose

// Whom a part of a text is about. A name is shown only if it is one: what a text gives for a name may
// be anything.

import (
	"slices"
	"strings"

	"orderly/outside"
)

// surely are words behind which stands one name of a certificate, whatever the certificate is called.
var surely = []string{"processing caa for", "rechecking caa for", "cannot issue for", "webroot for", "root for",
	"domain token entry"}

// beforeName are words that stand before a name, the surer first.
var beforeName = []string{"domain token entry", "processing caa for", "problem for", "cannot issue for", "issued for",
	"for domain", "domain", "identifier", "dns value", "webroot for", "root for", "registered domain",
	"challenge for", "requesting certificates for", "authorizations for", "certificate for",
	"certificates for", "records found for", "addresses found for", "host for", "renew", "renewing",
	"set of domains", "caa record for", "issuing for name", "certificate with name", "cert-name", "error renewing", "requested name",
	"requested domain", "hostname", "dnsname", "name"}

// subject is the name of a part, cleaned, or "".
func (r *reader) subject() string {
	named, ok := cleanName(r.p.name)
	if ok && r.p.level == challenge {
		return named
	}
	if n, told := r.refused(); told {
		return n
	}
	if n := r.behind(surely); n != "" {
		return n
	}
	if ok {
		return named
	}
	if n := r.behind(beforeName); n != "" {
		return n
	}
	return r.mentioned()
}

// refused is the name that a CA quotes as one that it issues nothing for, or one of which too many
// validations failed. It may be no name at all: then nobody is named, since the certificate's own name
// is not what has to go.
func (r *reader) refused() (name string, told bool) {
	for i := r.p.from; i < r.p.to; i++ {
		if w := r.t.word(i); w != "cannot" && w != "failed" {
			continue
		}
		if !r.t.says(i, "cannot issue for") &&
			!(r.t.says(i, "failed authorizations") && r.t.word(i+3) == "for") { // how many, between
			continue
		}
		for k := i + 3; k <= i+4; k++ {
			if r.t.precedes(k) == '"' {
				n, ok := cleanName(r.t.at(k))
				if !ok {
					n = ""
				}
				return n, true
			}
		}
	}
	return "", false
}

// behind is the first name behind some of these words.
func (r *reader) behind(words []string) string {
	for _, before := range words {
		words := strings.Count(before, " ") + 1
		for i := r.p.from + words; i < r.p.to; i++ {
			if r.t.named(i) && r.t.says(i-words, before) && (r.t.is(i, name) || r.t.follows(i) != ':') {
				if n, ok := cleanName(r.t.at(i)); ok {
					return n
				}
			}
		}
	}
	return ""
}

// mentioned is a name that a part has somewhere: after "… looking up A for", in front of a colon, as
// the host of the first fetch, or as a lineage's directory.
func (r *reader) mentioned() string {
	t, fallback, only := r.t, "", ""
	for i := r.p.from; i < r.p.to; i++ {
		switch t.all[i].kind {
		case name:
			inLookup := t.word(i-1) == "for" && t.says(i-4, "looking up "+t.word(i-2)+" for")
			quoted := t.word(i-1) == "for" && t.precedes(i) == '"'
			if inLookup || quoted || i == r.p.from && (t.follows(i) == ':' || t.follows(i) == ' ') {
				if n, ok := cleanName(t.at(i)); ok {
					return n
				}
			}
			if n, ok := cleanName(t.at(i)); ok && !ofCA(n) && n != only {
				if only += n; only != n {
					only = " " // several
				}
			}
		case path:
			if n := ofLineage(t.at(i)); fallback == "" && n != "" {
				fallback = n
			}
		}
	}
	if n, ok := cleanName(r.f.host); ok {
		return n
	}
	for _, n := range []string{fallback, only} {
		if n, ok := cleanName(n); ok {
			return n
		}
	}
	return ""
}

// ofCAs are names of CAs, in which their hosts end.
var ofCAs = []string{"letsencrypt.org", ".googleapis.com", "pki.goog", "zerossl.com", "sectigo.com", "ssl.com",
	"buypass.com", "buypass.no", "digicert.com", "globalsign.com", "entrust.net", "actalis.com", "harica.gr"}

// ofCA reports whether a name is that of a CA's host. A site may well be called acme-tools.example.
func ofCA(n string) bool {
	return strings.HasPrefix(n, "acme") && strings.Count(n, ".") > 1 || strings.Contains(n, ".acme.") ||
		slices.ContainsFunc(ofCAs, func(ca string) bool { return strings.HasSuffix(n, ca) })
}

// ofLineage is the lineage to which a path leads.
func ofLineage(p string) string {
	for _, dir := range []string{"/live/", "/archive/"} {
		if _, after, ok := strings.Cut(p, dir); ok {
			n, _, _ := strings.Cut(after, "/")
			return n
		}
	}
	if strings.Contains(p, "/renewal/") {
		return ofFile(p)
	}
	return ""
}

// cleanName is a name as names are compared; false for what is none.
func cleanName(arrived string) (string, bool) {
	if arrived == "" || len(arrived) > 300 {
		return "", false
	}
	n, ok := outside.Name(strings.TrimSuffix(arrived, "."))
	if label, rest, _ := strings.Cut(n, "."); ok && label == "_acme-challenge" {
		n = rest
	}
	return n, ok
}

// beforeNames are words that stand before a list of names.
var beforeNames = []string{"certificates for", "certificate for domains", "set of domains", "set of identifiers"}

// names are all names that one sentence lists: "… for a.example, b.example, and possibly others".
func (r *reader) names() []string {
	for i := r.p.from; i < r.p.to; i++ {
		if w := r.t.word(i); w != "certificates" && w != "certificate" && w != "set" {
			continue
		}
		for _, before := range beforeNames {
			if !r.t.says(i, before) {
				continue
			}
			if all := r.listed(i + strings.Count(before, " ") + 1); len(all) > 1 {
				return all
			}
		}
	}
	return []string{r.subject()}
}

// listed are the names from the token k on, behind the period that Boulder put there.
func (r *reader) listed(k int) (all []string) {
	if r.t.says(k, "in the last") {
		k += 5 // 168 hours
	}
	for t := r.t; k < r.p.to && (t.named(k) || t.word(k) == "and" || t.word(k) == "domains"); k++ {
		if n, ok := cleanName(t.at(k)); ok && t.named(k) && !slices.Contains(all, n) {
			all = append(all, n)
		}
	}
	return all
}
