package renewal

import (
	"context"
	"crypto"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"orderly/acme"
	"orderly/certbot"
	"orderly/failure"
	"orderly/ledger"
	"orderly/order"
)

// Revocation is what revoke was asked for.
type Revocation struct {
	CertName string // either this
	CertPath string // or this: a file with the certificate, absolute
	Server   string // "" for the lineage's, or Default where the certificate is no lineage's
	Default  string
	Account  string        // id; "" for the lineage's, or the only one
	Key      crypto.Signer // the certificate's own; nil to revoke in the name of the account
	KeyPath  string        // where that was read
	Reason   acme.Reason
	Keep     bool // the files are not deleted
	// Ask, where not nil, is asked once the certificate is revoked whether its lineage is to be deleted.
	Ask func() bool
}

// Revoked is what became of it.
type Revoked struct {
	Path    string `json:"certificate"` // the file
	Serial  string `json:"serial"`
	Reason  string `json:"reason"`
	Already bool   `json:"already_revoked,omitempty"`
	Lineage string `json:"lineage,omitempty"` // that the certificate belongs to
	Deleted bool   `json:"deleted"`
}

// certificateRevoked is the event after which nothing remains of a revocation but to delete the files.
const certificateRevoked = "certificate revoked"

// Revoking is the command of a run that revokes, as the ledger keeps it.
func Revoking(w Revocation) string { return "revoke " + first(w.CertName, w.CertPath) }

// Revoke revokes a certificate (RFC 8555 §7.6) and deletes its lineage, unless that is to be kept. One that was revoked
// before is as good as done, so that Revoke, called again after a kill or a lost answer, ends what was begun. An unfinished
// order of a lineage that is kept goes on: its certificate is another one. That of a lineage that is deleted goes with it.
func (s *Server) Revoke(ctx context.Context, w Revocation) (Revoked, error) {
	l, err := s.revokedLineage(w)
	if err != nil {
		run, look := s.broken(ctx, Revoking(w), certificateRevoked)
		if w.CertName == "" || look != nil || run == nil {
			return Revoked{}, err
		}
		if other := s.otherThanRevoked(ctx, w.CertName, run.ID); other != "" {
			return Revoked{}, errors.Join(err, failure.New(failure.LineageBroken, "Mend the lineage first, or name the file with --cert-path.",
				"%s has a certificate that was not revoked: %s", w.CertName, other))
		}
		// An earlier run had revoked it and was killed while it deleted the files.
		done := Revoked{Path: filepath.Join(s.Disk.Dirs.Config, "live", w.CertName, "cert.pem"), Already: true, Lineage: w.CertName}
		return done, s.deleteRevoked(ctx, w, &done)
	}
	done := Revoked{Path: w.CertPath, Reason: w.Reason.String()}
	if l != nil {
		done.Lineage = l.Name
		unlock, err := s.Locks.Lock(ctx, order.LineageLock(l.Name))
		if err != nil {
			return done, waited(err, "another process to finish with "+l.Name)
		}
		defer func() { _ = unlock() }()
		if w.CertName != "" {
			done.Path = l.Renewal.Cert
		}
	}
	if err := s.revoke(ctx, w, l, &done); err != nil {
		return done, err
	}
	return done, s.deleteRevoked(context.WithoutCancel(ctx), w, &done)
}

// otherThanRevoked is a certificate of a lineage that cannot be opened that an earlier run did not revoke, "" if there is none
// that can be read.
func (s *Server) otherThanRevoked(ctx context.Context, name string, run int64) string {
	events, err := s.Ledger.Events(ctx, 0, 0)
	if err != nil {
		return err.Error()
	}
	revoked := ""
	for _, e := range events {
		if e.RunID == run && e.Kind == certificateRevoked {
			revoked, _, _ = strings.Cut(e.Detail, ",")
		}
	}
	for _, dir := range []string{"live", "archive"} {
		files, _ := filepath.Glob(filepath.Join(s.Disk.Dirs.Config, dir, name, "cert*.pem")) // the pattern is well formed
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				continue
			}
			if c, err := certbot.ParseCertificate(text); err == nil && c.Serial != revoked && s.Clock.Now().Before(c.NotAfter) && newest(files, file) {
				return file
			}
		}
	}
	return ""
}

// newest reports whether a file is the one with the highest number of its kind: older versions were replaced long ago.
func newest(files []string, file string) bool {
	number := func(path string) int {
		n, err := strconv.Atoi(strings.TrimSuffix(strings.TrimPrefix(filepath.Base(path), "cert"), ".pem"))
		if err != nil {
			return 0
		}
		return n
	}
	return !slices.ContainsFunc(files, func(other string) bool { return number(other) > number(file) })
}

// revokedLineage finds the lineage that a revocation is about; nil, without an error, for a certificate that is no lineage's.
func (s *Server) revokedLineage(w Revocation) (*certbot.Lineage, error) {
	if w.CertName == "" {
		l, err := s.Disk.FindByPath(w.CertPath)
		if failure.ClassOf(err) == failure.Config {
			return nil, nil
		}
		return l, err
	}
	if _, err := os.Lstat(s.Disk.Dirs.Renewal(w.CertName)); errors.Is(err, fs.ErrNotExist) {
		return nil, s.noCertificate(w.CertName)
	}
	return s.Disk.Look(w.CertName)
}

