package acme_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"io"
	"math/big"
	"slices"
	"testing"

	"github.com/go-jose/go-jose/v4"

	"orderly/acme"
	"orderly/failure"
)

func mustKey(t *testing.T, signer crypto.Signer, err error) (*acme.Key, crypto.Signer) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	key, err := acme.NewKey(signer)
	if err != nil {
		t.Fatal(err)
	}
	return key, signer
}

func TestEachKindOfKeySignsWhatItsPublicKeyVerifies(t *testing.T) {
	p256, e1 := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	p384, e2 := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	r2048, e3 := rsa.GenerateKey(rand.Reader, 2048)
	p521, e4 := ecdsa.GenerateKey(elliptic.P521(), rand.Reader)
	for _, c := range []struct {
		algorithm string
		signer    crypto.Signer
		err       error
	}{{"ES256", p256, e1}, {"ES384", p384, e2}, {"RS256", r2048, e3}, {"ES512", p521, e4}} {
		key, signer := mustKey(t, c.signer, c.err)
		for _, payload := range [][]byte{nil, {}, []byte(`{"a":1}`)} {
			for _, kid := range []string{"", "https://ca.example/acct/1"} {
				checkJWS(t, key, signer, c.algorithm, payload, kid)
			}
		}
	}
}

func checkJWS(t *testing.T, key *acme.Key, signer crypto.Signer, algorithm string, payload []byte, kid string) {
	t.Helper()
	raw, err := key.Sign(payload, "https://ca.example/x", "n0nce", kid)
	if err != nil {
		t.Fatal(err)
	}
	var members map[string]string
	if err := json.Unmarshal(raw, &members); err != nil || len(members) != 3 {
		t.Fatalf("%s: %v", raw, err)
	}
	if got, ok := members["payload"]; !ok || got != base64.RawURLEncoding.EncodeToString(payload) {
		t.Errorf("payload %q, there: %v", got, ok)
	}
	jws, err := jose.ParseSignedJSON(string(raw), []jose.SignatureAlgorithm{jose.SignatureAlgorithm(algorithm)})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := jws.Verify(signer.Public()); err != nil {
		t.Errorf("%s: %v", algorithm, err)
	}
	protected, _ := base64.RawURLEncoding.DecodeString(members["protected"])
	var header map[string]json.RawMessage
	json.Unmarshal(protected, &header)
	want := []string{"alg", "jwk", "nonce", "url"}
	if kid != "" {
		want = []string{"alg", "kid", "nonce", "url"}
	}
	if !slices.Equal(names(header), want) {
		t.Errorf("protected header %s", protected)
	}
}

func TestTheWireCarriesWhatRFC8555Demands(t *testing.T) {
	ca := newFakeCA(t)
	c, a := ca.ready(t)
	if _, err := c.NewAccount(t.Context(), ca.key, acme.Registration{}); err != nil {
		t.Fatal(err)
	}
	if got := names(ca.lastPost().protected); !slices.Equal(got, []string{"alg", "jwk", "nonce", "url"}) {
		t.Errorf("newAccount: %q", got)
	}
	if _, err := a.Order(t.Context(), ca.URL+"/order/1"); err != nil {
		t.Fatal(err)
	}
	p := ca.lastPost()
	if got := names(p.protected); !slices.Equal(got, []string{"alg", "kid", "nonce", "url"}) || string(p.protected["kid"]) != `"`+ca.URL+`/account/1"` || string(p.protected["url"]) != `"`+ca.URL+`/order/1"` {
		t.Errorf("order: %s", p.protected)
	}
	if len(p.payload) != 0 {
		t.Errorf("a POST-as-GET has the payload %q", p.payload)
	}
	for name, want := range map[string]string{"Content-Type": "application/jose+json", "User-Agent": "test/1", "Accept-Language": "en"} {
		if got := p.header.Get(name); got != want {
			t.Errorf("%s: %q", name, got)
		}
	}
}

// TestTheThumbprintIsThatOfRFC7638 uses the key of RFC 7638 §3.1.
func TestTheThumbprintIsThatOfRFC7638(t *testing.T) {
	n, _ := base64.RawURLEncoding.DecodeString("0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMs" +
		"tn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw")
	public := &rsa.PublicKey{N: new(big.Int).SetBytes(n), E: 65537}
	key, _ := mustKey(t, signerOf{public}, nil)
	if got := key.Thumbprint(); got != "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs" {
		t.Errorf("thumbprint %s", got)
	}
	if got := key.KeyAuthorization("tok"); got != "tok.NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs" {
		t.Errorf("key authorization %s", got)
	}
}

type signerOf struct{ public crypto.PublicKey }

func (s signerOf) Public() crypto.PublicKey { return s.public }

func (signerOf) Sign(_ io.Reader, _ []byte, _ crypto.SignerOpts) ([]byte, error) {
	panic("nothing is signed here")
}

func TestKeysThatNoCATakesAreRefused(t *testing.T) {
	p224, _ := ecdsa.GenerateKey(elliptic.P224(), rand.Reader)
	_, ed, _ := ed25519.GenerateKey(rand.Reader)
	short := signerOf{&rsa.PublicKey{N: new(big.Int).Lsh(big.NewInt(1), 1023), E: 65537}}
	for _, signer := range []crypto.Signer{p224, ed, short, nil} {
		if _, err := acme.NewKey(signer); failure.ClassOf(err) != failure.Account {
			t.Errorf("%T: %v", signer, err)
		}
	}
}
