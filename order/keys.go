package order

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"orderly/failure"
	"orderly/ledger"
)

// KeyStore keeps private keys and CSRs from before finalize until their certificate is in place (rule 7).
type KeyStore interface {
	// Make makes a key and a CSR for the order and returns when both are there to stay, whatever happens to the process.
	// It never overwrites what an earlier call made: that CSR may have been sent.
	Make(o *ledger.Order) (key, csr ledger.FileRef, err error)
	// Load reads an order's key and CSR. It reports false when either is gone or is not what the ledger speaks of.
	Load(o *ledger.Order) (Material, bool)
	// Remove forgets everything that was made for an order, also what the ledger never heard of.
	Remove(o *ledger.Order)
}

// Material is a key with its CSR, read back and checked.
type Material struct {
	PrivateKey []byte // PEM, PKCS #8
	CSR        []byte // DER
	Public     crypto.PublicKey
}

// Keys is the KeyStore of one host: a directory beside the ledger.
type Keys struct {
	Dir string // made (0700) when the first key is
}

// Make implements KeyStore. Files and directory are synced.
func (k *Keys) Make(o *ledger.Order) (key, csr ledger.FileRef, err error) {
	signer, err := newKey(o.Request)
	if err != nil {
		return key, csr, err
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(signer)
	if err != nil {
		return key, csr, err
	}
	csrDER, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{DNSNames: o.Names}, signer)
	if err != nil {
		return key, csr, err
	}
	if err := k.makeDir(); err != nil {
		return key, csr, k.failed(err)
	}
	stem := fmt.Sprintf("%d-%s", o.ID, rand.Text()[:8])
	key, err = k.write(stem+".key", pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER}))
	if err == nil {
		csr, err = k.write(stem+".csr", csrDER)
	}
	if err == nil {
		err = syncDir(k.Dir)
	}
	if err != nil {
		return key, csr, k.failed(err)
	}
	return key, csr, nil
}

// makeDir makes the directory durable with the first key in it.
func (k *Keys) makeDir() error {
	if info, err := os.Stat(k.Dir); err == nil && info.IsDir() {
		return nil
	}
	if err := os.MkdirAll(k.Dir, 0o700); err != nil {
		return err
	}
	return syncDir(filepath.Dir(k.Dir))
}

func (k *Keys) failed(err error) error {
	return failure.Wrap(err, failure.Config, "Make room and make the directory writable; the order goes on with the next run.",
		"the private key cannot be written to %s", k.Dir)
}

func newKey(r ledger.Request) (crypto.Signer, error) {
	if r.KeyType == "rsa" {
		return rsa.GenerateKey(rand.Reader, max(r.RSABits, 2048))
	}
	curve := elliptic.P256()
	if r.Curve == "secp384r1" {
		curve = elliptic.P384()
	}
	return ecdsa.GenerateKey(curve, rand.Reader)
}

func (k *Keys) write(name string, content []byte) (ledger.FileRef, error) {
	f, err := os.OpenFile(filepath.Join(k.Dir, name), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return ledger.FileRef{}, err
	}
	_, err = f.Write(content)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return ledger.FileRef{}, err
	}
	sum := sha256.Sum256(content)
	return ledger.FileRef{Path: name, SHA256: hex.EncodeToString(sum[:])}, nil
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// Load implements KeyStore.
func (k *Keys) Load(o *ledger.Order) (Material, bool) {
	keyPEM, err := k.read(o.Key)
	if err != nil {
		return Material{}, false
	}
	csrDER, err := k.read(o.CSR)
	if err != nil {
		return Material{}, false
	}
	csr, err := x509.ParseCertificateRequest(csrDER)
	if err != nil {
		return Material{}, false
	}
	return Material{PrivateKey: keyPEM, CSR: csrDER, Public: csr.PublicKey}, true
}

func (k *Keys) read(ref ledger.FileRef) ([]byte, error) {
	if !ref.Set() {
		return nil, fs.ErrNotExist
	}
	content, err := os.ReadFile(filepath.Join(k.Dir, ref.Path))
	if err != nil {
		return nil, err
	}
	if sum := sha256.Sum256(content); hex.EncodeToString(sum[:]) != ref.SHA256 {
		return nil, fs.ErrInvalid
	}
	return content, nil
}

// Remove implements KeyStore. What cannot be removed stays, 0600 in a 0700 directory, until a later run tries again.
func (k *Keys) Remove(o *ledger.Order) {
	entries, _ := os.ReadDir(k.Dir) // no directory, no keys
	for _, entry := range entries {
		if id, ok := orderOf(entry.Name()); ok && id == o.ID {
			_ = os.Remove(filepath.Join(k.Dir, entry.Name()))
		}
	}
}

// orderOf is the order that a file belongs to by its name.
func orderOf(file string) (int64, bool) {
	number, _, found := strings.Cut(file, "-")
	id, err := strconv.ParseInt(number, 10, 64)
	return id, found && err == nil
}

// Orders lists the orders that have files here, some perhaps twice. A process that died between settling an order and
// Remove leaves such files, and nothing of the order itself would lead anyone back to them.
func (k *Keys) Orders() []int64 {
	var ids []int64
	entries, _ := os.ReadDir(k.Dir) // no directory, no keys
	for _, entry := range entries {
		if id, ok := orderOf(entry.Name()); ok {
			ids = append(ids, id)
		}
	}
	return slices.Compact(ids) // sorted by name, so what belongs together stands together
}

// samePublicKey reports whether two public keys are one.
func samePublicKey(a, b crypto.PublicKey) bool {
	key, ok := a.(interface{ Equal(crypto.PublicKey) bool })
	return ok && key.Equal(b)
}
