package certbot

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"slices"
	"strings"
	"time"

	"orderly/outside"
)

// What a certificate says of itself, read as far as it is well formed: what is in use in the field
// is not always.

// Certificate is what is to be known of a lineage's current certificate.
type Certificate struct {
	// the common name first if it is a name, then the other names, as certbot lists them; or
	// outside.Odd
	Names     []string
	NotBefore time.Time
	NotAfter  time.Time
	Serial    string       // lower-case hexadecimal without leading zeros
	KeyType   string       // "ECDSA" or "RSA", as certbot prints it
	Issuer    outside.Text // the issuer's common name
	Leaf      *x509.Certificate
}

// ParseCertificate reads the first certificate of a PEM text.
func ParseCertificate(text []byte) (*Certificate, error) {
	chain, err := parseChain(text)
	if err != nil {
		return nil, err
	}
	leaf := chain[0]
	c := &Certificate{
		Names:     names(leaf),
		NotBefore: leaf.NotBefore,
		NotAfter:  leaf.NotAfter,
		Serial:    leaf.SerialNumber.Text(16),
		Issuer:    outside.Of(leaf.Issuer.CommonName),
		Leaf:      leaf,
	}
	switch leaf.PublicKey.(type) {
	case *ecdsa.PublicKey:
		c.KeyType = "ECDSA"
	case *rsa.PublicKey:
		c.KeyType = "RSA"
	}
	return c, nil
}

// names are those that the certificate is for. A common name may be anything ("Our web server"):
// one that is no name is left out where there are others. What else is none stays, marked, since a
// certificate without it would be another one.
func names(leaf *x509.Certificate) []string {
	var all []string
	if _, ok := outside.Name(leaf.Subject.CommonName); ok || len(leaf.DNSNames)+len(leaf.IPAddresses) == 0 && leaf.Subject.CommonName != "" {
		all = append(all, shown(leaf.Subject.CommonName))
	}
	for _, name := range leaf.DNSNames {
		if name := shown(name); !slices.Contains(all, name) {
			all = append(all, name)
		}
	}
	for _, ip := range leaf.IPAddresses {
		all = append(all, ip.String())
	}
	return all
}

// shown is a name as the certificate has it, its letters as they are; one in Unicode as it is
// ordered; anything else marked.
func shown(arrived string) string {
	name, ok := outside.Name(arrived)
	switch {
	case !ok:
		return outside.Odd("name", arrived)
	case strings.ContainsFunc(arrived, func(r rune) bool { return r > 0x7f }):
		return name
	}
	return strings.TrimSuffix(arrived, ".")
}

func parseChain(text []byte) ([]*x509.Certificate, error) {
	var chain []*x509.Certificate
	for rest := text; ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		if block.Type != "CERTIFICATE" {
			return nil, fmt.Errorf("a PEM block %q among the certificates", block.Type)
		}
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, err
		}
		chain = append(chain, cert)
	}
	if len(chain) == 0 {
		return nil, fmt.Errorf("no certificate in PEM form")
	}
	return chain, nil
}

// Material is a certificate and its key as they came from the CA and from us.
type Material struct {
	Key   []byte // PEM: PKCS #8, PKCS #1 or SEC 1
	Chain []byte // PEM: the certificate, then its issuers
}

// version is the content of the four files of a version, by kind.
type version map[string][]byte

// version checks that certificate and key belong together and cuts the material into certbot's four
// files, each certificate written anew as certbot does.
func (m Material) version() (version, error) {
	if err := matches(m.Chain, m.Key); err != nil {
		return nil, err
	}
	chain, err := parseChain(m.Chain)
	if err != nil {
		return nil, err
	}
	var rest bytes.Buffer
	for _, c := range chain[1:] {
		rest.Write(encodeCertificate(c))
	}
	cert := encodeCertificate(chain[0])
	return version{"cert": cert, "privkey": m.Key, "chain": rest.Bytes(),
		"fullchain": slices.Concat(cert, rest.Bytes())}, nil
}

// keyType is the value of key_type that fits the certificate.
func (v version) keyType() string {
	c, err := ParseCertificate(v["cert"])
	if err != nil {
		return ""
	}
	return strings.ToLower(c.KeyType)
}

func encodeCertificate(c *x509.Certificate) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})
}

// matches tells whether the first certificate of a PEM text is one for this PEM key.
func matches(chain, key []byte) error {
	parsed, err := parseChain(chain)
	if err != nil {
		return err
	}
	return fits(parsed[0], key)
}

func fits(leaf *x509.Certificate, key []byte) error {
	signer, err := parseKey(key)
	if err != nil {
		return err
	}
	public, ok := signer.Public().(interface{ Equal(crypto.PublicKey) bool })
	if !ok || !public.Equal(leaf.PublicKey) {
		return fmt.Errorf("certificate and private key do not belong together")
	}
	return nil
}

// matches is the function of this name for the PEM text that c was read from, most likely, which is
// then not parsed again.
func (c *Certificate) matches(text, key []byte) error {
	block, _ := pem.Decode(text)
	if block == nil || !bytes.Equal(block.Bytes, c.Leaf.Raw) {
		return matches(text, key)
	}
	return fits(c.Leaf, key)
}

func parseKey(text []byte) (crypto.Signer, error) {
	for rest := text; ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			return nil, fmt.Errorf("no private key in PEM form")
		}
		switch block.Type {
		case "PRIVATE KEY":
			key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
			if err != nil {
				return nil, err
			}
			if signer, ok := key.(crypto.Signer); ok {
				return signer, nil
			}
			return nil, fmt.Errorf("a private key that cannot sign")
		case "RSA PRIVATE KEY":
			return x509.ParsePKCS1PrivateKey(block.Bytes)
		case "EC PRIVATE KEY":
			return x509.ParseECPrivateKey(block.Bytes)
		}
	}
}
