package renewal

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"orderly/certbot"
	"orderly/failure"
	"orderly/ledger"
	"orderly/order"
)

// Round is what renew was asked for.
type Round struct {
	CertName     string // "" for all
	Renew        bool   // --force-renewal
	Account      string // "" for each lineage's own
	Server       string // "" for each lineage's own
	Hooks        ledger.Hooks
	Registration Registration
	Progress     func(done, all int) // called after each lineage; may be nil
}

// RenewAll goes over the lineages and renews those that are due. A broken one does not keep the others from being renewed;
// what concerns the account, the ledger or the clock ends the round.
func (s *Server) RenewAll(ctx context.Context, round Round) ([]Result, error) {
	names, err := s.Disk.Names()
	if err != nil {
		return nil, err
	}
	if round.CertName != "" {
		names, err = only(names, round.CertName)
		if err != nil {
			return nil, err
		}
	}
	lineages, results := s.open(names)
	if err := s.checkClock(ctx, lineages); err != nil && !s.Settings.Force {
		return results, err
	}
	done := len(results)
	for _, l := range lineages {
		result := s.renew(ctx, l, round)
		results = append(results, result)
		if done++; round.Progress != nil {
			round.Progress(done, len(names))
		}
		if err := s.endsRound(ctx, result); err != nil {
			return results, err
		}
	}
	return results, nil
}

func only(names []string, wanted string) ([]string, error) {
	for _, name := range names {
		if name == wanted {
			return []string{name}, nil
		}
	}
	return nil, failure.New(failure.Config, "`orderly certificates` lists the names.", "No certificate found with name %s (expected a renewal file renewal/%s.conf)",
		failure.Clean(wanted), failure.Clean(wanted))
}

// open reads the lineages. What cannot be read becomes a result, and the others go on.
func (s *Server) open(names []string) ([]*certbot.Lineage, []Result) {
	var lineages []*certbot.Lineage
	var broken []Result
	for _, name := range names {
		l, err := s.openHealed(name)
		if err != nil {
			r := Result{Lineage: name, Path: s.Disk.Dirs.Renewal(name)}
			r.fail(err)
			r.Outcome = Invalid
			broken = append(broken, r)
			continue
		}
		lineages = append(lineages, l)
	}
	return lineages, broken
}

// openHealed opens a lineage, after mending what a killed certbot or Orderly left half-done if that is what is wrong. A
// lineage that another process works on is left to it.
func (s *Server) openHealed(name string) (*certbot.Lineage, error) {
	l, err := s.Disk.Open(name)
	if failure.ClassOf(err) != failure.LineageBroken {
		return l, err
	}
	unlock, ok, lockErr := s.Locks.TryLock(order.LineageLock(name))
	if lockErr != nil || !ok {
		return l, err
	}
	defer func() { _ = unlock() }()
	if healed, repairErr := s.Disk.Repair(name); !healed || repairErr != nil {
		return l, err
	}
	s.Report.Warn("the links of %s were repaired", name)
	return s.Disk.Open(name)
}

// lastRenewals is how many runs are searched for the last renewal.
const lastRenewals = 500

// clockDoubted is the last step of a run that did not believe the clock. The next one must not take it for a renewal, or it
// would find nothing expired since, and believe the same clock.
const clockDoubted = "clock doubted"

func (s *Server) checkClock(ctx context.Context, lineages []*certbot.Lineage) error {
	runs, err := s.Ledger.Runs(ctx, lastRenewals)
	if err != nil {
		return err
	}
	var last time.Time
	for _, r := range runs {
		if strings.HasPrefix(r.Command, "renew") && r.ID != s.run.ID && !r.EndedAt.IsZero() && r.LastStep != clockDoubted {
			last = r.EndedAt
			break
		}
	}
	var ends []time.Time
	for _, l := range lineages {
		ends = append(ends, l.Certificate.NotAfter)
	}
	doubt := clockDoubt(s.Clock.Now(), last, ends)
	if doubt == nil {
		return nil
	}
	event := ledger.Event{At: s.Clock.Now(), RunID: s.run.ID, Kind: clockDoubted, Detail: failure.Clean(doubt.Error())}
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
	result := Result{Lineage: l.Name, Names: l.Certificate.Names}
	needed, err := s.due(l, round)
	if err == nil && !needed && !s.unfinished(ctx, l.Name) {
		s.keep(&result, l)
		return result
	}
	if err == nil {
		err = s.renewOne(ctx, l, round, &result)
	}
	if err != nil {
		result.Path = l.Renewal.FullChain
		result.fail(err)
	}
	return result
}

