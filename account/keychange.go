package account

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"time"

	"orderly/acme"
	"orderly/certbot"
	"orderly/failure"
	"orderly/ledger"
)

// A change of key (RFC 8555 §7.3.5) is the one request about an account that can lose it: from the
// moment it is sent until its answer is known, either key may be the account's. Both are kept until
// the CA says which one counts, and the CA is asked with the new key, not believed by the words of
// a refusal. This file asks; follow.go lets this host follow.

// stepSent: the CA was, or was about to be, asked to take the new key.
const stepSent = "sent"

// keyChange is the payload of a KeyChangeTask. The new key itself is in certbot.KeyChange's record
// beside the ledger.
type keyChange struct {
	Server string `json:"server"`
	From   string `json:"from"` // the account's id by its former key
	To     string `json:"to"`
}

// ChangeKey gives an account another key and returns it with its new id. No other run is at work
// meanwhile. The new key is durable before the CA is asked; a run that dies leaves a task, and the
// next one, whatever that is about, goes on with it. Where the CA takes no key of the kind that was
// made, another kind is tried.
func (k *Keeper) ChangeKey(ctx context.Context, a *certbot.Account) (*certbot.Account, error) {
	if was(&k.rekeyed, a.ID) {
		return a, nil // this run has just finished what an earlier one began
	}
	var refused []string
	for algorithm := certbot.ES256; ; {
		c, err := k.Disk.Accounts().BeginKeyChange(*a, algorithm)
		if err != nil {
			return nil, err
		}
		t, err := k.keyTask(ctx, c)
		if err != nil {
			return nil, err
		}
		changed, err := k.changeKey(ctx, a, c, t)
		refused = append(refused, algorithmOf(c.Key))
		next := anotherAlgorithm(err, refused)
		if err == nil || next == "" || algorithmOf(c.Key) != algorithm {
			return changed, err // a key that an earlier run made is not given up for another kind
		}
		algorithm = next
	}
}

// changeKey is ChangeKey from the intent on.
func (k *Keeper) changeKey(ctx context.Context, a *certbot.Account, c *certbot.KeyChange,
	t *ledger.Task) (*certbot.Account, error) {
	if c.Resumed && !c.Accepted && t.Step == stepSent {
		if err := k.lookForKey(ctx, c); err != nil {
			return nil, err
		}
	}
	if !c.Accepted {
		if err := k.sendKey(ctx, a, c, t); err != nil {
			return nil, err
		}
	}
	return k.followKey(ctx, c, t)
}

// keyTask is the task of a change of key. One that has none, since the ledger was lost, may have
// been sent.
func (k *Keeper) keyTask(ctx context.Context, c *certbot.KeyChange) (*ledger.Task, error) {
	tasks, err := k.Ledger.Tasks(ctx)
	if err != nil {
		return nil, err
	}
	for _, t := range tasks {
		var p keyChange
		if t.Kind == ledger.KeyChangeTask && json.Unmarshal([]byte(t.Payload), &p) == nil && p.From == c.From {
			return &t, nil
		}
	}
	payload := keyChange{c.Server, c.From, c.To}
	t, err := k.Tasks.Undertake(ctx, ledger.KeyChangeTask, c.URL, payload, ledger.Change{})
	if err == nil && c.Resumed {
		err = k.Tasks.Move(ctx, t, stepSent)
	}
	return t, err
}

// sendKey asks the CA to take the new key.
func (k *Keeper) sendKey(ctx context.Context, a *certbot.Account, c *certbot.KeyChange,
	t *ledger.Task) error {
	speaker, _, err := k.Speaker(a)
	if err != nil {
		return err
	}
	next, err := acme.NewKey(c.Key)
	if err != nil {
		return err
	}
	unproven := t.Step == stepSent // an earlier request may still be on its way
	event := ledger.Event{Kind: "key-change intent", Detail: c.URL + " " + c.From + " to " + c.To}
	if err := k.Tasks.Move(ctx, t, stepSent, event); err != nil {
		return err
	}
	var doubt error
	ask := func() error {
		_, err := speaker.ChangeKey(ctx, next)
		if _, unsent := errors.AsType[*acme.NotSent](err); err == nil || unsent {
			return err
		}
		// Also a refusal is no proof: an earlier request may have been obeyed.
		if doubt = k.lookForKey(ctx, c); doubt != nil || c.Accepted {
			return nil
		}
		unproven = unproven || acme.Undecided(err)
		return err
	}
	if err = Again(ctx, k.Clock, ask); err == nil && doubt == nil && !c.Accepted {
		return k.Disk.Accounts().AcceptKeyChange(c)
	}
	if err == nil {
		return doubt
	}
	wrapped := explain(err, "the key of the account %s could not be changed", a.URL)
	if acme.Undecided(err) || unproven && k.Clock.Now().Sub(t.BegunAt) < longestKeyChange {
		return wrapped
	}
	// The CA was never asked, or said no: nobody will need the new key.
	failed := ledger.Event{Kind: "key change failed", Detail: c.URL}
	return errors.Join(wrapped, k.Disk.Accounts().EndKeyChange(c), k.Tasks.End(ctx, t, failed))
}

