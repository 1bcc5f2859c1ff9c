package renewal

import (
	"context"
	"slices"
	"sync"
	"time"

	"orderly/failure"
	"orderly/host"
	"orderly/ledger"
	"orderly/order"
	"orderly/order/drive"
)

// What earlier runs left is gone on with: all of it by renew and resume, a little of it by a
// command that is about something else.

// earlier goes on with orders that earlier runs left.
type earlier struct {
	*base
	*engines
	*inPlace
}

// ResumeAll goes on with every order that an earlier process left, and pays the hooks it owed.
// Orders that a living process works on are left to it.
func (s *earlier) ResumeAll(ctx context.Context) ([]Result, error) {
	return s.resumeEach(ctx, s.host.Files.Mine)
}

// ResumeOwn is ResumeAll without what logs of other clients name: no renewal waits for that, or
// fails for it day by day. What of it is over is settled.
func (s *earlier) ResumeOwn(ctx context.Context) ([]Result, error) {
	now := s.Clock.Now()
	return s.resumeEach(ctx, func(o *ledger.Order) bool {
		over := !o.Expires.IsZero() && !now.Before(o.Expires)
		foreign := o.Request.NamesOnly && !o.Releasing && !over
		return !foreign && s.host.Files.Mine(o)
	})
}

func (s *earlier) resumeEach(ctx context.Context, which func(*ledger.Order) bool) ([]Result, error) {
	if err := s.host.Hooks.PayDebts(ctx); err != nil {
		return nil, err
	}
	orders, err := s.Ledger.Orders(ctx, ledger.OrderFilter{Unsettled: true})
	if err != nil {
		return nil, err
	}
	orders = slices.DeleteFunc(orders, func(o *ledger.Order) bool { return !which(o) })
	came := resumed{results: make([]*Result, len(orders)), tell: s.Resuming,
		progress: Progress{All: len(orders)}}
	var turn sync.Mutex // for what is said of one order
	var pieces []piece
	for i, o := range orders {
		r := host.Read(o.Request)
		pieces = append(pieces, piece{
			names: append([]string{"lineage:" + o.Lineage}, o.Names...),
			alone: apart(r, host.Said{}),
			do: func(ctx context.Context) error {
				var result Result
				var did bool
				ctx = host.About(ctx, o.Lineage)
				came.step(func(p *Progress) { p.UnderWay++ })
				defer came.step(func(p *Progress) { p.UnderWay--; p.Done++ })
				s.whole(ctx, &turn, func(ctx context.Context) { result, did = s.resumeGuarded(ctx, o) })
				if did {
					s.logResult(ctx, result)
					came.keep(i, &result)
				} else if held, err := s.Locks.Held(order.LineageLock(o.Lineage)); held && err == nil {
					s.Report.Tell("Order %d is left alone: %v.", o.ID, s.host.Locks.By(ctx, o.Lineage))
				}
				return endsRound(ctx, result)
			}})
	}
	if err := (crew{jobs: s.Settings.Jobs}).do(ctx, pieces); err != nil {
		return came.all(), err
	}
	s.dropKeys(ctx)
	return came.all(), nil
}

// resumed is what came of orders, in their order.
type resumed struct {
	mu       sync.Mutex
	results  []*Result
	progress Progress
	tell     func(Progress)
}

// step tells how far it has come.
func (r *resumed) step(change func(*Progress)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if change(&r.progress); r.tell != nil {
		r.tell(r.progress)
	}
}

func (r *resumed) keep(i int, result *Result) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.results[i] = result
	switch result.Outcome {
	case Failed, Stopped:
		r.progress.Failed++
	}
}

func (r *resumed) all() []Result {
	r.mu.Lock()
	defer r.mu.Unlock()
	var out []Result
	for _, result := range r.results {
		if result != nil {
			out = append(out, *result)
		}
	}
	return out
}

// resumeGuarded is resume, where an order that panics is one that failed.
func (s *earlier) resumeGuarded(ctx context.Context, o *ledger.Order) (result Result, did bool) {
	started, unmade := s.Clock.Now(), o.URL == ""
	defer func() {
		result.Started, result.Ended = started, s.Clock.Now()
		if unmade && o.URL != "" {
			result.Made++
		}
	}()
	err := s.guarded(ctx, o.Lineage, func() { result, did = s.resume(ctx, o) })
	if err != nil {
		result, did = Result{Lineage: o.Lineage, Names: o.Request.Names, Order: o.ID, Resumed: true}, true
		result.fail(err)
	}
	return result, did
}

