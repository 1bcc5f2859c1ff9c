package acme_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"orderly/acme"
	"orderly/failure"
)

// newCertificate is a self-signed certificate for a host, valid now, changed as a test wants.
func newCertificate(t *testing.T, host string, change ...func(*x509.Certificate)) (tls.Certificate, *x509.Certificate) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: "test of " + t.Name()},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	if ip := net.ParseIP(host); ip != nil {
		template.IPAddresses = []net.IP{ip}
	} else {
		template.DNSNames = []string{host}
	}
	for _, f := range change {
		f(template)
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, parsed
}

// bundle writes certificates into a PEM file.
func bundle(t *testing.T, certificates ...*x509.Certificate) string {
	t.Helper()
	var data []byte
	for _, c := range certificates {
		data = append(data, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})...)
	}
	path := filepath.Join(t.TempDir(), "roots.pem")
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func environment(pairs map[string]string) func(string) string {
	return func(name string) string { return pairs[name] }
}

func serverWith(t *testing.T, certificate tls.Certificate) *httptest.Server {
	t.Helper()
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	s.EnableHTTP2 = true
	s.TLS = &tls.Config{Certificates: []tls.Certificate{certificate}}
	s.Config.ErrorLog = quiet()
	s.StartTLS()
	t.Cleanup(s.Close)
	return s
}

// TestRootsFromTheEnvironmentAreTrusted also holds that naming one bundle takes nothing away from the other.
func TestRootsFromTheEnvironmentAreTrusted(t *testing.T) {
	served, root := newCertificate(t, "127.0.0.1")
	_, another := newCertificate(t, "127.0.0.1")
	s := serverWith(t, served)
	for name, pairs := range map[string]map[string]string{
		"SSL_CERT_FILE":      {"SSL_CERT_FILE": bundle(t, root)},
		"REQUESTS_CA_BUNDLE": {"REQUESTS_CA_BUNDLE": bundle(t, root)},
		"one of both":        {"SSL_CERT_FILE": bundle(t, root), "REQUESTS_CA_BUNDLE": bundle(t, another)},
		"the other of both":  {"SSL_CERT_FILE": bundle(t, another), "REQUESTS_CA_BUNDLE": bundle(t, another, root)},
	} {
		hc, err := acme.HTTPClient(environment(pairs))
		if err != nil {
			t.Fatal(err)
		}
		resp, err := hc.Get(s.URL)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		resp.Body.Close()
		if resp.ProtoMajor != 2 {
			t.Errorf("%s: spoke %s", name, resp.Proto)
		}
		hc.CloseIdleConnections()
	}
}

// TestTheSystemsRootsStayBesideTheNamedOnes has Go take the server's root for the system's only one.
func TestTheSystemsRootsStayBesideTheNamedOnes(t *testing.T) {
	served, root := newCertificate(t, "127.0.0.1")
	_, named := newCertificate(t, "127.0.0.1")
	s := serverWith(t, served)
	if os.Getenv("ACME_TEST_SYSTEM_ROOTS") == "" {
		// The system's roots are read once in a process, so that this test needs one of its own.
		runAgain(t, "ACME_TEST_SYSTEM_ROOTS=1")
		return
	}
	t.Setenv("SSL_CERT_FILE", bundle(t, root))
	t.Setenv("SSL_CERT_DIR", t.TempDir())
	for _, pairs := range []map[string]string{{"REQUESTS_CA_BUNDLE": bundle(t, named)}, {}} {
		hc, err := acme.HTTPClient(environment(pairs))
		if err != nil {
			t.Fatal(err)
		}
		for range 2 { // the second goes straight to all roots
			resp, err := hc.Get(s.URL)
			if err != nil {
				t.Fatalf("%v: %v", pairs, err)
			}
			resp.Body.Close()
			hc.CloseIdleConnections()
		}
	}
}

// TestSSLCertFileReplacesNothing holds against Go, which reads SSL_CERT_FILE instead of the system's bundle.
func TestSSLCertFileReplacesNothing(t *testing.T) {
	if os.Getenv("ACME_TEST_REPLACED_ROOTS") == "" {
		runAgain(t, "ACME_TEST_REPLACED_ROOTS=1")
		return
	}
	_, root := newCertificate(t, "127.0.0.1")
	path := bundle(t, root)
	t.Setenv("SSL_CERT_FILE", path)
	t.Setenv("SSL_CERT_DIR", t.TempDir())
	_, another := newCertificate(t, "127.0.0.1") // as REQUESTS_CA_BUNDLE names it, which Go does not read
	var named [][]byte
	for _, path := range []string{path, bundle(t, another)} {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		named = append(named, data)
	}
	want := x509.NewCertPool()
	for _, data := range append(acme.SystemBundle(), named...) {
		want.AppendCertsFromPEM(data)
	}
	if got := acme.EveryRoot(named); !got.Equal(want) {
		t.Error("the roots are not the system's and the named ones")
	}
}

