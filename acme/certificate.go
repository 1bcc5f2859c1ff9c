package acme

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"strings"

	"orderly/outside"
)

// What CAs serve as a certificate is read as widely as certbot reads it; whether it is the right
// one is asked elsewhere (order.Asked).

// alternatesKept bounds how many further requests a CA can talk a client into.
const alternatesKept = 16

// Chain is a certificate with its intermediates (RFC 8555 §7.4.2).
type Chain struct {
	Reply
	PEM []byte // exactly as the CA served it
	// URLs of other chains for the same certificate, in the CA's order; at most 16
	Alternates []string
}

// Certificate downloads a chain with one POST-as-GET: an order's Certificate, or one of a Chain's
// Alternates. That there is a PEM certificate in it is checked; what else is, and whether it is the
// right one, is the caller's to say. An alternate of another origin is a NotSent: the default chain
// is good without it.
func (a *Account) Certificate(ctx context.Context, url string) (Chain, error) {
	got, err := a.post(ctx, KindCertificate, url, nil)
	if err != nil {
		return Chain{}, err
	}
	if !hasCertificate(PlainPEM(got.body)) {
		return Chain{}, got.lost(errors.New("it is no PEM certificate chain"))
	}
	alternates := got.links("alternate")
	return Chain{Reply: got.Reply, PEM: got.body,
		Alternates: alternates[:min(len(alternates), alternatesKept)]}, nil
}

// PlainPEM is a PEM text in the form that pem.Decode reads: CAs were seen to put a byte order mark
// before it, blanks before its lines, no line's end between two blocks, or carriage returns alone.
// Certbot, which looks for the blocks wherever they stand, takes all of these.
func PlainPEM(text []byte) []byte {
	text = bytes.TrimPrefix(text, byteOrderMark)
	text = bytes.ReplaceAll(bytes.ReplaceAll(text, []byte("\r\n"), []byte("\n")), []byte("\r"),
		[]byte("\n"))
	text = bytes.ReplaceAll(text, []byte("----------BEGIN "), []byte("-----\n-----BEGIN "))
	lines := bytes.Split(text, []byte("\n"))
	for i, line := range lines {
		lines[i] = bytes.TrimSpace(line)
	}
	return bytes.Join(lines, []byte("\n"))
}

// hasCertificate reports whether a text has a certificate in it: CAs were seen to put other blocks
// before it.
func hasCertificate(text []byte) bool {
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		if strings.HasSuffix(block.Type, "CERTIFICATE") {
			return true
		}
	}
	return false
}

// PreferredChain picks the first chain whose topmost certificate was issued by this common name, as
// certbot's --preferred-chain does: to the letter, case included. Where none was, it is the first,
// the CA's default, and not matched.
func PreferredChain(chains []Chain, issuer string) (index int, matched bool) {
	for i, c := range chains {
		if issuer != "" && c.TopIssuer().Is(issuer) {
			return i, true
		}
	}
	return 0, false
}

// TopIssuer is the common name of the issuer of the chain's last certificate: a root's, as a rule.
// It is "" where there is none or the certificate cannot be read.
func (c Chain) TopIssuer() outside.Text {
	var last *pem.Block
	for rest := c.PEM; ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		if block.Type == "CERTIFICATE" {
			last = block
		}
	}
	if last == nil {
		return outside.Text{}
	}
	top, err := x509.ParseCertificate(last.Bytes)
	if err != nil {
		return outside.Text{}
	}
	// Issuer.CommonName would be the last of several, certbot takes the first
	for _, attribute := range top.Issuer.Names {
		if name, ok := attribute.Value.(string); ok && attribute.Type.Equal(commonName()) {
			return outside.Of(name)
		}
	}
	return outside.Text{}
}

// commonName is the attribute type id-at-commonName (RFC 5280 A.1).
func commonName() asn1.ObjectIdentifier { return asn1.ObjectIdentifier{2, 5, 4, 3} }
