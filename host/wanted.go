package host

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"orderly/certbot"
	"orderly/ledger"
)

// An order may outlive what it was for. Before anything is issued or put in place for it, this
// host's files are asked.

// Wanted reports whether an order that an earlier run left is still wanted: its lineage was not
// deleted meanwhile, and was not given a newer certificate by certbot, by another account or at
// another CA.
func (f *Files) Wanted(o *ledger.Order) bool {
	if o.Request.Rehearsal {
		// its names become valid, so that nothing stays pending; nobody needs its certificate
		return false
	}
	if len(o.Request.CSR) > 0 {
		return true // it belongs to no lineage
	}
	if _, err := os.Lstat(f.Disk.Dirs.Renewal(o.Lineage)); errors.Is(err, fs.ErrNotExist) {
		return o.Request.New
	}
	l, err := f.Disk.Open(o.Lineage)
	if err != nil {
		return true // a broken lineage is what a new certificate mends
	}
	if f.elsewhere(o) {
		return false
	}
	info, err := os.Stat(l.Renewal.Cert)
	return err != nil || !info.ModTime().After(o.CreatedAt)
}

// supersededBy says what has taken the place of a certificate since it was asked for, "" if nothing
// has: another one that certbot, another account or another CA put there, or nothing at all, where
// the lineage was deleted.
func (f *Files) supersededBy(o *ledger.Order, chain []byte) string {
	if _, err := os.Lstat(f.Disk.Dirs.Renewal(o.Lineage)); errors.Is(err, fs.ErrNotExist) &&
		!o.Request.New {
		return fmt.Sprintf("%s was deleted meanwhile; the certificate of order %d is left aside",
			o.Lineage, o.ID)
	}
	l, err := f.Disk.Open(o.Lineage)
	if err != nil || o.FinalizeSentAt.IsZero() {
		return ""
	}
	ours, err := certbot.ParseCertificate(chain)
	if err != nil || ours.Serial == l.Certificate.Serial {
		return "" // it is in place: a killed run had come so far
	}
	info, err := os.Stat(l.Renewal.Cert)
	if err != nil || !info.ModTime().After(o.FinalizeSentAt) {
		return ""
	}
	return fmt.Sprintf("a newer certificate is in place for %s; the one of order %d is left aside",
		o.Lineage, o.ID)
}

// Mine reports whether an order that an earlier run left is this run's to go on with: a dry run
// changes nothing on disk, so that it looks after rehearsals alone.
func (f *Files) Mine(o *ledger.Order) bool { return o.Request.Rehearsal || !f.Rehearsal }
