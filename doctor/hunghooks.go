package doctor

// Hooks that hung in former runs, by the ledger's word. The certificate is there all the same; the
// web server may not have taken it up, and each run loses minutes.

import (
	"context"
	"fmt"
	"time"

	"orderly/failure"
	"orderly/hook"
	"orderly/host"
)

// hungHooks tells of hooks that did not come to their end.
func hungHooks(ctx context.Context, e *Exam) ([]Finding, error) {
	if e.Ledger == nil {
		return nil, nil
	}
	all, err := host.HungHooks(ctx, e.Ledger)
	var findings []Finding
	for _, h := range all {
		if !h.Bound && e.atWork(h.Run) {
			continue // it may end well
		}
		f := Finding{ID: "D24", Class: failure.Hook, Severity: Note, Fix: FixNo, Since: h.Since,
			Cause: h.Hook + " " + h.Command}
		if len(h.Lineages) == 1 {
			f.Lineage = h.Lineages[0]
		}
		how := "was still at work when its run was ended or killed"
		if h.Bound {
			how = fmt.Sprintf("had to be ended after %d minutes", int(hook.Patience/time.Minute))
		}
		times := ""
		if h.Times > 1 {
			times = fmt.Sprintf(", the last of %d times", h.Times)
		}
		f.Sentence = failure.Words("the %s %s %s on %s%s", h.Hook, h.Command, how, day(h.At), times)
		f.Remedy = "Run it by hand and see what it waits for (standard input, a lock, a network); it is " +
			"forgotten here once it has ended by itself: `" + failure.Shell("sh", "-c", h.Command) + "`."
		findings = append(findings, f)
	}
	return findings, err
}
