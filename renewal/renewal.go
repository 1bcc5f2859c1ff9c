// Package renewal keeps the certificates of one server: it decides which are due and what is wanted, gives the order
// engine what it needs of this host (document roots, certbot's files, hooks, accounts), and goes over all lineages. It must
// never make a request for a lineage that is not due, and never let one broken lineage keep the others from being renewed.
package renewal

import (
	"context"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"orderly/account"
	"orderly/certbot"
	"orderly/host"
	"orderly/ledger"
	"orderly/limit"
	"orderly/lock"
	"orderly/order"
	"orderly/order/drive"
	"orderly/solver/webroot"
)

// Settings are what a command line says about the whole run, whatever certificate it is about.
type Settings struct {
	host.Settings
	Force             bool          // a person insists
	LongestValidation time.Duration // 0: as the CA's habits say
	Patience          time.Duration // how long the CA is waited for without anything changing; 0: drive.DefaultPatience
	Installer         string        // -i: one of certbot's, which is not run
}

// Parts are what a Server is made of.
type Parts struct {
	Disk     *certbot.Store
	Ledger   ledger.Store
	Locks    *lock.File
	HTTP     *http.Client
	Agent    string // user agent
	Clock    order.Clock
	Log      *slog.Logger
	Report   host.Reporter
	Settings Settings
	Profiles limit.Profiles // of the CAs that are known
	// Writer works on document roots; whoever made it closes it after the run.
	Writer *webroot.Writer
	// KeyDir is where private keys wait for their certificate.
	KeyDir string
}

// Server is one web server: its disk, its ledger, its accounts. It serves one command in one process.
type Server struct {
	Parts
	host *host.Host
	run  *ledger.Run

	delayed     bool      // the pause of Round.Spread was made
	left        []string  // the names that a subset has come down to, nil for all
	skew        sync.Once // the warning about the CA's clock is given once
	engines     map[string]*drive.Engine
	revocations Revocations
	accounts    *account.Keeper
	inherited
}

// New puts a server together, whose looks at the disk end with ctx. It does nothing yet.
func New(ctx context.Context, p Parts) *Server {
	p.Disk = p.Disk.Within(ctx)
	s := &Server{Parts: p, run: &ledger.Run{}}
	s.host = host.New(host.Parts{Disk: p.Disk, Ledger: p.Ledger, Locks: p.Locks, Clock: p.Clock, Log: p.Log, Report: p.Report,
		Writer: p.Writer, KeyDir: p.KeyDir, Agent: p.Agent, Settings: p.Settings.Settings, Run: s.run})
	return s
}

// lock waits for another run that has a lock, as long as a run waits for one.
func (s *Server) lock(ctx context.Context, key string) (func() error, error) {
	return s.host.Locks.Lock(ctx, key)
}

// Begin records that a command runs. The account, where it is known already, is recorded in the same commit.
func (s *Server) Begin(ctx context.Context, command string, pid int, account *ledger.Account) error {
	s.engines, s.accounts = map[string]*drive.Engine{}, s.keeper()
	s.run.Command, s.run.PID, s.run.StartedAt = command, pid, s.Clock.Now()
	event := ledger.Event{At: s.run.StartedAt, Kind: "run started", Detail: command}
	if err := s.Ledger.Commit(ctx, &ledger.Change{Run: s.run, Account: account, Events: []ledger.Event{event}}); err != nil {
		return err
	}
	// The lock tells others that this run is alive: it dies with the process, whatever kills it.
	if _, err := s.Locks.Lock(ctx, host.RunLock(s.run.ID)); err != nil {
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
	return s.host.Sweep(ctx)
}

// PreflightTook is how long this run spent on preflight, all certificates together.
func (s *Server) PreflightTook() time.Duration { return s.host.Checks.PreflightTook() }

// PayDebts runs the post-hooks that dead runs left owed. Those of runs that are still alive are theirs.
func (s *Server) PayDebts(ctx context.Context) error { return s.host.Hooks.PayDebts(ctx) }

// End records how the run ended. It must be called once, also after an error.
func (s *Server) End(outcome string, exit int, detail string) error {
	if !s.Begun() || (!s.run.EndedAt.IsZero() && s.run.ExitCode == exit) {
		return nil // recorded together with the order's own end
	}
	s.run.EndedAt, s.run.Outcome, s.run.ExitCode, s.run.Detail = s.Clock.Now(), outcome, exit, detail
	return s.Ledger.Commit(context.Background(), &ledger.Change{Run: s.run})
}
