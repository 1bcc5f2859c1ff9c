package host

import (
	"context"
	"slices"
	"time"

	"orderly/ledger"
	"orderly/order"
	"orderly/task"
)

// A run that ends while orders of it are under way leaves their certificates to the next run, and
// with them the deploy hook of the whole run. Without it a run that was told to end would do worse
// than one that was killed: what it leaves owed is run for the rest, whoever puts it in place.

// toldUntil is the moment up to which the deploy hook of a whole run was told what was put in place.
func toldUntil(t *ledger.Task) time.Time {
	if told, err := time.Parse(time.RFC3339Nano, t.Payload); err == nil && told.After(t.BegunAt) {
		return told
	}
	return t.BegunAt
}

// oweLeft owes the deploy hook of a run that has put nothing in place and leaves orders that it has
// gone on with.
func (h *Hooks) oweLeft(ctx context.Context) error {
	if h.DeployOnce == "" || !h.leaves(ctx, h.Run.StartedAt) {
		return nil
	}
	return h.oweTasks(context.WithoutCancel(ctx), ledger.DeployTask, []string{h.DeployOnce})
}

// rest is what is owed of a deploy hook once more when it was run, for what is under way still.
func (h *Hooks) rest(ctx context.Context, t *ledger.Task, ran bool) []*ledger.Task {
	if !h.leaves(ctx, t.BegunAt) {
		return nil
	}
	rest := &ledger.Task{RunID: h.Run.ID, Kind: t.Kind, Subject: t.Subject, Step: task.Intended,
		BegunAt: t.BegunAt, Payload: t.Payload}
	if ran && ctx.Err() == nil {
		rest.Payload = h.Clock.Now().Format(time.RFC3339Nano)
	}
	return []*ledger.Task{rest}
}

// leaves reports whether orders that were worked on since a moment may still come to a certificate,
// and no other run is at work on them. What cannot be looked up is owed: a server that is reloaded
// in vain does no harm.
func (h *Hooks) leaves(ctx context.Context, since time.Time) bool {
	orders, err := h.Ledger.Orders(context.WithoutCancel(ctx),
		ledger.OrderFilter{Unsettled: true, Since: since})
	return err != nil || slices.ContainsFunc(orders, func(o *ledger.Order) bool {
		r := o.Request
		if !o.State.Live() && o.State != ledger.Installed {
			return false
		}
		if r.Rehearsal || r.NamesOnly || len(r.CSR) > 0 || o.Superseded || o.Releasing {
			return false
		}
		held, err := h.Locks.File.Held(order.LineageLock(o.Lineage))
		return err != nil || !held
	})
}
