package acme

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/json"
	"hash"
	"strings"

	"orderly/failure"
)

// Some CAs want to know which customer an account belongs to. The key that shows it is a secret of
// that customer, so nothing here can print it.

// ExternalAccount is the key by which a CA recognises its customer when an ACME account is made
// (RFC 8555 §7.3.4). It shows its secret to nobody, not even in a log.
type ExternalAccount struct {
	keyID, algorithm string
	secret           []byte
}

// NewExternalAccount reads what a CA gives its customers, as certbot's --eab-kid, --eab-hmac-key
// and --eab-hmac-alg take it: the key in base64url or plain base64, with padding or without; the
// algorithm HS256 (also for ""), HS384 or HS512. Anything else is a failure.Error of class Usage
// that does not repeat the key.
func NewExternalAccount(keyID, key, algorithm string) (*ExternalAccount, error) {
	if algorithm == "" {
		algorithm = "HS256"
	}
	if keyID == "" || key == "" {
		return nil, failure.New(failure.Usage,
			"Give both "+failure.Do(failure.CustomerID)+" and "+failure.Do(failure.CustomerKey)+
				", as the CA shows them.",
			"an external account needs a key identifier and a key")
	}
	if hashOf(algorithm) == nil {
		return nil, failure.New(failure.Usage,
			"Leave "+failure.Do(failure.CustomerAlgorithm)+" out, or give HS256, HS384 or HS512.",
			"%q is no algorithm for external account binding", failure.Clean(algorithm))
	}
	text := strings.TrimRight(strings.Join(strings.Fields(key), ""), "=")
	secret, err := base64.RawURLEncoding.DecodeString(strings.NewReplacer("+", "-", "/", "_").Replace(text))
	if err != nil || len(secret) == 0 {
		return nil, failure.New(failure.Usage, "Copy the HMAC key from the CA once more; it is not the key identifier.",
			"the key given with %s is not base64", failure.Do(failure.CustomerKey))
	}
	return &ExternalAccount{keyID: keyID, algorithm: algorithm, secret: secret}, nil
}

// String names the key without the secret.
func (e *ExternalAccount) String() string { return e.algorithm + " key " + failure.Clean(e.keyID) }

// GoString is String, so that no verb of fmt prints the secret.
func (e *ExternalAccount) GoString() string { return e.String() }

func hashOf(algorithm string) func() hash.Hash {
	switch algorithm {
	case "HS256":
		return sha256.New
	case "HS384":
		return sha512.New384
	case "HS512":
		return sha512.New
	}
	return nil
}

// bind makes the JWS that says: the account with this key is the customer's. It holds the same url
// as the request around it and no nonce. It is made by hand because go-jose refuses HMAC keys
// shorter than the hash, which a CA may give out.
func (e *ExternalAccount) bind(k *Key, target string) ([]byte, error) {
	payload, err := k.public().MarshalJSON()
	if err != nil {
		return nil, err
	}
	protected, err := json.Marshal(struct {
		Alg string `json:"alg"`
		Kid string `json:"kid"`
		URL string `json:"url"`
	}{e.algorithm, e.keyID, target})
	if err != nil {
		return nil, err
	}
	b64 := base64.RawURLEncoding
	head, body := b64.EncodeToString(protected), b64.EncodeToString(payload)
	return json.Marshal(map[string]string{"protected": head, "payload": body,
		"signature": b64.EncodeToString(e.mac(head + "." + body))})
}

func (e *ExternalAccount) mac(text string) []byte {
	m := hmac.New(hashOf(e.algorithm), e.secret)
	m.Write([]byte(text))
	return m.Sum(nil)
}
