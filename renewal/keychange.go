package renewal

import (
	"context"
	"errors"

	"orderly/acme"
	"orderly/certbot"
	"orderly/failure"
	"orderly/ledger"
	"orderly/order"
)

// ChangeKey gives an account another key (RFC 8555 §7.3.5) and returns it with its new id. No other run is at work
// meanwhile. The new key is durable before the CA is asked; a run that dies is continued by the next one, whatever that is
// about.
func (s *Server) ChangeKey(ctx context.Context, a *certbot.Account) (*certbot.Account, error) {
	c, err := s.Disk.BeginKeyChange(*a)
	if err != nil {
		return nil, err
	}
	if c.Resumed && !c.Accepted {
		if err := s.lookForKey(ctx, c); err != nil {
			return nil, err
		}
	}
	if !c.Accepted {
		if err := s.sendKey(ctx, a, c); err != nil {
			return nil, err
		}
	}
	return s.followKey(ctx, c)
}

// sendKey asks the CA to take the new key.
func (s *Server) sendKey(ctx context.Context, a *certbot.Account, c *certbot.KeyChange) error {
	speaker, _, err := s.speaker(a)
	if err != nil {
		return err
	}
	next, err := acme.NewKey(c.Key)
	if err != nil {
		return err
	}
	if err := s.note(ctx, ledger.Event{Kind: "key-change intent", Detail: c.URL + " " + c.From + " to " + c.To}); err != nil {
		return err
	}
	_, err = speaker.ChangeKey(ctx, next)
	if err == nil {
		return s.Disk.AcceptKeyChange(c)
	}
	wrapped := accountFailure(err, "the key of the account %s could not be changed", a.URL)
	if _, ok := errors.AsType[*acme.NotSent](err); !ok {
		// Also a refusal is no proof: an earlier request may have been obeyed.
		if look := s.lookForKey(ctx, c); look != nil || c.Accepted {
			return look
		}
		if undecided(err) {
			return wrapped
		}
	}
	if c.Resumed {
		return wrapped
	}
	return errors.Join(wrapped, s.Disk.EndKeyChange(c)) // the CA was never asked, or said no: nobody will need the new key
}

// lookForKey asks the CA whether the new key has the account. Nothing but this account can have it.
func (s *Server) lookForKey(ctx context.Context, c *certbot.KeyChange) error {
	key, err := acme.NewKey(c.Key)
	if err != nil {
		return err
	}
	client, err := s.client(c.Server)
	if err != nil {
		return err
	}
	_, err = client.NewAccount(ctx, key, acme.Registration{OnlyReturnExisting: true})
	if p, ok := errors.AsType[*acme.Problem](err); ok && p.IsType("accountDoesNotExist") {
		return nil
	}
	if err != nil {
		return failure.Wrap(err, classOf(err), "Run the same command again: both keys are kept until the CA says which one counts.",
			"it is not known whether the CA has changed the key of the account %s", c.URL)
	}
	return s.Disk.AcceptKeyChange(c)
}

// followKey lets this host follow what the CA has accepted: the account's directory, the ledger, the renewal files. The
// directory comes first, since without it nothing can be signed.
func (s *Server) followKey(ctx context.Context, c *certbot.KeyChange) (*certbot.Account, error) {
	ctx = context.WithoutCancel(ctx)
	a, err := s.Disk.InstallKey(c)
	if err != nil {
		return nil, err
	}
	if err := s.followInLedger(ctx, c, &a); err != nil {
		return nil, err
	}
	names, err := s.Heirs(c.From)
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		if err := s.followInFile(ctx, name, c); err != nil {
			return nil, err
		}
	}
	return &a, s.Disk.EndKeyChange(c)
}

func (s *Server) followInLedger(ctx context.Context, c *certbot.KeyChange, a *certbot.Account) error {
	change := &ledger.Change{Account: s.Row(a)}
	row, err := s.Ledger.Account(ctx, c.Server, c.URL)
	if err == nil {
		row.KeyID = c.To
		change.Account = row
		change.Orders, err = s.awaited(ctx, row.ID)
	}
	if err != nil && !errors.Is(err, ledger.ErrNone) {
		return err
	}
	for _, o := range change.Orders {
		o.Request.Account = c.To // the renewal file will name it
	}
	change.Events = []ledger.Event{{At: s.Clock.Now(), RunID: s.run.ID, Kind: "key changed", Detail: c.URL + " " + c.To}}
	return s.Ledger.Commit(ctx, change)
}

// awaited are an account's orders that a certificate may still come of: also those that rest until their names are asked for
// again.
func (s *Server) awaited(ctx context.Context, account int64) ([]*ledger.Order, error) {
	orders, err := s.Ledger.Orders(ctx, ledger.OrderFilter{Unsettled: true, AccountID: account})
	if err != nil {
		return nil, err
	}
	live, err := s.Ledger.Orders(ctx, ledger.OrderFilter{Live: true, AccountID: account})
	for _, o := range live {
		if !o.SettledAt.IsZero() {
			orders = append(orders, o)
		}
	}
	return orders, err
}

func (s *Server) followInFile(ctx context.Context, name string, c *certbot.KeyChange) error {
	unlock, err := s.Locks.Lock(ctx, order.LineageLock(name))
	if err != nil {
		return waited(err, "another process to finish with "+name)
	}
	defer func() { _ = unlock() }()
	r, err := s.Disk.ReadRenewal(s.Disk.Dirs.Renewal(name))
	if r == nil || r.Params.Account != c.From {
		return err
	}
	return s.Disk.WriteRenewal(r, certbot.Params{Account: c.To})
}

// finishKeyChanges ends what a killed run left of a change of key. Where the CA cannot say which key counts, both are kept
// and the run goes on with the one in the account's directory. Nothing to do costs one look at the disk.
func (s *Server) finishKeyChanges(ctx context.Context) {
	if changes, err := s.Disk.KeyChanges(); err == nil && len(changes) == 0 {
		return
	}
	unlock, err := s.Locks.Lock(ctx, "key-change")
	if err != nil {
		return // the context has ended
	}
	defer func() { _ = unlock() }()
	changes, err := s.Disk.KeyChanges()
	for _, c := range changes {
		if !c.Accepted {
			err = errors.Join(err, s.lookForKey(ctx, c))
		}
		if c.Accepted {
			_, follow := s.followKey(ctx, c)
			err = errors.Join(err, follow)
		}
	}
	if err != nil {
		s.Report.Warn("a change of an account's key is not finished: %v", err)
	}
}
