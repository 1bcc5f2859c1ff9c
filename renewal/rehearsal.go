package renewal

import (
	"errors"
	"os"
	"path/filepath"

	"orderly/account"
	"orderly/certbot"
	"orderly/host"
)

// Rehearsed is the outcome of a dry run that came to a certificate.
const Rehearsed = "rehearsed"

// agreed completes what is said about making an account. For a dry run one may be made without a word where this host has
// another: whoever made that has agreed to such terms (certbot's set_test_server_options).
func (s *Server) agreed(server, id string, r account.Registration) account.Registration {
	if !s.Settings.Rehearsal || id != "" || server != host.Staging { // nobody has agreed to another CA's terms
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
