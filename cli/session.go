package cli

// A session is what one command has open: directories, locks, ledger, server. They are opened in
// this order and closed in reverse, so that whoever comes next never finds a lock free whose ledger
// is still written.

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"orderly/certbot"
	"orderly/failure"
	"orderly/ledger/sqlite"
	"orderly/ledger/sqlstore"
	"orderly/limit"
	"orderly/lock"
	"orderly/order/keys"
	"orderly/ownfile"
	"orderly/renewal"
)

// lockPatience is how long a lock that another program holds is waited for where no --deadline says
// otherwise.
const lockPatience = 10 * time.Minute

// lastWrites is how long a run that was told to end waits for other writers of the ledger, all its
// last steps together.
const lastWrites = 1300 * time.Millisecond

// session is one command at work: directories, locks, ledger and server, opened in this order and
// closed in reverse.
type session struct {
	env     Env
	p       *printer
	dirs    certbot.Dirs
	locks   *lock.File
	ledger  *sqlstore.Store
	server  *renewal.Server
	closers []func() error
	alone   bool // no other run of Orderly may be at work
	beside  bool // certbot may be at work
	// document, where set, prints what programs read once the hooks at the end have run.
	document func()
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

// look opens the ledger for a command that only reads. It reports false, without an error, where
// there is none yet.
func (f *places) look(ctx context.Context, env Env, p *printer) (*session, bool, error) {
	s, err := f.begin(env, p)
	if err != nil {
		return nil, false, err
	}
	_, err = os.Stat(filepath.Join(s.ledgerDir(), sqlite.FileName))
	if errors.Is(err, fs.ErrNotExist) {
		return s, false, nil
	}
	// who only looks is not told that he may not make what he asked nobody to make
	if _, err := os.Stat(s.ledgerDir()); err != nil {
		remedy := failure.Remedy("Run the command as a user who may read it, or name another one with ")
		if !errors.Is(err, fs.ErrPermission) { // rights are of no use to a file
			remedy = "Name a directory with "
		}
		return nil, false, failure.Wrap(err, failure.Config, remedy+failure.Do(failure.ConfigDir)+".",
			"the directory %s cannot be looked at", s.dirs.Config)
	}
	if err := s.openLedger(ctx, false); err != nil {
		return nil, false, errors.Join(err, s.close())
	}
	return s, true, nil
}

// listed is look for a command that prints a list: where there is no ledger it says so, lest a
// mistyped directory reassures.
func (f *places) listed(ctx context.Context, env Env, p *printer) (*session, bool, error) {
	s, there, err := f.look(ctx, env, p)
	if err == nil && !there && !p.json {
		p.Warn("there is no ledger in %s yet; --config-dir names another directory", s.ledgerDir())
	}
	return s, there, err
}

// unknownPlace warns where a run is about to make the configuration directory, lest a mistyped one
// reassures: nothing is due in it.
func (f *places) unknownPlace(p *printer) {
	dirs, err := f.dirs.Abs()
	if err != nil || p.json {
		return // the run says it
	}
	if _, err := os.Stat(dirs.Config); errors.Is(err, fs.ErrNotExist) {
		p.Warn("there is no directory %s yet; --config-dir names another one", dirs.Config)
	}
}

// begin sets up what every command has.
func (f *places) begin(env Env, p *printer) (*session, error) {
	p.quiet, p.json = f.quiet, f.json
	f.noninteractive = f.noninteractive || f.quiet // as certbot
	dirs, err := f.dirs.Abs()
	if err == nil {
		err = dirs.Followed()
	}
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
	// a second descriptor of the file, closed, would drop the locks of the first
	if s.locks == nil {
		locks, err := lock.Open(filepath.Join(s.ledgerDir(), "lock"))
		if err != nil {
			return failure.Wrap(err, failure.Config,
				remedyOr(err, "Make the directory writable, or choose another with --config-dir."),
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
	unlock, err := s.locks.Wait(ctx, "ledger", lock.Patience{Bound: lockPatience,
		Tell: func(pid int) {
			s.p.Tell("Waiting for process %d, which makes the ledger in %s.", pid, s.ledgerDir())
		}})
	if held, ok := errors.AsType[*lock.HeldError](err); ok {
		return nil, failure.Wrap(err, failure.Locked,
			failure.Remedy(fmt.Sprintf("Look at process %d; if it hangs, end it.", held.PID)),
			"the ledger in %s has been locked for %s", s.ledgerDir(), held.After)
	}
	return unlock, err
}

func (s *session) keys() *keys.Store {
	return &keys.Store{Dir: filepath.Join(s.ledgerDir(), "keys")}
}

// profiles are the CAs that are known: the built-in ones, with CONFIG/orderly/ca.toml laid over
// them.
func (s *session) profiles() (limit.Profiles, error) {
	path := filepath.Join(s.ledgerDir(), "ca.toml")
	text, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, failure.Wrap(err, failure.Config, "Make the file readable, or remove it.",
			"the CAs' profiles cannot be read")
	}
	return limit.Load(string(text), path)
}

// hostID tells this host from another one to which a configuration directory may be copied: the
// machine id where there is one, otherwise the host's name. ORDERLY_HOST overrides it, for
// containers whose name changes with every start.
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

// serverName is what reports of several servers call this one. ORDERLY_HOST overrides it, as it does
// hostID.
func serverName(getenv func(string) string) string {
	if name := getenv("ORDERLY_HOST"); name != "" {
		return name
	}
	name, err := os.Hostname()
	if err != nil {
		return "" // the file's name stands for it
	}
	return name
}

// remedyOr is the remedy that an error brings, or this one.
func remedyOr(err error, remedy failure.Remedy) failure.Remedy {
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
