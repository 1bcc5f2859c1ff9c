package account

import (
	"context"
	"errors"

	"orderly/certbot"
	"orderly/ledger"
	"orderly/order"
)

// Once the CA knows an account by another key, everything on this host that names it follows: the
// account's directory, the ledger, the renewal files. The directory comes first, since without it
// nothing can be signed. Each step can be done again.

// followKey lets this host follow what the CA has accepted.
func (k *Keeper) followKey(ctx context.Context, c *certbot.KeyChange,
	t *ledger.Task) (*certbot.Account, error) {
	ctx = context.WithoutCancel(ctx)
	a, err := k.Disk.Accounts().InstallKey(c)
	if err != nil {
		return nil, err
	}
	if err := k.followInLedger(ctx, c, &a); err != nil {
		return nil, err
	}
	names, err := k.Heirs(c.From)
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		if err := k.followInFile(ctx, name, c); err != nil {
			return nil, err
		}
	}
	if err := k.Disk.Accounts().EndKeyChange(c); err != nil {
		return nil, err
	}
	if t.RunID != k.Tasks.Run.ID {
		k.rekeyed.Store(c.To, true)
	}
	return &a, k.Tasks.End(ctx, t, ledger.Event{Kind: "key change ended", Detail: c.URL + " " + c.To})
}

func (k *Keeper) followInLedger(ctx context.Context, c *certbot.KeyChange,
	a *certbot.Account) error {
	change := &ledger.Change{Account: k.Row(a)}
	row, err := k.Ledger.Account(ctx, c.Server, c.URL)
	if err == nil {
		row.KeyID = c.To
		change.Account = row
		change.Orders, err = k.awaited(ctx, row.ID)
	}
	if err != nil && !errors.Is(err, ledger.ErrNone) {
		return err
	}
	for _, o := range change.Orders {
		o.Request.Account = c.To // the renewal file will name it
	}
	change.Events = []ledger.Event{k.Tasks.Event("key changed", c.URL+" "+c.To)}
	return k.Ledger.Commit(ctx, change)
}

// awaited are an account's orders that a certificate may still come of: also those that rest until
// their names are asked for again.
func (k *Keeper) awaited(ctx context.Context, account int64) ([]*ledger.Order, error) {
	orders, err := k.Ledger.Orders(ctx, ledger.OrderFilter{Unsettled: true, AccountID: account})
	if err != nil {
		return nil, err
	}
	live, err := k.Ledger.Orders(ctx, ledger.OrderFilter{Live: true, AccountID: account})
	for _, o := range live {
		if !o.SettledAt.IsZero() {
			orders = append(orders, o)
		}
	}
	return orders, err
}

func (k *Keeper) followInFile(ctx context.Context, name string, c *certbot.KeyChange) error {
	unlock, err := k.Locks.Lock(ctx, order.LineageLock(name))
	if err != nil {
		return err
	}
	defer func() { _ = unlock() }()
	r, err := k.Disk.ReadRenewal(k.Disk.Dirs.Renewal(name))
	if r == nil || r.Params.Account != c.From {
		return err
	}
	return k.Disk.WriteRenewal(r, certbot.Params{Account: c.To})
}
