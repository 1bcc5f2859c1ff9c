package renewal

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"orderly/account"
	"orderly/acme"
	"orderly/certbot"
	"orderly/failure"
	"orderly/host"
	"orderly/ledger"
	"orderly/order"
	"orderly/order/drive"
)

// Each account has an order engine, made once in a run. Where a command may make an account it is
// made by the engine itself, once nothing stands in the way of its first order.

// engines are the accounts of this host and the order engine of each. They are for any number of
// goroutines.
type engines struct {
	*base
	accounts *account.Keeper
	skew     sync.Once // the warning about the CA's clock is given once

	mu   sync.Mutex // held while an engine is made: two would write two rows for one account
	made map[string]*drive.Engine

	listing sync.Mutex
	every   []*drive.Engine // those too that are made for one wish or order
}

// newEngines makes none yet. finish goes on with an order that an earlier run left.
func newEngines(b *base, finish func(context.Context, *ledger.Order) error) *engines {
	s := &engines{base: b, made: map[string]*drive.Engine{}}
	s.accounts = s.keeper(finish)
	return s
}

// on are the engines of the same accounts on another host, a rehearsal's.
func (s *engines) on(b *base) *engines {
	return &engines{base: b, accounts: s.accounts, made: map[string]*drive.Engine{}}
}

// synced says that the ledger was synced after everything that the engines did.
func (s *engines) synced() {
	s.listing.Lock()
	defer s.listing.Unlock()
	for _, e := range s.every {
		e.Synced()
	}
}

// Accounts keeps the accounts of this host, for this run.
func (s *engines) Accounts() *account.Keeper { return s.accounts }

func (s *engines) keeper(finish func(context.Context, *ledger.Order) error) *account.Keeper {
	clients := &account.Clients{HTTP: s.HTTP, Agent: s.Agent, Now: s.Clock.Now, Log: s.Log,
		Date: s.watchClock}
	return &account.Keeper{Disk: s.Disk, Ledger: s.Ledger, Clients: clients, Locks: s.host.Locks,
		Clock: s.Clock, Report: s.Report,
		Tasks: s.tasks(), Solitary: s.solitary, Abandon: s.abandon, Finish: finish}
}

// watchClock compares this host's clock with a CA's.
func (s *engines) watchClock(date time.Time) {
	if text := skewWarning(s.Clock.Now(), date); text != "" {
		s.skew.Do(func() { s.Report.Warn("%s", text) })
	}
}

// ChooseAccount returns the account to use without making one, nil where there is none yet and r
// allows to make it.
func (s *engines) ChooseAccount(server, id string, r account.Registration) (*certbot.Account,
	error) {
	return s.Accounts().Choose(server, id, s.agreed(server, id, r))
}

// agreed completes what is said about making an account. For a dry run one may be made without a
// word where this host has another: whoever made that has agreed to such terms (certbot's
// set_test_server_options).
func (s *engines) agreed(server, id string, r account.Registration) account.Registration {
	// nobody has agreed to another CA's terms
	if !s.Settings.Rehearsal || id != "" || server != host.Staging {
		return r
	}
	if _, err := s.Disk.Accounts().Choose(server, ""); !errors.Is(err, certbot.ErrNoAccount) {
		return r
	}
	entries, err := os.ReadDir(filepath.Join(s.Disk.Dirs.Config, "accounts"))
	if err != nil || len(entries) == 0 {
		return r
	}
	r.AgreeTOS, r.NoEmail = true, r.NoEmail || r.Email == ""
	return r
}

// Engine returns the order engine for an account, made once per run. It costs no request.
func (s *engines) Engine(ctx context.Context, a *certbot.Account) (*drive.Engine, error) {
	name := a.Server + " " + a.URL
	if err := s.Accounts().Dead(a.Server, a.URL); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if e, ok := s.made[name]; ok {
		return e, nil
	}
	row, err := s.Ledger.Account(ctx, a.Server, a.URL)
	if errors.Is(err, ledger.ErrNone) {
		row = s.Accounts().Row(a)
		err = s.Ledger.Commit(ctx, &ledger.Change{Account: row})
	}
	if err != nil {
		return nil, err
	}
	key, err := acme.NewKey(a.Key)
	if err != nil {
		return nil, err
	}
	client, err := s.Accounts().Clients.For(a.Server)
	if err != nil {
		return nil, err
	}
	e, err := s.engine(s.host, client, key, row)
	if err == nil {
		s.made[name] = e
	}
	return e, err
}

