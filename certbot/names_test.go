package certbot_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"slices"
	"testing"
	"time"

	"orderly/certbot"
	"orderly/failure"
)

// A certificate may say anything of itself. What is no name is not ordered, and not shown as it stands there.
func TestWhatIsNoNameIsNotOrdered(t *testing.T) {
	for _, c := range []struct {
		common    string
		names     []string
		addresses []net.IP
		want      []string
		orderable bool
	}{
		{"a.example", []string{"a.example", "b.example"}, nil, []string{"a.example", "b.example"}, true},
		{"Our web server", []string{"a.example"}, nil, []string{"a.example"}, true},
		{"\x1b[2Jevil", []string{"a.example"}, nil, []string{"a.example"}, true},
		{"Appliance 7", nil, []net.IP{net.IPv4(192, 0, 2, 1)}, []string{"192.0.2.1"}, true},
		{"A.Example", nil, nil, []string{"A.Example"}, true},
		{"bücher.example", []string{"xn--bcher-kva.example"}, nil, []string{"xn--bcher-kva.example"}, true},
		{"\u212a.example", nil, nil, []string{"k.example"}, true}, // a Kelvin sign, which folds to k
		{"Our\x1b server", nil, nil, []string{`not a name: "Our\x1b server"`}, false},
		{"a.example", []string{"a.example", "\x1b[2Jb.example"}, nil, []string{"a.example", `not a name: "\x1b[2Jb.example"`}, false},
		{"", nil, nil, nil, false},
	} {
		got, err := certbot.ParseCertificate(selfSigned(t, c.common, c.names, c.addresses))
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(got.Names, c.want) {
			t.Errorf("%q, %q: names %q, not %q", c.common, c.names, got.Names, c.want)
		}
		l := &certbot.Lineage{Name: "x", Certificate: got}
		if err := l.Orderable(); (err == nil) != c.orderable || err != nil && failure.ClassOf(err) != failure.BadName {
			t.Errorf("%q, %q: %v", c.common, c.names, err)
		}
	}
}

func selfSigned(t *testing.T, common string, names []string, addresses []net.IP) []byte {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	leaf := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: common}, DNSNames: names, IPAddresses: addresses,
		NotBefore: time.Now(), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, leaf, leaf, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}
