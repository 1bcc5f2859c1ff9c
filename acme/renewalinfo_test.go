package acme_test

import (
	"crypto/x509"
	"math/big"
	"testing"

	"orderly/acme"
)

func TestRenewalIDIsThatOfTheRFC(t *testing.T) {
	// The example of RFC 9773, section 4.1, whose serial number needs a zero byte before it in DER.
	leaf := &x509.Certificate{
		AuthorityKeyId: []byte{0x69, 0x88, 0x5b, 0x6b, 0x87, 0x46, 0x40, 0x41, 0xe1, 0xb3, 0x7b, 0x84, 0x7b, 0xa0, 0xae, 0x2c, 0xde, 0x01, 0xc8, 0xd4},
		SerialNumber:   new(big.Int).SetBytes([]byte{0x87, 0x65, 0x43, 0x21}),
	}
	if got := acme.RenewalID(leaf); got != "aYhba4dGQEHhs3uEe6CuLN4ByNQ.AIdlQyE" {
		t.Errorf("got %s", got)
	}
	leaf.SerialNumber = big.NewInt(0x12)
	if got := acme.RenewalID(leaf); got != "aYhba4dGQEHhs3uEe6CuLN4ByNQ.Eg" {
		t.Errorf("got %s", got)
	}
	leaf.AuthorityKeyId = nil
	if got := acme.RenewalID(leaf); got != "" {
		t.Errorf("got %s", got)
	}
}
