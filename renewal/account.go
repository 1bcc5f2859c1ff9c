package renewal

import (
	"cmp"
	"context"
	"errors"
	"time"

	"orderly/account"
	"orderly/acme"
	"orderly/certbot"
	"orderly/host"
	"orderly/ledger"
	"orderly/order/drive"
)

// Accounts keeps the accounts of this host, for this run.
func (s *Server) Accounts() *account.Keeper {
	if s.accounts == nil {
		s.accounts = s.keeper()
	}
	return s.accounts
}

func (s *Server) keeper() *account.Keeper {
	clients := &account.Clients{HTTP: s.HTTP, Agent: s.Agent, Now: s.Clock.Now, Log: s.Log, Date: s.watchClock}
	return &account.Keeper{Disk: s.Disk, Ledger: s.Ledger, Clients: clients, Locks: s.host.Locks, Clock: s.Clock, Report: s.Report,
		Tasks: s.tasks(), Solitary: s.solitary, Abandon: s.abandon, Finish: func(ctx context.Context, o *ledger.Order) error {
			result, _ := s.resume(ctx, o)
			return result.Err
		}}
}

// watchClock compares this host's clock with a CA's.
func (s *Server) watchClock(date time.Time) {
	if text := skewWarning(s.Clock.Now(), date); text != "" {
		s.skew.Do(func() { s.Report.Warn("%s", text) })
	}
}

// ChooseAccount returns the account to use without making one, nil where there is none yet and r allows to make it.
func (s *Server) ChooseAccount(server, id string, r account.Registration) (*certbot.Account, error) {
	return s.Accounts().Choose(server, id, s.agreed(server, id, r))
}

// Begun reports whether the run is recorded already.
func (s *Server) Begun() bool { return s.run.ID != 0 }

// Engine returns the order engine for an account, made once per run. It costs no request.
func (s *Server) Engine(ctx context.Context, a *certbot.Account) (*drive.Engine, error) {
	name := a.Server + " " + a.URL
	if err := s.Accounts().Dead(a.Server, a.URL); err != nil {
		return nil, err
	}
	if e, ok := s.engines[name]; ok {
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
	e := s.engine(client, key, a, row)
	s.engines[name] = e
	return e, nil
}

// engineFor returns the order engine of the account that a wish names. Where there is none yet and w allows to make one, it
// is made once the checks have found nothing against the first order: see drive.Host.
func (s *Server) engineFor(ctx context.Context, w Wish) (*drive.Engine, error) {
	a, err := s.ChooseAccount(w.Server, w.Account, w.Registration)
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
	e := s.engine(client, nil, &certbot.Account{Server: w.Server}, &ledger.Account{Server: w.Server})
	e.Host = enrolling{s.host, s, w.Registration}
	return e, nil
}

// enrolling is this host, where an account may be made.
type enrolling struct {
	*host.Host
	s       *Server
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
	h.s.announce(r)
	return drive.Enrolment{Account: made.Account, ACME: made.ACME, Key: made.Key, Known: known}, nil
}

func (s *Server) engine(client *acme.Client, key *acme.Key, a *certbot.Account, row *ledger.Account) *drive.Engine {
	var speaker *acme.Account
	if key != nil {
		speaker = client.Account(key, a.URL)
	}
	return &drive.Engine{
		Store: s.Ledger, Account: row, ACME: speaker, Client: client, Key: key,
		LongestValidation: s.Settings.LongestValidation, Profiles: s.Profiles,
		Host: s.host, Clock: s.Clock, Log: s.Log, Run: s.run, Force: s.Settings.Force,
		Parallel: drive.DefaultParallel, Patience: cmp.Or(s.Settings.Patience, drive.DefaultPatience), LongestWait: drive.DefaultLongestWait,
	}
}
