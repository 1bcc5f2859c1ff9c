package renewal

import (
	"cmp"
	"context"
	"crypto"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"orderly/account"
	"orderly/acme"
	"orderly/certbot"
	"orderly/failure"
	"orderly/ledger"
	"orderly/order"
	"orderly/task"
)

// What revoke was asked for, and the request that it sends.

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
	// Ask, where not nil, is asked once the certificate is revoked whether its lineage is to be
	// deleted. A run that dies before leaves the files.
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

// Revoking is the command of a run that revokes, as the ledger keeps it.
func Revoking(w Revocation) string { return "revoke " + cmp.Or(w.CertName, w.CertPath) }

// Congratulate is certbot's sentence about a certificate that is revoked.
func (r Revoked) Congratulate() string {
	if r.Already {
		return fmt.Sprintf("The certificate that was located at %s had been revoked before.",
			r.Path)
	}
	return fmt.Sprintf("Congratulations! You have successfully revoked the certificate that was located at %s.", r.Path)
}

// revocation is the payload of a RevokeTask: all that is needed to send it once more, and to end
// it.
type revocation struct {
	Path    string      `json:"path"`
	Serial  string      `json:"serial"`
	DER     []byte      `json:"der"`
	Reason  acme.Reason `json:"reason"`
	Lineage string      `json:"lineage,omitempty"`
	Keep    bool        `json:"keep,omitempty"`
	Server  string      `json:"server"`
	Account string      `json:"account,omitempty"`
	KeyPath string      `json:"key_path,omitempty"` // of the certificate's own key, where that signs
}

// stepRevoked: the certificate is revoked by the CA; its lineage may be left to delete.
const stepRevoked = "revoked"

// revoking revokes certificates.
type revoking struct {
	*base
	*engines
	*deletions
	revoked []Revoked // what this run has finished of what earlier ones began
}

// Revoke revokes a certificate (RFC 8555 §7.6) and deletes its lineage, unless that is to be kept.
// One that was revoked before is as good as done. A run that dies meanwhile leaves a task, which
// the next one finishes. An unfinished order of a lineage that is kept goes on: its certificate is
// another one. That of a lineage that is deleted goes with it.
func (s *revoking) Revoke(ctx context.Context, w Revocation) (Revoked, error) {
	if done, ok := s.revokedJustNow(w); ok {
		return done, nil
	}
	l, err := s.revokedLineage(w)
	if err != nil {
		return Revoked{}, err
	}
	done := Revoked{Path: w.CertPath, Reason: w.Reason.String()}
	if l != nil {
		done.Lineage = l.Name
		unlock, err := s.lock(ctx, order.LineageLock(l.Name))
		if err != nil {
			return done, err
		}
		defer func() { _ = unlock() }()
		if w.CertName != "" {
			done.Path = l.Renewal.Cert
		}
	}
	t, err := s.revoke(ctx, w, l, &done)
	if err != nil {
		return done, err
	}
	return done, s.deleteRevoked(context.WithoutCancel(ctx), w, t, &done)
}

// revokedJustNow is what this run has finished of a revocation that an earlier one began.
func (s *revoking) revokedJustNow(w Revocation) (Revoked, bool) {
	for _, done := range s.revoked {
		if w.CertName != "" && done.Lineage == w.CertName || w.CertPath != "" &&
			done.Path == w.CertPath {
			return done, true
		}
	}
	if p, ok := s.deleted[w.CertName]; ok && p.Revoked {
		return Revoked{Path: filepath.Join(s.Disk.Dirs.Config, "live", w.CertName, "cert.pem"),
			Already: true, Lineage: w.CertName, Deleted: true}, true
	}
	return Revoked{}, false
}

