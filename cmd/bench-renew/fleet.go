package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"time"

	"orderly/certbot"
	"orderly/testca"
)

// lifetime is that of Let's Encrypt's certificates.
const lifetime = 90 * 24 * time.Hour

// fleet is a configuration directory with many lineages, as certbot leaves them.
type fleet struct {
	dir, config string
	lineages    int
	// certbot's certonly asks for the directory before it finds that there is nothing to do
	ca              *testca.CA
	server, account string
	root            func(i int) string    // the document root of a lineage
	begin           func(i int) time.Time // of its certificate
	// unnamed: the certificates do not say whose they are, so that no CA is asked about them, nor
	// told that they are replaced
	unnamed   bool
	issuer    *x509.Certificate
	issuerPEM []byte
	key       *ecdsa.PrivateKey // the issuer's
}

func name(i int) string { return fmt.Sprintf("site%05d.example.com", i) }

func newFleet(lineages int) (*fleet, error) {
	dir, err := os.MkdirTemp("", "orderly-bench-")
	if err != nil {
		return nil, err
	}
	f := &fleet{dir: dir, config: filepath.Join(dir, "etc"), lineages: lineages}
	f.root = func(int) string { return filepath.Join(dir, "www") }
	// Their ages differ, as those of a fleet do; the oldest is not due yet.
	f.begin = func(i int) time.Time {
		return time.Now().Add(-time.Hour - time.Duration(i%50)*24*time.Hour)
	}
	for _, step := range []func() error{f.startCA, f.register, f.fill} {
		if err := step(); err != nil {
			return nil, errors.Join(fmt.Errorf("making the certificates: %w", err), f.close())
		}
	}
	return f, nil
}

func (f *fleet) startCA() (err error) {
	if f.ca, err = testca.Start(testca.Config{}); err != nil {
		return err
	}
	f.server = f.ca.DirectoryURL()
	return os.WriteFile(f.trust(), f.ca.RootPEM(), 0o644)
}

// fill makes the lineages.
func (f *fleet) fill() error {
	if err := f.directories(); err != nil {
		return err
	}
	if err := f.makeIssuer(); err != nil {
		return err
	}
	for i := range f.lineages {
		if err := f.add(i); err != nil {
			return err
		}
	}
	return nil
}

// trust is the file with the certificate of the CA's own server.
func (f *fleet) trust() string { return filepath.Join(f.dir, "root.pem") }

func (f *fleet) close() error {
	var err error
	if f.ca != nil {
		err = f.ca.Close()
	}
	return errors.Join(err, os.RemoveAll(f.dir))
}

func (f *fleet) directories() error {
	all := []string{filepath.Join(f.config, "renewal"), filepath.Join(f.config, "live"),
		filepath.Join(f.config, "archive")}
	for i := range f.lineages {
		all = append(all, f.root(i))
	}
	for _, dir := range all {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
	}
	return nil
}

func (f *fleet) register() error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	disk := &certbot.Store{Dirs: certbot.Dirs{Config: f.config}}
	a, err := disk.Accounts().Save(certbot.Account{Server: f.server, URL: f.server + "/account/1", Key: key,
		Created: time.Now(), Host: "bench"})
	f.account = a.ID
	return err
}

func (f *fleet) makeIssuer() (err error) {
	if f.key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		return err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Bench CA"},
		NotBefore: time.Now().Add(-lifetime), NotAfter: time.Now().Add(10 * lifetime), IsCA: true,
		BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, f.key.Public(), f.key)
	if err != nil {
		return err
	}
	f.issuer, err = x509.ParseCertificate(der)
	if err == nil && f.unnamed {
		f.issuer.SubjectKeyId = nil
	}
	f.issuerPEM = block("CERTIFICATE", der)
	return err
}

func block(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}

// add makes one lineage.
func (f *fleet) add(i int) error {
	certificate, key, err := f.issue(i)
	if err != nil {
		return err
	}
	archive, live := filepath.Join(f.config, "archive", name(i)), filepath.Join(f.config, "live", name(i))
	for _, dir := range []string{archive, live} {
		if err := os.Mkdir(dir, 0o755); err != nil {
			return err
		}
	}
	for kind, text := range map[string][]byte{"cert": certificate, "privkey": key, "chain": f.issuerPEM, "fullchain": append(append([]byte{}, certificate...), f.issuerPEM...)} {
		if err := os.WriteFile(filepath.Join(archive, kind+"1.pem"), text, 0o600); err != nil {
			return err
		}
		if err := os.Symlink(filepath.Join("../../archive", name(i), kind+"1.pem"), filepath.Join(live, kind+".pem")); err != nil {
			return err
		}
	}
	return os.WriteFile(filepath.Join(f.config, "renewal", name(i)+".conf"), []byte(f.renewal(i)),
		0o644)
}

// issue makes a certificate and its key.
func (f *fleet) issue(i int) (certificate, key []byte, err error) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	begin := f.begin(i)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(int64(1000 + i)), Subject: pkix.Name{CommonName: name(i)},
		NotBefore: begin, NotAfter: begin.Add(lifetime),
		DNSNames: []string{name(i), "www." + name(i)}, KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, f.issuer, private.Public(), f.key)
	if err != nil {
		return nil, nil, err
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(private)
	return block("CERTIFICATE", der), block("PRIVATE KEY", pkcs8), err
}

// renewal is a lineage's renewal file as certbot 2.1 writes it.
func (f *fleet) renewal(i int) string {
	live := filepath.Join(f.config, "live", name(i))
	return fmt.Sprintf(`# renew_before_expiry = 30 days
version = 2.1.0
archive_dir = %[1]s
cert = %[2]s/cert.pem
privkey = %[2]s/privkey.pem
chain = %[2]s/chain.pem
fullchain = %[2]s/fullchain.pem

# Options used in the renewal process
[renewalparams]
account = %[3]s
authenticator = webroot
webroot_path = %[4]s,
server = %[5]s
key_type = ecdsa
[[webroot_map]]
%[6]s = %[4]s
www.%[6]s = %[4]s
`, filepath.Join(f.config, "archive", name(i)), live, f.account, f.root(i), f.server,
		name(i))
}
