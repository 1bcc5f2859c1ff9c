package renewal

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"orderly/acme"
	"orderly/ledger"
)

// What a command means to do beside orders (delete, revoke, give an account up, change its key) is a task in the ledger from
// before anything of it is done until nothing is left of it: see ledger.Task. A run that dies in between leaves the task, and
// the next one, whatever that is about, finishes it before it does anything else: half a deleted lineage would otherwise make
// every renew fail, or come back. A command that was told that nothing was done (the CA refused, nothing was sent) ends its
// task: the person knows, and decides.

// The steps of tasks.
const (
	stepIntended    = "intended"
	stepRevoked     = "revoked"     // by the CA; the lineage may be left to delete
	stepDeactivated = "deactivated" // by the CA; the account's directory is left to remove
)

// taskPatience bounds what one run gives to what earlier ones left: a CA that is away must not keep it from its own work.
const taskPatience = 20 * time.Second

// undertake makes a task durable, with what else changes in its first step.
func (s *Server) undertake(ctx context.Context, kind ledger.TaskKind, subject string, payload any, more ledger.Change) (*ledger.Task, error) {
	text, err := json.Marshal(payload)
	if err != nil {
		return nil, err
	}
	t := &ledger.Task{RunID: s.run.ID, Kind: kind, Subject: subject, Step: stepIntended, Payload: string(text), BegunAt: s.Clock.Now()}
	more.Tasks = append(more.Tasks, t)
	return t, s.Ledger.Commit(context.WithoutCancel(ctx), &more)
}

// endTask records that nothing is left of a task, and what happened.
func (s *Server) endTask(ctx context.Context, t *ledger.Task, event ledger.Event) error {
	t.EndedAt = s.Clock.Now()
	event.At, event.RunID = t.EndedAt, s.run.ID
	return s.Ledger.Commit(context.WithoutCancel(ctx), &ledger.Change{Tasks: []*ledger.Task{t}, Events: []ledger.Event{event}})
}

// longestInVain is how long a CA that cannot be reached is asked for what a dead run began.
const longestInVain = 30 * 24 * time.Hour

// isInVain reports whether the CA certainly did nothing of a task when err came of asking it, also where the run was told to
// end: the person has read that nothing was sent, and the next run, of cron, would do it behind his back. A request that this
// run could not send, or that the CA had no time for, says nothing of the one that a dead run may have sent.
func (s *Server) isInVain(t *ledger.Task, err error) bool {
	switch _, unsent := errors.AsType[*acme.NotSent](err); {
	case undecided(err):
		return false
	case t.RunID == s.run.ID:
		return true
	case unsent:
		return s.Clock.Now().Sub(t.BegunAt) > longestInVain
	}
	p, ok := errors.AsType[*acme.Problem](err)
	return !ok || !p.IsType("rateLimited")
}

// finishTasks finishes what runs that are dead began. What cannot be finished now is said, and left to the next run.
func (s *Server) finishTasks(ctx context.Context) {
	tasks, err := s.Ledger.Tasks(ctx)
	if err != nil {
		s.Report.Warn("what earlier runs began cannot be looked up: %v", err)
		return
	}
	ctx, cancel := context.WithTimeout(ctx, taskPatience)
	defer cancel()
	for _, t := range tasks {
		if t.RunID == s.run.ID || ctx.Err() != nil {
			continue
		}
		if err := s.finishTask(ctx, t); err != nil {
			s.Report.Warn("the %s of %s, which run %d began at %s, is not finished: %v", t.Kind, t.Subject, t.RunID,
				t.BegunAt.UTC().Format(time.RFC3339), err)
		}
	}
}

// finishTask finishes a task under the lock of the run that began it, so that one process does.
func (s *Server) finishTask(ctx context.Context, t ledger.Task) error {
	unlock, free, err := s.Locks.TryLock(RunLock(t.RunID))
	if err != nil || !free {
		return err // its own run is at work, or another one finishes it
	}
	defer func() { _ = unlock() }() // it cannot outlive the process
	open, err := s.Ledger.Tasks(ctx)
	if err != nil || !slices.ContainsFunc(open, func(o ledger.Task) bool { return o.ID == t.ID && o.Step == t.Step }) {
		return err
	}
	switch t.Kind {
	case ledger.DeleteTask:
		return s.goOnDeleting(ctx, &t)
	case ledger.RevokeTask:
		return s.goOnRevoking(ctx, &t)
	case ledger.UnregisterTask:
		return s.goOnUnregistering(ctx, &t)
	case ledger.KeyChangeTask:
		return s.goOnChangingKey(ctx, &t)
	}
	return fmt.Errorf("this version knows no such task: %s", t.Kind)
}

// solitary reports whether no other run lives. An account is not taken from under one that works with it.
func (s *Server) solitary(ctx context.Context) bool {
	runs, err := s.Ledger.Runs(ctx, lastRenewals)
	return err == nil && !slices.ContainsFunc(runs, func(r ledger.Run) bool {
		alive, err := s.Locks.Held(RunLock(r.ID))
		return r.ID != s.run.ID && r.EndedAt.IsZero() && (alive || err != nil)
	})
}