// revokedLineage finds the lineage that a revocation is about; nil, without an error, for a
// certificate that is no lineage's.
func (s *revoking) revokedLineage(w Revocation) (*certbot.Lineage, error) {
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

// revoke revokes the certificate at done.Path. The intent is durable before, with all that whoever
// finishes it needs.
func (s *revoking) revoke(ctx context.Context, w Revocation, l *certbot.Lineage,
	done *Revoked) (*ledger.Task, error) {
	text, err := os.ReadFile(done.Path) // under the lock: a renewal may have put another one there
	if err != nil {
		return nil, failure.Wrap(err, failure.Config, "Name a file with a certificate.",
			"the certificate cannot be read")
	}
	c, err := certbot.ParseCertificate(text)
	if err != nil {
		return nil, failure.Wrap(err, failure.Config, "Name a file with a certificate in PEM.",
			"%s holds no certificate", done.Path)
	}
	done.Serial = c.Serial
	p := revocation{Path: done.Path, Serial: c.Serial, DER: c.Leaf.Raw, Reason: w.Reason,
		Lineage: done.Lineage,
		Keep:    w.Keep || w.Ask != nil, Server: w.Server, Account: w.Account, KeyPath: w.KeyPath}
	s.revoker(w, l, &p)
	ask, err := s.revocation(ctx, p, w.Key)
	if err != nil {
		return nil, err
	}
	note := ledger.Event{At: s.Clock.Now(), RunID: s.run.ID, Lineage: done.Lineage,
		Kind:   "revoke intent",
		Detail: c.Serial + ", " + w.Reason.String()}
	t, err := s.tasks().Undertake(ctx, ledger.RevokeTask, done.Path, p,
		ledger.Change{Events: []ledger.Event{note}})
	if err != nil {
		return nil, err
	}
	return t, s.askToRevoke(ctx, t, p, ask, done)
}

// askToRevoke sends the request and records what came of it. A task whose request certainly did
// nothing ends with it.
func (s *revoking) askToRevoke(ctx context.Context, t *ledger.Task, p revocation, ask func() error,
	done *Revoked) error {
	tries := 0
	err := account.Again(ctx, s.Clock, func() error { tries++; return ask() })
	if p, ok := errors.AsType[*acme.Problem](err); ok && p.IsType("alreadyRevoked") {
		// a second try is answered so where the first one did it
		done.Already, err = done.Already || tries == 1, nil
	}
	if err != nil {
		refused := revocationFailure(err, p.Path)
		if !s.tasks().InVain(t, err) {
			return refused
		}
		return errors.Join(refused, s.tasks().End(ctx, t,
			ledger.Event{Lineage: p.Lineage, Kind: "revocation failed"}))
	}
	t.Step = stepRevoked
	event := ledger.Event{At: s.Clock.Now(), RunID: s.run.ID, Lineage: p.Lineage,
		Kind:   "certificate revoked",
		Detail: p.Serial + ", " + p.Reason.String()}
	change := &ledger.Change{Tasks: []*ledger.Task{t}, Events: []ledger.Event{event}}
	if c, err := certbot.ParseCertificate(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE",
		Bytes: p.DER})); err == nil {
		change.Revocations = []ledger.Revocation{s.revocationOf(c, p.Lineage, p.Reason.String())}
	}
	return s.Ledger.Commit(context.WithoutCancel(ctx), change)
}

// revocationOf is the record of a certificate that the CA was seen to have revoked.
func (s *base) revocationOf(c *certbot.Certificate, lineage, reason string) ledger.Revocation {
	return ledger.Revocation{Fingerprint: fingerprint(c), Serial: c.Serial, Lineage: lineage,
		Reason: reason, At: s.Clock.Now()}
}

// revoker says who revokes, in the payload: the certificate's key, or the account that got it.
func (s *revoking) revoker(w Revocation, l *certbot.Lineage, p *revocation) {
	if l != nil && p.Server == "" {
		p.Server = l.Renewal.Params.Server
	}
	if p.Server = cmp.Or(p.Server, w.Default); l != nil && p.Account == "" &&
		p.Server == l.Renewal.Params.Server {
		if a, err := s.Disk.Accounts().Get(p.Server, l.Renewal.Params.Account); err == nil {
			p.Account = a.ID
		}
	}
}

