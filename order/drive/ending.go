package drive

import (
	"context"
	"time"

	"orderly/failure"
	"orderly/ledger"
	"orderly/order"
)

// The end of an order: its row, what is written beside it, and what it costs the lineage.

// settle ends the order: nothing remains to be done for it. A good end, where the run goes on, is
// not synced: after a power cut the certificate is in the ledger, and is put in its place once more,
// for which its key is kept.
func (c *core) settle(ctx context.Context, act order.Action) error {
	more := c.conclude(ctx, act)
	more.Unsynced = act.State == ledger.Installed && more.Run == nil && !c.o.Request.Rehearsal
	if err := c.commit(ctx, more); err != nil {
		return err
	}
	if c.settled = true; more.Unsynced {
		c.e.session.ended(c.o)
		return nil
	}
	c.e.forgetKeys([]*ledger.Order{c.o})
	return nil
}

// Synced says that the ledger was synced after the engine's last order: what was kept until then is
// removed.
func (e *Engine) Synced() { e.forgetKeys(e.session.takeEnded()) }

// forgetKeys removes the keys of orders whose end is there to stay.
func (e *Engine) forgetKeys(over []*ledger.Order) {
	for _, o := range over {
		e.host.Keys().Remove(o)
	}
}

// conclude brings the order to its end, whoever wants it. What it returns is to be committed with
// the order.
func (c *core) conclude(ctx context.Context, act order.Action) ledger.Change {
	c.unwritten.holds = append(c.unwritten.holds, act.Holds...)
	for _, h := range act.Holds {
		c.next = h.Until
	}
	phantoms, issued := order.End(c.o, act, c.e.known(), c.e.clock.Now())
	if issued && len(c.o.Chain) == 0 {
		c.payIssued(ctx) // the CA counts what it issued, whoever has it
	}
	more := c.ending(act)
	more.Orders = append(more.Orders, phantoms...)
	c.note("settled", "%s", c.o.State)
	return more
}

// ending is what is written beside the order's own end: the lineage's standing and, at a good end,
// the run's.
func (c *core) ending(act order.Action) ledger.Change {
	switch act.State {
	case ledger.Installed:
		c.unwritten.stood = &ledger.Standing{Lineage: c.o.Lineage}
		if c.wished {
			return c.e.host.Last()
		}
	case ledger.Invalid:
		if c.booked || len(order.Failed(c.o)) > 0 { // it was booked when the first name failed
			c.stand(asItStands)
			break
		}
		c.fell(c.lastDeed())
	case ledger.TakenState, ledger.LostState, ledger.ExpiredState:
		c.fellFreely(c.lastDeed())
	case ledger.ReleasedState:
		if c.o.Releasing && act.Class != failure.Released && !c.booked {
			// Given up for a reason that the next one may meet as well.
			c.fellFreely(c.e.clock.Now())
		}
	case ledger.RefusedState, ledger.Phantom:
		c.stand(asItStands)
	}
	return ledger.Change{}
}

// lastDeed is when something was last done for the order at the CA; that its certificate cannot be
// used is known only now.
func (c *core) lastDeed() time.Time {
	last := c.o.CreatedAt
	if c.o.State == ledger.Invalid && order.MayBeIssued(c.o) {
		last = c.e.clock.Now()
	}
	for _, a := range c.o.Authorizations {
		if a.AnswerSentAt.After(last) {
			last = a.AnswerSentAt
		}
	}
	if c.o.FinalizeSentAt.After(last) {
		last = c.o.FinalizeSentAt
	}
	return last
}
