// Package task keeps what a command means to do beside orders (delete, revoke, give an account up,
// change its key) in the ledger, from before anything of it is done until nothing is left of it:
// see ledger.Task. A run that dies in between leaves the task, and the next one, whatever that is
// about, finishes it before it does anything else. What is to be done, and how it is gone on with,
// is its owner's business; this package must never look into a payload, or judge by the words of an
// event.
package task

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"orderly/acme"
	"orderly/ledger"
)

// Intended is the first step of every task: nothing of it is done yet.
const Intended = "intended"

// Book is where one run writes its tasks down.
type Book struct {
	Ledger ledger.Store
	Clock  interface{ Now() time.Time }
	Run    *ledger.Run
}

// Undertake makes a task durable, with what else changes in its first step.
func (b Book) Undertake(ctx context.Context, kind ledger.TaskKind, subject string, payload any,
	more ledger.Change) (*ledger.Task, error) {
	text, err := json.Marshal(payload)
	if err != nil {
		return nil, err
	}
	t := &ledger.Task{RunID: b.Run.ID, Kind: kind, Subject: subject, Step: Intended,
		Payload: string(text), BegunAt: b.Clock.Now()}
	more.Tasks = append(more.Tasks, t)
	return t, b.Ledger.Commit(context.WithoutCancel(ctx), &more)
}

// Move records that a task has come to another step, with what happened.
func (b Book) Move(ctx context.Context, t *ledger.Task, step string, events ...ledger.Event) error {
	t.Step = step
	change := &ledger.Change{Tasks: []*ledger.Task{t}, Events: b.stamp(events)}
	return b.Ledger.Commit(context.WithoutCancel(ctx), change)
}

// End records that nothing is left of a task, and what happened.
func (b Book) End(ctx context.Context, t *ledger.Task, event ledger.Event) error {
	t.EndedAt = b.Clock.Now()
	return b.Move(ctx, t, t.Step, event)
}

// Note makes an event of this run durable, also when a signal came.
func (b Book) Note(ctx context.Context, event ledger.Event) error {
	change := &ledger.Change{Events: b.stamp([]ledger.Event{event})}
	return b.Ledger.Commit(context.WithoutCancel(ctx), change)
}

// Event is an event of this run.
func (b Book) Event(kind, detail string) ledger.Event {
	return ledger.Event{At: b.Clock.Now(), RunID: b.Run.ID, Kind: kind, Detail: detail}
}

func (b Book) stamp(events []ledger.Event) []ledger.Event {
	for i := range events {
		events[i].At, events[i].RunID = b.Clock.Now(), b.Run.ID
	}
	return events
}

// longestInVain is how long a CA that cannot be reached is asked for what a dead run began.
const longestInVain = 30 * 24 * time.Hour

// InVain reports whether the CA certainly did nothing of a task when err came of asking it, also
// where the run was told to end: the person has read that nothing was sent, and the next run, of
// cron, would do it behind his back. A request that this run could not send, or that the CA had no
// time for, says nothing of the one that a dead run may have sent.
func (b Book) InVain(t *ledger.Task, err error) bool {
	switch _, unsent := errors.AsType[*acme.NotSent](err); {
	case acme.Undecided(err):
		return false
	case t.RunID == b.Run.ID:
		return true
	case unsent:
		return b.Clock.Now().Sub(t.BegunAt) > longestInVain
	}
	p, ok := errors.AsType[*acme.Problem](err)
	return !ok || !p.IsType("rateLimited")
}
