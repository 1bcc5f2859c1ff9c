// Package doctor says which certificates of a host will not be renewed, and why, before anything is
// ordered. It looks at files, at the ledger and, where that was asked for, at DNS and at the sites
// themselves. It must never ask a CA but where that was asked for, and then for nothing that changes
// there, never change a file of certbot's or of a customer's while it looks (a Mender does, where it
// was told to, under the locks of a renewal), and never call certain what the network alone shows:
// who is told of a fault that is none stops reading.
package doctor

import (
	"time"

	"orderly/failure"
)

// Severity is how bad a finding is.
type Severity string

const (
	// Fails: the renewal is due, or was tried, and fails.
	Fails Severity = "fails"
	// WillFail: the renewal will fail when it is due.
	WillFail Severity = "will-fail"
	// Doubtful: the network shows a fault, but a renewal succeeded lately under the same conditions.
	// It forbids nothing.
	Doubtful Severity = "doubtful"
	// Note: nothing fails of it, but somebody should know.
	Note Severity = "note"
)

// Fix says whether `doctor --fix` mends a finding.
type Fix string

const (
	FixYes Fix = "yes" // without a question of taste
	FixAsk Fix = "ask" // only where its id is named
	FixNo  Fix = "no"  // never: a person has to
)

// Finding is one thing that is wrong, of one certificate or of the whole host.
type Finding struct {
	// ID is that of the check, such as D14. It never changes its meaning.
	ID       string
	Server   string // of a fleet; "" for the host that was looked at
	Class    failure.Class
	Severity Severity
	Lineage  string   // "" for what concerns the host
	Names    []string // those that it concerns, sorted; none where it concerns the whole certificate
	File     string   // in which it is seen, absolute; "" for none
	Line     int      // 1-based; 0 for none
	Since    time.Time
	// HurtsAt is when it will hurt: the lineage's next renewal, or its end; zero where that is not
	// known. It may have passed.
	HurtsAt  time.Time
	Sentence string // what is wrong and where, without a full stop at the end
	Remedy   failure.Remedy
	Fix      Fix
	// Cause tells findings of one check apart whose remedy differs for all that share it, such as
	// the zone whose name servers fail: those of one cause are told together. "" is a cause as well.
	Cause string
	// Unseen: the check could not be made, so that nothing is known of what it finds.
	Unseen bool
}

// hurts reports whether a renewal fails of it.
func (f Finding) hurts() bool { return f.Severity == Fails || f.Severity == WillFail }

// Comes says of a finding that its time has come, where it has.
func (f *Finding) Comes(now time.Time) {
	if f.Severity == WillFail && !f.HurtsAt.IsZero() && !f.HurtsAt.After(now) {
		f.Severity = Fails
	}
}

// Report is what a doctor found.
type Report struct {
	// Findings are in the order of Arrange.
	Findings []Finding
	Lineages int // that were looked at
	Clean    int // of these, those of which nothing was found but notes about the host
	// Server is which host looked at itself, At when, and Held what lives there; Partial where only
	// some certificates were asked for.
	Server  string
	At      time.Time
	Held    []DocumentLineage
	Partial bool
	// Servers is how many a fleet's report is of, and Unread what it lacks; none for a single host's.
	Servers int
	Unread  []Unread

	exam *Exam // what was looked at, for who mends; nil of a report that was read
}

// The exit codes of a report.
const (
	exitClean = 0
	exitFails = 1
	exitNotes = 3 // 2 is for command lines that are not understood
)

// Exit is the exit code: 0 for clean, 1 where something fails or will fail, 3 for notes, doubts and
// servers of a fleet that are silent only.
func (r Report) Exit() int {
	code := exitClean
	for _, f := range r.Findings {
		if f.hurts() {
			return exitFails
		}
		code = exitNotes
	}
	if len(r.Unread) > 0 {
		code = exitNotes // a server that is silent must not look healthy
	}
	return code
}