func TestNoWrongCertificateIsAccepted(t *testing.T) {
	_, trusted := newCertificate(t, "127.0.0.1")
	for name, c := range map[string]struct {
		host   string
		change func(*x509.Certificate)
		known  bool
	}{
		"unknown root":        {"127.0.0.1", func(*x509.Certificate) {}, false},
		"another address":     {"127.0.0.2", func(*x509.Certificate) {}, true},
		"a name, no address":  {"localhost", func(*x509.Certificate) {}, true},
		"expired":             {"127.0.0.1", func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Minute) }, true},
		"not yet valid":       {"127.0.0.1", func(c *x509.Certificate) { c.NotBefore = time.Now().Add(time.Minute) }, true},
		"for clients":         {"127.0.0.1", func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth} }, true},
		"nobody in it at all": {"127.0.0.1", func(c *x509.Certificate) { c.IPAddresses = nil }, true},
	} {
		served, root := newCertificate(t, c.host, c.change)
		if !c.known {
			root = trusted
		}
		s := serverWith(t, served)
		hc, err := acme.HTTPClient(environment(map[string]string{"SSL_CERT_FILE": bundle(t, trusted, root)}))
		if err != nil {
			t.Fatal(err)
		}
		if resp, err := hc.Get(s.URL); err == nil {
			resp.Body.Close()
			t.Errorf("%s: accepted", name)
		} else if !strings.Contains(err.Error(), "x509") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestACertificateThatIsNotAcceptedComesWithARemedy(t *testing.T) {
	elsewhere, elsewhereRoot := newCertificate(t, "ca.invalid")
	expired, expiredRoot := newCertificate(t, "127.0.0.1", func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Minute) })
	unknown, _ := newCertificate(t, "127.0.0.1")
	_, another := newCertificate(t, "127.0.0.1")
	for remedy, c := range map[string]struct {
		served tls.Certificate
		root   *x509.Certificate
	}{
		"SSL_CERT_FILE":      {unknown, another},
		"REQUESTS_CA_BUNDLE": {unknown, another},
		"no " + string(failure.Do(failure.Unverified)): {unknown, another},
		"host name": {elsewhere, elsewhereRoot},
		"clock":     {expired, expiredRoot},
	} {
		s := serverWith(t, c.served)
		ours, err := acme.HTTPClient(environment(map[string]string{"SSL_CERT_FILE": bundle(t, c.root)}))
		if err != nil {
			t.Fatal(err)
		}
		roots := x509.NewCertPool()
		roots.AddCert(c.root)
		plain := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}} // as through a proxy
		for _, hc := range []*http.Client{ours, plain} {
			client, err := acme.New(s.URL+"/directory", acme.Options{HTTP: hc})
			if err != nil {
				t.Fatal(err)
			}
			_, err = client.Directory(t.Context())
			order := second(newOrder(t.Context(), client.Account(nil, s.URL+"/1")))
			for _, err := range []error{err, order} {
				if !isA[*acme.NotSent](err) || !isA[*tls.CertificateVerificationError](err) || failure.ClassOf(err) != failure.CAUnreachable ||
					!strings.Contains(string(failure.RemedyOf(err)), remedy) || !strings.Contains(err.Error(), strings.TrimPrefix(s.URL, "https://")) {
					t.Errorf("%s: %v (%s)", remedy, err, failure.RemedyOf(err))
				}
			}
		}
	}
}

func TestABundleThatCannotBeUsedIsNamed(t *testing.T) {
	directory := t.TempDir()
	empty := filepath.Join(directory, "empty.pem")
	if err := os.WriteFile(empty, []byte("no certificate here\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, variable := range []string{"SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"} {
		for _, path := range []string{filepath.Join(directory, "missing.pem"), empty, directory} {
			_, err := acme.HTTPClient(environment(map[string]string{variable: path}))
			if failure.ClassOf(err) != failure.Config || !strings.Contains(err.Error(), variable) || !strings.Contains(err.Error(), path) {
				t.Errorf("%s=%s: %v", variable, path, err)
			}
			if string(failure.RemedyOf(err)) != "Correct or unset "+variable+"." {
				t.Errorf("remedy %q", failure.RemedyOf(err))
			}
		}
	}
}

// Where each request has a connection of its own, those that hang keep no other from its answer.
func TestRequestsThatHangLeaveConnectionsForOthers(t *testing.T) {
	t.Parallel()
	release, hung := make(chan struct{}), make(chan struct{}, 200)
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/hang" {
			hung <- struct{}{}
			<-release
		}
	}))
	s.StartTLS()
	defer s.Close()
	hc, err := acme.HTTPClient(environment(map[string]string{"SSL_CERT_FILE": bundle(t, s.Certificate())}))
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	for range cap(hung) {
		all.Go(func() {
			if resp, err := hc.Get(s.URL + "/hang"); err == nil {
				resp.Body.Close()
			}
		})
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	there := 0
	for ctx.Err() == nil && there < cap(hung) {
		select {
		case <-hung:
			there++
		case <-ctx.Done():
			t.Errorf("%d that hang have all connections there are", there)
		}
	}
	close(release)
	all.Wait()
}
