package certbot_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"orderly/certbot"
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// authority is a CA that signs what tests need.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

var newAuthority = sync.OnceValue(func() *authority {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Test CA"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(1000 * time.Hour), SubjectKeyId: []byte{1, 2, 3, 4},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		panic(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		panic(err)
	}
	return &authority{cert, key}
})

// issue makes a certificate for the names that lasts some days, with an EC key of its own.
func issue(t testing.TB, days int, names ...string) certbot.Material {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	return issueFor(t, key, days, names...)
}

func issueRSA(t testing.TB, names ...string) certbot.Material {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	must(t, err)
	return issueFor(t, key, 90, names...)
}

func issueFor(t testing.TB, key crypto.Signer, days int, names ...string) certbot.Material {
	t.Helper()
	ca := newAuthority()
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	must(t, err)
	template := &x509.Certificate{
		SerialNumber: serial, DNSNames: names,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().AddDate(0, 0, days),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, ca.cert, key.Public(), ca.key)
	must(t, err)
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	must(t, err)
	var chain bytes.Buffer
	for _, block := range [][]byte{der, ca.cert.Raw} {
		must(t, pem.Encode(&chain, &pem.Block{Type: "CERTIFICATE", Bytes: block}))
	}
	return certbot.Material{Key: pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8}), Chain: chain.Bytes()}
}

const testServer = "https://ca.example:14000/dir"

var testParams = certbot.Params{
	Account: "0123456789abcdef0123456789abcdef", Server: testServer, Authenticator: "webroot", KeyType: "ecdsa",
	WebrootPath: []string{"/srv/a"}, WebrootMap: []certbot.Webroot{{Name: "a.example", Path: "/srv/a"}},
}

func newStore(t testing.TB) *certbot.Store {
	dir := t.TempDir()
	return &certbot.Store{Dirs: certbot.Dirs{Config: filepath.Join(dir, "etc"), Work: filepath.Join(dir, "lib"), Logs: filepath.Join(dir, "log")}}
}

// pairAt says what is wrong with the pair of a live directory, "" if nothing.
func pairAt(dir, prefix string) string {
	chain := filepath.Join(dir, prefix+"fullchain.pem")
	pair, err := tls.LoadX509KeyPair(chain, filepath.Join(dir, prefix+"privkey.pem"))
	if err != nil {
		return err.Error()
	}
	cert, err := os.ReadFile(filepath.Join(dir, prefix+"cert.pem"))
	if err != nil {
		return err.Error()
	}
	issuers, err := os.ReadFile(filepath.Join(dir, prefix+"chain.pem"))
	if err != nil {
		return err.Error()
	}
	whole, err := os.ReadFile(chain)
	if err != nil || !bytes.Equal(append(cert, issuers...), whole) || len(pair.Certificate) != 2 {
		return "cert.pem and chain.pem do not make up fullchain.pem"
	}
	return ""
}

// runCertbot runs Debian's certbot on the store's directories.
func runCertbot(t testing.TB, s *certbot.Store, args ...string) string {
	t.Helper()
	all := append(args, "--config-dir", s.Dirs.Config, "--work-dir", s.Dirs.Work, "--logs-dir", s.Dirs.Logs)
	out, err := exec.Command("/usr/bin/certbot", all...).CombinedOutput()
	if err != nil {
		t.Fatalf("certbot %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

// sh runs a command as a person would paste it.
func sh(t testing.TB, command string) {
	t.Helper()
	if out, err := exec.Command("/bin/sh", "-ec", command).CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", command, err, out)
	}
}

func read(t testing.TB, path ...string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(path...))
	must(t, err)
	return string(text)
}

func write(t testing.TB, path, text string, mode os.FileMode) {
	t.Helper()
	must(t, os.MkdirAll(filepath.Dir(path), 0o755))
	must(t, os.WriteFile(path, []byte(text), mode))
	must(t, os.Chmod(path, mode))
}

func mode(t testing.TB, path ...string) os.FileMode {
	t.Helper()
	info, err := os.Lstat(filepath.Join(path...))
	must(t, err)
	return info.Mode().Perm()
}