// engineFor returns the order engine of the account that a wish names. Where there is none yet and
// w allows to make one, it is made once the checks have found nothing against the first order: see
// drive.Host.
func (s *engines) engineFor(ctx context.Context, w Wish) (*drive.Engine, error) {
	a, err := s.Accounts().Choose(w.Server, w.Account, w.Registration)
	if err != nil {
		return nil, err
	}
	if a != nil {
		return s.Engine(ctx, a)
	}
	client, err := s.Accounts().Clients.For(w.Server)
	if err != nil {
		return nil, err
	}
	return s.engine(enrolling{s.host, s, w.Registration}, client, nil,
		&ledger.Account{Server: w.Server})
}

// engineOf returns the engine of the account that made an order.
func (s *engines) engineOf(ctx context.Context, o *ledger.Order) (*drive.Engine, error) {
	row, err := s.Ledger.AccountByID(ctx, o.AccountID)
	if err != nil {
		return nil, err
	}
	a, err := s.accountOf(row)
	if err != nil {
		return nil, forgotten(o, err)
	}
	if a.URL != row.URL {
		return nil, failure.New(failure.Account,
			"Put the account's directory back; "+failure.Do(failure.ShowOrder, fmt.Sprint(o.ID))+
				" says what is open.",
			"the account of order %d is %s, but the account on disk is %s", o.ID, row.URL, a.URL)
	}
	return s.Engine(ctx, &a)
}

// engineOfNobody is an engine that asks the CA nothing: what it has issued is put in place though
// the account that got it is gone from this host.
func (s *engines) engineOfNobody(ctx context.Context, o *ledger.Order) (*drive.Engine, error) {
	row, err := s.Ledger.AccountByID(ctx, o.AccountID)
	if err != nil {
		return nil, err
	}
	return s.engine(s.host, nil, nil, row)
}

// enrolling is this host, where an account may be made.
type enrolling struct {
	*host.Host
	s       *engines
	allowed account.Registration
}

// Enrol implements drive.Host.
func (h enrolling) Enrol(ctx context.Context, r ledger.Request) (drive.Enrolment, error) {
	a, err := h.s.Accounts().Register(ctx, r.Server, h.allowed)
	if err != nil {
		return drive.Enrolment{}, err
	}
	_, err = h.s.Ledger.Account(ctx, a.Server, a.URL)
	known := err == nil
	made, err := h.s.Engine(ctx, a)
	if err != nil {
		return drive.Enrolment{}, err
	}
	announce(h.Voice.In(ctx), r)
	return drive.Enrolment{Session: made.Session(), Known: known}, nil
}

// engine makes an engine on a host. Without a key it asks the CA nothing.
func (s *engines) engine(on drive.Host, client *acme.Client, key *acme.Key,
	row *ledger.Account) (*drive.Engine, error) {
	e, err := drive.New(drive.Config{
		Store: s.Ledger, Session: drive.NewSession(client, key, row), Profiles: s.Profiles,
		LongestValidation: s.Settings.LongestValidation, Host: on, Clock: s.Clock, Log: s.Log,
		Run: s.run,
		Effort: drive.Effort{Force: s.Settings.Force, Parallel: drive.DefaultParallel,
			Patience:    cmp.Or(s.Settings.Patience, drive.DefaultPatience),
			LongestWait: drive.DefaultLongestWait},
	})
	if err == nil {
		s.listing.Lock()
		defer s.listing.Unlock()
		s.every = append(s.every, e)
	}
	return e, err
}

// abandon ends orders without a word to their CA: see drive.Engine.Abandon.
func (s *engines) abandon(ctx context.Context, why order.Reason, orders []*ledger.Order,
	commit func(ledger.Change) error) error {
	engine, err := s.engine(s.host, nil, nil, &ledger.Account{})
	if err != nil {
		return err
	}
	return engine.Abandon(ctx, why, orders, commit)
}
