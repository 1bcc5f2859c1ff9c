package doctor

// Whether people are told: a digest that arrives nowhere looks like a healthy server.

import (
	"context"

	"orderly/deliver"
	"orderly/failure"
)

func tellingChecks() []Check {
	return []Check{{ID: "D53", Title: "Digests do not arrive", Host: undelivered}}
}

// undelivered tells of channels that fail.
func undelivered(ctx context.Context, e *Exam) ([]Finding, error) {
	if e.Ledger == nil {
		return nil, nil
	}
	troubles, err := deliver.Troubles(ctx, e.Ledger)
	var findings []Finding
	for _, t := range troubles {
		findings = append(findings, Finding{ID: "D53", Class: failure.Undelivered, Severity: Note, Fix: FixNo,
			Since: t.Since, Cause: t.Channel,
			Sentence: failure.Words("the channel %s: %s (messages that wait: %d, given up: %d)", t.Channel,
				t.Problem, t.Waiting, t.Lost),
			Remedy: "See what each channel says now with " + failure.Do(failure.TestChannels) + "."})
	}
	return findings, err
}
