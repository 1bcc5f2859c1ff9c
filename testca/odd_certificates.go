package testca

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"slices"
	"time"
)

// OddCertificate says how certificates are served otherwise than RFC 8555 §9.1 has it: rearranged, with
// something else among them, or made anew for the same order with another content. What is made anew
// is signed by an intermediate of its own, below a root of its own.
type OddCertificate struct {
	// Chain is the arrangement: "reversed" (the root's side first), "rotated" (the leaf last), "root" (with
	// the root at the end), "key" (a PRIVATE KEY after the leaf, nothing else), "garbage" (a damaged block
	// after the leaf, nothing else), "text" (lines of text around each), "foreign" (another certificate after
	// the leaf), "twice" (each certificate twice), "alone" (the leaf and nothing else), "none" (a text that is no
	// certificate). "" is as it is.
	Chain string `json:"chain"`
	// AddNames and DropNames change the names of the certificate.
	AddNames  []string `json:"add_names"`
	DropNames []string `json:"drop_names"`
	// Begins and Ends, where not 0, are its validity, from now.
	Begins time.Duration `json:"begins"`
	Ends   time.Duration `json:"ends"`
	// OtherKey makes it one for a key that nobody has.
	OtherKey bool `json:"other_key"`
}

func (o OddCertificate) remade() bool {
	return len(o.AddNames)+len(o.DropNames) > 0 || o.Begins != 0 || o.Ends != 0 || o.OtherKey ||
		o.Chain == "root" || o.Chain == "reversed"
}

// oddIssuer is a root and an intermediate of its own.
type oddIssuer struct {
	root, intermediate *x509.Certificate
	key                *ecdsa.PrivateKey
}

func newOddIssuer() (*oddIssuer, error) {
	rootKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	template := func(serial int64, name string) *x509.Certificate {
		return &x509.Certificate{SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: name},
			NotBefore: time.Now().AddDate(-20, 0, 0), NotAfter: time.Now().AddDate(20, 0, 0), IsCA: true,
			BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	}
	top := template(1, "testca odd root")
	root, err := certify(top, top, rootKey.Public(), rootKey)
	if err != nil {
		return nil, err
	}
	intermediate, err := certify(template(2, "testca odd intermediate"), root, key.Public(), rootKey)
	return &oddIssuer{root: root, intermediate: intermediate, key: key}, err
}

func certify(template, parent *x509.Certificate, public any, key *ecdsa.PrivateKey) (*x509.Certificate, error) {
	der, err := x509.CreateCertificate(rand.Reader, template, parent, public, key)
	if err != nil {
		return nil, err
	}
	return x509.ParseCertificate(der)
}

// oddChain is a chain as the CA serves it today.
func (c *CA) oddChain(answer *reply) *reply {
	odd := c.odd.OddCertificate
	if !odd.remade() && odd.Chain == "" {
		return answer
	}
	chain, err := chainIn(answer.body.Bytes())
	if err == nil && odd.remade() {
		chain, err = c.remake(chain[0])
	}
	if err != nil {
		c.log.Printf("the chain cannot be made odd: %v", err)
		return answer
	}
	answer.body.Reset()
	answer.body.Write(odd.arrange(chain))
	return answer
}

func chainIn(text []byte) ([]*x509.Certificate, error) {
	var chain []*x509.Certificate
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		one, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, err
		}
		chain = append(chain, one)
	}
	return chain, nil
}

// remake makes a certificate anew as the oddities want it, with its issuers up to the root.
func (c *CA) remake(leaf *x509.Certificate) ([]*x509.Certificate, error) {
	odd := c.odd.OddCertificate
	if c.odd.issuer == nil {
		issuer, err := newOddIssuer()
		if err != nil {
			return nil, err
		}
		c.odd.issuer = issuer
	}
	template := &x509.Certificate{SerialNumber: leaf.SerialNumber, Subject: leaf.Subject, NotBefore: leaf.NotBefore,
		NotAfter: leaf.NotAfter, KeyUsage: leaf.KeyUsage, ExtKeyUsage: leaf.ExtKeyUsage}
	for _, name := range slices.Concat(leaf.DNSNames, odd.AddNames) {
		if !slices.Contains(odd.DropNames, name) {
			template.DNSNames = append(template.DNSNames, name)
		}
	}
	for _, ip := range leaf.IPAddresses {
		if !slices.ContainsFunc(odd.DropNames, func(name string) bool { return net.ParseIP(name).Equal(ip) }) {
			template.IPAddresses = append(template.IPAddresses, ip)
		}
	}
	if odd.Begins != 0 {
		template.NotBefore = c.now().Add(odd.Begins)
	}
	if odd.Ends != 0 {
		template.NotAfter = c.now().Add(odd.Ends)
	}
	public := leaf.PublicKey
	if odd.OtherKey {
		public = c.odd.issuer.key.Public()
	}
	made, err := certify(template, c.odd.issuer.intermediate, public, c.odd.issuer.key)
	if err != nil {
		return nil, err
	}
	return []*x509.Certificate{made, c.odd.issuer.intermediate, c.odd.issuer.root}, nil
}

// arrange writes a chain down.
func (o OddCertificate) arrange(chain []*x509.Certificate) []byte {
	var blocks [][]byte
	for _, one := range chain {
		blocks = append(blocks, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: one.Raw}))
	}
	switch o.Chain {
	case "reversed":
		slices.Reverse(blocks)
	case "rotated":
		blocks = append(blocks[1:], blocks[0])
	case "key":
		blocks = [][]byte{blocks[0], pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: []byte("not to be kept")})}
	case "garbage":
		blocks = [][]byte{blocks[0], pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte("damaged")})}
	case "text":
		blocks = slices.Insert(blocks, 0, []byte("subject=a certificate\n\n"))
		blocks = append(blocks, []byte("\nthis is the end\n"))
	case "foreign":
		if other, err := newOddIssuer(); err == nil {
			blocks = slices.Insert(blocks, 1, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: other.root.Raw}))
		}
	case "twice":
		blocks = append(blocks, blocks...)
	case "alone":
		blocks = blocks[:1]
	case "none":
		return []byte("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
	}
	return bytes.Join(blocks, nil)
}
