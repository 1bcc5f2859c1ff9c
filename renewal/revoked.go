package renewal

import (
	"context"
	"crypto/sha256"
	"encoding/hex"

	"orderly/certbot"
	"orderly/ledger"
)

// Certificates that were revoked from here are due at once: visitors are warned of them.

// Revocations are the certificates that a ledger knows to be revoked, by fingerprint.
type Revocations map[string]ledger.Revocation

// KnownRevocations reads them.
func KnownRevocations(ctx context.Context, store ledger.Store) (Revocations, error) {
	list, err := store.Revocations(ctx)
	known := Revocations{}
	for _, v := range list {
		known[v.Fingerprint] = v
	}
	return known, err
}

func fingerprint(c *certbot.Certificate) string {
	sum := sha256.Sum256(c.Leaf.Raw)
	return hex.EncodeToString(sum[:])
}

// Of returns when and why a certificate was revoked.
func (v Revocations) Of(c *certbot.Certificate) (ledger.Revocation, bool) {
	if len(v) == 0 {
		return ledger.Revocation{}, false
	}
	found, ok := v[fingerprint(c)]
	return found, ok
}
