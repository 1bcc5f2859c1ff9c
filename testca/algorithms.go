package testca

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"slices"
)

// A CA need not take every algorithm for account keys; some take RS256 alone. It says which in the
// problem document (RFC 8555 §6.2): that is all by which a client can find a key that it may use.

// badAlgorithm refuses a key by the algorithm of a JWS, where Config.Algorithms does not have it;
// nil where it does.
func (c *CA) badAlgorithm(jws []byte) *problem {
	algorithm := algorithmOf(jws)
	if len(c.config.Algorithms) == 0 || algorithm == "" || slices.Contains(c.config.Algorithms, algorithm) {
		return nil
	}
	p := problemf(http.StatusBadRequest, "badSignatureAlgorithm", "The algorithm %s is not supported", algorithm)
	p.Algorithms = c.config.Algorithms
	return p
}

// algorithmOf is the algorithm by which a JWS claims to be signed, "" where it cannot be read.
func algorithmOf(jws []byte) string {
	var outer struct{ Protected string }
	var header struct{ Alg string }
	if json.Unmarshal(jws, &outer) != nil {
		return ""
	}
	protected, err := base64.RawURLEncoding.DecodeString(outer.Protected)
	if err != nil || json.Unmarshal(protected, &header) != nil {
		return ""
	}
	return header.Alg
}
