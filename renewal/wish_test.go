package renewal

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"orderly/certbot"
	"orderly/failure"
	"orderly/host"
	"orderly/ledger/memory"
)

// issue makes a certificate that ends at a moment after 90 days.
func issue(t *testing.T, end time.Time, names ...string) certbot.Material {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	sign := func(template, parent *x509.Certificate) []byte {
		template.SerialNumber, template.NotBefore, template.NotAfter = big.NewInt(end.UnixNano()), end.Add(-90*day), end
		der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, key)
		if err != nil {
			t.Fatal(err)
		}
		return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	}
	issuer := &x509.Certificate{Subject: pkix.Name{CommonName: "issuer"}, IsCA: true, BasicConstraintsValid: true, SubjectKeyId: []byte{1}}
	chain := append(sign(&x509.Certificate{DNSNames: names}, issuer), sign(issuer, issuer)...)
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return certbot.Material{Key: pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), Chain: chain}
}

// server is a host with lineages: the name of each, with the names in its certificate.
func server(t *testing.T, end time.Time, lineages map[string][]string) *Server {
	t.Helper()
	dir := t.TempDir()
	s := New(t.Context(), Parts{Clock: host.Clock{}, Ledger: memory.New(), Disk: &certbot.Store{
		Dirs: certbot.Dirs{Config: filepath.Join(dir, "etc"), Work: filepath.Join(dir, "lib"), Logs: filepath.Join(dir, "log")}}})
	for name, names := range lineages {
		_, err := s.Disk.Install(name, issue(t, end, names...), certbot.Params{Authenticator: "webroot", Server: "https://ca.example/dir",
			KeyType: "rsa", RSAKeySize: 4096, PostHook: "post", WebrootPath: []string{"/srv"}})
		if err != nil {
			t.Fatal(err)
		}
	}
	return s
}

// certbot's rules for -n, one row for each case.
func TestWhatAWishComesTo(t *testing.T) {
	t.Parallel()
	fresh, due := noon.Add(80*day), noon.Add(20*day)
	on := map[string][]string{"a.example": {"a.example", "www.a.example"}, "other": {"o.example"}}
	for _, c := range []struct {
		name    string
		end     time.Time
		wish    Wish
		lineage string
		current bool
		needed  bool
		refused string
	}{
		{"the same names, in any order", fresh, Wish{Names: []string{"www.a.example", "a.example"}}, "a.example", true, false, ""},
		{"the same names, due", due, Wish{Names: []string{"a.example", "www.a.example"}}, "a.example", true, true, ""},
		{"the same names, forced", fresh, Wish{Names: []string{"a.example", "www.a.example"}, Renew: true}, "a.example", true, true, ""},
		{"fewer names are a certificate of their own", fresh, Wish{Names: []string{"a.example"}}, "a.example-0001", false, true, ""},
		{"more names, without a word", fresh, Wish{Names: []string{"a.example", "www.a.example", "x.a.example"}}, "", false, false, "portion of the domains"},
		{"more names, expanded", fresh, Wish{Names: []string{"a.example", "www.a.example", "x.a.example"}, Expand: true}, "a.example", true, true, ""},
		{"more names, forced", fresh, Wish{Names: []string{"a.example", "www.a.example", "x.a.example"}, Renew: true}, "a.example", true, true, ""},
		{"other names that overlap", fresh, Wish{Names: []string{"new.example", "a.example"}}, "new.example", false, true, ""},
		{"names nobody has", fresh, Wish{Names: []string{"n.example"}}, "n.example", false, true, ""},
		{"a name that is taken by a lineage with other names", fresh, Wish{Names: []string{"other", "n.example"}}, "other-0001", false, true, ""},
		{"--cert-name, the same names", fresh, Wish{CertName: "a.example", Names: []string{"WWW.a.example", "a.example"}}, "a.example", true, false, ""},
		{"--cert-name, other names", fresh, Wish{CertName: "a.example", Names: []string{"z.example"}}, "a.example", true, true, ""},
		{"--cert-name, a new one", fresh, Wish{CertName: "mine", Names: []string{"a.example", "www.a.example"}}, "mine", false, true, ""},
		{"--cert-name, due", due, Wish{CertName: "other", Names: []string{"o.example"}}, "other", true, true, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			d, err := server(t, c.end, on).decide(c.wish, noon)
			if c.refused != "" {
				if failure.ClassOf(err) != failure.Config || !strings.Contains(err.Error(), c.refused) {
					t.Errorf("error %v", err)
				}
				return
			}
			if err != nil || d.Lineage != c.lineage || (d.Current != nil) != c.current || d.Needed != c.needed || d.Needed && d.Why == "" {
				t.Errorf("%+v, %v", d, err)
			}
		})
	}
}

func TestTheRequestOfAWish(t *testing.T) {
	t.Parallel()
	s := server(t, noon.Add(20*day), map[string][]string{"a.example": {"a.example"}})
	w := Wish{Said: host.Said{Webroots: map[string]string{"a.example": "/srv"}, Server: "https://ca.example/dir"}, Names: []string{"a.example"}}
	d, err := s.decide(w, noon)
	if err != nil {
		t.Fatal(err)
	}
	request := func(d Decision) host.Request {
		t.Helper()
		r, err := w.request(d, "id")
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	if r := request(d); r.KeyType != "rsa" || r.RSABits != 4096 || r.Hooks.Post != "post" || r.New || r.Account != "id" {
		t.Errorf("an existing lineage keeps its kind of key and its hooks: %+v", r)
	}
	w.Choice.KeyType = host.Say("rsa") // the file says so already, but the certificate is another
	if _, err := s.decide(w, noon); failure.ClassOf(err) != failure.Config || !strings.Contains(err.Error(), "from ECDSA to RSA") {
		t.Errorf("another kind of key without --cert-name: %v", err)
	}
	w.CertName, w.Choice.KeyType = "a.example", host.Say("ecdsa")
	if r := request(d); r.KeyType != "ecdsa" || r.RSABits != 0 {
		t.Errorf("another kind is asked for: %+v", r)
	}
	w.Choice.KeyType = host.Value[string]{}
	if r := request(Decision{Lineage: "n"}); r.KeyType != "ecdsa" || !r.New {
		t.Errorf("a new lineage: %+v", r)
	}
}
