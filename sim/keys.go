package sim

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/hex"
	"encoding/pem"
	"io"
	"math/big"
	"strconv"
	"strings"
	"sync"
	"time"

	"orderly/acme"
	"orderly/failure"
	"orderly/ledger"
	"orderly/order"
)

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// quickSigner signs with a constant: nobody here verifies the signatures of requests, and they are most of the work of one.
type quickSigner struct{ public crypto.PublicKey }

// Public implements crypto.Signer.
func (q quickSigner) Public() crypto.PublicKey { return q.public }

// Sign implements crypto.Signer.
func (quickSigner) Sign(io.Reader, []byte, crypto.SignerOpts) ([]byte, error) {
	return asn1.Marshal(struct{ R, S *big.Int }{big.NewInt(1 << 40), big.NewInt(1 << 41)})
}

func newPrivate() *ecdsa.PrivateKey { return must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader)) }

// rootKey and rootCert are the CA's, accountKey that of every account: made once for all seeds.
var (
	rootKey  = sync.OnceValue(newPrivate)
	rootCert = sync.OnceValue(func() *x509.Certificate {
		template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "root"}, IsCA: true,
			BasicConstraintsValid: true, NotBefore: start, NotAfter: start.AddDate(30, 0, 0), SubjectKeyId: []byte("simulated root")}
		return must(x509.ParseCertificate(must(x509.CreateCertificate(rand.Reader, template, template, rootKey().Public(), rootKey()))))
	})
	accountKey = sync.OnceValue(func() *acme.Key { return must(acme.NewKey(quickSigner{newPrivate().Public()})) })
)

// pair is a key pair that was made beforehand.
type pair struct {
	pem     []byte
	public  crypto.PublicKey
	private *ecdsa.PrivateKey
}

// pairs are used one after the other by every host: enough that no two orders of one time have the same.
var pairs = sync.OnceValue(func() []pair {
	list := make([]pair, 1024)
	for i := range list {
		private := newPrivate()
		list[i] = pair{pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: must(x509.MarshalPKCS8PrivateKey(private))}),
			private.Public(), private}
	}
	return list
})

// A CSR is its key's number and its names: the CA is a model as well, and knows whose key it is.
func csrOf(number int, names []string) []byte {
	return []byte("CSR " + strconv.Itoa(number) + " " + strings.Join(names, ","))
}

func readCSR(csr []byte) (number int, names string, ok bool) {
	parts := strings.SplitN(string(csr), " ", 3)
	if len(parts) != 3 || parts[0] != "CSR" {
		return 0, "", false
	}
	number, err := strconv.Atoi(parts[1])
	return number, parts[2], err == nil
}

// keyRing is a server's key store; it survives its processes.
type keyRing struct {
	files map[string][]byte
	of    map[int64][]string // the files of each order
	made  int
}

// processKeys is the key store as one process sees it.
type processKeys struct{ p *process }

// Make implements order.KeyStore.
func (k processKeys) Make(o *ledger.Order) (key, csr ledger.FileRef, err error) {
	ring := k.p.s.keys
	k.p.at().point("make key")
	ring.made++
	number := ring.made
	content := pairs()[number%len(pairs())].pem
	key = k.write(o, "key", number, content)
	k.p.at().point("key made")
	csr = k.write(o, "csr", number, csrOf(number, o.Names))
	k.p.at().nap(5 * time.Millisecond)
	k.p.at().point("CSR made")
	k.p.at().log("makes key", strconv.Itoa(number))
	return key, csr, nil
}

func (k processKeys) write(o *ledger.Order, kind string, number int, content []byte) ledger.FileRef {
	ring := k.p.s.keys
	path := strconv.FormatInt(o.ID, 10) + "-" + strconv.Itoa(number) + "." + kind
	ring.files[path] = append([]byte(nil), content...)
	ring.of[o.ID] = append(ring.of[o.ID], path)
	sum := sha256.Sum256(content)
	return ledger.FileRef{Path: path, SHA256: hex.EncodeToString(sum[:])}
}

// Load implements order.KeyStore.
func (k processKeys) Load(o *ledger.Order) (order.Material, bool) {
	key, csr := k.read(o.Key), k.read(o.CSR)
	number, _, ok := readCSR(csr)
	if key == nil || !ok {
		return order.Material{}, false
	}
	return order.Material{PrivateKey: key, CSR: csr, Public: pairs()[number%len(pairs())].public}, true
}

func (k processKeys) read(ref ledger.FileRef) []byte {
	content := k.p.s.keys.files[ref.Path]
	if content == nil || sumOf(content) != ref.SHA256 {
		return nil
	}
	return append([]byte(nil), content...)
}

// Remove implements order.KeyStore.
func (k processKeys) Remove(o *ledger.Order) {
	ring := k.p.s.keys
	for _, path := range ring.of[o.ID] {
		delete(ring.files, path)
	}
	delete(ring.of, o.ID)
	k.p.at().point("keys removed")
}

// errPlace is what a document root that cannot be written says.
func errPlace(root string) error {
	return failure.New(failure.WebrootLocked, "Make it writable.", "%s cannot be written", root)
}
