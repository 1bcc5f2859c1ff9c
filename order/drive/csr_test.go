package drive_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"testing"

	"orderly/ledger"
	"orderly/testca"
)

// csr is a person's own, or a downstream client's, for a key of its own.
func csr(t *testing.T, names ...string) (der []byte, key *ecdsa.PrivateKey) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	der, err = x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{DNSNames: names}, key)
	must(t, err)
	return der, key
}

// wantKey wants that an order's certificate is for a key.
func wantKey(t *testing.T, o *ledger.Order, key *ecdsa.PrivateKey) {
	t.Helper()
	block, _ := pem.Decode(o.Chain)
	if block == nil {
		t.Fatalf("order %d has no certificate: %s", o.ID, o.State)
	}
	leaf, err := x509.ParseCertificate(block.Bytes)
	must(t, err)
	if !key.PublicKey.Equal(leaf.PublicKey) {
		t.Errorf("order %d: the certificate is for another key", o.ID)
	}
}

// As long as the first CSR was not sent, the order is as good for another one.
func TestAnotherCSRBeforeFinalizeIsForTheSameOrder(t *testing.T) {
	for _, kind := range []string{"challenge", "authorization"} {
		t.Run(kind, func(t *testing.T) {
			w := newWorld(t, testca.Config{Reuse: true})
			r := request("a.example", "a.example", "b.example")
			r.KeyType = ""
			r.CSR, _ = csr(t, r.Names...)
			w.dieAt(r, kind, 1, true)
			var key *ecdsa.PrivateKey
			r.CSR, key = csr(t, r.Names...)
			out := w.get(r)
			wantKey(t, out.Order, key)
			w.once(r)
			if n := len(w.orders("a.example")); n != 1 {
				t.Errorf("%d rows: %s", n, w.states("a.example"))
			}
		})
	}
}

// Once it was sent, its certificate may come, and the other CSR is another order's.
func TestAnotherCSRAfterFinalizeIsForAnotherOrder(t *testing.T) {
	w := newWorld(t, testca.Config{AuthzReuse: true})
	r := request("a.example", "a.example")
	r.KeyType = ""
	var first, second *ecdsa.PrivateKey
	r.CSR, first = csr(t, r.Names...)
	w.dieAt(r, "finalize", 1, true)
	r.CSR, second = csr(t, r.Names...)
	w.get(r)
	orders, truth := w.orders("a.example"), w.ca.Truth()
	if len(orders) != 2 || len(truth.Issued) != 2 || truth.Pending() != 0 {
		w.explain()
		t.Fatalf("%s; %d certificates, %d pending", w.states("a.example"), len(truth.Issued), truth.Pending())
	}
	wantKey(t, orders[0], first)
	wantKey(t, orders[1], second)
}
