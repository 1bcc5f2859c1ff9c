package renewal

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"orderly/failure"
	"orderly/host"
	"orderly/ledger"
	"orderly/order"
)

// What comes of a lineage, for a person, for JSON and for the exit code.

// Result is what became of one lineage.
type Result struct {
	Lineage string    `json:"lineage"`
	Names   []string  `json:"names,omitempty"`
	Outcome string    `json:"outcome"` // "issued", "kept", "failed", "stopped", "locked", "invalid", "skipped", "rehearsed"
	Path    string    `json:"fullchain,omitempty"`
	Key     string    `json:"private_key,omitempty"`
	Expires time.Time `json:"expires,omitzero"`
	DueAt   time.Time `json:"due_at,omitzero"`
	// DueBecause says why it is due then: one of the constants of Due.
	DueBecause string `json:"due_because,omitempty"`
	// Explanation is a page of the CA that says why it wanted the certificate renewed early.
	Explanation string `json:"explanation_url,omitempty"`
	Order       int64  `json:"order,omitempty"`
	Resumed     bool   `json:"resumed,omitempty"`
	// Made is how many orders the CA made for it in this run.
	Made int `json:"orders_made"`
	// Started and Ended are when this run worked on it; zero where there was nothing to do.
	Started time.Time `json:"started,omitzero"`
	Ended   time.Time `json:"ended,omitzero"`
	// Refused: it failed before anything was ordered, by what is known here.
	Refused bool `json:"-"`
	// gone: it was deleted while the round was under way, and there is nothing to tell of it.
	gone bool
	// Output names the files of a certificate that belongs to no lineage.
	Output host.Output `json:"output,omitzero"`
	// Note is what somebody should know although the certificate is in place.
	Note  string   `json:"note,omitempty"`
	Notes []string `json:"notes,omitempty"` // what is odd about when it is due

	Class    failure.Class  `json:"class,omitempty"`
	Sentence string         `json:"error,omitempty"`
	Remedy   failure.Remedy `json:"remedy,omitempty"`
	Until    time.Time      `json:"until,omitzero"` // when it ends by itself, where that is known
	Err      error          `json:"-"`
}

// The outcomes of a Result.
const (
	Issued  = "issued"
	Kept    = "kept"
	Failed  = "failed"
	Stopped = "stopped"
	Locked  = "locked"  // another run was at work on it for longer than it was waited for
	Invalid = "invalid" // the renewal file cannot be used
	Skipped = "skipped" // the renewal file is a copy of another's
	// Superseded: what was ordered was not put in place, since something newer was by then.
	Superseded = string(ledger.SupersededState)
)

// Rehearsed is the outcome of a dry run that came to a certificate.
const Rehearsed = "rehearsed"

// fail makes err the result's. One that was ended with its run hears what to do, wherever it was just
// then: "context canceled" tells nobody anything. Err stays what it is, for whoever knows what ended
// the run.
func (r *Result) fail(err error) {
	r.Err, r.Class, r.Sentence, r.Remedy, r.Until = err, failure.ClassOf(err), err.Error(),
		failure.RemedyOf(err), failure.UntilOf(err)
	if r.Class == failure.Stopped && r.Remedy == "" {
		r.Sentence = fmt.Sprintf("stopped before %s was done", r.Lineage)
		r.Remedy = "Run the same command again: it goes on where it stopped."
	}
	r.Outcome = Failed
	switch r.Class {
	case failure.Stopped:
		r.Outcome = Stopped
	case failure.Locked:
		r.Outcome = Locked
	}
}

// logResult notes in one line what came of a certificate, where something did.
func (s *base) logResult(ctx context.Context, r Result) {
	level := slog.LevelInfo
	switch r.Outcome {
	case "", Kept, Skipped:
		return
	case Failed, Invalid:
		level = slog.LevelError
	case Stopped, Locked:
		level = slog.LevelWarn
	}
	about := []any{"outcome", r.Outcome}
	if id, _ := order.In(ctx); r.Order != 0 && id == 0 {
		about = append(about, "order", r.Order)
	}
	if r.Class != "" {
		about = append(about, "class", r.Class, "error", r.Sentence)
	}
	if host.LineageIn(ctx) == "" {
		about = append(about, "lineage", r.Lineage)
	}
	s.Log.Log(ctx, level, "what came of it", about...)
}

// Exit is the exit code that results amount to: 75 when something was stopped in time, 1 when
// something failed, as certbot's renew.
func Exit(results []Result, err error) int {
	if err != nil {
		return failure.ClassOf(err).ExitCode()
	}
	code := 0
	for _, r := range results {
		switch r.Outcome {
		case Stopped:
			if code == 0 {
				code = failure.Stopped.ExitCode()
			}
		case Failed, Invalid, Locked:
			code = 1
		}
	}
	return code
}

// Exit is the exit code of a round. What another run is at work on is that run's to fail, unless it is
// all that this one was asked for.
func (r Round) Exit(results []Result, err error) int {
	if r.CertName == "" {
		results = slices.DeleteFunc(slices.Clone(results),
			func(one Result) bool { return one.Outcome == Locked })
	}
	return Exit(results, err)
}

// endsRound returns the error of a result that the other lineages would only repeat.
func endsRound(ctx context.Context, r Result) error {
	if ctx.Err() != nil {
		if r.Err != nil && r.Class == failure.Stopped {
			return r.Err
		}
		return failure.New(failure.Stopped,
			"Run the same command again: it goes on where it stopped.",
			"the round was stopped after %s", r.Lineage)
	}
	switch r.Class {
	case failure.Ledger, failure.Clock:
		return r.Err
	}
	return nil
}

// listNames names names as certbot does: "a and b", or "a and 3 more domains".
func listNames(names []string) string {
	switch len(names) {
	case 0:
		return "nothing"
	case 1:
		return names[0]
	case 2:
		return names[0] + " and " + names[1]
	}
	return fmt.Sprintf("%s and %d more domains", names[0], len(names)-1)
}
