package doctor

// Who renews on this host, and who else: schedules tell who is meant to, the ledger who did. A host
// whose renewals are started from elsewhere has no schedule, so that one that is missing is told as
// a note until there is a sign that nothing is started at all.

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"orderly/certbot"
	"orderly/failure"
	"orderly/ledger"
	"orderly/schedule"
)

func renewerChecks() []Check {
	return []Check{
		{ID: "D25", Title: "Others renew certificates on this host, too", Host: renewsToo},
		{ID: "D26", Title: "Nothing renews the certificates", Host: nobodyRenews},
	}
}

const (
	// roundsFor is how far back rounds are looked for that show that Orderly renews here.
	roundsFor = 60 * 24 * time.Hour
	// silentFor is after how long without a round nobody renews: rounds are made once or twice a
	// day.
	silentFor = 7 * 24 * time.Hour
	// lastRuns is how many runs are looked at.
	lastRuns = 500
)

// lastRound is the last run that went over the lineages; none where the ledger knows of none.
func (e *Exam) lastRound() (ledger.Run, bool) {
	for _, r := range e.runs { // newest first
		if r.Round {
			return r, true
		}
	}
	return ledger.Run{}, false
}

// ended is when a run ended, as far as that is known.
func ended(r ledger.Run) time.Time {
	for _, at := range []time.Time{r.EndedAt, r.LastAt} {
		if !at.IsZero() {
			return at
		}
	}
	return r.StartedAt
}

// sameDirectory reports whether a renewer works on the directory that is looked at.
func (e *Exam) sameDirectory(r schedule.Renewer) bool {
	dir := r.ConfigDir
	if dir == "" {
		dir = certbot.DefaultDirs().Config
	}
	return filepath.Clean(dir) == filepath.Clean(e.Disk.Dirs.Config)
}

// renewsToo tells of certbot where Orderly renews the same directory, and of other clients and
// panels.
func renewsToo(_ context.Context, e *Exam) ([]Finding, error) {
	if e.Schedule.Self == "" {
		return nil, nil // nobody can be told from ourselves
	}
	last, known := e.lastRound()
	all := e.Schedule.All()
	here := known && e.At.Sub(ended(last)) < roundsFor
	for _, r := range all {
		here = here || r.Ours && e.sameDirectory(r)
	}
	if !here {
		return nil, nil
	}
	var findings []Finding
	for _, r := range all {
		if r.Ours || r.Certbots && !e.sameDirectory(r) {
			continue
		}
		what := "which renews certificates of its own; names that are here as well are ordered twice"
		if r.Certbots {
			what = "which renews the same certificates"
		}
		runs := r.Client + " (" + r.Program + ")"
		if r.Script != "" {
			runs += " by " + r.Script
		}
		findings = append(findings, Finding{ID: "D25", Class: failure.Config, Severity: Note, File: r.File, Line: r.Line,
			Cause: r.Client, Fix: FixNo, Sentence: failure.Words("%s runs %s, %s", r.Name, runs, what),
			Remedy: "If it is no longer wanted, " + r.End() + "."})
	}
	return findings, nil
}

// nobodyRenews tells that rounds have ceased, that certificates are overdue and nobody tried, or
// that nothing is there that would.
func nobodyRenews(_ context.Context, e *Exam) ([]Finding, error) {
	if e.Schedule.Self == "" || len(e.Lineages)+len(e.Others) == 0 {
		return nil, nil
	}
	var meant []string
	for _, r := range e.Schedule.All() {
		if r.Certbots && e.sameDirectory(r) {
			meant = append(meant, r.Name)
		}
	}
	f := Finding{ID: "D26", Class: failure.Config, Severity: WillFail, Fix: FixNo,
		Remedy: "Let a timer or a cron table run " + failure.Do(failure.RenewDue) + " twice a day."}
	if timer := e.waitingTimer(); timer != "" {
		f.Remedy = failure.Advise("Enable its timer: %s.", failure.Shell("systemctl", "enable", "--now", timer))
	}
	last, known := e.lastRound()
	overdue, first := e.overdue()
	f.HurtsAt = first
	switch silent := e.At.Sub(ended(last)); {
	case known && silent <= silentFor:
		return nil, nil
	case known:
		f.Since = ended(last)
		f.Sentence = failure.Words("the last renewal of all certificates ended %d days ago", int(silent.Hours()/24))
	case overdue > 0:
		f.Sentence = failure.Words("%d certificates are overdue, and nobody has tried to renew them", overdue)
	case len(meant) > 0 || !e.hasScheduler():
		return nil, nil
	default:
		f.Severity, f.HurtsAt = Note, time.Time{}
		f.Sentence = "no timer and no cron table of this host renews certificates"
	}
	if len(meant) > 0 {
		f.Sentence += fmt.Sprintf(", though %s should", strings.Join(meant, " and "))
		f.Remedy = "Look at what became of its last runs: it does not run, or ends before it begins."
	}
	return []Finding{f}, nil
}

// waitingTimer is the timer that would renew this directory and is not enabled; "" for none.
func (e *Exam) waitingTimer() string {
	if r := e.Schedule.Waiting(); r.Name != "" && e.sameDirectory(r) {
		return r.Name
	}
	return ""
}

// overdue counts the lineages that should have been renewed long ago and that nobody tried, and says
// when the first was due or will be.
func (e *Exam) overdue() (n int, first time.Time) {
	for _, some := range [][]*Lineage{e.Lineages, e.Others} {
		for _, x := range some {
			if x.Err != nil || x.off() {
				continue
			}
			first = earlier(first, x.Due.At)
			if x.Standing.Class == "" && e.At.Sub(x.Due.At) > silentFor {
				n++
			}
		}
	}
	return n, first
}

// hasScheduler reports whether renewals of the directory that is looked at would be found on this
// host: in a container they are started from outside, and other directories have their own callers.
func (e *Exam) hasScheduler() bool {
	usual := filepath.Clean(e.Disk.Dirs.Config) == certbot.DefaultDirs().Config
	return usual && e.Schedule.Scheduled()
}
