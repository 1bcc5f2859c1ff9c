package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"orderly/acme"
	"orderly/certbot"
	"orderly/failure"
	"orderly/host"
	"orderly/ledger/sqlite"
	"orderly/ledger/sqlstore"
	"orderly/limit"
	"orderly/lock"
	"orderly/order/keys"
	"orderly/ownfile"
	"orderly/renewal"
	"orderly/solver/webroot"
)

// lockPatience is how long a lock that another program holds is waited for where no --deadline says otherwise.
const lockPatience = 10 * time.Minute

// lastWrites is how long a run that was told to end waits for other writers of the ledger, all its last steps together.
const lastWrites = 1300 * time.Millisecond

// session is one command at work: directories, locks, ledger and server, opened in this order and closed in reverse.
type session struct {
	env     Env
	p       *printer
	dirs    certbot.Dirs
	locks   *lock.File
	ledger  *sqlstore.Store
	server  *renewal.Server
	closers []func() error
	alone   bool // no other run of Orderly may be at work
}

// close closes what was opened, last first.
func (s *session) close() error {
	var errs []error
	for i := len(s.closers) - 1; i >= 0; i-- {
		errs = append(errs, s.closers[i]())
	}
	s.closers = nil
	return errors.Join(errs...)
}

func (s *session) onClose(f func() error) { s.closers = append(s.closers, f) }

// look opens the ledger for a command that only reads. It reports false, without an error, where there is none yet.
func (f *places) look(ctx context.Context, env Env, p *printer) (*session, bool, error) {
	s, err := f.begin(env, p)
	if err != nil {
		return nil, false, err
	}
	_, err = os.Stat(filepath.Join(s.ledgerDir(), sqlite.FileName))
	if errors.Is(err, fs.ErrNotExist) {
		return s, false, nil
	}
	if err := s.openLedger(ctx, false); err != nil {
		return nil, false, errors.Join(err, s.close())
	}
	return s, true, nil
}

// listed is look for a command that prints a list: where there is no ledger it says so, lest a mistyped directory reassures.
func (f *places) listed(ctx context.Context, env Env, p *printer) (*session, bool, error) {
	s, there, err := f.look(ctx, env, p)
	if err == nil && !there && !p.json {
		p.Warn("there is no ledger in %s yet; --config-dir names another directory", s.ledgerDir())
	}
	return s, there, err
}

// begin sets up what every command has.
func (f *places) begin(env Env, p *printer) (*session, error) {
	p.quiet, p.json = f.quiet, f.json
	f.noninteractive = f.noninteractive || f.quiet // as certbot
	dirs, err := f.dirs.Abs()
	return &session{env: env, p: p, dirs: dirs}, err
}

func (s *session) ledgerDir() string { return filepath.Join(s.dirs.Config, "orderly") }

// openLedger opens the lock file beside the ledger and the ledger itself.
func (s *session) openLedger(ctx context.Context, adopt bool) error {
	if s.ledger != nil {
		return nil // to name whoever was waited for
	}
	if err := s.dirs.PrepareLedger(); err != nil {
		return err
	}
	if err := ownfile.Private(s.ledgerDir()); err != nil {
		return err
	}
	if s.locks == nil { // a second descriptor of the file, closed, would drop the locks of the first
		locks, err := lock.Open(filepath.Join(s.ledgerDir(), "lock"))
		if err != nil {
			return failure.Wrap(err, failure.Config, remedyOr(err, "Make the directory writable, or choose another with --config-dir."),
				"the directory %s cannot be used", s.ledgerDir())
		}
		s.locks = locks
		s.onClose(locks.Close)
	}
	var err error
	s.ledger, err = sqlite.Open(ctx, sqlite.Options{
		Dir: s.ledgerDir(), Host: hostID(s.env.Getenv), Now: time.Now, Adopt: adopt,
		Wait: sqlstore.Wait{Ending: ctx, Grace: lastWrites, Tell: func() {
			s.p.Tell("Waiting for another program that writes the ledger in %s.", s.ledgerDir())
		}},
		Lock: s.lockLedger,
	})
	if err != nil {
		return err
	}
	s.onClose(s.ledger.Close)
	return nil
}

// lockLedger excludes other processes while the ledger is made.
func (s *session) lockLedger(ctx context.Context) (func() error, error) {
	unlock, err := s.locks.Wait(ctx, "ledger", lock.Patience{Bound: lockPatience, Tell: func(pid int) {
		s.p.Tell("Waiting for process %d, which makes the ledger in %s.", pid, s.ledgerDir())
	}})
	if held, ok := errors.AsType[*lock.HeldError](err); ok {
		return nil, failure.Wrap(err, failure.Locked, fmt.Sprintf("Look at process %d; if it hangs, end it.", held.PID),
			"the ledger in %s has been locked for %s", s.ledgerDir(), held.After)
	}
	return unlock, err
}

