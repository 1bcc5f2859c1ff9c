package renewal

import (
	"path/filepath"

	"orderly/certbot"
	"orderly/host"
	"orderly/order/drive"
)

// What stands in place when a run is done with a lineage, read from the disk and not from what was
// meant.

// inPlace reads what stands in place.
type inPlace struct {
	*base
	*calendar
}

// keep says that a certificate in place is as it should be: because this run has finished what an
// earlier one began, or since long.
func (s *inPlace) keep(r *Result, l *certbot.Lineage) {
	due, err := s.due(l)
	if err != nil {
		due = Due{}
	}
	s.stands(r, l, due)
}

// stands is keep where it is known when the certificate is due.
func (s *inPlace) stands(r *Result, l *certbot.Lineage, due Due) {
	r.Outcome = Kept
	if done := s.host.Finished.Of(s.host.Files.OrderName(l.Name)); done != nil && r.Order == 0 {
		r.Outcome, r.Order, r.Resumed = Issued, done.ID, true
		if done.Request.Rehearsal {
			r.Outcome = Rehearsed
		}
	}
	r.Path, r.Key, r.Expires = l.Renewal.FullChain, l.Renewal.PrivKey, l.Certificate.NotAfter
	for _, note := range l.Renewal.DueNotes() {
		r.Notes = append(r.Notes, note.String())
	}
	r.DueAt, r.DueBecause = due.At, due.Because
}

// conclude reads what was put in place.
func (s *inPlace) conclude(lineage string, outcome drive.Outcome, err error, result *Result) error {
	if outcome.Order != nil {
		result.Order, result.Resumed = outcome.Order.ID, outcome.Resumed
	}
	result.Made += outcome.Made
	result.Refused = err != nil && outcome.Refused && outcome.Made == 0
	if err != nil {
		return err
	}
	if outcome.Order != nil {
		s.host.Hooks.Renewed(outcome.Order.Request.Names)
	}
	if s.Settings.Rehearsal {
		result.Outcome, result.Path = Rehearsed, filepath.Join(s.Disk.Dirs.Config, "live", lineage,
			"fullchain.pem")
		if l, err := s.Disk.Open(lineage); err == nil && outcome.Order != nil {
			result.Note = s.host.Hooks.NoteInstaller(l,
				host.Read(outcome.Order.Request).Hooks.Deploy, s.Settings.Installer)
		}
		return nil
	}
	l, err := s.Disk.Open(lineage)
	if err != nil {
		return err
	}
	s.keep(result, l)
	result.Names = l.Certificate.Names
	if outcome.Order != nil {
		result.Outcome = Issued
		result.Note = s.host.Hooks.NoteInstaller(l, host.Read(outcome.Order.Request).Hooks.Deploy,
			s.Settings.Installer)
	}
	return nil
}
