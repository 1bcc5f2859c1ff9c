// Package renewal keeps the certificates of one server: it decides which are due and what is
// wanted, and goes over all lineages. For a lineage that is not due it must never ask a CA for
// anything but when that should be renewed, and that no oftener than the CA allows; and it must
// never let one broken lineage keep the others from being renewed.
//
// A Server is put together of subjects, each with what it needs of the others; they need each other
// downwards only:
//
//	wishes, rounds, reconfigs        what certonly, renew and reconfigure ask for
//	revoking, deletions, releases    what takes certificates, lineages and orders away
//	retirements                      what puts lineages aside, and takes them back
//	earlier, rebuilds                what earlier runs left, and what a lost ledger knew
//	inquirer                         what CAs say of when certificates should be renewed
//	attempts, inPlace, calendar      one order; what stands in place; when it is due
//	crew                             how many are worked on at once, and who takes turns
//	engines                          accounts and the order engine of each
//	base                             the host and the run
package renewal

import (
	"context"
	"time"

	"orderly/host"
	"orderly/ledger"
)

// Server is one web server: its disk, its ledger, its accounts. It serves one command in one
// process.
type Server struct {
	*base
	*engines
	*calendar
	*wishes
	*rounds
	*earlier
	*deletions
	*retirements
	*revoking
	*releases
	*rebuilds
	*reconfigs
	*founds
}

// New puts a server together, whose looks at the disk end with ctx. It does nothing yet.
func New(ctx context.Context, p Parts) *Server {
	b := newBase(ctx, p)
	c, left := &calendar{base: b}, &earlier{base: b}
	e := newEngines(b, func(ctx context.Context, o *ledger.Order) error {
		result, _ := left.resume(ctx, o)
		return result.Err
	})
	left.engines, left.inPlace = e, &inPlace{b, c}
	d := &deletions{base: b, engines: e}
	return &Server{
		base: b, engines: e, calendar: c, wishes: &wishes{b, e, &inPlace{b, c}, &attempts{b}},
		rounds:  newRounds(b, e, c),
		earlier: left, deletions: d, retirements: &retirements{base: b, deletions: d}, revoking: &revoking{base: b, engines: e, deletions: d},
		releases: &releases{b, e},
		rebuilds: &rebuilds{b, e}, reconfigs: &reconfigs{b, e, c}, founds: &founds{base: b, engines: e},
	}
}

// Begin records that a command runs. The account, where it is known already, is recorded in the
// same commit.
func (s *Server) Begin(ctx context.Context, command string, pid int,
	account *ledger.Account) error {
	s.run.Command, s.run.PID, s.run.StartedAt = command, pid, s.Clock.Now()
	event := ledger.Event{At: s.run.StartedAt, Kind: "run started", Detail: command}
	if err := s.Ledger.Commit(ctx, &ledger.Change{Run: s.run, Account: account,
		Events: []ledger.Event{event}}); err != nil {
		return err
	}
	// The lock tells others that this run is alive: it dies with the process, whatever kills it.
	if _, err := s.Locks.Lock(ctx, host.RunLock(s.run.ID)); err != nil {
		return err
	}
	if !s.Settings.Rehearsal { // a rehearsal revokes and deletes nothing
		s.finishTasks(ctx)
		s.Accounts().FinishKeyChanges(ctx)
	}
	known, err := KnownRevocations(ctx, s.Ledger)
	if s.known.Revocations = known; err != nil {
		return err
	}
	return s.host.Sweep(ctx)
}

// BeginBeside records that a command runs which changes nothing on this host's disk, so that
// certbot may be at work meanwhile: nothing that dead runs left is finished.
func (s *Server) BeginBeside(ctx context.Context, command string, pid int) error {
	s.run.Command, s.run.PID, s.run.StartedAt = command, pid, s.Clock.Now()
	event := ledger.Event{At: s.run.StartedAt, Kind: "run started", Detail: command}
	if err := s.Ledger.Commit(ctx, &ledger.Change{Run: s.run, Events: []ledger.Event{event}}); err != nil {
		return err
	}
	_, err := s.Locks.Lock(ctx, host.RunLock(s.run.ID))
	return err
}

// Only says that this wish is all the run is about, so that its end may be recorded with the
// order's.
func (s *Server) Only() { s.host.Only() }

// PreflightTook is how long this run spent on preflight, all certificates together.
func (s *Server) PreflightTook() time.Duration { return s.host.Checks.PreflightTook() }

// PayDebts runs the post-hooks that dead runs left owed. Those of runs that are still alive are
// theirs.
func (s *Server) PayDebts(ctx context.Context) error { return s.host.Hooks.PayDebts(ctx) }

// lastWord is how long a post-hook may take after a signal. With the time that a request under way
// is given it keeps the whole within two seconds; a hook that needs longer is ended and paid by the
// next run.
const lastWord = 400 * time.Millisecond

// Finish runs the post-hooks this run owes, also after a signal: a service that a pre-hook stopped
// must not stay down. It is called once, after everything else.
func (s *Server) Finish(ctx context.Context) error {
	s.host.Ports.Close() // a post-hook may start the web server whose port it was
	defer s.host.Ports.Free()
	return s.host.Hooks.PayOwn(ctx, lastWord)
}

// Broken are the hooks that failed in this run.
func (s *Server) Broken() []host.Broken { return s.host.Hooks.Broken() }

// End records how the run ended. It must be called once, also after an error.
func (s *Server) End(outcome string, exit int, detail string) error {
	if !s.Begun() {
		return nil
	}
	change := &ledger.Change{Sightings: s.host.Sights.Taken(), SightingsGone: s.host.Sights.Forgotten()}
	if !s.run.EndedAt.IsZero() && s.run.ExitCode == exit {
		// recorded together with the order's own end
		return s.Ledger.Commit(context.Background(), change)
	}
	change.Run = s.run
	s.run.EndedAt, s.run.Outcome, s.run.ExitCode, s.run.Detail = s.Clock.Now(), outcome, exit,
		detail
	err := s.Ledger.Commit(context.Background(), change)
	if err == nil {
		s.engines.synced()
	}
	return err
}
