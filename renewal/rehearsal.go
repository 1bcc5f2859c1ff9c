package renewal

import (
	"errors"
	"os"
	"path/filepath"
	"strings"

	"orderly/account"
	"orderly/certbot"
	"orderly/ledger"
)

// Let's Encrypt's directories.
const (
	Production = "https://acme-v02.api.letsencrypt.org/directory"
	Staging    = "https://acme-staging-v02.api.letsencrypt.org/directory"
)

// Rehearsed is the outcome of a dry run that came to a certificate.
const Rehearsed = "rehearsed"

// rehearsal prefixes the lineage of a dry run's order in the ledger. No lineage has such a name: a name has no slash. So a
// rehearsal has orders, locks, back-off and standing of its own, and cannot be mistaken for what it rehearses.
const rehearsal = "rehearsal/"

// lineageOf is the lineage that an order, perhaps a rehearsal's, is about.
func lineageOf(name string) string { return strings.TrimPrefix(name, rehearsal) }

// orderName is the lineage under which the ledger keeps this run's order for one.
func (s *Server) orderName(lineage string) string {
	if s.Settings.Rehearsal {
		return rehearsal + lineage
	}
	return lineage
}

// rehearse makes a request one of a dry run, if this is one.
func (s *Server) rehearse(r *ledger.Request) {
	if s.Settings.Rehearsal {
		r.Rehearsal, r.Lineage = true, rehearsal+r.Lineage
	}
}

// mine reports whether an order that an earlier run left is this run's to go on with: a dry run changes nothing on disk, so
// that it looks after rehearsals alone.
func (s *Server) mine(o *ledger.Order) bool { return o.Request.Rehearsal || !s.Settings.Rehearsal }

// agreed completes what is said about making an account. For a dry run one may be made without a word where this host has
// another: whoever made that has agreed to such terms (certbot's set_test_server_options).
func (s *Server) agreed(server, id string, r account.Registration) account.Registration {
	if !s.Settings.Rehearsal || id != "" || server != Staging { // nobody has agreed to another CA's terms
		return r
	}
	if _, err := s.Disk.ChooseAccount(server, ""); !errors.Is(err, certbot.ErrNoAccount) {
		return r
	}
	entries, err := os.ReadDir(filepath.Join(s.Disk.Dirs.Config, "accounts"))
	if err != nil || len(entries) == 0 {
		return r
	}
	r.AgreeTOS, r.NoEmail = true, r.NoEmail || r.Email == ""
	return r
}
