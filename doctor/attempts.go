package doctor

// What was tried already, and failed: the ledger's word.

import (
	"orderly/certbot"
	"orderly/failure"
)

func attemptChecks() []Check {
	return []Check{{ID: "D28", Title: "The last attempts to renew failed", Lineage: failedLately}}
}

// failedLately tells what the last attempts came to. Whether the cause is there still is what other
// checks say.
func failedLately(_ *Exam, x *Lineage, _ *certbot.Lineage) []Finding {
	s := x.Standing
	if s.Class == "" {
		return nil
	}
	f := x.finds("D28", failure.Class(s.Class), failure.Kept(s.Remedy),
		"the last attempt failed: %s", s.Sentence)
	f.Since, f.Cause = s.RefusedSince, s.Class
	if f.Since.IsZero() {
		f.Since = s.At
	}
	return []Finding{f}
}
