package renewal

import (
	"context"
	"crypto"
	"crypto/x509"
	"encoding/pem"
	"os"
	"path/filepath"

	"orderly/acme"
	"orderly/failure"
	"orderly/ledger"
)

// After a certificate was revoked its lineage goes, unless it is to be kept; and a private key is
// read in any form.

// deleteRevoked deletes the lineage of a revoked certificate, unless that is to be kept, and ends
// the task. The caller holds the lineage's lock.
func (s *revoking) deleteRevoked(ctx context.Context, w Revocation, t *ledger.Task,
	done *Revoked) error {
	w.Keep = w.Keep || (w.Ask != nil && done.Lineage != "" && !w.Ask())
	end := func() error {
		return s.tasks().End(ctx, t, ledger.Event{Lineage: done.Lineage, Kind: "revocation ended"})
	}
	switch {
	case w.Keep && done.Lineage != "":
		s.goesOn(ctx, done.Lineage, w)
		return end()
	case w.Keep:
		return end()
	case done.Lineage == "":
		s.Report.Tell("It belongs to no certificate of this host, so nothing was deleted.")
		return end()
	}
	err := s.delete(ctx, done.Lineage, t)
	if failure.ClassOf(err) == failure.LineageBroken {
		s.Report.Warn("Not deleting revoked certificates due to overlapping archive dirs. More than one certificate is using %s: %v",
			filepath.Join(s.Disk.Dirs.Config, "archive", done.Lineage), err)
		return end()
	}
	done.Deleted = err == nil
	return err
}

// goesOn says what a revocation does not touch.
func (s *revoking) goesOn(ctx context.Context, lineage string, w Revocation) {
	orders, err := s.Ledger.Orders(ctx, ledger.OrderFilter{Unsettled: true, Lineage: lineage})
	for _, o := range orders {
		if err == nil && o.State.Live() && !o.Superseded {
			s.Report.Tell("Order %d for %s, which an earlier run left, goes on: its certificate will be another one.", o.ID, lineage)
		}
	}
	l, err := s.Disk.Look(lineage)
	if err == nil && w.Reason == acme.ReasonKeyCompromise && l.Renewal.Params.ReuseKey {
		s.Report.Warn("%s uses its private key again at each renewal, and CAs do not certify one that is compromised; run %s",
			lineage, failure.Do(failure.AnotherKey, lineage, failure.NewKey))
	}
}

// ReadKey reads a private key in any of the forms that web servers keep one in.
func ReadKey(path string) (crypto.Signer, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, failure.Wrap(err, failure.Config,
			"Name the file with the certificate's private key.", "%s", failure.Do(failure.KeyFile))
	}
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		if key := parseKey(block.Bytes); key != nil {
			return key, nil
		}
	}
	return nil, failure.New(failure.Config,
		"Name the file with the certificate's private key, PEM, without a passphrase.",
		"%s: it holds no private key", failure.Do(failure.KeyFile, path))
}

func parseKey(der []byte) crypto.Signer {
	if key, err := x509.ParsePKCS8PrivateKey(der); err == nil {
		signer, _ := key.(crypto.Signer)
		return signer
	}
	if key, err := x509.ParseECPrivateKey(der); err == nil {
		return key
	}
	if key, err := x509.ParsePKCS1PrivateKey(der); err == nil {
		return key
	}
	return nil
}
