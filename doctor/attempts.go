package doctor

// What was tried already, and failed: the ledger's word.

import (
	"context"
	"fmt"
	"slices"
	"time"

	"orderly/certbot"
	"orderly/failure"
	"orderly/ledger"
)

func attemptChecks() []Check {
	return []Check{
		{ID: "D28", Title: "The last attempts to renew failed", Lineage: failedLately},
		{ID: "D29", Title: "Renewed in vain for longer than a certificate is valid", Lineage: failedForEver},
	}
}

// refusedFor is how far back refusals are counted: longer than any certificate that is renewed
// lives beyond its renewal.
const refusedFor = 120 * 24 * time.Hour

// tried are the attempts that came to nothing.
type tried struct {
	times int
	first time.Time
}

// learnTried counts the refusals of each lineage that fails. Without any that is not asked: it reads
// all that ever happened.
func (e *Exam) learnTried(ctx context.Context) error {
	fails := false
	for _, s := range e.Standings {
		fails = fails || s.Class != ""
	}
	if !fails {
		return nil
	}
	events, err := e.Ledger.Refusals(ctx, "", e.At.Add(-refusedFor))
	if err != nil {
		return err
	}
	e.refusals = map[string][]ledger.Event{}
	for _, event := range events {
		if e.Standings[event.Lineage].Class != "" {
			e.refusals[event.Lineage] = append(e.refusals[event.Lineage], event)
		}
	}
	return nil
}

// tried counts what was tried since a certificate was made.
func (e *Exam) tried(x *Lineage) tried {
	s := x.Standing
	t := tried{times: s.Failures, first: earlier(s.RefusedSince, s.At)}
	for _, event := range e.refusals[x.Name] {
		if event.At.After(x.NotBefore) {
			t.times++
			t.first = earlier(t.first, event.At)
		}
	}
	t.times = max(t.times, 1)
	return t
}

// failedLately tells what the last attempts came to. Whether the cause is there still is what other
// checks say.
func failedLately(e *Exam, x *Lineage, _ *certbot.Lineage) []Finding {
	s := x.Standing
	if s.Class == "" {
		return nil
	}
	t := e.tried(x)
	attempts := "the last attempt failed"
	if t.times > 1 {
		attempts = fmt.Sprintf("the last %d attempts failed", t.times)
	}
	f := x.finds("D28", failure.Class(s.Class), failure.Kept(s.Remedy), "%s%s: %s", x.ending(e.At), attempts, s.Sentence)
	f.Since, f.Cause = t.first, s.Class
	return []Finding{f}
}

// onceEach leaves out what the last attempts failed of where it is found to be so today: a person
// reads of one cause once, with the place and the remedy.
func onceEach(findings []Finding) []Finding {
	type cause struct {
		lineage string
		class   failure.Class
	}
	today := map[cause]bool{}
	for _, f := range findings {
		if f.ID != "D28" && f.hurts() && f.Class != "" {
			today[cause{f.Lineage, f.Class}] = true
		}
	}
	return slices.DeleteFunc(findings, func(f Finding) bool {
		return f.ID == "D28" && today[cause{f.Lineage, f.Class}]
	})
}

// endsSoon is how long before it a certificate's end is told with what keeps it from being renewed.
const endsSoon = 30 * 24 * time.Hour

// ending says of a certificate that is about to end when that is, "" of others.
func (x *Lineage) ending(now time.Time) string {
	left := x.NotAfter.Sub(now)
	switch days := int(left / (24 * time.Hour)); {
	case x.NotAfter.IsZero() || left > endsSoon:
		return ""
	case left <= 0:
		return "expired on " + x.NotAfter.UTC().Format(time.DateOnly) + "; "
	case days == 0:
		return "expires within a day; "
	case days == 1:
		return "expires in 1 day; "
	default:
		return fmt.Sprintf("expires in %d days; ", days)
	}
}

// failedForEver tells of a certificate that has been due, and failed to be renewed, for longer than
// it was valid: whoever owned the site has gone.
func failedForEver(e *Exam, x *Lineage, _ *certbot.Lineage) []Finding {
	life := x.NotAfter.Sub(x.NotBefore)
	if x.Standing.Class == "" || x.Due.At.IsZero() || e.At.Sub(x.Due.At) <= life || e.At.Before(x.NotAfter) {
		return nil
	}
	f := x.finds("D29", failure.Expired, "If its names have moved or are gone, put it aside: "+failure.Do(failure.Retire, x.Name)+".",
		"it expired on %s, and has been due since %s without being renewed: longer than it was valid",
		x.NotAfter.UTC().Format(time.DateOnly), x.Due.At.UTC().Format(time.DateOnly))
	f.Severity, f.Since = Note, x.Due.At
	return []Finding{f}
}
