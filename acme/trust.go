package acme

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net/url"
	"os"
	"runtime"
	"sync"
	"sync/atomic"

	"orderly/failure"
)

// Loading all of a system's roots takes longer than all else that a renewal computes, and is seldom
// needed.

// trust holds the TLS roots in two pools: a quick one that often suffices, and all of them. Each is
// loaded at most once.
type trust struct {
	// the quick pool did not verify what all roots verified: it is not tried again
	quickFails atomic.Bool
	few, all   func() *x509.CertPool
}

// quick is the pool to try first, or nil once it was found not to suffice.
func (t *trust) quick() *x509.CertPool {
	if t.quickFails.Load() {
		return nil
	}
	return t.few()
}

// newTrust reads the files that the environment names. The quick pool is what stands in them or,
// without them, the system's bundle file alone: Go reads every file in /etc/ssl/certs beside it,
// which takes five times as long.
func newTrust(getenv func(string) string) (*trust, error) {
	var named [][]byte
	pool := x509.NewCertPool()
	for _, variable := range []string{"SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"} {
		path := getenv(variable)
		if path == "" {
			continue
		}
		data, err := addBundle(pool, variable, path)
		if err != nil {
			return nil, err
		}
		named = append(named, data)
	}
	t := &trust{all: sync.OnceValue(func() *x509.CertPool { return everyRoot(named) })}
	t.few = func() *x509.CertPool { return pool }
	if len(named) == 0 {
		t.few = sync.OnceValue(func() *x509.CertPool { return poolOf(pool, systemBundle()) })
	}
	return t, nil
}

func addBundle(pool *x509.CertPool, variable, path string) ([]byte, error) {
	remedy := failure.Remedy("Correct or unset " + variable + ".")
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, failure.Wrap(err, failure.Config, remedy, "the TLS roots that %s names cannot be read", variable)
	}
	if !pool.AppendCertsFromPEM(data) {
		return nil, failure.New(failure.Config, remedy, "the file %s that %s names holds no PEM certificate", failure.Clean(path), variable)
	}
	return data, nil
}

// everyRoot is what Go takes for the system's roots, with the named files added. Go lets
// SSL_CERT_FILE replace the system's bundle, so that is added too: a private CA's root in the
// environment must not cut off the public ones.
func everyRoot(named [][]byte) *x509.CertPool {
	roots, err := x509.SystemCertPool()
	if err != nil {
		roots = x509.NewCertPool() // a system without roots, where the named ones may still do
	}
	if len(named) > 0 {
		roots = poolOf(roots, systemBundle())
	}
	return poolOf(roots, named)
}

func poolOf(pool *x509.CertPool, bundles [][]byte) *x509.CertPool {
	for _, data := range bundles {
		pool.AppendCertsFromPEM(data)
	}
	return pool
}

// systemBundle is the first of the files where Go looks for the system's roots (crypto/x509,
// root_linux.go, root_bsd.go).
func systemBundle() [][]byte {
	paths := []string{
		"/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt",
		"/etc/ssl/ca-bundle.pem", "/etc/pki/tls/cacert.pem",
		"/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem", "/etc/ssl/cert.pem",
	}
	if runtime.GOOS != "linux" {
		paths = []string{
			"/usr/local/etc/ssl/cert.pem", "/etc/ssl/cert.pem",
			"/usr/local/share/certs/ca-root-nss.crt", "/etc/openssl/certs/ca-certificates.crt",
		}
	}
	for _, path := range paths {
		if data, err := os.ReadFile(path); err == nil {
			return [][]byte{data}
		}
	}
	return nil
}

// distrusted gives the refusal of a server's certificate its sentence and its remedy; any other
// error stays as it is. The class is that of a CA that cannot be reached, since nothing tells a
// private CA from a captive portal.
func distrusted(target string, err error) error {
	refusal, ok := errors.AsType[*tls.CertificateVerificationError](err)
	if !ok {
		return err
	}
	host := target
	if u, err := url.Parse(target); err == nil {
		host = u.Host
	}
	return failure.Wrap(harmless{refusal}, failure.CAUnreachable, trustRemedy(refusal),
		"the TLS certificate of %s is not accepted", failure.Clean(host))
}

// harmless is an error whose text quotes a certificate, and so whoever made it.
type harmless struct{ error }

func (h harmless) Error() string { return failure.Clean(h.error.Error()) }

func (h harmless) Unwrap() error { return h.error }

func trustRemedy(refusal *tls.CertificateVerificationError) failure.Remedy {
	if _, ok := errors.AsType[x509.HostnameError](refusal); ok {
		return "Check the host name of the CA's directory (" + failure.Do(failure.OtherCA) +
			"), and that nothing intercepts the connection."
	}
	if invalid, ok := errors.AsType[x509.CertificateInvalidError](refusal); ok && invalid.Reason == x509.Expired {
		return "Check this machine's clock. If it is right, whoever runs the CA must renew its TLS certificate."
	}
	return "For a CA of your own, put the CA's root into SSL_CERT_FILE: write it to a PEM file, and let that variable (or " +
		"REQUESTS_CA_BUNDLE) name the file. There is no " + failure.Do(failure.Unverified) +
		": verification cannot be turned off."
}
