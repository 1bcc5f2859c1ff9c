package renewal

import (
	"context"
	"fmt"
	"strings"

	"orderly/certbot"
)

// lostSerial is the serial number of the certificate whose private key is lost: the one in place, or one that an older pair has
// just taken the place of, so that the server can start. "" if no key is lost.
func (s *Server) lostSerial(l *certbot.Lineage) string {
	if l.KeyLost != nil {
		return l.Certificate.Serial
	}
	return s.abandoned[l.Name]
}

// needsKey reports whether a lineage is due because its private key is lost: what is left of the certificate is worth nothing.
// A certificate that was itself made for that reason is not replaced before it is due: something on this host takes the keys
// away, and each run would order another one.
func (s *Server) needsKey(l *certbot.Lineage) bool {
	serial := s.lostSerial(l)
	if serial == "" || l.Renewal.Params.AutorenewOff {
		return false
	}
	if !s.madeForLostKey(l.Name, serial) {
		return true
	}
	s.warnOnce(fmt.Sprintf("the private key of %s is lost again, though it was renewed for that reason before; it is not renewed before it is due: look for what removes the key, then run `orderly renew --cert-name %s --force-renewal`",
		l.Name, l.Name))
	return false
}

// madeForLostKey reports whether a certificate took the place of one whose key was lost.
func (s *Server) madeForLostKey(lineage, serial string) bool {
	ctx := context.Background() // a look at this host's own ledger, in the middle of a decision
	last, err := s.Ledger.Certificate(ctx, lineage)
	if err != nil || strings.TrimLeft(last.Serial, "0") != serial {
		return false
	}
	o, err := s.Ledger.Order(ctx, last.OrderID)
	return err == nil && o.Request.LostKey
}
