// Package drive drives orders: it asks order.Next, does what that says, and asks again, until an
// order is settled or nothing can be done now.
//
// It must never send a state-changing request whose intent is not durable, never repeat one of
// which it has not looked what became, and never give up an order because of a signal: it stops,
// and the next process goes on. It knows neither certbot's files nor SQL.
package drive

import (
	"context"
	"log/slog"
	"time"

	"orderly/acme"
	"orderly/failure"
	"orderly/ledger"
	"orderly/limit"
	"orderly/order"
	"orderly/preflight"
)

// Engine obtains certificates for one ACME account. Nothing of it changes after New, so it is for
// any number of goroutines; what belongs to one order is in its driver, what belongs to the account
// in its Session. Many engines in many processes may share a ledger.
type Engine struct {
	store             ledger.Store
	session           *Session
	profiles          limit.Profiles
	longestValidation time.Duration
	host              Host
	clock             order.Clock
	log               *slog.Logger
	run               *ledger.Run
	allChains         bool
	effort            Effort
}

// Config is what an engine is made of.
type Config struct {
	Store    ledger.Store
	Session  *Session
	Profiles limit.Profiles // of the CAs that are known
	// LongestValidation, where not zero, is what a person knows better than the CA's habits say.
	LongestValidation time.Duration

	// Host is the machine that the engine runs on.
	Host  Host
	Clock order.Clock
	Log   *slog.Logger

	// Run is the run that events belong to. It is in the ledger already.
	Run *ledger.Run
	// AllChains: every chain that the CA offers is downloaded and kept, whatever the request
	// prefers, for whoever is to choose one later.
	AllChains bool
	// Effort is how hard calls try, unless Engine.With says otherwise.
	Effort Effort
}

// Effort is how hard a call tries.
type Effort struct {
	// Force: a person insists; orders that earlier processes left are looked at before the CA wants
	// to be asked again.
	Force bool
	// Parallel bounds the requests of one order under way at once; 1 makes everything happen in
	// order.
	Parallel int
	// Patience is how long the CA is waited for without anything changing, before the order is left
	// to a later run.
	Patience time.Duration
	// LongestWait is the longest Retry-After that is waited for on the spot.
	LongestWait time.Duration
}

// Defaults for what an Engine's owner leaves open.
const (
	DefaultParallel    = 4
	DefaultPatience    = 90 * time.Second // certbot's --issuance-timeout
	DefaultLongestWait = 65 * time.Second // Boulder asks for 60 s after its own errors
)

// New makes an engine.
func New(c Config) (*Engine, error) {
	for what, missing := range map[string]bool{
		"a store": c.Store == nil, "a session": c.Session == nil, "a host": c.Host == nil,
		"a clock": c.Clock == nil, "a log": c.Log == nil, "a run": c.Run == nil} {
		if missing {
			return nil, failure.New(failure.Internal, "", "an engine needs %s", what)
		}
	}
	c.Effort.Parallel = max(c.Effort.Parallel, 1)
	return &Engine{store: c.Store, session: c.Session, profiles: c.Profiles,
		longestValidation: c.LongestValidation, host: c.Host, clock: c.Clock, log: c.Log, run: c.Run,
		allChains: c.AllChains, effort: c.Effort}, nil
}

// With is the engine for calls that try harder, or less hard.
func (e *Engine) With(f Effort) *Engine {
	other := *e
	other.effort = f
	return &other
}

// Effort is how hard the engine's calls try.
func (e *Engine) Effort() Effort { return e.effort }

// Session is the engine's account at its CA.
func (e *Engine) Session() *Session { return e.session }

// Account is the account's row, as it is known here.
func (e *Engine) Account() ledger.Account { return e.session.account() }

func (e *Engine) acme() *acme.Account {
	speaker, _ := e.session.acme()
	return speaker
}

func (e *Engine) key() *acme.Key {
	_, key := e.session.acme()
	return key
}

func (e *Engine) tell(format string, args ...any) {
	e.host.Tell(format, args...)
}

// Outcome is what became of one wish for a certificate.
type Outcome struct {
	Order   *ledger.Order // nil when nothing was to be done
	Resumed bool          // the order was there before
	Report  preflight.Report
	Made    int  // orders that the CA made for it
	Refused bool // by what is known here, before anything was ordered
}

