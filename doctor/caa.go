package doctor

// Whether the CA of a lineage may issue (RFC 8659, RFC 8657). By which names a CA is called in CAA
// records its directory says, which is not asked here: those of the CAs that many use stand in a
// table, and of any other nothing is certain.

import (
	"context"
	"net/url"
	"slices"
	"strings"

	"orderly/failure"
	"orderly/zone"
)

// issuer is what is known of a CA.
type issuer struct {
	name       string   // for people
	identities []string // in CAA records, what its documentation recommends first
	// accounts: it obeys accounturi and validationmethods (RFC 8657)
	accounts bool
}

// issuerOf is the CA of a directory's URL. The identities are those of each CA's documentation, in
// 2026.
func issuerOf(server string) (issuer, bool) {
	u, err := url.Parse(server)
	if err != nil {
		return issuer{}, false
	}
	sectigo := []string{"sectigo.com", "trust-provider.com", "usertrust.com", "comodoca.com",
		"comodo.com"}
	switch host := strings.ToLower(u.Hostname()); host {
	case "acme-v02.api.letsencrypt.org", "acme-staging-v02.api.letsencrypt.org",
		"acme-v01.api.letsencrypt.org", "acme-staging.api.letsencrypt.org":
		return issuer{"Let's Encrypt", []string{"letsencrypt.org"}, true}, true
	case "acme.zerossl.com":
		return issuer{"ZeroSSL", sectigo, false}, true
	case "acme.sectigo.com", "acme-v2.sectigo.com":
		return issuer{"Sectigo", sectigo, false}, true
	case "dv.acme-v02.api.pki.goog", "dv.acme-v02.test-api.pki.goog":
		return issuer{"Google Trust Services", []string{"pki.goog"}, true}, true
	case "acme.ssl.com":
		return issuer{"SSL.com", []string{"ssl.com"}, false}, true
	case "api.buypass.com", "api.test4.buypass.no":
		return issuer{"Buypass", []string{"buypass.com", "buypass.no"}, false}, true
	case "acme-api.actalis.com":
		return issuer{"Actalis", []string{"actalis.it"}, false}, true
	case "acme.digicert.com":
		return issuer{"DigiCert", []string{"digicert.com", "www.digicert.com", "thawte.com",
			"geotrust.com", "rapidssl.com"}, false}, true
	}
	return issuer{}, false
}

// isPublic reports whether a directory is that of a CA which browsers trust.
func isPublic(server string) bool {
	_, known := issuerOf(server)
	return known
}

// forbidden is why CAA records let a CA not issue.
type forbidden struct {
	why      string
	remedy   failure.Remedy
	doubtful bool // the CA's identities, or whether it obeys parameters, are not known
}

// claim is what a lineage asks a CA for, as CAA records see it.
type claim struct {
	ca      issuer
	known   bool          // the CA
	server  string        // its directory
	account func() string // URL; "" where it is not known
	method  string        // "" where it is not known
}

// caaForbids tells of names for which CAA records forbid the lineage's CA to issue.
func caaForbids(ctx context.Context, e *Exam) (all []Finding, err error) {
	n, err := e.shown(ctx)
	if err != nil {
		return nil, err
	}
	for _, x := range e.renewing() {
		c := e.claim(x)
		for _, name := range x.Names {
			look, asked := n.looks[base(name)]
			if !asked || look.CAA.At == "" {
				continue
			}
			r := c.judge(look.CAA, isWildcard(name))
			if r == nil {
				continue
			}
			f := e.suspects(x, "D45", []string{name}, failure.CAAForbids, r.remedy, "%s: %s", name, r.why)
			if r.doubtful {
				f.Severity = Doubtful
			}
			f.Cause = look.CAA.At
			all = append(all, f)
		}
	}
	return all, nil
}

func (e *Exam) claim(x *Lineage) claim {
	c := claim{server: x.Server, account: func() string {
		if x.Account == "" {
			return ""
		}
		account, err := e.Disk.Accounts().Get(x.Server, x.Account)
		if err != nil {
			return ""
		}
		return account.URL
	}}
	c.ca, c.known = issuerOf(x.Server)
	if x.fetched("") {
		c.method = "http-01"
	} else if strings.HasPrefix(x.Authenticator, "dns-") {
		c.method = "dns-01"
	}
	return c
}

// knownTags are those that CAs know (RFC 8659, RFC 9495): a critical one of any other forbids.
func knownTags() []string { return []string{"issue", "issuewild", "iodef", "issuemail"} }

