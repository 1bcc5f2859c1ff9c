package e2e_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"orderly/testca"
)

// first reads the first certificate of a file.
func (h *host) first(path string) *x509.Certificate {
	h.t.Helper()
	block, _ := pem.Decode([]byte(h.read(path)))
	if block == nil {
		h.t.Fatalf("%s has no certificate", path)
	}
	leaf, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		h.t.Fatal(err)
	}
	return leaf
}

func (h *host) live(lineage, file string) string {
	return filepath.Join(h.config, "live", lineage, file)
}

func (h *host) settings(lineage string) string {
	h.t.Helper()
	return h.read(filepath.Join(h.config, "renewal", lineage+".conf"))
}

// A person's own CSR gets a certificate beside all lineages; killed in between, it still does.
func TestACertificateForAPersonsOwnCSR(t *testing.T) {
	t.Parallel()
	w := newWorld(t, testca.Config{})
	h := w.host("one")
	names := someNames(2)
	root := w.site(names...)
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{DNSNames: names}, key)
	if err != nil {
		t.Fatal(err)
	}
	csr, out := filepath.Join(h.dir, "my.csr"), filepath.Join(h.dir, "full.pem")
	w.write(csr, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der})))
	command := append(h.certonly(root), "--csr", csr, "--fullchain-path", out, "--cert-path", filepath.Join(h.dir, "cert.pem"), "--chain-path", filepath.Join(h.dir, "chain.pem"))
	h.interrupt(point{"finalize", 1, true}, 9, command...)
	r := h.orderly(command...)
	if r.code != 0 || !strings.Contains(r.stdout, "Full certificate chain is saved at: "+out) {
		t.Fatalf("%s", r)
	}
	if leaf := h.first(out); !key.PublicKey.Equal(leaf.PublicKey) || len(leaf.DNSNames) != 2 {
		t.Errorf("the certificate is for %T, %v", leaf.PublicKey, leaf.DNSNames)
	}
	whole := h.read(filepath.Join(h.dir, "cert.pem")) + h.read(filepath.Join(h.dir, "chain.pem"))
	if !bytes.Equal([]byte(strings.ReplaceAll(whole, "\n", "")), []byte(strings.ReplaceAll(h.read(out), "\n", ""))) {
		t.Error("the three files do not belong together")
	}
	if _, err := os.Stat(filepath.Join(h.config, "live", names[0])); err == nil {
		t.Error("a lineage was made")
	}
	if truth := w.ca.Truth(); len(truth.Issued) != 1 || truth.Pending() != 0 || len(h.pending()) != 0 {
		t.Errorf("%d issued, %d pending", len(truth.Issued), truth.Pending())
	}
	before := w.requests("")
	if r = h.orderly(command...); r.code != 1 || !strings.Contains(r.stderr, "exists already") || w.requests("new-order") != 1 {
		t.Errorf("%d requests: %s", w.requests("")-before, r)
	}
	r = h.orderly(append(h.certonly(root, "other.example.com"), "--csr", csr)...)
	if r.code != 1 || !strings.Contains(r.stderr, "Inconsistent domain requests") {
		t.Errorf("%s", r)
	}
}

// A killed run must not keep a person from another key: the old one may be known to others.
func TestAnotherKeyAfterAKill(t *testing.T) {
	t.Parallel()
	for _, at := range []point{{"finalize", 1, false}, {"finalize", 1, true}} {
		w := newWorld(t, testca.Config{})
		h := w.host("one")
		command := append(h.certonly(w.site("a.example.com"), "a.example.com"), "--reuse-key")
		h.must(command...)
		key := h.read(h.live("a.example.com", "privkey.pem"))
		h.interrupt(at, 9, append([]string{"renew", "--force-renewal"}, []string{}...)...)
		h.must("renew", "--force-renewal", "--cert-name", "a.example.com", "--new-key")
		if h.read(h.live("a.example.com", "privkey.pem")) == key {
			t.Errorf("%s: the key is the old one", at)
		}
		h.goodPair("a.example.com", "a.example.com")
		if truth := w.ca.Truth(); truth.Pending() != 0 || len(h.pending()) != 0 {
			t.Errorf("%s: %d pending", at, truth.Pending())
		}
	}
}
