package certbot

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/md5"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/big"
	"strings"

	"github.com/go-jose/go-jose/v4"
)

// certbot keeps account keys as JWK. They are read from, and written to, that form.

// AccountID is certbot's: the MD5 of the public key's PEM text. It names a directory and protects
// nothing.
func AccountID(key crypto.Signer) (string, error) {
	der, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		return "", err
	}
	sum := md5.Sum(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
	return hex.EncodeToString(sum[:]), nil
}

// parseJWK reads an account's private_key.json.
func parseJWK(text []byte) (crypto.Signer, error) {
	var jwk jose.JSONWebKey
	if err := json.Unmarshal(text, &jwk); err != nil {
		return nil, err
	}
	return usableKey(jwk.Key)
}

// usableKey is a key of the kinds that accounts have.
func usableKey(key any) (crypto.Signer, error) {
	switch key := key.(type) {
	case *rsa.PrivateKey:
		return key, nil
	case *ecdsa.PrivateKey:
		if key.Curve == elliptic.P256() || key.Curve == elliptic.P384() {
			return key, nil
		}
		return nil, fmt.Errorf("an account key on curve %s is not supported, only P-256 and P-384",
			key.Curve.Params().Name)
	}
	return nil, fmt.Errorf("no private RSA or EC key")
}

// ParseAccountKey reads an account's private key as any client keeps it: as JWK, or in PEM as PKCS#1,
// SEC1 or PKCS#8.
func ParseAccountKey(text []byte) (crypto.Signer, error) {
	if text := bytes.TrimSpace(text); len(text) > 0 && text[0] == '{' {
		return parseJWK(text)
	}
	block := keyBlock(text)
	switch {
	case block == nil:
		return nil, fmt.Errorf("it holds no private key, neither in PEM nor as JWK")
	case !plain(block):
		return nil, fmt.Errorf("its private key is encrypted, or of a kind that cannot be read")
	}
	key, err := parseKey(text)
	if err != nil {
		return nil, err
	}
	return usableKey(key)
}

// pair is a member of a JSON object whose order and style are certbot's.
type pair struct{ name, value string }

// pythonJSON writes an object as Python's json.dumps does, which is how certbot's own files look.
func pythonJSON(pairs ...pair) []byte {
	var members []string
	for _, p := range pairs {
		members = append(members, fmt.Sprintf("%q: %s", p.name, p.value))
	}
	return []byte("{" + strings.Join(members, ", ") + "}")
}

func jsonString(s string) string {
	text, _ := json.Marshal(s) // a string always has a JSON form
	return string(text)
}

// formatJWK writes a private key as josepy does.
func formatJWK(key crypto.Signer) ([]byte, error) {
	switch key := key.(type) {
	case *ecdsa.PrivateKey:
		return formatEC(key)
	case *rsa.PrivateKey:
		if len(key.Primes) != 2 {
			return nil, fmt.Errorf("an RSA key of %d primes cannot be written", len(key.Primes))
		}
		key.Precompute()
		return pythonJSON(number("n", key.N), number("e", big.NewInt(int64(key.E))),
			number("d", key.D), number("p", key.Primes[0]), number("q", key.Primes[1]),
			number("dp", key.Precomputed.Dp), number("dq", key.Precomputed.Dq),
			number("qi", key.Precomputed.Qinv), pair{"kty", `"RSA"`}), nil
	}
	return nil, fmt.Errorf("a key of type %T cannot be written", key)
}

func formatEC(key *ecdsa.PrivateKey) ([]byte, error) {
	d, err := key.Bytes()
	if err != nil {
		return nil, err
	}
	point, err := key.PublicKey.Bytes() // 0x04, x, y
	if err != nil {
		return nil, err
	}
	x, y := point[1:1+len(d)], point[1+len(d):]
	return pythonJSON(octets("d", d), octets("x", x), octets("y", y),
		pair{"crv", jsonString(key.Curve.Params().Name)}, pair{"kty", `"EC"`}), nil
}

func number(name string, n *big.Int) pair { return octets(name, n.Bytes()) }

func octets(name string, b []byte) pair {
	return pair{name, jsonString(base64.RawURLEncoding.EncodeToString(b))}
}