// judge is why a CA must not issue, nil where it may.
func (c claim) judge(caa zone.CAA, wildcard bool) *forbidden {
	var issue, wild []string
	for _, r := range caa.Records {
		switch {
		case r.Tag == "issue":
			issue = append(issue, r.Value)
		case r.Tag == "issuewild":
			wild = append(wild, r.Value)
		case r.Critical && !slices.Contains(knownTags(), r.Tag):
			return &forbidden{why: failure.Words("the CAA record %s %q at %s is critical, and no CA knows "+
				"that tag: none may issue", r.Tag, r.Value, caa.At),
				remedy: failure.Advise("Remove the CAA record with the tag %s at %s, or its critical flag.",
					r.Tag, caa.At)}
		}
	}
	tag, counting := "issue", issue
	if wildcard && len(wild) > 0 {
		tag, counting = "issuewild", wild
	}
	if len(counting) == 0 {
		return nil
	}
	return c.among(counting, tag, caa.At)
}

// among is why none of the values lets the CA issue: the nearest miss is told.
func (c claim) among(values []string, tag, at string) *forbidden {
	var miss *forbidden
	for _, value := range values {
		domain, parameters, ok := readIssue(value)
		if !ok || domain == "" || !c.known || !slices.Contains(c.ca.identities, domain) {
			continue
		}
		r := c.obey(parameters, tag, at)
		if r == nil {
			return nil
		}
		miss = r
	}
	if miss != nil {
		return miss
	}
	return c.unlisted(values, tag, at)
}

func (c claim) unlisted(values []string, tag, at string) *forbidden {
	var allowed []string
	for _, value := range values {
		if domain, _, ok := readIssue(value); ok && domain != "" {
			allowed = append(allowed, domain)
		}
	}
	whom := "nobody"
	if len(allowed) > 0 {
		whom = strings.Join(allowed, ", ") + " alone"
	}
	if !c.known {
		if len(allowed) > 0 && strings.HasSuffix("."+hostOf(c.server), "."+allowed[0]) {
			return nil
		}
		return &forbidden{doubtful: true, why: failure.Words("CAA records (%s) at %s allow %s; whether that is "+
			"the CA at %s is not known here", tag, at, whom, hostOf(c.server)),
			remedy: failure.Advise("Compare with the caaIdentities of the CA's directory, %s.", c.server)}
	}
	return &forbidden{why: failure.Words("CAA records (%s) at %s allow %s, and not %s (%s)", tag, at, whom,
		c.ca.name, c.ca.identities[0]),
		remedy: failure.Advise("Add to DNS: %s. CAA 0 %s \"%s\"", at, tag, c.ca.identities[0])}
}

func hostOf(server string) string {
	u, err := url.Parse(server)
	if err != nil {
		return ""
	}
	return u.Hostname()
}

// obey is why the parameters of a record that names the CA let it not issue all the same.
func (c claim) obey(parameters map[string]string, tag, at string) *forbidden {
	if methods, ok := parameters["validationmethods"]; ok && c.method != "" {
		if !slices.Contains(strings.Split(strings.ReplaceAll(methods, " ", ""), ","), c.method) {
			return &forbidden{doubtful: !c.ca.accounts, why: failure.Words("the CAA record (%s) at %s lets %s "+
				"validate by %s alone, and not by %s", tag, at, c.ca.name, methods, c.method),
				remedy: failure.Advise("Add %s to validationmethods of the CAA record at %s.", c.method, at)}
		}
	}
	uri, ok := parameters["accounturi"]
	if !ok {
		return nil
	}
	switch account := c.account(); account {
	case uri:
		return nil
	case "":
		return &forbidden{doubtful: true, why: failure.Words("the CAA record (%s) at %s is for the account %s, "+
			"and the account of this certificate cannot be read", tag, at, uri),
			remedy: "See which account renews it, in its renewal file."}
	default:
		return &forbidden{doubtful: !c.ca.accounts, why: failure.Words("the CAA record (%s) at %s is for the "+
			"account %s, and this certificate is renewed with %s", tag, at, uri, account),
			remedy: failure.Advise("Add to DNS: %s. CAA 0 %s \"%s; accounturi=%s\"", at, tag,
				c.ca.identities[0], account)}
	}
}

// readIssue takes the value of an issue record apart (RFC 8659 section 4.2), or reports that it is
// malformed: such a record allows nobody.
func readIssue(value string) (domain string, parameters map[string]string, ok bool) {
	first, rest, more := strings.Cut(value, ";")
	domain = strings.ToLower(strings.TrimSuffix(strings.TrimSpace(first), "."))
	parameters = map[string]string{}
	if strings.ContainsAny(domain, " \t=") {
		return "", nil, false
	}
	if !more {
		return domain, parameters, true
	}
	for part := range strings.SplitSeq(rest, ";") {
		if part = strings.TrimSpace(part); part == "" {
			continue
		}
		tag, content, has := strings.Cut(part, "=")
		if tag = strings.ToLower(strings.TrimSpace(tag)); !has || tag == "" {
			return "", nil, false
		}
		parameters[tag] = strings.TrimSpace(content)
	}
	return domain, parameters, true
}