func (s *session) keys() *keys.Store { return &keys.Store{Dir: filepath.Join(s.ledgerDir(), "keys")} }

// profiles are the CAs that are known: the built-in ones, with CONFIG/orderly/ca.toml laid over them.
func (s *session) profiles() (limit.Profiles, error) {
	path := filepath.Join(s.ledgerDir(), "ca.toml")
	text, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, failure.Wrap(err, failure.Config, "Make the file readable, or remove it.", "the CAs' profiles cannot be read")
	}
	return limit.Load(string(text), path)
}

// hostID tells this host from another one to which a configuration directory may be copied: the machine id where there is
// one, otherwise the host's name. ORDERLY_HOST overrides it, for containers whose name changes with every start.
func hostID(getenv func(string) string) string {
	if id := getenv("ORDERLY_HOST"); id != "" {
		return id
	}
	for _, path := range []string{"/etc/machine-id", "/etc/hostid", "/var/lib/dbus/machine-id"} {
		if text, err := os.ReadFile(path); err == nil && len(strings.TrimSpace(string(text))) > 8 {
			return strings.TrimSpace(string(text))
		}
	}
	name, err := os.Hostname()
	if err != nil {
		return "unknown"
	}
	return "name:" + name
}

// work opens everything for a command that may order something: certbot's directories and locks, the log, the ledger.
func (f *places) work(ctx context.Context, env Env, p *printer, w *working) (*session, error) {
	settings, err := w.settings(env.Getenv)
	if err != nil {
		return nil, err
	}
	s, err := f.begin(env, p)
	if err != nil {
		return nil, err
	}
	s.alone = w.alone
	if err := s.prepare(ctx, f, settings); err != nil {
		return nil, errors.Join(err, s.close())
	}
	return s, nil
}

func (s *session) prepare(ctx context.Context, f *places, settings renewal.Settings) error {
	if err := s.dirs.Prepare(); err != nil {
		return err
	}
	if err := s.openLog(f.verbose); err != nil {
		return err
	}
	if err := s.lockOutCertbot(ctx); err != nil {
		return err
	}
	if err := s.openLedger(ctx, false); err != nil {
		return err
	}
	client, err := acme.HTTPClient(s.env.Getenv)
	if err != nil {
		return err
	}
	profiles, err := s.profiles()
	if err != nil {
		return err
	}
	writer := &webroot.Writer{Tell: s.p.Tell}
	s.onClose(func() error {
		writer.Close()
		return nil
	})
	s.server = renewal.New(ctx, renewal.Parts{
		Writer:   writer,
		Profiles: profiles,
		Disk:     &certbot.Store{Dirs: s.dirs}, Ledger: s.ledger, Locks: s.locks, HTTP: client, Agent: userAgent(),
		Clock: host.Clock{}, Log: s.p.logger, Report: s.p, Settings: settings, KeyDir: filepath.Join(s.ledgerDir(), "keys"),
	})
	return nil
}

func userAgent() string {
	return fmt.Sprintf("orderly/%s (%s; %s)", Version(), runtime.GOOS, runtime.GOARCH)
}

// lockOutCertbot takes certbot's own locks, shared: certbot and Orderly never run beside each other, Orderlies do. Who must be
// alone waits for those, too.
func (s *session) lockOutCertbot(ctx context.Context) error {
	bounded, cancel := context.WithTimeout(ctx, lockPatience)
	defer cancel()
	for _, dir := range []string{s.dirs.Config, s.dirs.Work} {
		whom := 0
		held, err := lock.Telling(bounded, filepath.Join(dir, ".certbot.lock"), s.alone, func(pid int) {
			whom = pid
			s.p.Tell("Waiting for %s, which is at work in %s.", s.lockedOutBy(ctx, pid), dir)
		})
		switch {
		case err == nil:
			s.onClose(held.Close)
		case errors.Is(err, context.Canceled):
			return failure.Wrap(err, failure.Stopped, "Run the same command again.", "stopped while %s was at work in %s", s.lockedOutBy(ctx, whom), dir)
		case errors.Is(err, context.DeadlineExceeded):
			remedy := "Look for a certbot that hangs, and end it."
			if whom != 0 {
				remedy = fmt.Sprintf("If it hangs, end it: kill %d", whom)
			}
			return failure.Wrap(err, failure.Locked, remedy,
				"Another instance of Certbot is already running. %s has been at work in %s for too long", s.lockedOutBy(ctx, whom), dir)
		default:
			return failure.Wrap(err, failure.Config, remedyOr(err, "Make the directory writable, or name another one."), "certbot's lock in %s cannot be taken", dir)
		}
	}
	return nil
}

