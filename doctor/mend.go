package doctor

// Mending: under the locks that a renewal takes, what was shown is planned once more, what is
// replaced is kept, and only then anything is changed. A kill at any instant leaves the old state or
// the new one.

import (
	"context"
	"errors"
	"slices"

	"orderly/certbot"
	"orderly/failure"
)

// Mender mends what a doctor found.
type Mender struct {
	exam *Exam
	// Lock takes the lock of a lineage; free is false where another process is at work on it.
	Lock func(lineage string) (unlock func() error, free bool, err error)
	// PutAside puts a lineage aside as `retire` does, where certain, asked under its lock, says so.
	PutAside func(ctx context.Context, lineage string, certain func() error) error
	// Backup keeps what is replaced.
	Backup *Backup
}

// Mender returns who mends what the report says; nil for a report that was not made on this host.
func (r Report) Mender() *Mender {
	if r.exam == nil {
		return nil
	}
	r.exam.mender = &Mender{exam: r.exam}
	return r.exam.mender
}

// Repair is what would be done about a finding. It is shown before it is done.
type Repair struct {
	Finding Finding
	Edits   []certbot.Edit // by path; none where there is nothing to do
}

// Plan says what would be done about a finding as things stand now.
func (m *Mender) Plan(ctx context.Context, f Finding) (Repair, error) {
	p, err := m.exam.planFor(ctx, f)
	return Repair{f, p.edits}, err
}

// ErrBusy is in the chain of Mend's error where another run is at work on the lineage.
var ErrBusy = errors.New("another run is at work on it")

// Mend does what was shown. Who calls holds certbot's lock. Where things changed since it was shown
// nothing is done, and the error says so.
func (m *Mender) Mend(ctx context.Context, r Repair) error {
	if f := r.Finding; f.Lineage != "" && (f.ID != "D19" || f.Cause == copied) { // a family's are locked one by one
		unlock, err := m.lock(r.Finding.Lineage)
		if err != nil {
			return err
		}
		defer unlock()
	}
	now, err := m.exam.planFor(ctx, r.Finding)
	if err != nil {
		return err
	}
	if !slices.Equal(now.edits, r.Edits) {
		return failure.New(failure.Locked, "Run the same command again.",
			"what was found changed meanwhile, and is left as it is")
	}
	if len(now.edits) == 0 {
		return nil // what was mended before has mended this as well
	}
	if err := m.Backup.Keep(r); err != nil {
		return err
	}
	return now.do(ctx)
}

// lock takes the lock of a lineage, unless another run has it.
func (m *Mender) lock(lineage string) (unlock func(), err error) {
	release, free, err := m.Lock(lineage)
	if err != nil {
		return nil, err
	}
	if !free {
		return nil, failure.Wrap(ErrBusy, failure.Locked, "Run the same command again when it has ended.",
			"%s is left as it is", lineage)
	}
	return func() { _ = release() }, nil // it cannot outlive the process
}
