package drive

// What every step needs of the order that it is a step of: its row, the engine, what is to be
// written with the next commit, and how to leave it to a later run.

import (
	"context"
	"errors"
	"time"

	"orderly/acme"
	"orderly/failure"
	"orderly/ledger"
	"orderly/order"
)

// core is one order in this process, to each of the parts that drive it.
type core struct {
	e    *Engine
	o    *ledger.Order
	plan order.Plan

	wished      bool // it is what the run is about
	untilIssued bool // nothing is put in place: that is for a run about the order's own lineage
	looked      bool // this process has seen the order at the CA, and needs no other look by now
	settled     bool // it was brought to its end, durably

	booked      bool      // the back-off for a failure of this order has begun
	next        time.Time // when the lineage may be ordered for again, after how this order ended
	fingerprint string    // of what preflight found

	patience  patience
	unwritten unwritten
}

func newCore(e *Engine, o *ledger.Order) *core {
	c := &core{e: e, o: o, plan: order.Plan{Request: o.Request},
		patience: newPatience(e.clock, e.effort.Patience)}
	order.NoLater(o, e.clock.Now())
	c.patience.heldUntil = o.NotBefore
	return c
}

func (c *core) waitFacts() order.WaitFacts {
	f := c.patience.facts()
	f.LongestWait = c.e.effort.LongestWait
	if c.plan.Force {
		f.NotBefore = time.Time{} // a person who insists may look
	}
	return f
}

// steady begins the waiting anew after the clock was set back.
func (c *core) steady() {
	c.note("clock set back", "")
	c.patience.anew()
	order.NoLater(c.o, c.e.clock.Now())
}

// note buffers an event. It becomes durable with the next commit; what it tells of is found out
// again by looking if the process dies before.
func (c *core) note(kind, format string, args ...any) {
	detail := failure.Words(format, args...)
	c.unwritten.events = append(c.unwritten.events,
		ledger.Event{At: c.e.clock.Now(), RunID: c.e.run.ID, Of: c.o, Kind: kind, Detail: detail})
	c.e.log.DebugContext(order.About(context.Background(), c.o), kind, "detail", detail)
}

// gathered adds the order and everything buffered to a change.
func (c *core) gathered(more ledger.Change) ledger.Change {
	c.o.UpdatedAt = c.e.clock.Now()
	return c.unwritten.into(more, c.o, c.e.Account())
}

// changeAccount changes the account's row, with the next commit.
func (c *core) changeAccount(change func(*ledger.Account)) {
	c.unwritten.account = true
	c.e.session.change(change)
}

// commit makes the order and everything buffered durable. A signal does not keep it from being
// written.
func (c *core) commit(ctx context.Context, more ledger.Change) error {
	more = c.gathered(more)
	more.Guards = order.GuardsOf(ctx)
	more.Unsynced = more.Unsynced && !c.unwritten.told()
	var over []*ledger.Order
	if !more.Unsynced {
		over = c.e.session.takeEnded()
	}
	if err := c.e.store.Commit(context.WithoutCancel(ctx), &more); err != nil {
		c.e.session.ended(over...)
		return err
	}
	c.unwritten = unwritten{}
	c.e.forgetKeys(over)
	return nil
}

// wait sleeps. What is buffered is made durable first if the wait is long enough for a person to
// look meanwhile.
func (c *core) wait(ctx context.Context, until time.Time) error {
	pause := until.Sub(c.e.clock.Now())
	if pause > time.Second && len(c.unwritten.events) > 0 {
		if err := c.commit(ctx, ledger.Change{}); err != nil {
			return err
		}
		pause = until.Sub(c.e.clock.Now())
	}
	c.tellOfWait(pause)
	if err := c.e.clock.Sleep(ctx, pause); err != nil {
		return nil // the loop sees the context and ends at a journalled point
	}
	return nil
}

// tellOfWait says what is waited for where that takes its time.
func (c *core) tellOfWait(pause time.Duration) {
	switch this, all := c.patience.waits(pause, c.o.State); {
	case this:
		c.e.tell("Waiting %s for the CA: the order for %s is %s.", pause.Round(time.Second), c.o.Subject(), c.o.State)
	case all:
		c.e.tell("Waiting for the CA: the order for %s is %s.", c.o.Subject(), c.o.State)
	}
}

// interrupted leaves the order to the next run, which must know of what the CA asked for last.
func (c *core) interrupted(ctx context.Context, act order.Action) error {
	c.note("stopped", "%v", context.Cause(ctx))
	if act.Kind == order.Stop && !act.Until.IsZero() {
		c.o.NotBefore = act.Until
	}
	if c.o.ID != 0 {
		if err := c.commit(ctx, ledger.Change{}); err != nil {
			return err
		}
	}
	return failure.Wrap(order.Interruption(ctx), failure.Stopped,
		"Run the same command again, or "+failure.Do(failure.Resume)+".",
		"the order for %s was stopped in time and will be continued", c.o.Subject())
}

// stop leaves the order as it is, with the reason, for a later run. A dead one keeps the reason of
// its death.
func (c *core) stop(class failure.Class, remedy failure.Remedy, format string, args ...any) error {
	err := failure.New(class, remedy, format, args...).Lasting(c.until())
	return errors.Join(c.leave(err), err)
}

// until is when the CA, or the back-off, lets this order or the next one for its lineage go on;
// zero where nothing was asked.
func (c *core) until() time.Time {
	switch now := c.e.clock.Now(); {
	case c.o.NotBefore.After(now):
		return c.o.NotBefore
	case c.next.After(now):
		return c.next
	}
	return time.Time{}
}

// verdict is the order's, with the moment of the next one.
func (c *core) verdict() error {
	err := order.Verdict(c.o)
	if e, ok := errors.AsType[*failure.Error](err); ok {
		return e.Lasting(c.until())
	}
	return err
}

func (c *core) leave(why *failure.Error) error {
	c.note("left", "%s", failure.Clean(why.Sentence))
	if c.o.ID == 0 {
		return nil
	}
	if c.o.State != ledger.Invalid {
		c.o.Reason = ledger.Because(why.Class, why.Remedy, why.Sentence)
		if why.Class != failure.BackOff { // which quotes what the standing says, and must not become it
			c.stand(asItStands)
		}
	}
	return c.commit(context.Background(), ledger.Change{})
}

// giveUp lets Next release an order that cannot go on. The next intent makes it durable.
func (c *core) giveUp(act order.Action) {
	if c.o.State != ledger.Invalid { // a dead one keeps what it died of
		c.o.Reason = ledger.Because(act.Class, act.Remedy, act.Why)
		c.stand(asItStands)
	}
	c.o.Releasing = true
	c.note("given up", "%s", failure.Clean(act.Why))
}

// end is when the order expires; where the CA did not say, the latest moment at which it can.
func (c *core) end() time.Time {
	if c.o.Expires.IsZero() {
		return c.o.CreatedAt.Add(c.e.known().Lifetime(c.o.Profile))
	}
	return c.o.Expires
}

// caTime is the CA's clock as the answer shows it, ours where it does not.
func (c *core) caTime(r acme.Reply) time.Time {
	if r.Date.IsZero() {
		return c.e.clock.Now()
	}
	return r.Date
}
