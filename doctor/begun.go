package doctor

// What was begun and nobody goes on with: orders, hooks that are owed, tasks. A run goes on with all
// of it; where there is none, it waits, and what is pending at the CA counts against its limits.

import (
	"context"
	"errors"
	"fmt"
	"syscall"
	"time"

	"orderly/failure"
	"orderly/ledger"
)

func begunChecks() []Check {
	return []Check{{ID: "D30", Title: "Something is begun, and nobody goes on with it", Host: leftBehind}}
}

// leftFor is after how long nobody goes on with what was begun: the next round would have.
const leftFor = 36 * time.Hour

// leftBehind tells of a ledger that cannot be used, and of what it knows to be begun.
func leftBehind(ctx context.Context, e *Exam) ([]Finding, error) {
	if errors.Is(e.NoLedger, syscall.EROFS) {
		return nil, nil // D23 tells how it is mounted
	}
	if e.NoLedger != nil {
		return []Finding{{ID: "D30", Class: failure.ClassOf(e.NoLedger), Severity: WillFail, Fix: FixNo, HurtsAt: e.At,
			Cause: "ledger", Sentence: e.NoLedger.Error(), Remedy: failure.RemedyOf(e.NoLedger)}}, nil
	}
	if e.Ledger == nil {
		return nil, nil
	}
	orders, err := e.Ledger.Orders(ctx, ledger.OrderFilter{Unsettled: true})
	if err != nil {
		return nil, err
	}
	var findings []Finding
	for _, o := range orders {
		if !o.Request.Rehearsal && e.At.Sub(o.UpdatedAt) > leftFor && !e.At.Before(o.NotBefore) && e.asksFor(o.Lineage) {
			findings = append(findings, orderLeft(o))
		}
	}
	tasks, err := e.Ledger.Tasks(ctx)
	for _, t := range tasks {
		if e.At.Sub(t.BegunAt) > leftFor && !e.atWork(t.RunID) {
			findings = append(findings, Finding{ID: "D30", Class: failure.Killed, Severity: Note, Fix: FixNo,
				Since: t.BegunAt, Cause: "task", Remedy: failure.Do(failure.Resume) + " goes on with it.",
				Sentence: failure.Words("run %d began a %s (%s) and was killed; nobody has gone on with it", t.RunID, string(t.Kind), t.Subject)})
		}
	}
	return findings, err
}

// orderLeft is the finding about one order.
func orderLeft(o *ledger.Order) Finding {
	f := Finding{ID: "D30", Class: failure.AnswerLost, Severity: Note, Fix: FixNo, Since: o.UpdatedAt, Cause: "order",
		Lineage: o.Lineage, Names: o.Names, Remedy: failure.Do(failure.Resume) + " goes on with it; " +
			failure.Do(failure.ShowOrder, fmt.Sprint(o.ID)) + " shows what became of it."}
	f.Sentence = failure.Words("order %d is %s, and nobody has gone on with it", o.ID, string(o.State))
	return f
}

// asksFor reports whether a lineage is one of those that were asked for; one that is gone from the
// disk is asked for where all are.
func (e *Exam) asksFor(lineage string) bool {
	if len(e.Wanted.Names) == 0 {
		return true
	}
	for _, x := range e.Lineages {
		if x.Name == lineage {
			return true
		}
	}
	return false
}

// atWork reports whether a run lives, or cannot be told to be dead.
func (e *Exam) atWork(id int64) bool {
	if e.Alive == nil {
		return false
	}
	alive, err := e.Alive(id)
	return err != nil || alive
}
