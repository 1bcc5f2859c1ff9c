package renewal

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"time"

	"orderly/certbot"
	"orderly/ledger"
)

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

// revocationOf is the record of a certificate that the CA was seen to have revoked.
func (s *Server) revocationOf(c *certbot.Certificate, lineage, reason string) ledger.Revocation {
	return ledger.Revocation{Fingerprint: fingerprint(c), Serial: c.Serial, Lineage: lineage, Reason: reason, At: s.Clock.Now()}
}

// dueAt is the moment from which a lineage is to be renewed. A certificate that was revoked is due since then, as with
// certbot, which asks the CA (OCSP): visitors are warned of it.
func (s *Server) dueAt(l *certbot.Lineage) (time.Time, error) {
	if v, ok := s.revocations.Of(l.Certificate); ok {
		return v.At, nil
	}
	c := l.Certificate
	return DueAt(c.NotBefore, c.NotAfter, l.Renewal.Params.RenewBeforeExpiry)
}

// pressing is urgent, and says so of a certificate that was revoked as well.
func (s *Server) pressing(l *certbot.Lineage) bool {
	_, revoked := s.revocations.Of(l.Certificate)
	return revoked || urgent(l.Certificate, s.Clock.Now())
}
