package order

import (
	"bytes"
	"cmp"
	"crypto"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"orderly/acme"
	"orderly/failure"
	"orderly/outside"
)

// What a CA serves as the certificate of an order is checked here, and nowhere else, against what was
// asked for, before anything of it becomes durable. CAs were seen to put the root first, other
// certificates, a private key or damaged blocks beside the right one, and to issue without an ordered
// name, with dates that are over or for a key that nobody has. Installed, each of these takes the place
// of a pair that works. The functions are pure: bytes go in, a chain or what is wrong with it comes out.

// Asked is what a certificate must be.
type Asked struct {
	Names []string         // that were ordered, as names are compared
	Key   crypto.PublicKey // of the CSR
	At    time.Time        // by the CA's clock
	// Former are certificates of earlier orders. Where the key is kept, one of them looks like the answer.
	Former [][]byte
}

// Received is a chain that is what was asked for.
type Received struct {
	Leaf *x509.Certificate
	// Chain is PEM: the leaf, then each certificate that certifies one before it. There is nothing else in it.
	Chain []byte
	Notes []string // what a person should know of it, though it is good
}

// Flaw is what is wrong with what a CA served.
type Flaw int

// The flaws.
const (
	Unreadable Flaw = iota // it is no chain; the next try may bring one
	OtherKey               // no certificate in it is for the CSR's key
	LacksName              // an ordered name is not in it
	Over                   // it has expired
	NotBegun               // it begins in the future
	Earlier                // it was issued for an earlier order, with the same key
	Alone                  // without its issuer's, so that most clients would refuse the site; the next try may bring that
)

// Unfit is the error for a chain that is not what was asked for.
type Unfit struct {
	Flaw         Flaw
	Why          string
	Begins, Ends time.Time // of one that is over, or has not begun
}

// soonBegun is how far ahead the beginning of a certificate may lie that is waited for: a CA's clocks may be in several zones.
const soonBegun = 14 * time.Hour

// Passing reports whether what was issued for the order may be good later, so that the order must not be given up at once: what
// was served is something else than that, it begins soon, or the two clocks disagree about it. now is this host's.
func (u *Unfit) Passing(now time.Time) bool {
	switch u.Flaw {
	case Unreadable, Earlier, Alone:
		return true
	case NotBegun:
		return now.Add(soonBegun).After(u.Begins) && now.Before(u.Ends)
	case Over:
		return now.Before(u.Ends) && !now.Before(u.Begins)
	}
	return false
}

// Error says what is wrong, as the end of a sentence about the certificate.
func (u *Unfit) Error() string { return u.Why }

func unfit(flaw Flaw, format string, args ...any) *Unfit {
	return &Unfit{Flaw: flaw, Why: failure.Words(format, args...)}
}

// Accept finds the certificate that was asked for in what a CA served, wherever it stands, and puts its
// issuers in order. The error is always an *Unfit.
func (a Asked) Accept(text []byte) (Received, error) {
	all, damaged := certificatesIn(text)
	if len(all) == 0 {
		return Received{}, unfit(Unreadable, "what the CA served has no certificate in it")
	}
	var flaw *Unfit // of the first that is for our key
	for _, leaf := range all {
		if !SamePublicKey(leaf.PublicKey, a.Key) {
			continue
		}
		found := a.flawOf(leaf)
		if found == nil {
			return a.received(leaf, all, damaged)
		}
		flaw = cmp.Or(flaw, found)
	}
	switch {
	case flaw != nil:
		return Received{}, flaw
	case damaged != "":
		return Received{}, unfit(Unreadable, "what the CA served has %s in it, and no certificate for our key", damaged)
	case !slices.ContainsFunc(all, func(c *x509.Certificate) bool { return !c.IsCA }):
		return Received{}, unfit(Unreadable, "what the CA served has certificates of CAs alone in it")
	}
	return Received{}, unfit(OtherKey, "it is for another key than that of our CSR")
}

// received is the chain of a leaf that is good.
func (a Asked) received(leaf *x509.Certificate, all []*x509.Certificate, damaged string) (Received, error) {
	chain := certifying([]*x509.Certificate{leaf}, leaf, all)
	if damaged != "" && len(chain) == 1 {
		// Its issuers are what was damaged: without them most clients would refuse the site.
		return Received{}, unfit(Unreadable, "what the CA served has %s in the place of its issuers", damaged)
	}
	if len(chain) == 1 {
		// certbot takes none either: a web server refuses to start with the empty chain.pem that would come of it.
		return Received{}, unfit(Alone, "the CA served it alone, without the certificate of its issuer")
	}
	r := Received{Leaf: leaf}
	for _, one := range chain {
		r.Chain = append(r.Chain, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: one.Raw})...)
	}
	if damaged != "" {
		r.Notes = append(r.Notes, "the CA served "+damaged+" with it, which was left out")
	}
	if n := len(unlike(all, chain)); n > 0 {
		r.Notes = append(r.Notes, fmt.Sprintf("the CA served %d certificates with it that certify none of its chain; they were left out", n))
	}
	if more := a.unasked(leaf); len(more) > 0 {
		r.Notes = append(r.Notes, "the CA put names into it that were not asked for: "+strings.Join(more, ", "))
	}
	return r, nil
}

// mostServed bounds the work that an answer can make.
const mostServed = 50

