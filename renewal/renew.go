package renewal

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"orderly/account"
	"orderly/certbot"
	"orderly/failure"
	"orderly/host"
	"orderly/ledger"
	"orderly/order"
	"orderly/order/drive"
)

// Round is what renew was asked for.
type Round struct {
	host.Said
	CertName     string // "" for all
	Renew        bool   // --force-renewal
	Registration account.Registration
	Progress     func(done, all int) // called after each lineage; may be nil
	// Spread tells how long to wait before the first lineage that is due; nil for not at all.
	Spread func() time.Duration
	// Looking is called with the renewal file before anything is done for a lineage, Looked with what came of it; both may
	// be nil.
	Looking func(path string)
	Looked  func(Result)
}

// RenewAll goes over the lineages and renews those that are due. A broken one does not keep the others from being renewed;
// what concerns the account, the ledger or the clock ends the round.
func (s *Server) RenewAll(ctx context.Context, round Round) ([]Result, error) {
	names, err := s.Disk.Listed()
	if err != nil {
		return nil, err
	}
	if round.CertName != "" {
		if !slices.Contains(names, round.CertName) {
			return nil, s.noCertificate(round.CertName)
		}
		names = []string{round.CertName}
	}
	s.host.Hooks.Round()
	views, results, err := s.survey(ctx, names, round)
	if err != nil {
		return nil, err
	}
	for _, broken := range results {
		round.looking(broken.Path)
		round.looked(broken)
	}
	if err := s.checkClock(ctx, views); err != nil && !s.Settings.Force {
		return results, err
	}
	s.run.Round = true // for the next one's checkClock
	done := len(results)
	tell := func(result Result) error {
		round.looked(result)
		results = append(results, result)
		if done++; round.Progress != nil {
			round.Progress(done, len(names))
		}
		return s.endsRound(ctx, result)
	}
	busy, err := s.goRound(ctx, views, round, tell)
	if err == nil {
		err = s.waitForBusy(ctx, busy, round, tell)
	}
	return results, err
}

// goRound goes over the lineages without waiting for other processes, and returns those that one of them is at work on: one
// that hangs must not keep the others from being renewed. Who names a single one waits for it.
func (s *Server) goRound(ctx context.Context, views []view, round Round, tell func(Result) error) (busy []view, err error) {
	if round.CertName == "" {
		ctx = host.Hurried(ctx, 0)
	}
	for _, v := range views {
		round.looking(v.path)
		result := s.result(ctx, v, round)
		if result.Outcome == Locked && round.CertName == "" {
			s.Report.Tell("%s; it is left for the end of the round.", result.Sentence)
			busy = append(busy, v)
			continue
		}
		if err := tell(result); err != nil {
			return nil, err
		}
	}
	return busy, nil
}

// waitForBusy tries once more, at the end of the round, what other processes were at work on. All are waited for together.
func (s *Server) waitForBusy(ctx context.Context, busy []view, round Round, tell func(Result) error) error {
	until := s.Clock.Now().Add(min(roundPatience, s.host.Locks.Usual()))
	for _, v := range busy {
		round.looking(v.path)
		result := s.result(host.Hurried(ctx, max(0, until.Sub(s.Clock.Now()))), v, round)
		if result.Outcome == Locked {
			s.host.Hooks.Failed(result.Names)
		}
		if err := tell(result); err != nil {
			return err
		}
	}
	return nil
}

// wish says which account renews a lineage.
func (r Round) wish(p certbot.Params) Wish {
	w := Wish{Registration: r.Registration}
	w.Server, w.Account = r.At(p)
	return w
}

func (r Round) looking(path string) {
	if r.Looking != nil {
		r.Looking(path)
	}
}

func (r Round) looked(result Result) {
	if r.Looked != nil {
		r.Looked(result)
	}
}

// roundPatience is how long a round waits, at its end, for all lineages together that other runs are at work on.
const roundPatience = time.Minute

// lastRenewals is how many runs are searched for the last renewal.
const lastRenewals = 500

// checkClock compares the clock with the last round that believed it. One that did not must not count: the next would find
// nothing expired since, and believe the same clock.
func (s *Server) checkClock(ctx context.Context, views []view) error {
	runs, err := s.Ledger.Runs(ctx, lastRenewals)
	if err != nil {
		return err
	}
	var last time.Time
	for _, r := range runs {
		if r.Round && r.ID != s.run.ID && !r.EndedAt.IsZero() {
			last = r.EndedAt
			break
		}
	}
	var ends []time.Time
	for _, v := range views {
		ends = append(ends, v.ends)
	}
	doubt := clockDoubt(s.Clock.Now(), last, ends)
	if doubt == nil {
		return nil
	}
	event := ledger.Event{At: s.Clock.Now(), RunID: s.run.ID, Kind: "clock doubted", Detail: failure.Clean(doubt.Error())}
	return errors.Join(doubt, s.Ledger.Commit(context.WithoutCancel(ctx), &ledger.Change{Events: []ledger.Event{event}}))
}