// longestKeyChange is how long a request whose answer was lost may still be on its way.
const longestKeyChange = time.Hour

// lookForKey asks the CA whether the new key has the account. Nothing but this account can have it.
func (k *Keeper) lookForKey(ctx context.Context, c *certbot.KeyChange) error {
	key, err := acme.NewKey(c.Key)
	if err != nil {
		return err
	}
	client, err := k.Clients.For(c.Server)
	if err != nil {
		return err
	}
	err = Again(ctx, k.Clock, func() error {
		_, err := client.NewAccount(ctx, key, acme.Registration{OnlyReturnExisting: true})
		return err
	})
	if strange(err) {
		return nil
	}
	if err != nil {
		return failure.Wrap(err, acme.Class(err),
			"Run the same command again: both keys are kept until the CA says which one counts.",
			"it is not known whether the CA has changed the key of the account %s", c.URL)
	}
	return k.Disk.Accounts().AcceptKeyChange(c)
}

// strange reports whether a CA has no account for a key: by its own words, or because it takes no
// such key at all.
func strange(err error) bool {
	p, _ := errors.AsType[*acme.Problem](err)
	return p.IsType("accountDoesNotExist") || p.IsType("badSignatureAlgorithm") ||
		p.IsType("badPublicKey")
}

// GoOnChangingKey goes on with a change of key that another run began. The CA is asked to take the
// new key only where no other run may be signing with the old one.
func (k *Keeper) GoOnChangingKey(ctx context.Context, t *ledger.Task) error {
	var p keyChange
	if err := json.Unmarshal([]byte(t.Payload), &p); err != nil {
		return err
	}
	unlock, free, err := k.Locks.TryLock("key-change")
	if err != nil || !free {
		return err
	}
	defer func() { _ = unlock() }()
	changes, err := k.Disk.Accounts().KeyChanges()
	if err != nil {
		return err
	}
	for _, c := range changes {
		if c.From == p.From {
			return k.goOnWith(ctx, c, t)
		}
	}
	return k.Tasks.End(ctx, t, ledger.Event{Kind: "key change ended", Detail: t.Subject})
}

func (k *Keeper) goOnWith(ctx context.Context, c *certbot.KeyChange, t *ledger.Task) error {
	if !c.Accepted && !k.Solitary(ctx) {
		if t.Step != stepSent {
			return nil // the CA has never heard of it
		}
		if err := k.lookForKey(ctx, c); err != nil || !c.Accepted {
			return err
		}
	}
	if c.Accepted {
		_, err := k.followKey(ctx, c, t)
		return err
	}
	a, err := k.Disk.Accounts().Get(c.Server, c.From)
	if err != nil {
		return err
	}
	k.Report.Tell("Going on with the change of the key of %s, which run %d began.", c.URL, t.RunID)
	_, err = k.changeKey(ctx, &a, c, t)
	return err
}

// FinishKeyChanges goes on with changes of key of which the ledger knows nothing, since it was lost
// meanwhile. Nothing to do costs one look at the disk.
func (k *Keeper) FinishKeyChanges(ctx context.Context) {
	changes, err := k.Disk.Accounts().KeyChanges()
	tasks, more := k.Ledger.Tasks(ctx)
	if err = errors.Join(err, more); err == nil && len(changes) == 0 {
		return
	}
	for _, c := range changes {
		if slices.ContainsFunc(tasks, func(t ledger.Task) bool {
			return t.Kind == ledger.KeyChangeTask && t.Subject == c.URL
		}) {
			continue // it has been gone on with, or somebody else is at it
		}
		t, begun := k.keyTask(ctx, c)
		if begun == nil {
			begun = k.GoOnChangingKey(ctx, t)
		}
		err = errors.Join(err, begun)
	}
	if err != nil {
		k.Report.Warn("a change of an account's key is not finished: %v", err)
	}
}