func (s *earlier) resume(ctx context.Context, o *ledger.Order) (Result, bool) {
	result := Result{Lineage: o.Lineage, Names: o.Request.Names, Order: o.ID, Resumed: true}
	engine, err := s.engineOf(ctx, o)
	if failure.ClassOf(err) == failure.Account && s.Clock.Now().After(o.Expires.Add(mourning)) &&
		!o.Expires.IsZero() && len(o.Chain) == 0 {
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
	defer s.host.Ports.Rest(o.Lineage)
	did, err := engine.Resume(ctx, o)
	s.Accounts().Mourn(engine.Account().Server, engine.Account().URL, err)
	err = ofNoUse(o, err)
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
		result.Outcome, result.Output = Issued, host.Read(o.Request).Output
		result.Path = result.Output.FullChain
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

// mourning is how long after its end an order is kept unfinished whose account is gone from this
// host: nobody can ask the CA about it any more, and only this host's clock tells that it has
// ended.
const mourning = 7 * 24 * time.Hour

// forget settles an order that has expired and whose account is gone, so that not every run fails
// because of it for ever.
func (s *earlier) forget(ctx context.Context, o *ledger.Order) error {
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

// passed reports whether an order that an earlier run left has ended in a way that is nobody's
// failure: whether the lineage needs another one is for the round to say, by the certificate it
// has.
func passed(s ledger.State) bool {
	switch s {
	case ledger.TakenState, ledger.LostState, ledger.ExpiredState, ledger.ReleasedState:
		return true
	}
	return false
}

// What a command gives to orders that others left before it turns to its own: so many of them, each
// with little patience.
const (
	mostRecovered   = 20
	recoverPatience = 3 * time.Second
)

// Recover goes on with orders that earlier processes left for other lineages, for a little while,
// as far as their certificates: what does not come so far at once is left to renew or resume, and
// to put one in place is for them and for its lineage's own next run. It pays what dead runs left
// owed: a server that was stopped must come up again. Nothing to do costs two queries.
func (s *earlier) Recover(ctx context.Context, lineage string) error {
	if err := s.host.Hooks.PayDebts(ctx); err != nil {
		return err
	}
	orders, err := s.Ledger.Orders(ctx, ledger.OrderFilter{Unsettled: true})
	if err != nil {
		return err
	}
	recovered := 0
	for _, o := range orders {
		if o.Lineage == s.host.Files.OrderName(lineage) || !s.host.Files.Mine(o) || s.private(o) ||
			recovered == mostRecovered || ctx.Err() != nil {
			continue
		}
		recovered++
		s.recoverOne(ctx, o)
	}
	return nil
}

// private reports whether an order is only for runs about its own lineage, and for those about all:
// what is left of it is done on this host, cannot be done without its hooks, or is another client's.
func (s *earlier) private(o *ledger.Order) bool {
	r := host.Read(o.Request)
	pre, err := s.host.Hooks.All("pre", r.Hooks.Pre)
	return err != nil || o.Request.NamesOnly || order.Issued(o) || r.Solver == host.ManualSolver || len(pre) > 0
}

func (s *earlier) recoverOne(ctx context.Context, o *ledger.Order) {
	engine, err := s.engineOf(ctx, o)
	if err != nil {
		return // resume says so
	}
	effort := engine.Effort()
	effort.Patience, effort.LongestWait = recoverPatience, recoverPatience
	if free, err := s.host.Ports.Reserved(o); err != nil || !free {
		return
	}
	defer s.host.Ports.Rest(o.Lineage)
	did, err := engine.With(effort).Advance(ctx, o)
	s.Accounts().Mourn(engine.Account().Server, engine.Account().URL, err)
	if did && err != nil && failure.ClassOf(err) != failure.Stopped {
		s.Report.Tell("Order %d for %s, which an earlier run left, cannot go on: %v", o.ID,
			o.Lineage, err)
	}
}
