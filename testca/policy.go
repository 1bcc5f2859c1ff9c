package testca

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/mail"
	"slices"
	"strings"

	"golang.org/x/net/publicsuffix"

	"github.com/letsencrypt/pebble/v2/acme"
)

// What Boulder refuses by its policy and Pebble takes (Config.Strict): names that nobody can own, sets that are too large or
// say things twice, keys that are too weak or known to be compromised, accounts without agreement. All of it is refused before
// anything is made or changed: an order whose CSR is refused stays ready.

// rejectedNames refuses names that cannot be had, before anything else of a newOrder is looked at.
func rejectedNames(want wanted) *problem {
	var rejected []subproblem
	for _, identifier := range want.Identifiers {
		if identifier.Type != acme.IdentifierDNS {
			continue
		}
		if why := unfit(strings.ToLower(identifier.Value)); why != "" {
			rejected = append(rejected, subproblem{errorPrefix + "rejectedIdentifier", why, http.StatusBadRequest, identifier})
		}
	}
	if len(rejected) == 0 {
		return nil
	}
	first := rejected[0]
	detail := fmt.Sprintf("Invalid identifiers requested :: Cannot issue for %q: %s", first.Identifier.Value, first.Detail)
	if len(rejected) == 1 {
		return problemf(http.StatusBadRequest, "rejectedIdentifier", "%s", detail)
	}
	p := problemf(http.StatusBadRequest, "rejectedIdentifier",
		"%s (and %d more problems. Refer to sub-problems for more information.)", detail, len(rejected)-1)
	p.Subproblems = rejected
	return p
}

// unfit says why nobody can own a name, "" for one that somebody can.
func unfit(name string) string {
	name = strings.TrimPrefix(name, "*.")
	suffix, icann := publicsuffix.PublicSuffix(name)
	switch {
	case !strings.Contains(name, "."):
		return "Domain name needs at least one dot"
	case !icann && !strings.Contains(suffix, "."):
		return "Domain name does not end with a valid public suffix (TLD)"
	case suffix == name:
		return "Domain name is an ICANN TLD"
	}
	return ""
}

// rejectedSet refuses a set of names for what they are together, or for what its profile does not have.
func rejectedSet(want wanted) *problem {
	most, addresses := 100, false
	switch want.Profile {
	case "tlsserver":
		most = 25
	case "shortlived":
		most, addresses = 25, true
	}
	names := want.names()
	if len(names) > most {
		return creating("malformed", "Order cannot contain more than %d identifiers", most)
	}
	for _, identifier := range want.Identifiers {
		if identifier.Type == acme.IdentifierIP && !addresses {
			return creating("rejectedIdentifier", "Profile %q does not permit ip type identifiers", want.Profile)
		}
	}
	for _, name := range names {
		_, parent, _ := strings.Cut(name, ".")
		if !strings.HasPrefix(name, "*.") && slices.Contains(names, "*."+parent) {
			return creating("malformed", "Domain name %q is redundant with a wildcard domain in the same request. "+
				"Remove one or the other from the certificate request.", name)
		}
	}
	return nil
}

func creating(kind, format string, arguments ...any) *problem {
	return problemf(http.StatusBadRequest, kind, "Error creating new order :: "+format, arguments...)
}

// rejectedCSR refuses a finalize for the names or the key of its CSR. What cannot be read is left to Pebble.
func (c *CA) rejectedCSR(r *request, o *order) *problem {
	var payload struct{ CSR string }
	if json.Unmarshal(r.payload, &payload) != nil {
		return nil
	}
	der, err := base64.RawURLEncoding.DecodeString(payload.CSR)
	if err != nil {
		return nil
	}
	csr, err := x509.ParseCertificateRequest(der)
	if err != nil {
		return nil
	}
	refuse := func(status int, kind, format string, arguments ...any) *problem {
		return problemf(status, kind, "Error finalizing order :: "+format, arguments...)
	}
	names := slices.Clone(csr.DNSNames)
	for _, address := range csr.IPAddresses {
		names = append(names, address.String())
	}
	if csr.Subject.CommonName != "" {
		names = append(names, csr.Subject.CommonName)
	}
	if exactSet(names) != o.set {
		return refuse(http.StatusForbidden, "unauthorized", "CSR does not specify same identifiers as Order")
	}
	if why := c.badKey(csr); why != "" {
		return refuse(http.StatusBadRequest, "badPublicKey", "invalid public key in CSR: %s", why)
	}
	return nil
}

// badKey says what is wrong with the key of a CSR.
func (c *CA) badKey(csr *x509.CertificateRequest) string {
	switch key := csr.PublicKey.(type) {
	case *rsa.PublicKey:
		if size := key.N.BitLen(); size < 2048 {
			return fmt.Sprintf("key size not supported: %d", size)
		}
	case *ecdsa.PublicKey:
		if key.Curve == elliptic.P521() {
			return "ECDSA curve P-521 not allowed"
		}
	}
	if c.compromised(sha256.Sum256(csr.RawSubjectPublicKeyInfo)) {
		return "public key is forbidden"
	}
	return ""
}

// compromised reports whether a certificate of the key was revoked because the key is known to others (RFC 5280, reason 1).
func (c *CA) compromised(key [sha256.Size]byte) bool {
	return slices.ContainsFunc(c.state.orders, func(o *order) bool {
		if o.serial == "" || sha256.Sum256(o.CertificateObject.Cert.RawSubjectPublicKeyInfo) != key {
			return false
		}
		return slices.ContainsFunc(c.revocations(o), func(r Revocation) bool { return r.Reason == 1 })
	})
}

// rejectedAccount refuses a newAccount, or a change of one, for its agreement or its contacts.
func rejectedAccount(r *request) *problem {
	var asked struct {
		TermsOfServiceAgreed, OnlyReturnExisting bool
		Contact                                  []string
	}
	if json.Unmarshal(r.payload, &asked) != nil {
		return nil
	}
	if r.kind == kindNewAccount && !asked.TermsOfServiceAgreed && !asked.OnlyReturnExisting {
		return problemf(http.StatusBadRequest, "malformed", "must agree to terms of service")
	}
	for _, contact := range asked.Contact {
		address, isMail := strings.CutPrefix(contact, "mailto:")
		if !isMail {
			return problemf(http.StatusBadRequest, "unsupportedContact", "Error validating contact(s) :: only contact scheme 'mailto:' is supported")
		}
		parsed, err := mail.ParseAddress(address)
		if err != nil || parsed.Address != address {
			return problemf(http.StatusBadRequest, "invalidContact", "Error validating contact(s) :: unable to parse email address")
		}
		_, domain, _ := strings.Cut(address, "@")
		if why := unfit(domain); why != "" {
			return problemf(http.StatusBadRequest, "invalidContact", "Error validating contact(s) :: contact email has invalid domain: %s", why)
		}
		if registered, _ := publicsuffix.EffectiveTLDPlusOne(domain); slices.Contains([]string{"example.com", "example.net", "example.org"}, registered) {
			return problemf(http.StatusBadRequest, "invalidContact", "Error validating contact(s) :: contact email has forbidden domain %q", registered)
		}
	}
	return nil
}
