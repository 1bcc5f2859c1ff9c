package renewal

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"orderly/failure"
	"orderly/ledger"
	"orderly/lock"
	"orderly/order"
)

// Every wait for another process has a bound, ends with the run's context, and after a second tells whom it is for.

// LockPatience is how long a run waits for another one that is at work on what it wants: a hook of that one may take so long.
// In a round a lineage that is locked is left for the end, and all that are left share roundPatience.
const (
	LockPatience  = 5 * time.Minute
	roundPatience = time.Minute
)

// locks are the lock file's for package order: see Server.lock.
type locks struct{ s *Server }

// Lock implements order.Locks.
func (l locks) Lock(ctx context.Context, key string) (func() error, error) { return l.s.lock(ctx, key) }

// TryLock implements order.Locks.
func (l locks) TryLock(key string) (func() error, bool, error) { return l.s.Locks.TryLock(key) }

// patience is how long this run waits now for other processes.
func (s *Server) patience() time.Duration {
	if s.hurry != nil {
		return *s.hurry
	}
	if s.Settings.LockPatience > 0 {
		return s.Settings.LockPatience
	}
	return LockPatience
}

// lock waits for a lock. Its error is of class Stopped where the run was told to end, and of class Locked, naming the other
// run, where that has taken too long.
func (s *Server) lock(ctx context.Context, key string) (func() error, error) {
	return s.lockWithin(ctx, key, s.patience())
}

func (s *Server) lockWithin(ctx context.Context, key string, bound time.Duration) (func() error, error) {
	unlock, err := s.Locks.Wait(ctx, key, lock.Patience{Bound: bound, Tell: func(pid int) {
		s.Report.Tell("Waiting for %s, which is at work on %s.", s.whom(ctx, pid), subjectOf(key))
	}})
	held, busy := errors.AsType[*lock.HeldError](err)
	switch {
	case err == nil:
		return unlock, nil
	case ctx.Err() != nil:
		return nil, failure.Wrap(context.Cause(ctx), failure.Stopped, "Run the same command again.",
			"stopped while another run worked on %s", subjectOf(key))
	case busy && held.After >= time.Second:
		return nil, failure.New(failure.Locked, s.endIt(held.PID), "%s has been at work on %s for longer than %s", s.whom(ctx, held.PID),
			subjectOf(key), held.After.Round(time.Second))
	case busy:
		return nil, failure.New(failure.Locked, s.endIt(held.PID), "%s is at work on %s", s.whom(ctx, held.PID), subjectOf(key))
	}
	return nil, failure.Wrap(err, failure.Config, "Look at the disk and its permissions.", "%s cannot be locked", subjectOf(key))
}

// endIt is the remedy where another process is in the way.
func (s *Server) endIt(pid int) string {
	if pid == 0 {
		return "`orderly runs` lists what runs; run the same command again when that has ended."
	}
	return fmt.Sprintf("Run the same command again when it has ended. If it hangs, end it (kill %d): what it has begun goes on with the next run.", pid)
}

// subjectOf says what a lock is about.
func subjectOf(key string) string {
	kind, what, _ := strings.Cut(key, ":")
	what = failure.Clean(what)
	switch kind {
	case "lineage":
		return what
	case "names":
		return "a certificate for " + strings.ReplaceAll(what, ",", ", ")
	case "account":
		return "an account at " + what
	case "port":
		return "TCP port " + what
	}
	return "the same thing (" + failure.Clean(key) + ")"
}

// whom names another process: the run that it is, as the ledger knows it.
func (s *Server) whom(ctx context.Context, pid int) string {
	if text := RunOf(ctx, s.Ledger, s.Locks, pid); text != "" {
		return text
	}
	if pid != 0 {
		return fmt.Sprintf("process %d", pid)
	}
	return "another run"
}

// RunOf names the living run of a process: its number, command and since when. "" where the ledger knows of none. pid 0, where
// the kernel does not name the process, is the only one that lives beside this.
func RunOf(ctx context.Context, book ledger.Store, files *lock.File, pid int) string {
	runs, err := book.Runs(context.WithoutCancel(ctx), lastRenewals)
	var alive []string
	for _, r := range runs {
		held, unknown := files.Held(RunLock(r.ID)) // by another process: locks of this one are not reported
		if err != nil || unknown != nil || !held || !r.EndedAt.IsZero() {
			continue
		}
		text := fmt.Sprintf("run %d (%s, process %d, since %s)", r.ID, failure.Clean(r.Command), r.PID, r.StartedAt.UTC().Format(time.RFC3339))
		if r.PID == pid {
			return text
		}
		alive = append(alive, text)
	}
	if pid == 0 && len(alive) == 1 {
		return alive[0]
	}
	return ""
}

// lockedBy is the error for a lineage that another run is at work on, where nobody waits for it.
func (s *Server) lockedBy(ctx context.Context, lineage string) error {
	pid, _ := s.Locks.Holder(order.LineageLock(lineage)) // for people: what is not known is left out
	return failure.New(failure.Locked, s.endIt(pid), "%s is at work on %s", s.whom(ctx, pid), lineage)
}

// slowly tells of work that takes longer than a second: a hook, whoever it is for. It is called when that begins, and what
// it returns when it has ended.
func (s *Server) slowly(format string, args ...any) (ended func()) {
	told := make(chan struct{})
	timer := time.AfterFunc(time.Second, func() {
		defer close(told)
		s.Report.Tell("Waiting for "+format+".", args...)
	})
	return func() {
		if !timer.Stop() {
			<-told // nothing is told from two goroutines at once
		}
	}
}
