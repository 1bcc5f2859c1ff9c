package host

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"orderly/failure"
	"orderly/ledger"
	"orderly/lock"
	"orderly/order"
	"orderly/slot"
)

// Every wait for another process has a bound, ends with the run's context, and after a second tells
// whom it is for. A round does not wait for one lineage's: see Hurried.

// LockPatience is how long a run waits for another one that is at work on what it wants: a hook of
// that one may take so long.
const LockPatience = 5 * time.Minute

// Locks are the lock file's, for whoever waits: order.KernelLocks.
type Locks struct {
	File     *lock.File
	Ledger   ledger.Store // it knows which run a process is
	Voice    *Voice
	Patience time.Duration // 0: LockPatience
	Waiter   int           // the process that waits for this run, which is a hook of it; 0: none

	turns slot.Turns // of the certificates of this run that want one lock
}

type boundKey struct{}

// Hurried gives the waits for other processes under ctx a bound of their own.
func Hurried(ctx context.Context, bound time.Duration) context.Context {
	return context.WithValue(ctx, boundKey{}, bound)
}

// patience is how long a wait under ctx may take, most where nothing else was said.
func patience(ctx context.Context, most time.Duration) time.Duration {
	if bound, hurried := ctx.Value(boundKey{}).(time.Duration); hurried {
		return min(most, bound)
	}
	return most
}

// Usual is how long this run waits for another one where it is in no hurry.
func (l *Locks) Usual() time.Duration {
	if l.Patience > 0 {
		return l.Patience
	}
	return LockPatience
}

// Lock implements order.KernelLocks. Its error is of class Stopped where the run was told to end,
// and of class Locked, naming the other run, where that has taken too long.
func (l *Locks) Lock(ctx context.Context, key string) (func() error, error) {
	return l.within(ctx, key, l.Usual())
}

// TryLock implements order.KernelLocks.
func (l *Locks) TryLock(key string) (func() error, bool, error) { return l.File.TryLock(key) }

// within waits for a lock: first until no other certificate of this run has it, which ends when that
// one does, and then for other runs.
func (l *Locks) within(ctx context.Context, key string, most time.Duration) (func() error, error) {
	told := l.Voice.Slowly("another certificate of this run, which is at work on %s", subjectOf(key))
	done, err := l.turns.Take(ctx, key)
	told()
	var unlock func() error
	if err == nil {
		unlock, err = l.wait(ctx, key, most)
	}
	if err == nil {
		return sync.OnceValue(func() error {
			defer done()
			return unlock()
		}), nil
	}
	if done != nil {
		done()
	}
	held, busy := errors.AsType[*lock.HeldError](err)
	switch {
	case errors.Is(err, errWaiter):
		return nil, failure.New(failure.Locked, "Run this in the post-hook, which comes after all "+
			"certificates, or once that run has ended.",
			"%s is at work on %s, and waits for the hook that runs this",
			l.whom(ctx, l.Waiter), subjectOf(key))
	case ctx.Err() != nil:
		return nil, failure.Wrap(context.Cause(ctx), failure.Stopped, "Run the same command again.",
			"stopped while another run worked on %s", subjectOf(key))
	case busy && held.After >= time.Second:
		return nil, failure.New(failure.Locked, endIt(held.PID),
			"%s has been at work on %s for longer than %s",
			l.whom(ctx, held.PID), subjectOf(key), held.After.Round(time.Second))
	case busy:
		return nil, failure.New(failure.Locked,
			endIt(held.PID), "%s is at work on %s",
			l.whom(ctx, held.PID), subjectOf(key))
	}
	return nil, failure.Wrap(err, failure.Config, "Look at the disk and its permissions.",
		"%s cannot be locked", subjectOf(key))
}

// errWaiter says that a lock is held by the run that waits for this one.
var errWaiter = errors.New("held by the run that waits for this one")

// waitsForUs reports whether a lock is held by the run of which this one is a hook, until the hook
// has ended: of many certificates, each that was put in place is held until its deploy hook had its
// turn, and a hook that asks for another's would wait for a run that waits for the hook.
func (l *Locks) waitsForUs(key string) bool {
	kind, _, _ := strings.Cut(key, ":")
	if l.Waiter == 0 || kind != "lineage" && kind != "names" {
		return false
	}
	pid, err := l.File.Holder(key)
	return err == nil && pid == l.Waiter
}

// wait waits for other runs, and holds no slot meanwhile.
func (l *Locks) wait(ctx context.Context, key string, most time.Duration) (func() error, error) {
	unlock, free, err := l.File.TryLock(key)
	if free || err != nil {
		return unlock, err
	}
	if l.waitsForUs(key) {
		return nil, errWaiter
	}
	slot.Away(ctx, func() {
		unlock, err = l.File.Wait(ctx, key, lock.Patience{Bound: patience(ctx, most),
			Tell: func(pid int) {
				l.Voice.Tell("Waiting for %s, which is at work on %s.", l.whom(ctx, pid), subjectOf(key))
			}})
	})
	return unlock, err
}

// endIt is the remedy where another process is in the way.
func endIt(pid int) failure.Remedy {
	if pid == 0 {
		return failure.Do(failure.ListRuns) +
			" lists what runs; run the same command again when that has ended."
	}
	return "Run the same command again when it has ended. If it hangs, end it (" +
		failure.Shell("kill", strconv.Itoa(pid)) + "): what it has begun goes on with the next run."
}

// subjectOf says what a lock is about.
func subjectOf(key string) string {
	kind, what, _ := strings.Cut(key, ":")
	what = failure.Clean(what)
	switch kind {
	case "lineage":
		return LineageOf(what)
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
func (l *Locks) whom(ctx context.Context, pid int) string {
	if text := RunOf(ctx, l.Ledger, l.File, pid); text != "" {
		return text
	}
	if pid != 0 {
		return fmt.Sprintf("process %d", pid)
	}
	return "another run"
}

// RunLock is the key of the lock that shows that a run is alive.
func RunLock(id int64) string { return fmt.Sprintf("run:%d", id) }

// lastRuns is how many runs are searched for those that live.
const lastRuns = 500

// RunOf names the living run of a process: its number, command and since when. "" where the ledger
// knows of none. pid 0, where the kernel does not name the process, is the only one that lives
// beside this.
func RunOf(ctx context.Context, book ledger.Store, files *lock.File, pid int) string {
	runs, err := book.Runs(context.WithoutCancel(ctx), lastRuns)
	var alive []string
	for _, r := range runs {
		// by another process: locks of this one are not reported
		held, unknown := files.Held(RunLock(r.ID))
		if err != nil || unknown != nil || !held || !r.EndedAt.IsZero() {
			continue
		}
		text := fmt.Sprintf("run %d (%s, process %d, since %s)", r.ID, failure.Clean(r.Command),
			r.PID, r.StartedAt.UTC().Format(time.RFC3339))
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

// By is the error for a lineage that another run is at work on, where nobody waits for it.
func (l *Locks) By(ctx context.Context, lineage string) error {
	pid, _ := l.File.Holder(order.LineageLock(lineage)) // for people: what is not known is left out
	return failure.New(failure.Locked,
		endIt(pid), "%s is at work on %s", l.whom(ctx, pid), lineage)
}
