package doctor_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"orderly/acme"
	"orderly/doctor"
	"orderly/failure"
)

// issuer is a CA that publishes what it has revoked.
type issuer struct {
	t    *testing.T
	key  *ecdsa.PrivateKey
	cert *x509.Certificate
	web  *httptest.Server
	list []byte // what is served; nil for an error
	asks int
}

func newIssuer(t *testing.T, name string) *issuer {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	i := &issuer{t: t, key: key}
	i.cert = i.sign(&x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name},
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCRLSign | x509.KeyUsageCertSign,
		SubjectKeyId: []byte(name)}, nil, key)
	i.web = httptest.NewServer(http.HandlerFunc(func(to http.ResponseWriter, _ *http.Request) {
		if i.asks++; i.list == nil {
			to.WriteHeader(http.StatusForbidden)
		}
		_, _ = to.Write(i.list)
	}))
	t.Cleanup(i.web.Close)
	return i
}

func (i *issuer) sign(c, parent *x509.Certificate, key *ecdsa.PrivateKey) *x509.Certificate {
	c.NotBefore, c.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(60*24*time.Hour)
	if parent == nil {
		parent = c
	}
	der, err := x509.CreateCertificate(rand.Reader, c, parent, &key.PublicKey, i.key)
	if err == nil {
		c, err = x509.ParseCertificate(der)
	}
	if err != nil {
		i.t.Fatal(err)
	}
	return c
}

// issue puts a certificate of this CA's into a lineage's archive.
func (i *issuer) issue(p *place, lineage string, serial int64) {
	i.t.Helper()
	if err := p.at(lineage).Healthy(); err != nil {
		i.t.Fatal(err)
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		i.t.Fatal(err)
	}
	leaf := i.sign(&x509.Certificate{SerialNumber: big.NewInt(serial), DNSNames: []string{lineage},
		CRLDistributionPoints: []string{i.web.URL}}, i.cert, key)
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		i.t.Fatal(err)
	}
	block := func(kind string, der []byte) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
	}
	cert, chain := block("CERTIFICATE", leaf.Raw), block("CERTIFICATE", i.cert.Raw)
	for name, text := range map[string]string{"cert2": cert, "chain2": chain, "fullchain2": cert + chain,
		"privkey2": block("PRIVATE KEY", pkcs8)} {
		file := filepath.Join(p.dir, "etc/archive", lineage, name+".pem")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			i.t.Fatal(err)
		}
	}
}

// revoke makes the list that by signs.
func (i *issuer) revoke(by *issuer, reason int, serials ...int64) {
	i.t.Helper()
	i.revokeUntil(time.Hour, by, reason, serials...)
}

// revokeUntil makes one that another is to replace in some time.
func (i *issuer) revokeUntil(end time.Duration, by *issuer, reason int, serials ...int64) {
	i.t.Helper()
	now := time.Now()
	list := &x509.RevocationList{Number: big.NewInt(1), ThisUpdate: now.Add(end - time.Hour), NextUpdate: now.Add(end)}
	for _, serial := range serials {
		list.RevokedCertificateEntries = append(list.RevokedCertificateEntries, x509.RevocationListEntry{
			SerialNumber: big.NewInt(serial), RevocationTime: time.Now().Add(-time.Hour), ReasonCode: reason})
	}
	var err error
	if i.list, err = x509.CreateRevocationList(rand.Reader, list, by.cert, by.key); err != nil {
		i.t.Fatal(err)
	}
}

// askCAs looks with the CAs' word; CAs themselves cannot be reached.
func (p *place) askCAs() (all []string, said string) {
	p.t.Helper()
	r, err := doctor.Examine(p.t.Context(), doctor.Host{Disk: p.disk(), Ledger: p.store, Root: p.dir,
		Now: func() time.Time { return p.now }, Tell: p.t.Logf, Authority: &doctor.Authority{
			HTTP: &http.Client{Transport: http.DefaultTransport},
			Client: func(string) (*acme.Client, error) {
				return nil, failure.New(failure.Usage, "", "there is none")
			}}},
		doctor.Wanted{Needs: []doctor.Needs{doctor.Authorities}})
	if err != nil {
		p.t.Fatal(err)
	}
	for _, f := range r.Findings {
		if f.ID == "D50" {
			all = append(all, fmt.Sprintf("%s %s", f.Lineage, f.Severity))
			said += f.Sentence + " " + string(f.Remedy) + "\n"
		}
	}
	return all, said
}

// A certificate that is on its issuer's list was revoked, whoever did it; each list is fetched once.
// One that another signed accuses nobody, and one that cannot be had is told and accuses nobody.
func TestWhatIsOnTheListsOfItsIssuerWasRevoked(t *testing.T) {
	ca, other := newIssuer(t, "one"), newIssuer(t, "other")
	p := newPlace(t)
	ca.issue(p, "a.example", 0x8001) // with a sign bit, which is padded in some encodings
	ca.issue(p, "b.example", 77)
	ca.issue(p, "c.example", 78)
	for _, c := range []struct {
		list  func()
		want  string
		words string
	}{
		{func() { ca.revoke(ca, 0, 5, 6) }, "", ""},
		{func() { ca.revoke(ca, 1, 0x8001, 5) }, "a.example fails", "its key was compromised"},
		{func() { ca.revoke(ca, 4, 77, 78) }, "b.example fails, c.example fails", "superseded"},
		{func() { ca.revoke(other, 1, 77, 78) }, " note", "not signed by the issuer"},
		{func() { ca.revoke(other, 1) }, " note", "not signed by the issuer"},
		{func() { ca.revokeUntil(-2*time.Hour, ca, 1) }, " note", "it is an old one"},
		{func() { ca.revokeUntil(-2*time.Hour, ca, 1, 77) }, "b.example fails,  note", "whether 2 certificates"},
		{func() { ca.list = []byte("<html>busy</html>") }, " note", "no list of revoked"},
		{func() { ca.list = nil }, " note", "status 403"},
	} {
		c.list()
		ca.asks = 0
		all, said := p.askCAs()
		if got := strings.Join(all, ", "); got != c.want || !strings.Contains(said, c.words) {
			t.Errorf("%q, not %q: %s", got, c.want, said)
		}
		if ca.asks != 1 {
			t.Errorf("fetched %d times", ca.asks)
		}
	}
	ca.revoke(ca, 1, 0x8001)
	if all, _ := p.asOf(61 * 24 * time.Hour).askCAs(); len(all) > 0 || ca.asks != 1 {
		t.Errorf("of one that has ended: %q, asked %d times", all, ca.asks-1)
	}
}

// asOf is the place some time later.
func (p *place) asOf(later time.Duration) *place {
	after := *p
	after.now = p.now.Add(later)
	return &after
}
