package certbot

import (
	"bytes"
	"encoding/pem"
	"fmt"
	"maps"
	"slices"
)

// What a look at a lineage does not need, and whoever judges it does: whether the file that servers
// read holds the certificate, and why a version that stands in the archive is not in use.

// ChainFault says why fullchain.pem, which most servers read, does not hold the certificate and its
// issuers as cert.pem and chain.pem do; nil if it does, or cannot be read.
func (l *Lineage) ChainFault() error {
	text, err := readFile(l.Renewal.FullChain)
	if err != nil {
		return nil
	}
	block, rest := pem.Decode(text)
	if block == nil {
		return fmt.Errorf("%s holds no certificate", l.Renewal.FullChain)
	}
	if !bytes.Equal(block.Bytes, l.Certificate.Leaf.Raw) {
		return fmt.Errorf("%s does not begin with the certificate of %s", l.Renewal.FullChain,
			l.Renewal.Cert)
	}
	issuers, err := readFile(l.Renewal.Chain)
	if err != nil || bytes.Equal(bytes.TrimSpace(rest), bytes.TrimSpace(issuers)) {
		return nil
	}
	if next, _ := pem.Decode(rest); next == nil && len(bytes.TrimSpace(issuers)) > 0 {
		return fmt.Errorf("%s ends before the certificates of the issuers", l.Renewal.FullChain)
	}
	return nil
}

// LeftAlone is a sentence, without a full stop, about the newest pair that stands above the one in
// use and may not take its place; "" if there is none. What a killed run left of a version is no
// pair, and nobody's loss.
func (s *Store) LeftAlone(l *Lineage) string {
	a := archive{l.Renewal.ArchiveDir}
	found, err := a.versions()
	if err != nil {
		return ""
	}
	for _, newer := range slices.Backward(slices.Sorted(maps.Keys(found))) {
		if newer <= l.Version {
			break
		}
		if len(found[newer]) < len(kinds) || !a.isPair(newer) {
			continue
		}
		c, objection := a.read(newer)
		if objection == nil {
			objection = c.succeeds(l.Certificate, s.now())
		}
		if objection != nil {
			return fmt.Sprintf("version %d in %s is left alone: %v", newer, a.dir, objection)
		}
	}
	return ""
}

// isPair tells whether a version's certificate and key belong together, whatever its chain is.
func (a archive) isPair(number int) bool {
	cert, err := readFile(a.path("cert", number))
	if err != nil {
		return false
	}
	key, err := readFile(a.path("privkey", number))
	return err == nil && matches(cert, key) == nil
}
