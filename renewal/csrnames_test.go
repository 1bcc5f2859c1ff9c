package renewal_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"orderly/failure"
	"orderly/outside"
	"orderly/renewal"
)

// A CA refuses a CSR whose common name is not among the order's names, when the order is made and
// ready.
func TestACSRsNamesAreNames(t *testing.T) {
	t.Parallel()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for common, want := range map[string][]string{
		"": {"a.example"}, "A.example": {"a.example"}, "b.example": {"a.example", "b.example"}, "Our web server": nil, "\x1b[2Jevil": nil,
	} {
		der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{Subject: pkix.Name{CommonName: common}, DNSNames: []string{"a.example"}}, key)
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(t.TempDir(), "csr")
		if err := os.WriteFile(path, der, 0o600); err != nil {
			t.Fatal(err)
		}
		_, names, err := renewal.ReadCSR(path)
		switch {
		case want == nil && (failure.ClassOf(err) != failure.BadName || strings.ContainsFunc(strings.TrimPrefix(err.Error(), string(failure.Do(failure.RequestFile, path))), outside.Unprintable)):
			t.Errorf("%q: %v", common, err)
		case want != nil && (err != nil || !slices.Equal(names, want)):
			t.Errorf("%q: %q, %v", common, names, err)
		}
	}
}
