package acme

import (
	"crypto/x509"
	"encoding/base64"
)

// RenewalID is the identifier of a certificate in renewal information and in an order's `replaces` (RFC 9773 §4.1): its
// authority key identifier and its serial number, "" for a certificate without the former.
func RenewalID(leaf *x509.Certificate) string {
	if len(leaf.AuthorityKeyId) == 0 || leaf.SerialNumber == nil {
		return ""
	}
	serial := leaf.SerialNumber.Bytes()
	if len(serial) == 0 || serial[0]&0x80 != 0 {
		serial = append([]byte{0}, serial...) // DER integers are signed
	}
	b64 := base64.RawURLEncoding
	return b64.EncodeToString(leaf.AuthorityKeyId) + "." + b64.EncodeToString(serial)
}