// endsRound returns the error of a result that the other lineages would only repeat.
func (s *Server) endsRound(ctx context.Context, r Result) error {
	if ctx.Err() != nil {
		if r.Err != nil && r.Class == failure.Stopped {
			return r.Err
		}
		return failure.New(failure.Stopped, "Run the same command again: it goes on where it stopped.", "the round was stopped after %s", r.Lineage)
	}
	switch r.Class {
	case failure.Ledger, failure.Clock:
		return r.Err
	}
	return nil
}

func (s *Server) renew(ctx context.Context, l *certbot.Lineage, round Round) Result {
	l = s.asOrdered(l)
	result := Result{Lineage: l.Name, Names: l.Certificate.Names}
	needed, err := s.due(l, round)
	if err == nil && !needed && !s.unfinished(ctx, s.host.Files.OrderName(l.Name)) {
		s.keep(&result, l)
		return result
	}
	if err == nil {
		err = s.spread(ctx, l, round)
	}
	if err == nil {
		err = s.renewOne(ctx, l, round, &result)
	}
	if failure.ClassOf(err) == failure.Locked && !needed {
		s.keep(&result, l) // it is not due, and what another run does for it is that run's
		return result
	}
	if err != nil {
		result.Path = l.Renewal.FullChain
		result.fail(err)
	}
	if err != nil && result.Outcome != Locked {
		s.host.Hooks.Failed(l.Certificate.Names)
	}
	return result
}

// due reports whether a lineage is to be renewed, or rehearsed. What this run has renewed by finishing an earlier run's
// order is not, whatever is forced: two runs with --force-renewal, the first of them killed, are one renewal.
func (s *Server) due(l *certbot.Lineage, round Round) (bool, error) {
	if done := s.host.Finished.Of(s.host.Files.OrderName(l.Name)); done != nil {
		if r, err := host.FromFile(s.asOrdered(l), round.Said); err == nil && order.Fulfils(done, r) {
			return false, nil
		}
	}
	if round.Renew || s.Settings.Rehearsal || s.host.Lineages.NeedsKey(l) {
		return true, nil
	}
	at, err := s.dueAt(l)
	return err == nil && !l.Renewal.Params.AutorenewOff && !s.Clock.Now().Before(at), err
}

func (s *Server) renewOne(ctx context.Context, l *certbot.Lineage, round Round, result *Result) error {
	wanted, err := host.FromFile(l, round.Said)
	if err != nil {
		return err
	}
	if err := s.host.Ports.Reserve(ctx, wanted); err != nil {
		return err
	}
	defer s.host.Ports.Rest()
	engine, err := s.engineFor(ctx, round.wish(l.Renewal.Params))
	if err != nil {
		return err
	}
	outcome, err := s.obtain(ctx, engine, s.host.Files.OrderName(l.Name), l.Certificate.Names, l, never, func(ctx context.Context) (*order.Plan, error) {
		if !s.Settings.Rehearsal {
			if _, err := s.host.Lineages.Repair(l.Name); err != nil {
				return nil, err
			}
		}
		fresh, err := s.Disk.Open(l.Name)
		if err != nil {
			return nil, err
		}
		fresh = s.asOrdered(fresh)
		// Another process may have renewed it while the lock was waited for; a forced renewal is wanted all the same,
		// unless the certificate changed since this run looked at it.
		changed := fresh.Certificate.Serial != l.Certificate.Serial
		if needed, err := s.due(fresh, round); err != nil || !needed || (round.Renew && changed) {
			return nil, err
		}
		request, err := host.FromFile(fresh, round.Said)
		if err != nil {
			return nil, err
		}
		request.Account = engine.Account.KeyID
		for _, note := range fresh.Renewal.Notes {
			s.host.Voice.WarnOnce(note.String())
		}
		plan := &order.Plan{Request: request, Force: s.Settings.Force, Urgent: s.pressing(fresh)}
		return plan, s.attempt(ctx, engine, &plan.Request)
	})
	s.Accounts().Mourn(engine.Account.Server, engine.Account.URL, err)
	return s.conclude(l.Name, outcome, err, result)
}

// ResumeAll goes on with every order that an earlier process left, and pays the hooks it owed. Orders that a living process
// works on are left to it.
func (s *Server) ResumeAll(ctx context.Context) ([]Result, error) {
	if err := s.host.Hooks.PayDebts(ctx); err != nil {
		return nil, err
	}
	orders, err := s.Ledger.Orders(ctx, ledger.OrderFilter{Unsettled: true})
	if err != nil {
		return nil, err
	}
	var results []Result
	for _, o := range orders {
		if !s.host.Files.Mine(o) {
			continue
		}
		result, did := s.resume(ctx, o)
		if did {
			results = append(results, result)
		} else if held, err := s.Locks.Held(order.LineageLock(o.Lineage)); held && err == nil {
			s.Report.Tell("Order %d is left alone: %v.", o.ID, s.host.Locks.By(ctx, o.Lineage))
		}
		if err := s.endsRound(ctx, result); err != nil {
			return results, err
		}
	}
	return results, nil
}

