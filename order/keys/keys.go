// Package keys keeps the private keys and CSRs of orders on disk, from before finalize until their
// certificate is in place (rule 7).
//
// It must never overwrite a key: its CSR may have been sent, and the certificate that comes of it
// needs exactly that one.
package keys

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"orderly/failure"
	"orderly/ledger"
	"orderly/order"
)

// Store is the KeyStore of one host: a directory beside the ledger.
type Store struct {
	Dir string // made (0700) when the first key is
}

// Make implements KeyStore. Files and directory are synced.
func (k *Store) Make(o *ledger.Order) (key, csr ledger.FileRef, err error) {
	keyPEM, csrDER, err := material(o)
	if err != nil {
		return key, csr, err
	}
	if err := k.makeDir(); err != nil {
		return key, csr, k.failed(err)
	}
	stem := fmt.Sprintf("%d-%s", o.ID, rand.Text()[:8])
	if keyPEM != nil {
		key, err = k.write(stem+".key", keyPEM)
	}
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
func (k *Store) makeDir() error {
	if info, err := os.Stat(k.Dir); err == nil && info.IsDir() {
		return nil
	}
	if err := os.MkdirAll(k.Dir, 0o700); err != nil {
		return err
	}
	return syncDir(filepath.Dir(k.Dir))
}

func (k *Store) failed(err error) error {
	return failure.Wrap(err, failure.Config,
		"Make room and make the directory writable; the order goes on with the next run.",
		"the private key cannot be written to %s", k.Dir)
}

// material makes the key (PEM, nil where a person brought a CSR of their own) and the CSR (DER) of
// an order.
func material(o *ledger.Order) (keyPEM, csrDER []byte, err error) {
	if len(o.Request.CSR) > 0 {
		return nil, o.Request.CSR, nil
	}
	signer, keyPEM, err := privateKey(o.Request)
	if err != nil {
		return nil, nil, err
	}
	csrDER, err = x509.CreateCertificateRequest(rand.Reader, template(o), signer)
	return keyPEM, csrDER, err
}

// mustStaple is the TLS feature extension that asks for status_request (RFC 7633).
var mustStaple = pkix.Extension{Id: asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 1, 24},
	Value: []byte{0x30, 0x03, 0x02, 0x01, 0x05}}

// template is what the CSR of an order asks for, in the order in which a person gave the names: CAs
// keep it. IP addresses have a field of their own (RFC 8738 §3).
func template(o *ledger.Order) *x509.CertificateRequest {
	t := &x509.CertificateRequest{}
	names := slices.Clone(o.Names)
	slices.SortStableFunc(names, func(a, b string) int { return rank(o.Request.Names, a) - rank(o.Request.Names, b) })
	for _, name := range names {
		if ip := net.ParseIP(name); ip != nil {
			t.IPAddresses = append(t.IPAddresses, ip)
			continue
		}
		t.DNSNames = append(t.DNSNames, name)
	}
	if o.Request.MustStaple {
		t.ExtraExtensions = append(t.ExtraExtensions, mustStaple)
	}
	return t
}

// rank is the place of a name among those of a request, behind all of them if it is none.
func rank(asked []string, name string) int {
	for i, other := range asked {
		if strings.EqualFold(other, name) {
			return i
		}
	}
	return len(asked)
}

// privateKey is the lineage's own once more where that is wanted, byte for byte, and otherwise a
// new one.
func privateKey(r ledger.Request) (crypto.Signer, []byte, error) {
	if r.OldKey != "" {
		return oldKey(r.OldKey)
	}
	signer, err := newKey(r)
	if err != nil {
		return nil, nil, err
	}
	der, err := x509.MarshalPKCS8PrivateKey(signer)
	return signer, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), err
}

func oldKey(path string) (crypto.Signer, []byte, error) {
	remedy := "Put it back, or have a new one made with " +
		failure.Do(failure.OfKey, failure.NewKey) + "."
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, nil, failure.Wrap(err, failure.Config, remedy, "the private key that is to stay the same cannot be read")
	}
	signer, err := parseKey(content)
	if err != nil {
		return nil, nil, failure.Wrap(err, failure.Config, remedy, "%s is not a private key that can stay the same", path)
	}
	return signer, content, nil
}

// parseKey reads the forms in which certbot has kept private keys.
func parseKey(content []byte) (crypto.Signer, error) {
	block, rest := pem.Decode(content)
	// openssl writes EC PARAMETERS before it
	for block != nil && !strings.HasSuffix(block.Type, "PRIVATE KEY") {
		block, rest = pem.Decode(rest)
	}
	if block == nil {
		return nil, errors.New("it holds no private key in PEM")
	}
	switch block.Type {
	case "EC PRIVATE KEY":
		return x509.ParseECPrivateKey(block.Bytes)
	case "RSA PRIVATE KEY":
		return x509.ParsePKCS1PrivateKey(block.Bytes)
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, err
	}
	signer, ok := key.(crypto.Signer)
	if !ok {
		return nil, errors.New("it cannot sign")
	}
	return signer, nil
}