// certificatesIn are the certificates in a PEM text, each once, and what there is besides, in words: "" for
// nothing but text, which a CA may write around them.
func certificatesIn(text []byte) (all []*x509.Certificate, damaged string) {
	text = acme.PlainPEM(text)
	for block, rest := pem.Decode(text); block != nil && len(all) < mostServed; block, rest = pem.Decode(rest) {
		if !strings.HasSuffix(block.Type, "CERTIFICATE") { // also X509 CERTIFICATE (RFC 7468 §5.1)
			damaged = "a block of another kind"
			continue
		}
		one, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			damaged = "a damaged certificate"
			continue
		}
		if !slices.ContainsFunc(all, one.Equal) {
			all = append(all, one)
		}
	}
	if bytes.Count(text, []byte("-----BEGIN ")) > bytes.Count(text, []byte("-----END ")) {
		damaged = "a block without an end"
	}
	return all, damaged
}

// certifying appends to chain those of all that certify one, and those that certify them. The CA's order
// decides among several, as where an intermediate was cross-signed.
func certifying(chain []*x509.Certificate, one *x509.Certificate, all []*x509.Certificate) []*x509.Certificate {
	for _, issuer := range all {
		if !slices.ContainsFunc(chain, issuer.Equal) && certifies(issuer, one) {
			chain = certifying(append(chain, issuer), issuer, all)
		}
	}
	return chain
}

// certifies reports whether a certificate was signed by the key of another. A signature of a kind that
// nobody checks any more (old roots have them) counts by the names alone.
func certifies(issuer, one *x509.Certificate) bool {
	// One name may be written in two alphabets of ASN.1, which is no reason to do without the issuer.
	named := bytes.Equal(issuer.RawSubject, one.RawIssuer) ||
		strings.EqualFold(issuer.Subject.String(), one.Issuer.String())
	if !named || issuer.Equal(one) {
		return false
	}
	err := issuer.CheckSignature(one.SignatureAlgorithm, one.RawTBSCertificate, one.Signature)
	_, insecure := errors.AsType[x509.InsecureAlgorithmError](err)
	return err == nil || insecure || errors.Is(err, x509.ErrUnsupportedAlgorithm)
}

func unlike(all, chain []*x509.Certificate) []*x509.Certificate {
	return slices.DeleteFunc(slices.Clone(all), func(c *x509.Certificate) bool { return slices.ContainsFunc(chain, c.Equal) })
}

// flawOf is what is wrong with a certificate for our key, nil if it is what was asked for.
func (a Asked) flawOf(leaf *x509.Certificate) *Unfit {
	has := NamesIn(leaf)
	var missing []string
	for _, name := range a.names() {
		if !covered(name, has) {
			missing = append(missing, name)
		}
	}
	switch {
	case slices.ContainsFunc(a.Former, func(der []byte) bool { return bytes.Equal(der, leaf.Raw) }):
		return unfit(Earlier, "it is the one that was issued for an earlier order")
	case len(missing) > 0:
		return unfit(LacksName, "it is not for %s", strings.Join(missing, ", "))
	case !a.At.Before(leaf.NotAfter):
		return &Unfit{Over, "it expired on " + stamp(leaf.NotAfter), leaf.NotBefore, leaf.NotAfter}
	case a.At.Add(mostAhead).Before(leaf.NotBefore):
		return &Unfit{NotBegun, "it begins to be valid only on " + stamp(leaf.NotBefore), leaf.NotBefore, leaf.NotAfter}
	}
	return nil
}

// names are the ordered names as names are compared: an order may have an address in another spelling.
func (a Asked) names() []string {
	var names []string
	for _, name := range a.Names {
		if plain, ok := outside.Name(name); ok {
			name = plain
		}
		names = append(names, name)
	}
	return names
}

// mostAhead is how far a certificate's beginning may lie before the CA's clock: its machines have several.
const mostAhead = time.Minute

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// NamesIn are the names in a certificate, as names are compared, those for DNS first. What is no name is
// none here either, and what counts for no client does not count: a common name, an address written as a name.
func NamesIn(leaf *x509.Certificate) []string {
	var names []string
	for _, arrived := range leaf.DNSNames {
		if name, ok := outside.Name(arrived); ok && !isAddress(name) {
			names = append(names, name)
		}
	}
	for _, ip := range leaf.IPAddresses {
		if address, ok := netip.AddrFromSlice(ip); ok {
			names = append(names, address.Unmap().String())
		}
	}
	return names
}

func isAddress(name string) bool {
	_, err := netip.ParseAddr(name)
	return err == nil
}

// covered reports whether clients find a name among others: itself, or a wildcard of its own level.
func covered(name string, has []string) bool {
	if slices.Contains(has, name) {
		return true
	}
	_, parent, below := strings.Cut(name, ".")
	return below && !isAddress(name) && !strings.HasPrefix(name, "*.") && slices.Contains(has, "*."+parent)
}

// unasked are the names in a certificate that were not ordered.
func (a Asked) unasked(leaf *x509.Certificate) []string {
	asked := a.names()
	return slices.DeleteFunc(NamesIn(leaf), func(name string) bool { return slices.Contains(asked, name) })
}

// Unusable is what a person reads of an order that the CA has issued something unfit for.
func Unusable(lineage string, why *Unfit) *failure.Error {
	return failure.New(failure.CARefused, "Tell the CA: what it issues is not what was asked for. The certificate in place was left as it is.",
		"the certificate that the CA issued for %s cannot be used: %s", lineage, why.Why)
}