func (s *Server) resume(ctx context.Context, o *ledger.Order) (Result, bool) {
	result := Result{Lineage: o.Lineage, Names: o.Request.Names, Order: o.ID, Resumed: true}
	engine, err := s.engineOf(ctx, o)
	if failure.ClassOf(err) == failure.Account && s.Clock.Now().After(o.Expires.Add(mourning)) && !o.Expires.IsZero() && len(o.Chain) == 0 {
		result.Outcome = string(ledger.ExpiredState)
		if err = s.forget(ctx, o); err == nil {
			return result, true
		}
	}
	if failure.ClassOf(err) == failure.Account && order.Issued(o) {
		engine, err = s.engineOfNobody(ctx, o)
	}
	if err != nil {
		result.fail(err)
		return result, true
	}
	if free, err := s.host.Ports.Reserved(o); err != nil {
		result.fail(err)
		return result, true
	} else if !free {
		return result, false // the run that has the port is at work on it, or a later one will be
	}
	defer s.host.Ports.Rest()
	did, err := engine.Resume(ctx, o)
	s.Accounts().Mourn(engine.Account.Server, engine.Account.URL, err)
	if did && o.State == ledger.Installed && !o.SettledAt.IsZero() {
		s.host.Finished.Add(o)
	}
	switch {
	case err != nil && !o.SettledAt.IsZero() && passed(o.State):
		result.Outcome = string(o.State)
		result.Class, result.Sentence = failure.ClassOf(err), err.Error()
	case err != nil:
		result.fail(err)
	case did && o.State == ledger.Installed && o.Request.Rehearsal:
		result.Lineage, result.Outcome = host.LineageOf(o.Lineage), Rehearsed
	case did && o.State == ledger.Installed && len(o.Request.CSR) > 0:
		result.Outcome, result.Output, result.Path = Issued, o.Request.Output, o.Request.Output.FullChain
	case did && o.State == ledger.Installed:
		err = s.conclude(o.Lineage, drive.Outcome{Order: o, Resumed: true}, nil, &result)
		if err != nil {
			result.fail(err)
		}
	case did:
		result.Outcome = string(o.State)
	}
	return result, did || err != nil
}

// mourning is how long after its end an order is kept unfinished whose account is gone from this host: nobody can ask the CA
// about it any more, and only this host's clock tells that it has ended.
const mourning = 7 * 24 * time.Hour

// forget settles an order that has expired and whose account is gone, so that not every run fails because of it for ever.
func (s *Server) forget(ctx context.Context, o *ledger.Order) error {
	unlock, ok, err := s.Locks.TryLock(order.LineageLock(o.Lineage))
	if err != nil || !ok {
		return err
	}
	defer func() { _ = unlock() }()
	fresh, err := s.Ledger.Order(ctx, o.ID)
	if err != nil {
		return err
	}
	if *o = *fresh; !o.SettledAt.IsZero() {
		return nil
	}
	return s.abandon(ctx, order.AccountGone, []*ledger.Order{o}, nil)
}

// passed reports whether an order that an earlier run left has ended in a way that is nobody's failure: whether the lineage
// needs another one is for the round to say, by the certificate it has.
func passed(s ledger.State) bool {
	switch s {
	case ledger.TakenState, ledger.LostState, ledger.ExpiredState, ledger.ReleasedState:
		return true
	}
	return false
}

// engineOfNobody is an engine that asks the CA nothing: what it has issued is put in place though the account that got it is
// gone from this host.
func (s *Server) engineOfNobody(ctx context.Context, o *ledger.Order) (*drive.Engine, error) {
	row, err := s.Ledger.AccountByID(ctx, o.AccountID)
	if err != nil {
		return nil, err
	}
	return s.engine(nil, nil, nil, row), nil
}

// engineOf returns the engine of the account that made an order.
func (s *Server) engineOf(ctx context.Context, o *ledger.Order) (*drive.Engine, error) {
	row, err := s.Ledger.AccountByID(ctx, o.AccountID)
	if err != nil {
		return nil, err
	}
	a, err := s.Disk.Account(row.Server, row.KeyID)
	if err != nil {
		return nil, err
	}
	if a.URL != row.URL {
		return nil, failure.New(failure.Account, "Put the account's directory back; "+
			failure.Command("orderly", "order", "show", fmt.Sprint(o.ID))+" says what is open.",
			"the account of order %d is %s, but the account on disk is %s", o.ID, row.URL, a.URL)
	}
	return s.Engine(ctx, &a)
}

// Exit is the exit code that results amount to: 75 when something was stopped in time, 1 when something failed, as
// certbot's renew.
func Exit(results []Result, err error) int {
	if err != nil {
		return failure.ClassOf(err).ExitCode()
	}
	code := 0
	for _, r := range results {
		switch r.Outcome {
		case Stopped:
			if code == 0 {
				code = failure.Stopped.ExitCode()
			}
		case Failed, Invalid, Locked:
			code = 1
		}
	}
	return code
}

// listNames names names as certbot does: "a and b", or "a and 3 more domains".
func listNames(names []string) string {
	switch len(names) {
	case 0:
		return "nothing"
	case 1:
		return names[0]
	case 2:
		return names[0] + " and " + names[1]
	}
	return fmt.Sprintf("%s and %d more domains", names[0], len(names)-1)
}