// revoke revokes the certificate at done.Path. The intent is durable before, with the serial number.
func (s *Server) revoke(ctx context.Context, w Revocation, l *certbot.Lineage, done *Revoked) error {
	text, err := os.ReadFile(done.Path) // under the lock: a renewal may have put another one there
	if err != nil {
		return failure.Wrap(err, failure.Config, "Name a file with a certificate.", "the certificate cannot be read")
	}
	c, err := certbot.ParseCertificate(text)
	if err != nil {
		return failure.Wrap(err, failure.Config, "Name a file with a certificate in PEM.", "%s holds no certificate", done.Path)
	}
	done.Serial = c.Serial
	ask, err := s.revoker(ctx, w, l, c)
	if err != nil {
		return err
	}
	note := ledger.Event{Lineage: done.Lineage, Kind: "revoke intent", Detail: c.Serial + ", " + w.Reason.String()}
	if err := s.note(ctx, note); err != nil {
		return err
	}
	err = ask()
	if p, ok := errors.AsType[*acme.Problem](err); ok && p.IsType("alreadyRevoked") {
		done.Already, err = true, nil
	}
	if err != nil {
		return revocationFailure(err, done.Path)
	}
	note.Kind, note.At, note.RunID = certificateRevoked, s.Clock.Now(), s.run.ID
	return s.Ledger.Commit(context.WithoutCancel(ctx), &ledger.Change{Events: []ledger.Event{note},
		Revocations: []ledger.Revocation{s.revocationOf(c, done.Lineage, w.Reason.String())}})
}

// revoker returns the request that revokes, in the name of whoever may: the certificate's key, or the account.
func (s *Server) revoker(ctx context.Context, w Revocation, l *certbot.Lineage, c *certbot.Certificate) (func() error, error) {
	server, account := w.Server, w.Account
	if l != nil && server == "" {
		server = l.Renewal.Params.Server
	}
	if server = first(server, w.Default); l != nil && account == "" && server == l.Renewal.Params.Server {
		if a, err := s.Disk.Account(server, l.Renewal.Params.Account); err == nil {
			account = a.ID
		}
	}
	client, err := s.client(server)
	if err != nil {
		return nil, err
	}
	if w.Key != nil {
		key, err := acme.NewKey(w.Key)
		if err != nil {
			return nil, failure.Wrap(err, failure.Config, "Revoke it in the name of the account, without --key-path.", "the key in %s cannot sign for a CA", w.KeyPath)
		}
		return func() error { _, err := client.RevokeByKey(ctx, key, c.Leaf, w.Reason); return err }, nil
	}
	a, err := s.Disk.ChooseAccount(server, account)
	if err != nil {
		return nil, err
	}
	speaker, _, err := s.speaker(&a)
	return func() error { _, err := speaker.Revoke(ctx, c.Leaf, w.Reason); return err }, err
}

func revocationFailure(err error, path string) error {
	class, remedy := classOf(err), "Run the same command again: what is revoked already stays so."
	if known := failure.ClassOf(err); known != failure.Internal && known != failure.Stopped {
		class, remedy = known, failure.RemedyOf(err)
	}
	if class == failure.CARefused {
		remedy = "The account that ordered it may revoke it (--account), or whoever has its private key (--key-path)."
	}
	return failure.Wrap(err, class, remedy, "the certificate %s could not be revoked", path)
}

// deleteRevoked deletes the lineage of a revoked certificate, unless that is to be kept. The caller holds its lock.
func (s *Server) deleteRevoked(ctx context.Context, w Revocation, done *Revoked) error {
	w.Keep = w.Keep || (w.Ask != nil && done.Lineage != "" && !w.Ask())
	switch {
	case w.Keep && done.Lineage != "":
		s.goesOn(ctx, done.Lineage, w)
		return nil
	case w.Keep:
		return nil
	case done.Lineage == "":
		s.Report.Tell("It belongs to no certificate of this host, so nothing was deleted.")
		return nil
	}
	err := s.delete(ctx, done.Lineage)
	if failure.ClassOf(err) == failure.LineageBroken {
		s.Report.Warn("Not deleting revoked certificates due to overlapping archive dirs. More than one certificate is using %s: %v",
			filepath.Join(s.Disk.Dirs.Config, "archive", done.Lineage), err)
		return nil
	}
	done.Deleted = err == nil
	return err
}

// goesOn says what a revocation does not touch.
func (s *Server) goesOn(ctx context.Context, lineage string, w Revocation) {
	orders, err := s.Ledger.Orders(ctx, ledger.OrderFilter{Unsettled: true, Lineage: lineage})
	for _, o := range orders {
		if err == nil && o.State.Live() && !o.Superseded {
			s.Report.Tell("Order %d for %s, which an earlier run left, goes on: its certificate will be another one.", o.ID, lineage)
		}
	}
	l, err := s.Disk.Look(lineage)
	if err == nil && w.Reason == acme.ReasonKeyCompromise && l.Renewal.Params.ReuseKey {
		s.Report.Warn("%s uses its private key again at each renewal, and CAs do not certify one that is compromised; run: orderly renew --cert-name %s --force-renewal --new-key",
			lineage, lineage)
	}
}

// Congratulate is certbot's sentence about a certificate that is revoked.
func (r Revoked) Congratulate() string {
	if r.Already {
		return fmt.Sprintf("The certificate that was located at %s had been revoked before.", r.Path)
	}
	return fmt.Sprintf("Congratulations! You have successfully revoked the certificate that was located at %s.", r.Path)
}