func (s *Server) due(l *certbot.Lineage, round Round) (bool, error) {
	if round.Renew {
		return true, nil
	}
	at, err := DueAt(l.Certificate.NotBefore, l.Certificate.NotAfter, l.Renewal.Params.RenewBeforeExpiry)
	return err == nil && !l.Renewal.Params.AutorenewOff && !s.Clock.Now().Before(at), err
}

func (s *Server) renewOne(ctx context.Context, l *certbot.Lineage, round Round, result *Result) error {
	if _, err := renewalRequest(l, round); err != nil {
		return err
	}
	account, err := s.account(ctx, accountWish(l.Renewal.Params, round))
	if err != nil {
		return err
	}
	engine, err := s.Engine(ctx, account)
	if err != nil {
		return err
	}
	outcome, err := engine.Obtain(ctx, l.Name, l.Certificate.Names, func(ctx context.Context) (*order.Plan, error) {
		if _, err := s.Disk.Repair(l.Name); err != nil {
			return nil, err
		}
		fresh, err := s.Disk.Open(l.Name)
		if err != nil {
			return nil, err
		}
		// Another process may have renewed it while the lock was waited for; a forced renewal is wanted all the same,
		// unless the certificate changed since this run looked at it.
		changed := fresh.Certificate.Serial != l.Certificate.Serial
		if needed, err := s.due(fresh, round); err != nil || !needed || (round.Renew && changed) {
			return nil, err
		}
		request, err := renewalRequest(fresh, round)
		if err != nil {
			return nil, err
		}
		request.Account = account.ID
		s.warnIgnored(fresh)
		plan := &order.Plan{Request: request, Force: s.Settings.Force, Urgent: urgent(fresh.Certificate, s.Clock.Now())}
		return plan, s.attempt(ctx, engine, &plan.Request)
	})
	s.mourn(account.Server, account.URL, err)
	return s.conclude(l.Name, outcome, err, result)
}

// accountWish says which account renews a lineage: the command line's word counts before the renewal file's, and a server
// on the command line makes the file's account meaningless (certbot's VAR_MODIFIERS).
func accountWish(p certbot.Params, round Round) Wish {
	w := Wish{Server: p.Server, Account: p.Account, Registration: round.Registration}
	if round.Server != "" {
		w.Server, w.Account = round.Server, ""
	}
	if round.Account != "" {
		w.Account = round.Account
	}
	return w
}

// renewalRequest makes the engine's request of a renewal file. What the file lacks is found here, before anything is
// ordered.
func renewalRequest(l *certbot.Lineage, round Round) (ledger.Request, error) {
	p := l.Renewal.Params
	if p.Authenticator != "webroot" {
		return ledger.Request{}, failure.New(failure.RenewalFile,
			fmt.Sprintf("Change it once: orderly certonly --cert-name %s --webroot -w DIR -d %s", l.Name, strings.Join(l.Certificate.Names, " -d ")),
			"%s: the authenticator %q is not supported, only webroot is", l.Renewal.Path, failure.Clean(p.Authenticator))
	}
	if err := pinned(l); err != nil {
		return ledger.Request{}, err
	}
	w := accountWish(p, round)
	if w.Server == "" {
		return ledger.Request{}, failure.New(failure.RenewalFile, "Add `server = URL` to [renewalparams].", "%s names no server", l.Renewal.Path)
	}
	r := ledger.Request{
		Lineage: l.Name, Server: w.Server, KeyType: p.KeyType, RSABits: p.RSAKeySize, Curve: p.EllipticCurve,
		Profile: p.RequiredProfile, Hooks: inherit(round.Hooks, p), Webroots: map[string]string{}, WebrootPaths: p.WebrootPath,
	}
	for _, name := range l.Certificate.Names {
		name = strings.ToLower(name)
		root, err := l.Renewal.Webroot(name)
		if err != nil {
			return r, err
		}
		r.Names, r.Webroots[name] = append(r.Names, name), root
	}
	return r, nil
}

