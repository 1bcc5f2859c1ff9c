package cli

// The frame of every command that works: its deadline, its record in the ledger, the hooks that are
// owed, its exit code. The hooks are run however the work ended: a server that a pre-hook stopped
// must not stay so.

import (
	"context"
	"errors"
	"fmt"
	"time"

	"orderly/failure"
)

// exitError ends a command whose result was printed already.
type exitError struct{ code int }

// Error says the code.
func (e *exitError) Error() string { return fmt.Sprintf("exit %d", e.code) }

// run is the frame of a command that works: deadline, session, record of the run, post-hooks, exit
// code.
func (f *places) run(ctx context.Context, env Env, p *printer, w *working, what string,
	work func(context.Context, *session) (int, error)) error {
	ctx, cancel := withDeadline(ctx, w.deadline)
	defer cancel()
	env.ending = ctx // the deadline as well
	s, err := f.work(ctx, env, p, w)
	if err != nil {
		return endedBy(ctx, err)
	}
	p.log("run begins", what, "version", built().String())
	code, err := s.recorded(ctx, what, work)
	if err = errors.Join(err, s.close()); err != nil {
		return err
	}
	if code != 0 {
		return &exitError{code}
	}
	return nil
}

// withDeadline ends ctx as a signal does, by cancelling it: a context's own deadline could not be
// told from the time-out of a single request or lock.
func withDeadline(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	if d == 0 {
		return context.WithCancel(ctx)
	}
	ctx, cancel := context.WithCancelCause(ctx)
	timer := time.AfterFunc(d, func() { cancel(&deadlineError{d}) })
	return ctx, func() {
		timer.Stop()
		cancel(context.Canceled)
	}
}

// deadlineError is the cause of a context that --deadline ended.
type deadlineError struct{ after time.Duration }

// Error says so.
func (e *deadlineError) Error() string {
	return fmt.Sprintf("the deadline of %s has come", e.after)
}

// Is makes it a cancellation, as a signal is.
func (e *deadlineError) Is(target error) bool { return target == context.Canceled }

// endedBy says what ended ctx in place of "context canceled", which comes from wherever the run was
// just then.
func endedBy(ctx context.Context, err error) error {
	if ctx.Err() == nil || failure.ClassOf(err) != failure.Stopped || failure.RemedyOf(err) != "" {
		return err
	}
	return failure.Wrap(context.Cause(ctx), failure.Stopped,
		"Run the same command again: it goes on where it stopped.", "stopped in time")
}

// recorded runs work between the first and the last record of the run. The post-hooks are paid
// whatever happened.
func (s *session) recorded(ctx context.Context, what string,
	work func(context.Context, *session) (int, error)) (int, error) {
	code, err := work(ctx, s)
	err = endedBy(ctx, err)
	owed := s.server.Finish(ctx)
	if s.document != nil {
		s.document()
	}
	s.p.brokenOnce(s.server.Broken())
	if failure.ClassOf(owed) == failure.Stopped && (err != nil || code != 0) {
		s.p.Warn("%s", owed) // how the work itself ended is the code that counts
		owed = nil
	}
	err = errors.Join(err, owed)
	if err != nil {
		code = failure.ClassOf(err).ExitCode()
	}
	outcome, detail := "done", ""
	switch {
	case code == failure.Stopped.ExitCode():
		outcome = "stopped"
	case code != 0:
		outcome = "failed"
	}
	if err != nil {
		detail = failure.Clean(s.p.pasted(err.Error()))
	} else if ctx.Err() != nil {
		detail = failure.Clean(context.Cause(ctx).Error())
	}
	err = errors.Join(err, s.server.End(outcome, code, detail))
	s.p.log("run ended", outcome, "commits", s.ledger.Commits(), "transactions",
		s.ledger.Transactions(), "syncs", s.ledger.Syncs(), "preflight", s.server.PreflightTook())
	return code, err
}
