package certbot

import (
	"bytes"
	"crypto/x509"
	"fmt"
	"strings"
	"sync"
	"time"
)

// What `certificates` shows of a lineage, a broken one too: for that it is asked most.

// Facts is what certbot's certificates prints of a lineage.
type Facts struct {
	Name      string
	Serial    string // lower-case hexadecimal
	KeyType   string // "RSA" or "ECDSA"
	Names     []string
	Expires   time.Time // UTC
	Test      bool      // from a staging server, which browsers do not trust
	Expired   bool
	Revoked   bool // as whoever knows says; nobody is asked
	FullChain string
	PrivKey   string
	left      time.Duration
}

// Facts returns what is to be printed of the lineage at a moment, but for Revoked.
func (l *Lineage) Facts(now time.Time) Facts {
	c := l.Certificate
	return Facts{
		Name: l.Name, Serial: c.Serial, KeyType: c.KeyType, Names: c.Names,
		Expires: c.NotAfter.UTC(), Test: l.Test(), Expired: !c.NotAfter.After(now),
		FullChain: l.Renewal.FullChain, PrivKey: l.Renewal.PrivKey, left: c.NotAfter.Sub(now),
	}
}

// Status is what certbot prints behind the date: "VALID: 89 days", "INVALID: TEST_CERT, EXPIRED".
func (f Facts) Status() string {
	var reasons []string
	if f.Test {
		reasons = append(reasons, "TEST_CERT")
	}
	switch {
	case f.Expired:
		reasons = append(reasons, "EXPIRED")
	case f.Revoked:
		reasons = append(reasons, "REVOKED")
	}
	const day = 24 * time.Hour
	switch {
	case len(reasons) > 0:
		return "INVALID: " + strings.Join(reasons, ", ")
	case f.left < day:
		return fmt.Sprintf("VALID: %d hour(s)", f.left/time.Hour)
	case f.left < 2*day:
		return "VALID: 1 day"
	}
	return fmt.Sprintf("VALID: %d days", f.left/day)
}

// Test tells whether the certificate is from a staging server: by the server's name, as certbot has
// it, or because the issuer says so, whatever the renewal file names now.
func (l *Lineage) Test() bool {
	issuer := l.Certificate.Issuer
	return Staging(l.Renewal.Params.Server) || issuer.Contains("(STAGING)") ||
		strings.HasPrefix(issuer.Arrived(), "Fake LE ")
}

// Staging tells whether a server's URL is that of a test environment (certbot/util.py, is_staging).
func Staging(server string) bool { return strings.Contains(server, "staging") }

// Verifier verifies many lineages: thousands have the same issuers. Its zero value is ready; it may
// be used from many goroutines.
type Verifier struct {
	mu      sync.Mutex
	issuers map[string][]*x509.Certificate // by the text of their chain
}

// chain is parseChain for a text that comes again and again.
func (v *Verifier) chain(text []byte) ([]*x509.Certificate, error) {
	v.mu.Lock()
	known := v.issuers[string(text)]
	v.mu.Unlock()
	if known != nil {
		return known, nil
	}
	chain, err := parseChain(text)
	if err != nil {
		return nil, err
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	const most = 100 // issuers change over the years, but not for each certificate
	if v.issuers == nil || len(v.issuers) >= most {
		v.issuers = map[string][]*x509.Certificate{}
	}
	v.issuers[string(text)] = chain
	return chain, nil
}

// Verify is Lineage.Verify.
func (v *Verifier) Verify(l *Lineage) error {
	r := l.Renewal
	text := map[string][]byte{}
	for _, link := range r.links() {
		content, err := readFile(*link.path)
		if err != nil {
			return broken(err, l.Name, "%s cannot be read", *link.path)
		}
		text[link.kind] = content
	}
	issuers, err := v.chain(text["chain"])
	if err == nil {
		leaf := l.Certificate.Leaf
		err = issuers[0].CheckSignature(leaf.SignatureAlgorithm, leaf.RawTBSCertificate,
			leaf.Signature)
	}
	if err != nil {
		return broken(err, l.Name, "verifying the signature of the certificate located at %s has failed", r.Cert)
	}
	if rest, ok := bytes.CutPrefix(text["fullchain"], text["cert"]); !ok || !bytes.Equal(rest, text["chain"]) {
		return broken(nil, l.Name, "fullchain does not match cert + chain for %s!", l.Name)
	}
	if err := l.Certificate.matches(text["cert"], text["privkey"]); err != nil {
		return broken(err, l.Name, "verifying the certificate located at %s matches the private key located at %s has failed", r.Cert, r.PrivKey)
	}
	return nil
}
