package renewal

import (
	"context"
	"os"
	"slices"

	"orderly/certbot"
	"orderly/failure"
	"orderly/host"
	"orderly/ledger"
	"orderly/order"
)

// Renewal settings are changed once a rehearsal with them has come to a certificate.

// Reconfiguration is what reconfigure was asked for: a round of the one lineage CertName with the
// settings that it is to have from now on.
type Reconfiguration struct {
	Round
	Only bool // rehearse, and change nothing
}

// Reconfigured is what became of it.
type Reconfigured struct {
	Lineage string `json:"lineage"`
	Path    string `json:"renewal_file"`
	Changed bool   `json:"changed"`
}

// reconfigs changes renewal settings.
type reconfigs struct {
	*base
	*engines
	*calendar
}

// Reconfigure changes a lineage's renewal settings once a rehearsal with them has come to a
// certificate, preflight included. Let's Encrypt's lineages are rehearsed at its staging server,
// others at their own. The renewal file is replaced in one instant; a run that dies before has
// changed nothing.
func (s *reconfigs) Reconfigure(ctx context.Context, w Reconfiguration) (Reconfigured, error) {
	done := Reconfigured{Lineage: w.CertName, Path: s.Disk.Dirs.Renewal(w.CertName)}
	l, err := s.reconfigurable(w)
	if err != nil {
		return done, err
	}
	if err := s.rehearsed(ctx, l, w.Round); err != nil {
		return done, err
	}
	if w.Only {
		return done, nil
	}
	unlock, err := s.lock(ctx, order.LineageLock(l.Name))
	if err != nil {
		return done, err
	}
	defer func() { _ = unlock() }()
	done.Changed, err = s.rewrite(ctx, w)
	if err == nil && done.Changed {
		err = s.tasks().Note(ctx, ledger.Event{Lineage: l.Name, Kind: "reconfigured"})
	}
	return done, err
}

// reconfigurable opens the lineage and refuses what certbot's reconfigure refuses.
func (s *reconfigs) reconfigurable(w Reconfiguration) (*certbot.Lineage, error) {
	if names, err := s.Disk.Names(); err != nil || !slices.Contains(names, w.CertName) {
		return nil, failure.Wrap(err, failure.Config, failure.Do(failure.ListCertificates)+" lists the names.",
			"An existing certificate with name %s could not be found. Run `certbot certificates` to list available certificates.", failure.Clean(w.CertName))
	}
	if err := s.Disk.NotCopied(w.CertName); err != nil {
		return nil, err
	}
	l, err := s.host.Lineages.Open(w.CertName)
	if err != nil {
		return nil, failure.Wrap(err, failure.ClassOf(err), "",
			"Renewal configuration file %s (cert: %s) produced an unexpected error",
			s.Disk.Dirs.Renewal(w.CertName), w.CertName)
	}
	p := l.Renewal.Params
	if (w.Server != "" && w.Server != p.Server) || (w.Account != "" && w.Account != p.Account) {
		return nil, failure.New(failure.Config, "",
			"Using reconfigure to change the ACME account or server is not supported. If you would "+
				"like to do so, use renew with the %s flag instead of reconfigure. Note that doing so will "+
				"count against any rate limits. For more information on this method, see https://certbot.org/renew-reconfiguration",
			failure.Do(failure.RenewUndue))
	}
	return l, nil
}

// rehearsed renews the lineage, as it would be from now on, without putting anything in place.
func (s *reconfigs) rehearsed(ctx context.Context, l *certbot.Lineage, round Round) error {
	round.Renew, round.Server, round.Account = false, "", ""
	if l.Renewal.Params.Server == host.Production {
		round.Server = host.Staging
	}
	result := s.rehearsal().renew(ctx, l, round)
	if result.Err != nil {
		return failure.Wrap(result.Err, result.Class, "",
			"%s was not reconfigured, since a renewal with the new settings would fail", l.Name)
	}
	return nil
}

// rehearsal renews as a rehearsal does. Its engines are its own: they see a host on which nothing
// changes.
func (s *reconfigs) rehearsal() *rounds {
	b := s.rehearsing()
	return newRounds(b, s.on(b), &calendar{base: b, known: s.known})
}

// rewrite applies what was asked to the renewal file and reports whether that changed it. The
// caller holds the lineage's lock.
func (s *reconfigs) rewrite(ctx context.Context, w Reconfiguration) (bool, error) {
	l, err := s.Disk.Open(w.CertName)
	if err != nil {
		return false, err
	}
	said := w.Said
	said.Server, said.Account = "", "" // which it does not change
	r, err := host.FromFile(s.asOrdered(l), said)
	if err != nil {
		return false, err
	}
	s.host.Roots.Refresh(ctx, &r) // what the rehearsal was told, not what the file knew before
	before, err := os.ReadFile(l.Renewal.Path)
	if err != nil {
		return false, err
	}
	if err := s.Disk.WriteRenewal(l.Renewal, w.Changes(r)); err != nil {
		return false, err
	}
	after, err := os.ReadFile(l.Renewal.Path)
	return string(before) != string(after), err
}
