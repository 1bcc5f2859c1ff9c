// Package account keeps the accounts of one host at its CAs: they are made, shown, changed, given
// another key and given up here. What the CA is asked to do is durable before it is asked, and a
// run that dies leaves a task that the next one ends. This package knows nothing of certificates;
// it must never make an account without being told that the CA's terms are agreed to, and never
// throw a key away while the CA may know an account by it.
package account

import (
	"context"
	"slices"
	"sync"

	"orderly/acme"
	"orderly/certbot"
	"orderly/failure"
	"orderly/ledger"
	"orderly/order"
	"orderly/task"
)

// This file is what a run knows of its accounts, and says of them to whoever asks; each thing that
// is done to an account has a file of its own.

// Keeper is one run's hold on a host's accounts. It is for any number of goroutines.
type Keeper struct {
	Disk    *certbot.Store
	Ledger  ledger.Store
	Clients *Clients
	Locks   order.KernelLocks
	Clock   order.Clock
	Report  Reporter
	Tasks   task.Book
	// Solitary reports whether no other run lives: an account is not taken from under one that
	// works with it.
	Solitary func(ctx context.Context) bool
	// Finish goes on with an unfinished order. Abandon ends those that can never be finished, for a
	// reason, with what commit writes beside.
	Finish  func(ctx context.Context, o *ledger.Order) error
	Abandon func(ctx context.Context, why order.Reason, orders []*ledger.Order,
		commit func(ledger.Change) error) error

	// accounts that this run gave the key that an earlier one had made, by their new ids
	rekeyed sync.Map
	// servers of accounts that this run has given up for an earlier one, and the accounts' ids
	unregistered sync.Map
	dead         sync.Map // why their CA does not accept accounts, by server and URL
}

// Reporter tells a person what is going on.
type Reporter interface {
	Say(format string, args ...any)
	Tell(format string, args ...any)
	Warn(format string, args ...any)
}

// Row is the ledger's record of an account, not yet written.
func (k *Keeper) Row(a *certbot.Account) *ledger.Account {
	return &ledger.Account{Server: a.Server, KeyID: a.ID, URL: a.URL, CreatedAt: k.Clock.Now()}
}

// Mourn remembers that the CA does not accept an account, so that nothing more is sent in its name
// (rule 13). Lineages of other accounts go on.
func (k *Keeper) Mourn(server, url string, err error) {
	if failure.ClassOf(err) == failure.Account {
		k.dead.Store(server+" "+url, err)
	}
}

// Dead is why nothing is sent in the name of an account, nil where it is as good as any.
func (k *Keeper) Dead(server, url string) error {
	why, _ := k.dead.Load(server + " " + url)
	err, _ := why.(error)
	return err
}

// was reports whether something is noted.
func was(noted *sync.Map, what string) bool {
	_, ok := noted.Load(what)
	return ok
}

// Speaker signs requests with an account's key.
func (k *Keeper) Speaker(a *certbot.Account) (*acme.Account, *acme.Key, error) {
	key, err := acme.NewKey(a.Key)
	if err != nil {
		return nil, nil, err
	}
	client, err := k.Clients.For(a.Server)
	if err != nil {
		return nil, nil, err
	}
	return client.Account(key, a.URL), key, nil
}

// Heirs are the lineages whose renewal files name an account.
func (k *Keeper) Heirs(id string) ([]string, error) {
	names, err := k.Disk.Names()
	if err != nil {
		return nil, err
	}
	heirs := slices.DeleteFunc(names, func(name string) bool {
		if k.Disk.Ended() != nil {
			return true
		}
		r, _ := k.Disk.ReadRenewal(k.Disk.Dirs.Renewal(name))
		return r == nil || r.Params.Account != id
	})
	return heirs, k.Disk.Ended()
}
