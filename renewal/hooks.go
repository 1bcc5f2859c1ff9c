package renewal

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"time"

	"orderly/failure"
	"orderly/ledger"
)

// hooks keeps which hooks of this run have been run: each pre- and post-hook once, however many certificates want it.
type hooks struct {
	pre   []string // commands that were run
	debts []*ledger.Debt
}

// mostOutput is how much of a hook's output is shown.
const mostOutput = 16 << 10

// beginning keeps the beginning of what is written to it: a hook that never stops talking must not fill the memory.
type beginning struct{ kept []byte }

// Write implements io.Writer.
func (b *beginning) Write(p []byte) (int, error) {
	b.kept = append(b.kept, p[:min(len(p), mostOutput-len(b.kept))]...)
	return len(p), nil
}

// hookPatience bounds a hook: one that hangs would hold the lineage's lock for ever.
const hookPatience = 10 * time.Minute

// lastBreath is how long a hook that was told to end may take, before it is killed.
const lastBreath = 300 * time.Millisecond

// begin runs the pre-hooks that have not been run yet. What they leave owed is durable before they are started (rule 14).
func (s *Server) begin(ctx context.Context, h ledger.Hooks) error {
	pre, err := s.withDirectory("pre", h.Pre)
	if err != nil {
		return err
	}
	post, err := s.withDirectory("post", h.Post)
	if err != nil {
		return err
	}
	if err := s.owe(ctx, post); err != nil {
		return err
	}
	for _, command := range pre {
		if !slices.Contains(s.hooks.pre, command) {
			s.hooks.pre = append(s.hooks.pre, command)
			s.runHook(ctx, "pre-hook", command, nil)
		}
	}
	return nil
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
	s.runHook(ctx, "post-hook", d.Command, nil)
	return nil
}

func (s *Server) pay(ctx context.Context, d *ledger.Debt) error {
	s.runHook(ctx, "post-hook", d.Command, nil)
	if ctx.Err() != nil {
		return nil // it may have been cut short; the next run pays
	}
	d.PaidAt = s.Clock.Now()
	return s.Ledger.Commit(context.WithoutCancel(ctx), &ledger.Change{Debts: []*ledger.Debt{d}})
}

// runHook runs a hook as certbot does: by /bin/sh, its output shown, its failure told but not the command's.
func (s *Server) runHook(ctx context.Context, kind, command string, env []string) {
	s.Report.Say("Running %s command: %s", kind, failure.Clean(command))
	ctx, cancel := context.WithTimeout(ctx, hookPatience)
	defer cancel()
	cmd := exec.CommandContext(ctx, "/bin/sh", "-c", command)
	cmd.Env = append(os.Environ(), env...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM) }
	cmd.WaitDelay = lastBreath // a grandchild that keeps the pipe open must not keep us
	var out beginning
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	if text := strings.TrimSpace(string(out.kept)); text != "" {
		s.Report.Say("Hook '%s' ran with output:", kind)
		for line := range strings.Lines(text) {
			s.Report.Say(" %s", failure.Clean(line))
		}
	}
	if err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			s.Report.Warn("Hook '%s' reported error code %d", kind, exit.ExitCode())
			return
		}
		s.Report.Warn("Hook '%s' could not be run: %v", kind, err)
	}
}

// CheckHook says whether a hook's first word can be executed, in certbot's words, before anything is ordered.
func CheckHook(kind, command string, getenv func(string) string) error {
	fields := strings.Fields(command)
	if len(fields) == 0 {
		return nil
	}
	if _, err := exec.LookPath(fields[0]); err == nil || isShellWord(fields[0]) {
		return nil
	}
	return failure.New(failure.Hook, "Give the command's full path, or install it.", "Unable to find %s command %s in the PATH.\n(PATH is %s)",
		kind, failure.Clean(fields[0]), getenv("PATH"))
}

// isShellWord reports whether a word is the shell's business: an assignment, a builtin, a group.
func isShellWord(word string) bool {
	return strings.ContainsAny(word, "=({") || slices.Contains([]string{":", ".", "cd", "exec", "exit", "if", "for", "while", "case", "set", "export", "trap", "true", "false", "test", "[", "echo", "printf", "command", "umask", "!"}, word)
}
