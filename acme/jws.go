package acme

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/base64"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/cryptosigner"

	"orderly/failure"
)

// Every request but two is signed. What is signed, and with which header, decides whether a CA
// takes it for a look, a change or nothing at all.

// Key signs ACME requests: an account key or, to revoke its certificate, a certificate's.
type Key struct {
	signer     jose.OpaqueSigner
	algorithm  jose.SignatureAlgorithm
	thumbprint string
}

// NewKey takes an ECDSA key on P-256 (ES256), P-384 (ES384) or P-521 (ES512), or an RSA key of 2048
// bits and more (RS256): what certbot's account directories can hold and Boulder knows. Any other
// is a failure.Error of class Account.
func NewKey(signer crypto.Signer) (*Key, error) {
	algorithm, ok := algorithmOf(signer)
	if !ok {
		return nil, failure.New(failure.Account, "Use an ECDSA key on P-256, P-384 or P-521, or an RSA key of 2048 bits or more.",
			"a key of this kind cannot sign requests to a CA")
	}
	sum, err := (&jose.JSONWebKey{Key: signer.Public()}).Thumbprint(crypto.SHA256)
	if err != nil {
		return nil, failure.Wrap(err, failure.Account, "", "the key has no thumbprint")
	}
	return &Key{
		signer:     cryptosigner.Opaque(signer),
		algorithm:  algorithm,
		thumbprint: base64.RawURLEncoding.EncodeToString(sum),
	}, nil
}

func algorithmOf(signer crypto.Signer) (jose.SignatureAlgorithm, bool) {
	if signer == nil {
		return "", false
	}
	switch public := signer.Public().(type) {
	case *ecdsa.PublicKey:
		switch public.Curve {
		case elliptic.P256():
			return jose.ES256, true
		case elliptic.P384():
			return jose.ES384, true
		case elliptic.P521():
			return jose.ES512, true
		}
	case *rsa.PublicKey:
		return jose.RS256, public.N.BitLen() >= 2048
	}
	return "", false
}

// Thumbprint is the key's SHA-256 thumbprint in base64url (RFC 7638).
func (k *Key) Thumbprint() string { return k.thumbprint }

// Algorithm is how the key signs, by its name in RFC 7518 §3.1.
func (k *Key) Algorithm() string { return string(k.algorithm) }

// public is the public key as a JWK.
func (k *Key) public() *jose.JSONWebKey { return k.signer.Public() }

// KeyAuthorization is what answers a challenge with this token (RFC 8555 §8.1).
func (k *Key) KeyAuthorization(token string) string { return token + "." + k.thumbprint }

// sign makes the flattened JWS of RFC 8555 §6.2. Without a kid the public key is embedded. An empty
// payload, which makes a POST-as-GET, must be []byte{}: go-jose leaves the member out for nil, and
// the CA then rejects the request. Without a nonce it is the inner JWS of a key change, which must
// have none.
func (k *Key) sign(payload []byte, target, nonce, kid string) ([]byte, error) {
	if payload == nil {
		payload = []byte{}
	}
	options := &jose.SignerOptions{EmbedJWK: kid == ""}
	options.WithHeader("url", target)
	if nonce != "" {
		options.WithHeader("nonce", nonce)
	}
	if kid != "" {
		options.WithHeader("kid", kid)
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: k.algorithm, Key: k.signer}, options)
	if err != nil {
		return nil, err
	}
	jws, err := signer.Sign(payload)
	if err != nil {
		return nil, err
	}
	return []byte(jws.FullSerialize()), nil
}
