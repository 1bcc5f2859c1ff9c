package testca_test

import (
	"crypto/x509"
	"encoding/asn1"
	"encoding/base64"
	"encoding/pem"
	"testing"
	"time"
)

type leaf struct {
	lifetime time.Duration
	certID   string // RFC 9773 §4.1
}

func leafOf(t *testing.T, chain string) leaf {
	t.Helper()
	block, _ := pem.Decode([]byte(chain))
	if block == nil {
		t.Fatalf("no certificate in %q", chain)
	}
	certificate, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	der, err := asn1.Marshal(certificate.SerialNumber)
	if err != nil {
		t.Fatal(err)
	}
	encode := base64.RawURLEncoding.EncodeToString
	return leaf{
		lifetime: certificate.NotAfter.Sub(certificate.NotBefore) + time.Second,
		certID:   encode(certificate.AuthorityKeyId) + "." + encode(der[2:]),
	}
}