func newKey(r ledger.Request) (crypto.Signer, error) {
	if r.KeyType == "rsa" {
		return rsa.GenerateKey(rand.Reader, max(r.RSABits, 2048))
	}
	curve := elliptic.P256()
	switch r.Curve {
	case "secp384r1":
		curve = elliptic.P384()
	case "secp521r1":
		curve = elliptic.P521()
	}
	return ecdsa.GenerateKey(curve, rand.Reader)
}

func (k *Store) write(name string, content []byte) (ledger.FileRef, error) {
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
func (k *Store) Load(o *ledger.Order) (order.Material, bool) {
	var keyPEM []byte
	var err error
	if len(o.Request.CSR) == 0 {
		keyPEM, err = k.read(o.Key)
	}
	if err != nil {
		return order.Material{}, false
	}
	csrDER, err := k.read(o.CSR)
	if err != nil {
		return order.Material{}, false
	}
	csr, err := x509.ParseCertificateRequest(csrDER)
	if err != nil {
		return order.Material{}, false
	}
	return order.Material{PrivateKey: keyPEM, CSR: csrDER, Public: csr.PublicKey}, true
}

func (k *Store) read(ref ledger.FileRef) ([]byte, error) {
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

// Remove implements KeyStore. What cannot be removed stays, 0600 in a 0700 directory, until a later
// run tries again.
func (k *Store) Remove(o *ledger.Order) {
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

// Orders lists the orders that have files here, some perhaps twice. A process that died between
// settling an order and Remove leaves such files, and nothing of the order itself would lead anyone
// back to them.
func (k *Store) Orders() []int64 {
	var ids []int64
	entries, _ := os.ReadDir(k.Dir) // no directory, no keys
	for _, entry := range entries {
		if id, ok := orderOf(entry.Name()); ok {
			ids = append(ids, id)
		}
	}
	return slices.Compact(ids) // sorted by name, so what belongs together stands together
}

// Orphan finds the newest key and CSR for exactly these names that belong to no order of the
// ledger, such as those of a lost one, and returns what their files' names begin with; "" if there
// are none. owned says whether an order has files of its own.
func (k *Store) Orphan(names []string, owned func(id int64) bool) (stem string) {
	entries, _ := os.ReadDir(k.Dir) // no directory, no keys
	var newest time.Time
	for _, entry := range entries {
		found, isCSR := strings.CutSuffix(entry.Name(), ".csr")
		id, ok := orderOf(entry.Name())
		if !isCSR || !ok || owned(id) || !k.isFor(found, names) {
			continue
		}
		if info, err := entry.Info(); err == nil && info.ModTime().After(newest) {
			stem, newest = found, info.ModTime()
		}
	}
	return stem
}

// isFor reports whether a CSR is for exactly these names and its private key is there.
func (k *Store) isFor(stem string, names []string) bool {
	der, err := os.ReadFile(filepath.Join(k.Dir, stem+".csr"))
	if err != nil {
		return false
	}
	csr, err := x509.ParseCertificateRequest(der)
	if err != nil {
		return false
	}
	has := slices.Clone(csr.DNSNames)
	for _, ip := range csr.IPAddresses {
		has = append(has, ip.String())
	}
	content, err := os.ReadFile(filepath.Join(k.Dir, stem+".key"))
	if err != nil || ledger.NameKey(has) != ledger.NameKey(names) {
		return false
	}
	key, err := parseKey(content)
	return err == nil && order.SamePublicKey(csr.PublicKey, key.Public())
}

// Keep makes the files that Orphan found those of an order.
func (k *Store) Keep(stem string, id int64) (key, csr ledger.FileRef, err error) {
	_, rest, _ := strings.Cut(stem, "-")
	name := fmt.Sprintf("%d-%s", id, rest)
	for suffix, ref := range map[string]*ledger.FileRef{".key": &key, ".csr": &csr} {
		if err := os.Rename(filepath.Join(k.Dir, stem+suffix), filepath.Join(k.Dir, name+suffix)); err != nil {
			return key, csr, k.failed(err)
		}
		content, err := os.ReadFile(filepath.Join(k.Dir, name+suffix))
		if err != nil {
			return key, csr, k.failed(err)
		}
		sum := sha256.Sum256(content)
		*ref = ledger.FileRef{Path: name + suffix, SHA256: hex.EncodeToString(sum[:])}
	}
	if err := syncDir(k.Dir); err != nil {
		return key, csr, k.failed(err)
	}
	return key, csr, nil
}
