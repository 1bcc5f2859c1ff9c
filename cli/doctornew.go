package cli

// doctor --new tells what is new since the last `doctor --new`. What it remembers is written after
// the report was: a run that is killed in between tells twice what nobody may have read.

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"orderly/doctor"
	"orderly/failure"
	"orderly/ledger"
)

// seenKey is under which `doctor --new` keeps what it found.
const seenKey = "doctor --new"

// news is a report compared with the last one.
type news struct {
	fresh  doctor.Report
	since  time.Time // of the last look; zero for the first
	now    doctor.Seen
	ledger ledger.Store
}

// compared compares a report with what the last look found.
func (f *doctoring) compared(ctx context.Context, s *session, report doctor.Report) (*news, error) {
	if f.noLedger != nil {
		return nil, f.noLedger // what was found before is in it
	}
	if err := s.openLedger(ctx, false); err != nil {
		return nil, err
	}
	n := &news{ledger: s.ledger}
	var before *doctor.Seen
	memo, err := s.ledger.Memo(ctx, seenKey)
	switch {
	case err == nil:
		if before, err = doctor.ReadSeen(memo.Body); err == nil {
			n.since = memo.At
		} else {
			s.p.Warn("what the last look found cannot be read (%v): all is new", err)
		}
	case !errors.Is(err, ledger.ErrNone):
		return nil, err
	}
	n.fresh, n.now = report.New(before)
	return n, nil
}

// tell says with what the report was compared.
func (n *news) tell(p *printer) {
	if n.since.IsZero() {
		p.Say("This is the first look with --new: all of it is new.\n")
		return
	}
	p.Say("Compared with %s: what is new, or worse.\n", clock(n.since))
}

// keep remembers what was found for the next time.
func (n *news) keep(ctx context.Context) error {
	body, err := json.Marshal(n.now)
	if err != nil {
		return err
	}
	err = n.ledger.Commit(context.WithoutCancel(ctx),
		&ledger.Change{Memos: []ledger.Memo{{Key: seenKey, At: n.now.At, Body: body}}})
	if err != nil {
		return failure.Wrap(err, failure.ClassOf(err), failure.RemedyOf(err),
			"what was found cannot be remembered: the next --new tells it again")
	}
	return nil
}