// revocation returns the request that revokes.
func (s *revoking) revocation(ctx context.Context, p revocation,
	signer crypto.Signer) (func() error, error) {
	leaf, err := x509.ParseCertificate(p.DER)
	if err != nil {
		return nil, err
	}
	client, err := s.Accounts().Clients.For(p.Server)
	if err != nil {
		return nil, err
	}
	if signer != nil {
		key, err := acme.NewKey(signer)
		if err != nil {
			return nil, failure.Wrap(err, failure.Config,
				"Revoke it in the name of the account, without "+failure.Do(failure.KeyFile)+".",
				"the key in %s cannot sign for a CA", p.KeyPath)
		}
		return func() error { _, err := client.RevokeByKey(ctx, key, leaf, p.Reason); return err },
			nil
	}
	a, err := s.Disk.Accounts().Choose(p.Server, p.Account)
	if err != nil {
		return nil, err
	}
	speaker, _, err := s.Accounts().Speaker(&a)
	return func() error { _, err := speaker.Revoke(ctx, leaf, p.Reason); return err }, err
}

// goOnRevoking finishes a revocation that another run began. Its lineage is deleted only while it
// has that certificate.
func (s *revoking) goOnRevoking(ctx context.Context, t *ledger.Task) error {
	var p revocation
	if err := json.Unmarshal([]byte(t.Payload), &p); err != nil {
		return err
	}
	unlock, free, err := func() (func() error, bool, error) {
		if p.Lineage == "" {
			return func() error { return nil }, true, nil
		}
		return s.Locks.TryLock(order.LineageLock(p.Lineage))
	}()
	if err != nil || !free {
		return err
	}
	defer func() { _ = unlock() }()
	s.Report.Tell("Going on with the revocation of %s, which run %d began.", p.Path, t.RunID)
	done := Revoked{Path: p.Path, Serial: p.Serial, Reason: p.Reason.String(), Lineage: p.Lineage,
		Already: t.Step == stepRevoked}
	if t.Step == task.Intended {
		if err := s.revokeAgain(ctx, t, p, &done); err != nil {
			return err
		}
	}
	w := Revocation{CertName: p.Lineage, Reason: p.Reason, Keep: p.Keep}
	if l, err := s.Disk.Look(p.Lineage); p.Lineage != "" && !p.Keep && (err != nil ||
		l.Certificate.Serial != p.Serial) {
		s.Report.Warn("%s has another certificate by now than the one that run %d revoked; it is kept", p.Lineage, t.RunID)
		w.Keep = true
	}
	err = s.deleteRevoked(context.WithoutCancel(ctx), w, t, &done)
	s.revoked = append(s.revoked, done)
	return err
}

func (s *revoking) revokeAgain(ctx context.Context, t *ledger.Task, p revocation,
	done *Revoked) error {
	var signer crypto.Signer
	if p.KeyPath != "" {
		var err error
		if signer, err = ReadKey(p.KeyPath); err != nil {
			return err
		}
	}
	ask, err := s.revocation(ctx, p, signer)
	if err != nil {
		return err
	}
	return s.askToRevoke(ctx, t, p, ask, done)
}

func revocationFailure(err error, path string) error {
	class := acme.Class(err)
	remedy := failure.Remedy("Run the same command again: what is revoked already stays so.")
	if known := failure.ClassOf(err); known != failure.Internal && known != failure.Stopped {
		class, remedy = known, failure.RemedyOf(err)
	}
	if class == failure.CARefused {
		remedy = "The account that ordered it may revoke it (" + failure.Do(failure.OtherAccount) +
			"), or whoever has its private key (" + failure.Do(failure.KeyFile) + ")."
	}
	return failure.Wrap(err, class, remedy, "the certificate %s could not be revoked", path)
}
