package renewal

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"orderly/failure"
	"orderly/ledger"
	"orderly/ownfile"
)

// hooks keeps which hooks of this run have been run: each pre- and post-hook once, however many certificates want it.
type hooks struct {
	pre   []string // commands that were run
	debts []*ledger.Debt

	renewed, failed []string // names, for the post-hooks
	round           bool     // a run over all lineages
	deployed        []string // what the last deploy hook was told
}

// begin runs the pre-hooks that have not been run yet, and reports whether there were any. What they leave owed is durable
// before they are started (rule 14).
func (s *Server) begin(ctx context.Context, r ledger.Request) (ran bool) {
	pre, errPre := s.withDirectory("pre", r.Hooks.Pre)
	post, errPost := s.withDirectory("post", r.Hooks.Post)
	if err := errors.Join(errPre, errPost, s.owe(ctx, post)); err != nil {
		s.Report.Warn("the pre-hooks were not run: %v", err)
		return false
	}
	for _, command := range pre {
		if !slices.Contains(s.hooks.pre, command) {
			s.hooks.pre = append(s.hooks.pre, command)
			s.runHook(ctx, "pre-hook", command, nil)
			ran = true
		}
	}
	return ran
}

// begins reports whether there are pre-hooks that have not been run yet.
func (s *Server) begins(r ledger.Request) bool {
	pre, err := s.withDirectory("pre", r.Hooks.Pre)
	return err == nil && slices.ContainsFunc(pre, func(command string) bool { return !slices.Contains(s.hooks.pre, command) })
}

// withDirectory lists the directory hooks of a kind and then command, each once.
func (s *Server) withDirectory(kind, command string) ([]string, error) {
	var all []string
	if s.Settings.DirectoryHooks {
		found, err := s.Disk.Dirs.Hooks(kind)
		if err != nil {
			return nil, err
		}
		for _, path := range found {
			if ownfile.Others(path) { // certbot runs it as well; a web server that is not restarted would be worse
				s.warnOnce(fmt.Sprintf("the hook %[1]s is run by root, and another user can write it: chown root: %[1]s && chmod go-w %[1]s", path))
			}
			all = append(all, quote(path))
		}
	}
	if command != "" && !slices.Contains(all, command) && !slices.Contains(all, quote(command)) {
		all = append(all, command)
	}
	return all, nil
}

// quote makes a path one word for /bin/sh.
func quote(path string) string {
	if !strings.ContainsAny(path, " \t\n'\"\\$`!*?[]{}()<>|&;~#") {
		return path
	}
	return "'" + strings.ReplaceAll(path, "'", `'\''`) + "'"
}

func (s *Server) owe(ctx context.Context, post []string) error {
	var fresh []*ledger.Debt
	for _, command := range post {
		owed := func(d *ledger.Debt) bool { return d.Command == command }
		if !slices.ContainsFunc(s.hooks.debts, owed) {
			fresh = append(fresh, &ledger.Debt{RunID: s.run.ID, Command: command, OwedAt: s.Clock.Now()})
		}
	}
	if len(fresh) == 0 {
		return nil
	}
	if err := s.Ledger.Commit(ctx, &ledger.Change{Debts: fresh}); err != nil {
		return err
	}
	s.hooks.debts = append(s.hooks.debts, fresh...)
	return nil
}

// payOwn runs the post-hooks that this run owes. The end of ctx leaves them to the next run, with an error of class
// Stopped.
func (s *Server) payOwn(ctx context.Context) error {
	for _, d := range s.hooks.debts {
		if !d.PaidAt.IsZero() {
			continue
		}
		if ctx.Err() == nil {
			if err := s.pay(ctx, d); err != nil {
				return err
			}
		}
		if d.PaidAt.IsZero() {
			return failure.Wrap(context.Cause(ctx), failure.Stopped, "Run the same command again, or `orderly resume`: the hook is run first.",
				"stopped before the post-hook was done: %s", failure.Clean(d.Command))
		}
	}
	return nil
}

// PayDebts runs the post-hooks that dead runs left owed. Those of runs that are still alive are theirs.
func (s *Server) PayDebts(ctx context.Context) error {
	debts, err := s.Ledger.Debts(ctx)
	if err != nil {
		return err
	}
	for _, d := range debts {
		if d.RunID == s.run.ID {
			continue
		}
		unlock, ok, err := s.Locks.TryLock(RunLock(d.RunID))
		if err != nil {
			return err
		}
		if !ok {
			continue
		}
		s.Log.Info("paying a post-hook that an earlier run left owed", "run", d.RunID, "hook", d.Command)
		err = errors.Join(s.payIfOwed(ctx, d), unlock())
		if err != nil {
			return err
		}
	}
	return nil
}

// payIfOwed looks again under the lock: another process may have paid meanwhile. The debt is struck out before the hook
// runs: one that ends whoever runs it (it restarts the panel that called us, or takes longer than the script's time-out)
// would otherwise end every run after it as well, and nothing would ever be renewed.
func (s *Server) payIfOwed(ctx context.Context, d ledger.Debt) error {
	debts, err := s.Ledger.Debts(ctx)
	if err != nil || !slices.ContainsFunc(debts, func(o ledger.Debt) bool { return o.ID == d.ID }) {
		return err
	}
	d.PaidAt = s.Clock.Now()
	if err := s.Ledger.Commit(context.WithoutCancel(ctx), &ledger.Change{Debts: []*ledger.Debt{&d}}); err != nil {
		return err
	}
	s.runHook(ctx, "post-hook", d.Command, s.outcomeEnv(s.since(ctx, d), nil))
	return nil
}

func (s *Server) pay(ctx context.Context, d *ledger.Debt) error {
	s.runHook(ctx, "post-hook", d.Command, s.outcomeEnv(s.hooks.renewed, s.hooks.failed))
	if ctx.Err() != nil {
		return nil // it may have been cut short; the next run pays
	}
	d.PaidAt = s.Clock.Now()
	return s.Ledger.Commit(context.WithoutCancel(ctx), &ledger.Change{Debts: []*ledger.Debt{d}})
}
