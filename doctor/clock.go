package doctor

// The clock: certificates are due by it, and a CA refuses what comes from another year.

import (
	"context"
	"time"

	"orderly/failure"
	"orderly/renewal"
)

func clockChecks() []Check {
	return []Check{{ID: "D31", Title: "This host's clock cannot be right", Host: wrongClock}}
}

// ahead is by how much what is recorded may be ahead of the clock: clocks are set back by seconds.
const ahead = 5 * time.Minute

// wrongClock tells of a clock from before this program was made, from before what it has recorded,
// and of one that nothing keeps right.
func wrongClock(_ context.Context, e *Exam) ([]Finding, error) {
	const remedy = "Set the clock, and look at its source (timedatectl, chronyc tracking)."
	f := Finding{ID: "D31", Class: failure.Clock, Severity: WillFail, Fix: FixNo, HurtsAt: e.At, Remedy: remedy}
	if e.At.Before(renewal.Floor()) {
		f.Sentence = "it says " + e.At.UTC().Format(time.DateOnly) + ", which is before Orderly was made"
		return []Finding{f}, nil
	}
	for _, r := range e.runs {
		if last := ended(r); last.Sub(e.At) > ahead {
			f.Sentence = failure.Words("it says %s, and run %d was at work at %s",
				e.At.UTC().Format(time.DateTime), r.ID, last.UTC().Format(time.DateTime))
			return []Finding{f}, nil
		}
	}
	// A container has its host's clock, and no say in it.
	if e.Unsynchronised != nil && e.Schedule.Booted() && e.Unsynchronised() {
		f.Severity, f.HurtsAt = Note, time.Time{}
		f.Sentence = "nothing keeps it right: the kernel says that it is not synchronised"
		return []Finding{f}, nil
	}
	return nil, nil
}
