package damage

import (
	"bytes"
	"crypto"
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
	"strings"
	"time"
)

// What is damaged must have been whole: a lineage as certbot leaves it.

const (
	life  = 90 * 24 * time.Hour
	rhyme = 60 * 24 * time.Hour // between two renewals
)

// Healthy makes the lineage as certbot 2.1 leaves it after one renewal: two versions in the
// archive, the links to the second, the renewal file.
func (d Dir) Healthy() error {
	for _, dir := range []struct {
		path string
		mode os.FileMode
	}{
		{d.Config, 0o755}, {d.Config + "/renewal", 0o755}, {d.Config + "/archive", 0o700}, {d.Config + "/live", 0o700},
		{filepath.Dir(d.Archived("", 0)), 0o755}, {filepath.Dir(d.Live("")), 0o755},
	} {
		if err := os.MkdirAll(dir.path, dir.mode); err != nil {
			return err
		}
	}
	for version, left := range map[int]time.Duration{1: d.Left - rhyme, 2: d.Left} {
		if err := d.Add(version, left); err != nil {
			return err
		}
	}
	if err := os.WriteFile(filepath.Join(filepath.Dir(d.Live("")), "README"), []byte("This directory contains your keys and certificates.\n"), 0o644); err != nil {
		return err
	}
	return errors.Join(d.Lead(2), os.WriteFile(d.Conf(), []byte(d.text()), 0o644))
}

// Names are the certificate's.
func (d Dir) Names() []string { return append([]string{d.Name}, d.Others...) }

func (d Dir) text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "# renew_before_expiry = 30 days\nversion = 2.1.0\narchive_dir = %s\n", filepath.Dir(d.Archived("", 0)))
	for _, kind := range kinds {
		fmt.Fprintf(&b, "%s = %s\n", kind, d.Live(kind))
	}
	fmt.Fprintf(&b, "\n# Options used in the renewal process\n[renewalparams]\naccount = %s\nauthenticator = webroot\nwebroot_path = %s,\nserver = %s\nkey_type = ecdsa\n[[webroot_map]]\n",
		d.Account, d.Root, d.Server)
	for _, name := range d.Names() {
		fmt.Fprintf(&b, "%s = %s\n", name, d.Root)
	}
	return b.String()
}

// Lead makes the four links lead to a version, whether it is there or not.
func (d Dir) Lead(version int, only ...string) error {
	if len(only) == 0 {
		only = kinds[:]
	}
	for _, kind := range only {
		if err := os.Remove(d.Live(kind)); err != nil && !os.IsNotExist(err) {
			return err
		}
		if err := os.Symlink(fmt.Sprintf("../../archive/%s/%s%d.pem", d.Name, kind, version), d.Live(kind)); err != nil {
			return err
		}
	}
	return nil
}

// Add puts a version with a new key into the archive, valid for that long from now, or expired for
// that long.
func (d Dir) Add(version int, left time.Duration) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	cert, chain, err := issue(key, left, d.Names())
	if err != nil {
		return err
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	for kind, text := range map[string][]byte{
		"cert": cert, "chain": chain, "fullchain": append(bytes.Clone(cert), chain...),
		"privkey": pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8}),
	} {
		mode := os.FileMode(0o644)
		if kind == "privkey" {
			mode = 0o600
		}
		if err := os.WriteFile(d.Archived(kind, version), text, mode); err != nil {
			return err
		}
	}
	return nil
}

// issue signs a certificate with a CA that nobody knows.
func issue(key crypto.Signer, left time.Duration, names []string) (cert, chain []byte, err error) {
	caKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	end := time.Now().Add(left)
	ca := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Throw-away CA"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: end.Add(-2 * life), NotAfter: end.Add(life), SubjectKeyId: []byte{1, 2, 3, 4},
	}
	caDER, err := x509.CreateCertificate(rand.Reader, ca, ca, caKey.Public(), caKey)
	if err != nil {
		return nil, nil, err
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return nil, nil, err
	}
	leaf := &x509.Certificate{SerialNumber: serial, DNSNames: names, NotBefore: end.Add(-life), NotAfter: end}
	der, err := x509.CreateCertificate(rand.Reader, leaf, ca, key.Public(), caKey)
	if err != nil {
		return nil, nil, err
	}
	encode := func(der []byte) []byte { return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}) }
	return encode(der), encode(caDER), nil
}