// lockedOutBy names a process that holds certbot's lock: a run of Orderly, where the ledger knows it, and otherwise certbot.
func (s *session) lockedOutBy(ctx context.Context, pid int) string {
	if pid == 0 {
		return "another instance of certbot or Orderly"
	}
	if s.openLedger(ctx, false) == nil {
		if text := host.RunOf(ctx, s.ledger, s.locks, pid); text != "" {
			return text
		}
	}
	return fmt.Sprintf("another instance of certbot (process %d)", pid)
}

// run is the frame of a command that works: deadline, session, record of the run, post-hooks, exit code.
func (f *places) run(ctx context.Context, env Env, p *printer, w *working, what string,
	work func(context.Context, *session) (int, error)) error {
	ctx, cancel := withDeadline(ctx, w.deadline)
	defer cancel()
	s, err := f.work(ctx, env, p, w)
	if err != nil {
		return endedBy(ctx, err)
	}
	code, err := s.recorded(ctx, what, work)
	if err = errors.Join(err, s.close()); err != nil {
		return err
	}
	if code != 0 {
		return &exitError{code}
	}
	return nil
}

// withDeadline ends ctx as a signal does, by cancelling it: a context's own deadline could not be told from the time-out
// of a single request or lock.
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
func (e *deadlineError) Error() string { return fmt.Sprintf("the deadline of %s has come", e.after) }

// Is makes it a cancellation, as a signal is.
func (e *deadlineError) Is(target error) bool { return target == context.Canceled }

// endedBy says what ended ctx in place of "context canceled", which comes from wherever the run was just then.
func endedBy(ctx context.Context, err error) error {
	if ctx.Err() == nil || failure.ClassOf(err) != failure.Stopped || failure.RemedyOf(err) != "" {
		return err
	}
	return failure.Wrap(context.Cause(ctx), failure.Stopped, "Run the same command again: it goes on where it stopped.", "stopped in time")
}

// recorded runs work between the first and the last record of the run. The post-hooks are paid whatever happened.
func (s *session) recorded(ctx context.Context, what string, work func(context.Context, *session) (int, error)) (int, error) {
	code, err := work(ctx, s)
	err = endedBy(ctx, err)
	owed := s.server.Finish(ctx)
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
		detail = failure.Clean(err.Error())
	} else if ctx.Err() != nil {
		detail = failure.Clean(context.Cause(ctx).Error())
	}
	err = errors.Join(err, s.server.End(outcome, code, detail))
	s.p.log("run ended", outcome, "commits", s.ledger.Commits(), "preflight", s.server.PreflightTook())
	return code, err
}

// remedyOr is the remedy that an error brings, or this one.
func remedyOr(err error, remedy string) string {
	if known := failure.RemedyOf(err); known != "" {
		return known
	}
	for cause := err; cause != nil; cause = errors.Unwrap(cause) {
		if known := failure.RemedyOf(cause); known != "" {
			return known
		}
	}
	return remedy
}

// logLimit is the size at which orderly.log is set aside as orderly.log.1.
const logLimit = 8 << 20

// openLog opens LOGS/orderly.log for everything, and stderr for --verbose.
func (s *session) openLog(verbose bool) error {
	path := filepath.Join(s.dirs.Logs, logName)
	if info, err := os.Stat(path); err == nil && info.Size() > logLimit {
		if err := ownfile.Rename(path, logName+".1"); err != nil {
			return failure.Wrap(err, failure.Config, "Make the directory writable, or name another with --logs-dir.", "the log cannot be set aside")
		}
	}
	file, err := ownfile.Open(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return failure.Wrap(err, failure.Config, remedyOr(err, "Make the directory writable, or name another with --logs-dir."), "the log cannot be opened")
	}
	s.onClose(file.Close)
	s.p.saving(path)
	options := &slog.HandlerOptions{Level: slog.LevelDebug}
	var handler slog.Handler = slog.NewTextHandler(file, options)
	s.p.file = slog.New(handler).With("pid", s.env.PID)
	if verbose {
		handler = slog.NewMultiHandler(handler, slog.NewTextHandler(s.p.err, options))
	}
	s.p.logger = slog.New(handler).With("pid", s.env.PID)
	return nil
}
