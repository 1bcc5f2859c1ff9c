package renewal

import (
	"context"
	"fmt"
	"slices"
	"time"

	"orderly/host"
	"orderly/ledger"
)

// What a command means to do beside orders is a task in the ledger: see package task. A command
// that was told that nothing was done (the CA refused, nothing was sent) ends its task: the person
// knows, and decides.

// taskPatience bounds what one run gives to what earlier ones left: a CA that is away must not keep
// it from its own work.
const taskPatience = 20 * time.Second

// finishTasks finishes what runs that are dead began. What cannot be finished now is said, and left
// to the next run.
func (s *Server) finishTasks(ctx context.Context) {
	tasks, err := s.Ledger.Tasks(ctx)
	if err != nil {
		s.Report.Warn("what earlier runs began cannot be looked up: %v", err)
		return
	}
	ctx, cancel := context.WithTimeout(ctx, taskPatience)
	defer cancel()
	for _, t := range tasks {
		if t.Kind == ledger.HookTask || t.Kind == ledger.DeployTask || t.RunID == s.run.ID || ctx.Err() != nil {
			continue // hooks have their own moment: see Server.PayDebts
		}
		if err := s.finishTask(ctx, t); err != nil {
			s.Report.Warn("the %s of %s, which run %d began at %s, is not finished: %v", t.Kind,
				t.Subject, t.RunID,
				t.BegunAt.UTC().Format(time.RFC3339), err)
		}
	}
}

// finishTask finishes a task under the lock of the run that began it, so that one process does.
func (s *Server) finishTask(ctx context.Context, t ledger.Task) error {
	unlock, free, err := s.Locks.TryLock(host.RunLock(t.RunID))
	if err != nil || !free {
		return err // its own run is at work, or another one finishes it
	}
	defer func() { _ = unlock() }() // it cannot outlive the process
	open, err := s.Ledger.Tasks(ctx)
	if err != nil || !slices.ContainsFunc(open,
		func(o ledger.Task) bool { return o.ID == t.ID && o.Step == t.Step }) {
		return err
	}
	switch t.Kind {
	case ledger.DeleteTask:
		return s.goOnDeleting(ctx, &t)
	case ledger.RetireTask:
		return s.goOnRetiring(ctx, &t)
	case ledger.ReturnTask:
		return s.goOnReturning(ctx, &t)
	case ledger.RevokeTask:
		return s.goOnRevoking(ctx, &t)
	case ledger.UnregisterTask:
		return s.Accounts().GoOnUnregistering(ctx, &t)
	case ledger.KeyChangeTask:
		return s.Accounts().GoOnChangingKey(ctx, &t)
	}
	return fmt.Errorf("this version knows no such task: %s", t.Kind)
}
