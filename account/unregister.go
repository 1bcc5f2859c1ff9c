package account

import (
	"context"
	"encoding/json"
	"errors"
	"slices"

	"orderly/acme"
	"orderly/certbot"
	"orderly/failure"
	"orderly/ledger"
	"orderly/order"
	"orderly/task"
)

// To give an account up is for ever, and it takes every order along. So these are finished first,
// and what is left is settled in the same commit in which the account's end is noted.

// stepDeactivated: the CA has deactivated the account; its directory is left to remove.
const stepDeactivated = "deactivated"

// Unregistering is the command of a run that gives an account up, as the ledger keeps it.
func Unregistering(a *certbot.Account) string { return "unregister " + a.Server + " " + a.ID }

// surrender is the payload of an UnregisterTask.
type surrender struct {
	Server string `json:"server"`
	ID     string `json:"id"`
	URL    string `json:"url"`
}

// Unregister gives an account up for ever (RFC 8555 §7.3.6) and removes it from this host. No other
// run is at work meanwhile. What can be finished of its orders is finished before, since nobody can
// answer for them afterwards. An account that the CA does not know any more is removed all the
// same. A run that dies meanwhile leaves a task, which the next one finishes.
func (k *Keeper) Unregister(ctx context.Context, a *certbot.Account) error {
	if was(&k.unregistered, a.ID) {
		return nil // this run has just finished what an earlier one began
	}
	if err := k.finishOrdersOf(ctx, a); err != nil {
		return err
	}
	event := k.Tasks.Event("deactivate-account intent", a.URL+" "+a.ID)
	t, err := k.Tasks.Undertake(ctx, ledger.UnregisterTask, a.URL, surrender{a.Server, a.ID, a.URL},
		ledger.Change{Events: []ledger.Event{event}})
	if err != nil {
		return err
	}
	return k.unregister(ctx, t, a)
}

// unregister is Unregister from the intent on.
func (k *Keeper) unregister(ctx context.Context, t *ledger.Task, a *certbot.Account) error {
	if t.Step == task.Intended {
		err := k.deactivate(ctx, a)
		if err != nil && k.Tasks.InVain(t, err) {
			failed := ledger.Event{Kind: "unregister failed", Detail: a.URL}
			return errors.Join(err, k.Tasks.End(ctx, t, failed))
		}
		if err != nil {
			return err
		}
	}
	ctx = context.WithoutCancel(ctx)
	if err := k.bury(ctx, a, t); err != nil {
		return err
	}
	err := k.Disk.Accounts().Delete(a.Server, a.ID)
	if err != nil && len(k.Disk.Accounts().Places(a.Server, a.ID)) > 0 {
		return err
	}
	k.unregistered.Store(a.Server, true)
	k.unregistered.Store(a.ID, true)
	return k.Tasks.End(ctx, t, ledger.Event{Kind: "account removed", Detail: a.URL + " " + a.ID})
}

// FinishedUnregister reports whether this run has finished giving up an account of a CA that an
// earlier run had begun to give up.
func (k *Keeper) FinishedUnregister(server string) bool { return was(&k.unregistered, server) }

// GoOnUnregistering finishes what another run began. While another one lives that may work with the
// account it is left, and nothing is ordered in its name.
func (k *Keeper) GoOnUnregistering(ctx context.Context, t *ledger.Task) error {
	var p surrender
	if err := json.Unmarshal([]byte(t.Payload), &p); err != nil {
		return err
	}
	k.Mourn(p.Server, p.URL, failure.New(failure.Account,
		"Run the same command again when no other run of Orderly is at work.",
		"the account %s is being given up", p.URL))
	if !k.Solitary(ctx) {
		return nil
	}
	k.Report.Tell("Going on with giving up the account %s, which run %d began.", p.URL, t.RunID)
	a, err := k.Disk.Accounts().Get(p.Server, p.ID)
	if err != nil && t.Step == task.Intended && len(k.Disk.Accounts().Places(p.Server, p.ID)) > 0 {
		return err // a key that cannot be read cannot sign
	}
	if err != nil {
		a = certbot.Account{Server: p.Server, ID: p.ID, URL: p.URL}
		t.Step = stepDeactivated
	}
	return k.unregister(ctx, t, &a)
}

// finishOrdersOf goes on with what earlier runs left of an account's orders. One that cannot be
// finished does not keep the account.
func (k *Keeper) finishOrdersOf(ctx context.Context, a *certbot.Account) error {
	orders, err := k.ordersOf(ctx, a)
	if err != nil {
		return err
	}
	for _, o := range orders {
		if err := k.Finish(ctx, o); err != nil {
			k.Report.Warn("order %d for %s could not be finished: %v", o.ID, o.Lineage, err)
		}
		if ctx.Err() != nil {
			return failure.New(failure.Stopped,
				"Run the same command again; nothing was deactivated.",
				"stopped before the account was deactivated")
		}
	}
	return nil
}

func (k *Keeper) ordersOf(ctx context.Context, a *certbot.Account) ([]*ledger.Order, error) {
	row, err := k.Ledger.Account(ctx, a.Server, a.URL)
	if errors.Is(err, ledger.ErrNone) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return k.Ledger.Orders(ctx, ledger.OrderFilter{Unsettled: true, AccountID: row.ID})
}

// deactivate asks the CA to deactivate the account, and finds out what became of it where no answer
// says so: it is asked a second time only if the CA still shows the account as it was.
func (k *Keeper) deactivate(ctx context.Context, a *certbot.Account) error {
	speaker, _, err := k.Speaker(a)
	if err != nil {
		return err
	}
	for try := range 2 {
		_, err = speaker.DeactivateAccount(ctx)
		if err != nil && acme.Undecided(err) && ctx.Err() == nil {
			object, look := speaker.Fetch(ctx)
			if look == nil && object.Status == "deactivated" {
				return nil
			}
			if unknown(look) {
				err = look
			}
		}
		if unknown(err) {
			k.Report.Warn("the CA does not accept the account any more: %v", err)
			return nil
		}
		if pause, repeat := repeatable(err); err == nil || try > 0 || !repeat || k.Clock.Sleep(ctx, pause) != nil {
			break
		}
	}
	if err != nil {
		return explain(err, "the account %s could not be deactivated", a.URL)
	}
	return nil
}

// bury settles what is left of a deactivated account's orders: nobody can ask the CA about them any
// more, or answer. Their authorizations stay in the account of what is pending until they have
// expired.
func (k *Keeper) bury(ctx context.Context, a *certbot.Account, t *ledger.Task) error {
	orders, err := k.ordersOf(ctx, a)
	if err != nil {
		return err
	}
	// to put a certificate in place no account is needed
	open := slices.DeleteFunc(orders, order.Issued)
	return k.Abandon(ctx, order.AccountDeactivated, open, func(change ledger.Change) error {
		if t.Step == task.Intended {
			change.Events = append(change.Events,
				k.Tasks.Event("account deactivated", a.URL+" "+a.ID))
		}
		t.Step, change.Tasks = stepDeactivated, []*ledger.Task{t}
		return k.Ledger.Commit(ctx, &change)
	})
}
