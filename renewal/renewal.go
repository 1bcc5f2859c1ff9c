// Package renewal keeps the certificates of one server: it decides which are due and what is wanted, gives the order
// engine what it needs of this host (document roots, certbot's files, hooks, accounts), and goes over all lineages. It must
// never make a request for a lineage that is not due, and never let one broken lineage keep the others from being renewed.
package renewal

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"orderly/account"
	"orderly/certbot"
	"orderly/ledger"
	"orderly/limit"
	"orderly/lock"
	"orderly/order"
	"orderly/order/drive"
	"orderly/order/keys"
	"orderly/preflight"
	"orderly/solver/webroot"
)

// Settings are what a command line says about the whole run, whatever certificate it is about.
type Settings struct {
	Resolver          string // DNS server that preflight asks, host:port; "" for those of the system
	PreflightPort     int    // where this host's web server listens, 80 unless the CA is told otherwise
	PreflightAllow    []netip.Prefix
	SkipPreflight     map[string]bool
	Force             bool          // a person insists
	LongestValidation time.Duration // 0: as the CA's habits say
	Patience          time.Duration // how long the CA is waited for without anything changing; 0: drive.DefaultPatience
	RootPatience      time.Duration // how long --webroot-from is waited for, each time; 0: 10 s
	LockPatience      time.Duration // how long another run is waited for; 0: renewal.LockPatience
	DirectoryHooks    bool
	RunDeployHooks    bool   // in a rehearsal, too
	Installer         string // -i: one of certbot's, which is not run
	Rehearsal         bool   // --dry-run: orders are made and finished, and nothing on disk changes
}

// Server is one web server: its disk, its ledger, its accounts. It serves one command in one process.
type Server struct {
	Disk     *certbot.Store
	Ledger   ledger.Store
	Locks    *lock.File
	HTTP     *http.Client
	Agent    string // user agent
	Clock    order.Clock
	Log      *slog.Logger
	Report   Reporter
	Settings Settings
	Profiles limit.Profiles // of the CAs that are known
	// Writer works on document roots; whoever made it closes it after the run.
	Writer *webroot.Writer
	// KeyDir is where private keys wait for their certificate.
	KeyDir string

	run         *ledger.Run
	last        func() *ledger.Run
	hooks       hooks
	checking    time.Duration
	warned      map[string]bool
	abandoned   map[string]string // serial numbers of certificates whose keys this run has found lost, by lineage
	writable    map[string]bool   // lineages that this run has seen can be put in place
	answers     map[string]answer // to questions for document roots
	silent      int               // how often in a row --webroot-from did not answer in time
	hearing     preflight.Hearing // of DNS servers
	delayed     bool              // the pause of Round.Spread was made
	left        []string          // the names that a subset has come down to, nil for all
	skew        sync.Once         // the warning about the CA's clock is given once
	engines     map[string]*drive.Engine
	revocations Revocations
	accounts    *account.Keeper
	ports
	inherited
	hurry *time.Duration // how long other processes are waited for just now; nil: as the settings say
}

// Reporter tells a person what is going on.
type Reporter interface {
	// Say prints a line that belongs to the command's result.
	Say(format string, args ...any)
	// Tell prints a line for a person who watches: what goes on, what is waited for.
	Tell(format string, args ...any)
	// Warn prints a line that somebody should read although the command goes on.
	Warn(format string, args ...any)
}

// Begin records that a command runs. The account, where it is known already, is recorded in the same commit.
func (s *Server) Begin(ctx context.Context, command string, pid int, account *ledger.Account) error {
	s.Disk = s.Disk.Within(ctx)
	s.engines = map[string]*drive.Engine{}
	s.run = &ledger.Run{Command: command, PID: pid, StartedAt: s.Clock.Now()}
	s.accounts = s.keeper()
	event := ledger.Event{At: s.run.StartedAt, Kind: "run started", Detail: command}
	if err := s.Ledger.Commit(ctx, &ledger.Change{Run: s.run, Account: account, Events: []ledger.Event{event}}); err != nil {
		return err
	}
	// The lock tells others that this run is alive: it dies with the process, whatever kills it.
	if _, err := s.Locks.Lock(ctx, RunLock(s.run.ID)); err != nil {
		return err
	}
	if !s.Settings.Rehearsal { // a rehearsal revokes and deletes nothing
		s.finishTasks(ctx)
		s.accounts.FinishKeyChanges(ctx)
	}
	known, err := KnownRevocations(ctx, s.Ledger)
	if s.revocations = known; err != nil {
		return err
	}
	s.Disk.SweepPendingKeys()
	if err := errors.Join(s.sweepTokens(ctx), s.sweepUnfinished(ctx)); err != nil {
		return err
	}
	return s.sweepKeys(ctx)
}

// sweepUnfinished removes new lineages that a killed run left without a name, a private key in them, and that no order is
// going to complete: its lineage was given up meanwhile, or renamed.
func (s *Server) sweepUnfinished(ctx context.Context) error {
	for _, name := range s.Disk.Unfinished() {
		unlock, free, err := s.Locks.TryLock(order.LineageLock(name))
		if err != nil {
			return err
		}
		if !free {
			continue
		}
		orders, err := s.Ledger.Orders(ctx, ledger.OrderFilter{Unsettled: true, Lineage: name})
		if err == nil && len(orders) == 0 {
			err = s.Disk.ClearUnfinished(name)
		}
		if err = errors.Join(err, unlock()); err != nil {
			return err
		}
	}
	return nil
}

// sweepKeys removes private keys of orders that were settled just before their process died. Keys of orders that the
// ledger does not know stay: they may belong to a ledger that was moved aside.
func (s *Server) sweepKeys(ctx context.Context) error {
	kept := &keys.Store{Dir: s.KeyDir}
	for _, id := range kept.Orders() {
		o, err := s.Ledger.Order(ctx, id)
		if err != nil || o.SettledAt.IsZero() {
			continue
		}
		unlock, free, err := s.Locks.TryLock(order.LineageLock(o.Lineage))
		if err != nil {
			return err
		}
		if !free {
			continue // its process is about to remove them, or has taken the order up again
		}
		if o, err = s.Ledger.Order(ctx, id); err == nil && !o.SettledAt.IsZero() {
			kept.Remove(o)
		}
		if err := unlock(); err != nil {
			return err
		}
	}
	return nil
}

// PreflightTook is how long this run spent on preflight, all certificates together.
func (s *Server) PreflightTook() time.Duration { return s.checking }

// End records how the run ended. It must be called once, also after an error.
func (s *Server) End(outcome string, exit int, detail string) error {
	if s.run == nil || (!s.run.EndedAt.IsZero() && s.run.ExitCode == exit) {
		return nil // recorded together with the order's own end
	}
	s.run.EndedAt, s.run.Outcome, s.run.ExitCode, s.run.Detail = s.Clock.Now(), outcome, exit, detail
	return s.Ledger.Commit(context.Background(), &ledger.Change{Run: s.run})
}