// pinned refuses a lineage whose key is to stay the same: a new one could break what pins the old (DANE, an app).
func pinned(l *certbot.Lineage) error {
	if l == nil || !l.Renewal.Params.ReuseKey {
		return nil
	}
	return failure.New(failure.RenewalFile, "Renew this lineage with certbot, or remove `reuse_key` if its key need not stay the same.",
		"%s: reuse_key is not supported", l.Renewal.Path)
}

// warnIgnored says which settings of a renewal file have no effect. Each changes at most what the certificate is like, never
// whether it can be used, so the renewal goes on.
func (s *Server) warnIgnored(l *certbot.Lineage) {
	p := l.Renewal.Params
	for key, set := range map[string]bool{
		"must_staple": p.MustStaple, "preferred_chain": p.PreferredChain != "", "preferred_profile": p.PreferredProfile != "",
		"allow_subset_of_names": p.AllowSubset,
	} {
		if set {
			s.Report.Warn("%s: %s has no effect here", l.Renewal.Path, key)
		}
	}
}

// ResumeAll goes on with every order that an earlier process left, and pays the hooks it owed. Orders that a living process
// works on are left to it.
func (s *Server) ResumeAll(ctx context.Context) ([]Result, error) {
	if err := s.PayDebts(ctx); err != nil {
		return nil, err
	}
	orders, err := s.Ledger.Orders(ctx, ledger.OrderFilter{Unsettled: true})
	if err != nil {
		return nil, err
	}
	var results []Result
	for _, o := range orders {
		result, did := s.resume(ctx, o)
		if did {
			results = append(results, result)
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
	if failure.ClassOf(err) == failure.Account && s.Clock.Now().After(o.Expires.Add(mourning)) && !o.Expires.IsZero() {
		result.Outcome = string(ledger.ExpiredState)
		if err = s.forget(ctx, o); err == nil {
			return result, true
		}
	}
	if err != nil {
		result.fail(err)
		return result, true
	}
	did, err := engine.Resume(ctx, o)
	s.mourn(engine.Account.Server, engine.Account.URL, err)
	switch {
	case err != nil && !o.SettledAt.IsZero() && passed(o.State):
		result.Outcome = string(o.State)
		result.Class, result.Sentence = failure.ClassOf(err), err.Error()
	case err != nil:
		result.fail(err)
	case did && o.State == ledger.Installed:
		err = s.conclude(o.Lineage, order.Outcome{Order: o, Resumed: true}, nil, &result)
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
	now := s.Clock.Now()
	o.State, o.Class, o.SettledAt, o.UpdatedAt = ledger.ExpiredState, string(failure.Expired), now, now
	o.Sentence = "it expired while its account was gone from this host"
	for _, a := range o.Authorizations {
		if !a.Final() {
			a.Status = "expired"
		}
		if a.Placement == "" {
			continue
		}
		if err := (solver{&s.writer}).Remove(a.Placement); err != nil {
			return err
		}
		a.Placement = ""
	}
	event := ledger.Event{At: now, RunID: s.run.ID, OrderID: o.ID, Lineage: o.Lineage, Kind: "order expired", Detail: o.Sentence}
	return s.Ledger.Commit(context.WithoutCancel(ctx), &ledger.Change{Orders: []*ledger.Order{o}, Events: []ledger.Event{event}})
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

// engineOf returns the engine of the account that made an order.
func (s *Server) engineOf(ctx context.Context, o *ledger.Order) (*order.Engine, error) {
	row, err := s.Ledger.AccountByID(ctx, o.AccountID)
	if err != nil {
		return nil, err
	}
	a, err := s.Disk.Account(row.Server, row.KeyID)
	if err != nil {
		return nil, err
	}
	if a.URL != row.URL {
		return nil, failure.New(failure.Account, "Put the account's directory back, or `orderly order show` what is open.",
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
		case Failed, Invalid:
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