// refusedBy notes why nothing was ordered.
func (o *Outcome) refusedBy(err error) {
	switch failure.ClassOf(err) {
	case "", failure.Stopped, failure.Ledger, failure.Internal:
		return
	}
	o.Refused = true
}

// mostRounds bounds how many orders one call may go through when each dies by no fault of the names
// (taken, key lost, expired).
const mostRounds = 3

// Obtain brings a lineage to a certificate for names. It first settles live orders of other
// lineages that share a name (rule 8), then takes the lineage's lock and asks plan what is wanted;
// plan returns nil when nothing is, which is how the second of two simultaneous calls finds its
// work done. Calls for one name set take turns, whatever their lineages: a CA that reuses orders
// would hand both the same one. Whoever has a lineage's lock never waits for that turn.
func (e *Engine) Obtain(ctx context.Context, lineage string, names []string,
	plan func(context.Context) (*order.Plan, error)) (Outcome, error) {
	ctx, endTurn, err := e.lock(ctx, order.NamesLock(names), lineage)
	if err != nil {
		return Outcome{}, err
	}
	defer endTurn()
	if err := e.settleOverlaps(ctx, lineage, names); err != nil {
		return Outcome{}, err
	}
	ctx, release, err := e.lock(ctx, order.LineageLock(lineage), lineage)
	if err != nil {
		return Outcome{}, err
	}
	defer release()
	p, err := plan(ctx)
	if err != nil {
		var out Outcome
		out.refusedBy(err)
		return out, err
	}
	if p == nil {
		_, err := e.finishLineage(ctx, lineage, nil)
		return Outcome{}, err
	}
	return e.obtain(ctx, *p)
}

// lock takes a lock about a lineage and waits for it: another process at work on it is no error.
// What is done under the lock is done under the context that it returns.
func (e *Engine) lock(ctx context.Context, key, lineage string) (context.Context, func(), error) {
	held, err := e.host.Lock(ctx, key)
	switch {
	case failure.ClassOf(err) == failure.Locked:
		return ctx, nil, err // it names the process that is at work
	case err != nil && ctx.Err() != nil:
		return ctx, nil, failure.Wrap(order.Interruption(ctx), failure.Stopped,
			"Run the same command again.", "stopped while another process worked on %s", lineage)
	case err != nil:
		return ctx, nil, failure.Wrap(err, failure.Locked, "Look at the disk and its permissions.",
			"%s cannot be locked", lineage)
	}
	under, release := held.Under(ctx)
	return under, release, nil
}

// Forbids returns the error that a new order for a plan would come to by what the ledger knows
// alone, with the moment at which that ends: see admit.Gate.Forbids. It sends nothing to anybody.
func (e *Engine) Forbids(ctx context.Context, p order.Plan) error { return e.gate().Forbids(ctx, p) }

func (e *Engine) obtain(ctx context.Context, p order.Plan) (Outcome, error) {
	var out Outcome
	if err := order.Orderable(p.Request); err != nil {
		out.refusedBy(err)
		return out, err
	}
	admitted := false
	if e.nobody() {
		var err error
		if out.Report, err = e.gate().Admit(ctx, p); err != nil {
			out.refusedBy(err)
			return out, err
		}
		known, err := e.enrol(ctx, p.Request)
		if err != nil {
			return out, err
		}
		p.Request.Account, admitted = e.Account().KeyID, !known
	}
	done, err := e.finishLineage(ctx, p.Request.Lineage, &p.Request)
	if err != nil || done != nil {
		return Outcome{Order: done, Resumed: done != nil}, err
	}
	for range mostRounds {
		o, err := e.liveOrder(ctx, p.Request)
		if err != nil {
			return out, err
		}
		out.Order, out.Resumed = o, o != nil
		if o == nil {
			if !admitted {
				out.Report, err = e.gate().Admit(ctx, p)
			}
			if admitted = false; err != nil {
				out.refusedBy(err)
				return out, err
			}
			out.Order = e.newOrder(p.Request)
		}
		d := newDriver(e, out.Order)
		if d.plan, d.wished = p, true; !out.Resumed {
			d.newOrder.admitted, d.proofs.checked, d.fingerprint = true, true, out.Report.Fingerprint
		}
		unmade := out.Order.URL == ""
		if err = d.drive(ctx); unmade && out.Order.URL != "" {
			out.Made++
		}
		if class := failure.ClassOf(err); out.Order.ID == 0 && (class == failure.RateLimited || class == failure.Paused) {
			out.refusedBy(err) // by what the orders beside it have come to since it was admitted
		}
		if err == nil && out.Resumed && d.o.State == ledger.Installed && !order.SameKey(d.o.Request, p.Request) {
			continue // it was finalized with the key of an earlier wish
		}
		done := err == nil && d.o.State != ledger.SupersededState
		if done || !d.settled || !order.StartsAnew(d.o, out.Resumed) {
			return out, err
		}
	}
	return out, order.Verdict(out.Order)
}

