package cli

// What doctor --fix puts aside goes as `retire` does it: by a run of the server's, with a task in the
// ledger, which a later run finishes where this one is killed.

import (
	"context"
	"errors"
	"os/exec"
	"time"

	"orderly/failure"
)

// asideRun is the run by which certificates are put aside.
type asideRun struct{ s *session }

// putAside puts a certificate aside. Who calls keeps certbot away.
func (w *fixing) putAside(ctx context.Context, lineage string, certain func() error) error {
	if w.aside == nil {
		a, err := w.beginAside(ctx)
		if err != nil {
			return err
		}
		w.aside = a
	}
	return w.aside.s.server.Spare(ctx, lineage, certain)
}

// beginAside puts a server together on what is open, and records its run.
func (w *fixing) beginAside(ctx context.Context) (*asideRun, error) {
	settings, err := w.f.network.settings(w.s.env.Getenv)
	if err != nil {
		return nil, err
	}
	s := *w.s
	s.closers = nil // the ledger's and the locks' are w.s's
	err = s.dirs.Prepare()
	if err == nil {
		s.openLog(&w.f.places)
		err = s.openServer(ctx, settings)
	}
	if err == nil {
		err = s.server.Begin(ctx, "doctor --fix", s.env.PID, nil)
	}
	if err != nil {
		return nil, errors.Join(err, s.close())
	}
	return &asideRun{&s}, nil
}

// close records how the run ended.
func (a *asideRun) close(err error) error {
	if a == nil {
		return nil
	}
	outcome, exit, detail := "done", 0, ""
	if err != nil {
		outcome, exit, detail = "stopped", failure.ClassOf(err).ExitCode(), failure.Clean(err.Error())
	}
	return errors.Join(a.s.server.End(outcome, exit, detail), a.s.close())
}

// runQuietly runs a program of the system's. What it says is told where it fails.
func runQuietly(ctx context.Context, program string, args ...string) error {
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Dir, cmd.WaitDelay = "/", time.Second
	out, err := cmd.CombinedOutput()
	if ctx.Err() != nil {
		return context.Cause(ctx) // that it was killed is no word of its own
	}
	if err != nil {
		return errors.Join(err, errors.New(failure.Clean(string(out))))
	}
	return nil
}