// nobody reports whether the account is yet to be made. The ledger then has nothing of it, and an
// id of 0 would stand for every account.
func (e *Engine) nobody() bool { return e.Account().ID == 0 }

func (e *Engine) newOrder(r ledger.Request) *ledger.Order {
	now := e.clock.Now()
	return &ledger.Order{
		AccountID: e.Account().ID, Lineage: r.Lineage, Names: ledger.CanonicalNames(r.Names), Profile: r.Profile,
		State: ledger.Creating, Request: r, CreatedAt: now, UpdatedAt: now, Replaces: r.Replaces,
	}
}

// liveOrder returns the live order for exactly this request, with the request's newer webroots and
// hooks, or nil.
func (e *Engine) liveOrder(ctx context.Context, r ledger.Request) (*ledger.Order, error) {
	orders, err := e.store.Orders(ctx,
		ledger.OrderFilter{Live: true, AccountID: e.Account().ID, Lineage: r.Lineage})
	if err != nil {
		return nil, err
	}
	for _, o := range orders {
		if order.Serves(o, r) {
			order.AdoptRequest(o, r)
			e.host.Adopt(o, r)
			return o, nil
		}
	}
	return nil, nil
}

// takeOver returns the driver for an order that an earlier process left and that this run is not
// about. What a person mended in the renewal file since then counts: the settings that the order
// was made with would be issued, and written back over the mended ones. What the CA has issued is
// issued.
func (e *Engine) takeOver(o *ledger.Order) *driver {
	if !o.State.Live() || o.State == ledger.Valid {
		return newDriver(e, o)
	}
	r := e.host.Mended(o)
	order.AdoptSettings(o, r)
	e.host.Adopt(o, r)
	d := newDriver(e, o)
	d.plan.Request = r
	return d
}

// Resume goes on with an order that an earlier process left, unless another process holds its
// lineage: then that one is at work on it, and nothing is done here. It reports whether it did
// anything.
func (e *Engine) Resume(ctx context.Context, o *ledger.Order) (bool, error) {
	return e.resume(ctx, o, false)
}

// Advance is Resume for a run about another lineage: it ends where the CA has issued. Nothing is
// put in place, so that no deploy hook of a stranger is run, or waited for, and what keeps a
// certificate from its place is told to those it concerns.
func (e *Engine) Advance(ctx context.Context, o *ledger.Order) (bool, error) {
	return e.resume(ctx, o, true)
}

func (e *Engine) resume(ctx context.Context, o *ledger.Order, untilIssued bool) (bool, error) {
	held, ok, err := e.host.TryLock(order.LineageLock(o.Lineage))
	if err != nil || !ok {
		return false, err
	}
	ctx, release := held.Under(ctx)
	defer release()
	fresh, err := e.store.Order(ctx, o.ID)
	if err != nil || !fresh.SettledAt.IsZero() {
		return false, err
	}
	if fresh.AccountID != e.Account().ID {
		return false, failure.New(failure.Internal, "",
			"order %d is another account's than %s", fresh.ID, e.Account().URL)
	}
	*o = *fresh
	e.unwish(o)
	d := e.takeOver(o)
	d.untilIssued = untilIssued
	d.plan.Force = e.effort.Force && !untilIssued
	return true, d.drive(ctx)
}

// unwish supersedes an order that an earlier process left and that nobody wants any more: its names
// become valid, so that nothing stays pending, but a lineage that was deleted meanwhile does not
// come back. What the CA has issued is installed.
func (e *Engine) unwish(o *ledger.Order) {
	if o.State.Live() && o.State != ledger.Valid && !e.host.Wanted(o) {
		o.Superseded = true
		o.Request.New = false // nothing is installed, so nothing stands in its way
	}
}
