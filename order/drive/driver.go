package drive

import (
	"context"
	"errors"
	"fmt"
	"time"

	"orderly/acme"
	"orderly/failure"
	"orderly/ledger"
	"orderly/limit"
	"orderly/order"
)

// mostSteps ends a driver that goes round in circles: no order needs a tenth of it.
const mostSteps = 5000

// driver drives one order. What it knows beside the order row is what this process has seen.
type driver struct {
	e *Engine
	o *ledger.Order

	looked, admitted, checked bool
	seen, placed, unplaceable map[string]bool
	left                      map[string]bool // tokens that could not be removed
	blocked                   error           // why the first unplaceable authorization is
	listWalked, noList        bool
	listProves                bool      // that what it does not show was never made
	listBroken                bool      // it failed in this run, and is of no use once the CA answers something else
	suspected                 bool      // an order of the name set may be there that no newOrder of this row made
	sent, ghosts              int       // newOrders without an answer; phantoms of the name set that other rows have left
	born                      time.Time // when the newOrder was sent that this process was answered
	sought                    bool      // the list was searched for the order's URL
	sound                     bool      // the CA was seen to answer newOrder since
	crowded                   bool      // what may be pending unseen could fill the account
	nextPoll, patienceEnds    time.Time
	heldUntil                 time.Time // no request before this moment: an earlier run was asked so
	asked                     bool      // the CA asked for nextPoll
	polls                     int
	waited                    time.Duration // for the CA, while the order was as it is in waitedAs
	waitedAs                  ledger.State
	troubles                  map[string]int  // requests that failed since the last progress, by kind
	failed                    *order.Trouble  // the last request that did
	overtime                  bool            // it was looked at once after patience had ended
	denied                    int             // times finalize was refused as not ready
	denial                    string          // what it was refused with
	finalized                 bool            // the CA accepted the CSR that this process sent
	finalizes                 int             // how often it did
	notAgain                  time.Time       // not to be sent again before
	met                       map[string]bool // states in which this process has seen order and authorizations
	wished                    bool            // it is what the run is about
	settled                   bool            // it was brought to its end, durably
	inherited                 bool            // an earlier process had the certificate already
	untilIssued               bool            // nothing is put in place: that is for a run about the order's own lineage
	material                  order.Material
	keyReady                  bool
	fingerprint               string
	booked                    bool                     // the back-off for a failure of this order has begun
	refusals                  map[string]*acme.Problem // of answers, by the challenge's URL
	plan                      order.Plan
	unmade                    *order.Unmade // what is known of the last newOrder, if it certainly brought no order
	unproven                  time.Time     // when the newOrder before the last one was sent, if it is not known what became of it

	next      time.Time   // when the lineage may be ordered for again, after how this order ended
	worth     limit.Order // what newOrder costs
	unwritten unwritten
}

// newDriver takes an order over.
func newDriver(e *Engine, o *ledger.Order) *driver {
	d := &driver{e: e, o: o, seen: map[string]bool{}, placed: map[string]bool{}, unplaceable: map[string]bool{}, left: map[string]bool{},
		troubles: map[string]int{}, met: map[string]bool{}, refusals: map[string]*acme.Problem{}}
	d.patienceEnds = e.clock.Now().Add(e.effort.Patience)
	d.plan = order.Plan{Request: o.Request}
	order.NoLater(o, e.clock.Now())
	d.heldUntil = o.NotBefore
	d.inherited = len(o.Chain) > 0
	if o.CSR.Set() {
		d.material, d.keyReady = e.host.Keys().Load(o)
	}
	return d
}

// steady begins the waiting anew after the clock was set back.
func (d *driver) steady() {
	now := d.e.clock.Now()
	d.note("clock set back", "")
	d.nextPoll, d.patienceEnds = time.Time{}, now.Add(d.e.effort.Patience)
	order.NoLater(d.o, now)
}

func (d *driver) facts() order.Facts {
	return order.Facts{
		Now: d.e.clock.Now(), Order: d.o, CA: d.e.known(), Known: d.e.learnt(), Wanted: &d.plan.Request,
		UntilIssued: d.untilIssued, Looked: d.looked, Seen: d.seen, Placed: d.placed, Unplaceable: d.unplaceable,
		Blocked: d.obstacle(), Left: d.left, Admitted: d.admitted, Checked: d.checked, KeyReady: d.keyReady,
		ListWalked: d.listWalked, ListProves: d.listProves, NoList: d.noList, Suspected: d.suspected,
		Sent: d.sent, Ghosts: d.ghosts, Crowded: d.crowded, Sound: d.sound, Insists: d.plan.Force,
		ShowsProcessing: d.e.Account().ShowsProcessing,
		Denied:          d.denied > 0, Finalizes: d.finalizes, NotAgain: d.notAgain,
		Unmade: d.unmade, Patience: d.e.effort.Patience, LongestWait: d.e.effort.LongestWait, NextPoll: d.nextPoll, GiveUp: d.patienceEnds,
		Asked: d.asked, Overtime: d.overtime, Trouble: d.failed, NotBefore: d.silence(),
	}
}

// silence is until when an earlier run was asked to send nothing. A person who insists may look.
func (d *driver) silence() time.Time {
	if d.plan.Force {
		return time.Time{}
	}
	return d.heldUntil
}

// obstacle is what keeps names from being answered: all that fell say what the first alone does not.
func (d *driver) obstacle() error {
	if list := order.AllFallen(d.o); len(list) > 0 && d.booked {
		return order.NotValidated(list, d.way)
	}
	return d.blocked
}

// drive asks Next and obeys until the order is settled or nothing can be done now. A nil error means that the certificate
// is in place, or that a superseded order has come to rest.
func (d *driver) drive(ctx context.Context) error {
	if err := d.takeCount(ctx); err != nil {
		return err
	}
	for step := range mostSteps {
		act := order.Next(d.facts())
		switch {
		case act.Kind == order.Done:
			return d.verdict()
		case act.Kind == order.Leave && act.Class == "":
			return nil
		case act.Kind == order.Leave:
			return failure.New(act.Class, act.Remedy, "%s", act.Why).Lasting(d.until())
		case ctx.Err() != nil && act.Kind != order.Settle:
			return d.interrupted(ctx, act)
		}
		if step == 0 {
			d.begun()
		}
		if err := d.perform(ctx, act); err != nil {
			return err
		}
	}
	return d.stop(failure.Internal, "", "the order for %s does not come to an end", d.o.Lineage)
}

// begun says that an order goes on, once something is really to be done for it.
func (d *driver) begun() {
	d.heldUntil = time.Time{} // it is over, whatever the clock says from here on
	if d.o.ID != 0 && d.o.SettledAt.IsZero() && !d.o.Releasing {
		d.e.tell("Continuing order %d for %s, begun at %s by an earlier run.", d.o.ID, d.o.Lineage, d.o.CreatedAt.UTC().Format(time.RFC3339))
	}
}

// learn finds out with whom the engine deals.
func (d *driver) learn(ctx context.Context) error {
	err := d.e.learn(ctx)
	if err == nil || ctx.Err() != nil {
		return nil // the loop sees the context
	}
	return d.stop(failure.ClassOf(err), failure.RemedyOf(err), "%v", err)
}

func (d *driver) perform(ctx context.Context, act order.Action) error {
	d.overtime = d.overtime || act.Overtime
	switch act.Kind {
	case order.Create:
		return d.create(ctx)
	case order.Probe:
		return d.probe(ctx)
	case order.Search:
		return d.search(ctx)
	case order.Look:
		if err := d.follow(ctx); err != nil {
			return err
		}
		return d.look(ctx, d.finalizes > 0)
	case order.Show:
		if err := d.follow(ctx); err != nil {
			return err
		}
		return d.show(ctx, act.Authorizations)
	case order.Check:
		if d.o.State == ledger.Creating {
			return d.readmit(ctx)
		}
		return d.check(ctx, act.Authorizations)
	case order.Place:
		return d.place(ctx, act.Authorizations)
	case order.Answer:
		return d.answer(ctx, act.Authorizations)
	case order.Release:
		return d.release(ctx, act.Authorizations)
	case order.Clear:
		return d.clear(ctx, act.Authorizations)
	case order.MakeKey:
		return d.makeKey()
	case order.Learn:
		return d.learn(ctx)
	case order.Steady:
		d.steady()
		return nil
	case order.ChangeKey:
		d.changeKey()
		return nil
	case order.DropReplaces:
		d.dropReplaces(act.Why)
		return nil
	case order.Finalize:
		return d.finalize(ctx)
	case order.Download:
		return d.download(ctx)
	case order.Install:
		return d.install(ctx)
	case order.Deploy:
		return d.deploy(ctx)
	case order.Forgo:
		d.forgo()
		return nil
	case order.Wait:
		return d.wait(ctx, act.Until)
	case order.Settle:
		return d.settle(ctx, act)
	case order.GiveUp:
		d.giveUp(act)
		return nil
	case order.Stop:
		return d.rest(act)
	case order.Adjourn:
		return d.adjourn(act)
	}
	return fmt.Errorf("no such action: %s", act.Kind)
}

// note buffers an event. It becomes durable with the next commit; what it tells of is found out again by looking if the
// process dies before.
func (d *driver) note(kind, format string, args ...any) {
	detail := fmt.Sprintf(format, args...)
	d.unwritten.events = append(d.unwritten.events, ledger.Event{At: d.e.clock.Now(), RunID: d.e.run.ID, Of: d.o, Kind: kind, Detail: detail})
	d.e.log.Debug(kind, "order", d.o.ID, "lineage", d.o.Lineage, "detail", detail)
}

// gathered adds the order and everything buffered to a change.
func (d *driver) gathered(more ledger.Change) ledger.Change {
	d.o.UpdatedAt = d.e.clock.Now()
	return d.unwritten.into(more, d.o, d.e.Account())
}

// changeAccount changes the account's row, with the next commit.
func (d *driver) changeAccount(change func(*ledger.Account)) {
	d.unwritten.account = true
	d.e.session.change(change)
}

// commit makes the order and everything buffered durable. A signal does not keep it from being written.
func (d *driver) commit(ctx context.Context, more ledger.Change) error {
	more = d.gathered(more)
	more.Guards = order.GuardsOf(ctx)
	if err := d.e.store.Commit(context.WithoutCancel(ctx), &more); err != nil {
		return err
	}
	d.unwritten = unwritten{}
	return nil
}

// longPause is a wait, in one or in many pauses, that a person should be told of, lest it looks like a run that hangs.
const longPause = 8 * time.Second

// wait sleeps. What is buffered is made durable first if the wait is long enough for a person to look meanwhile.
func (d *driver) wait(ctx context.Context, until time.Time) error {
	pause := until.Sub(d.e.clock.Now())
	if pause > time.Second && len(d.unwritten.events) > 0 {
		if err := d.commit(ctx, ledger.Change{}); err != nil {
			return err
		}
		pause = until.Sub(d.e.clock.Now())
	}
	d.tellOfWait(pause)
	if err := d.e.clock.Sleep(ctx, pause); err != nil {
		return nil // the loop sees the context and ends at a journalled point
	}
	return nil
}

// tellOfWait says what is waited for where that takes its time: in one pause, or in many short ones between two looks.
func (d *driver) tellOfWait(pause time.Duration) {
	if d.waitedAs != d.o.State {
		d.waited, d.waitedAs = 0, d.o.State
	}
	told := d.waited >= longPause
	d.waited += max(pause, 0)
	switch {
	case pause >= longPause:
		d.e.tell("Waiting %s for the CA: the order for %s is %s.", pause.Round(time.Second), d.o.Lineage, d.o.State)
	case !told && d.waited >= longPause:
		d.e.tell("Waiting for the CA: the order for %s is %s.", d.o.Lineage, d.o.State)
	}
}

// interrupted leaves the order to the next run, which must know of what the CA asked for last.
func (d *driver) interrupted(ctx context.Context, act order.Action) error {
	d.note("stopped", "%v", context.Cause(ctx))
	if act.Kind == order.Stop && !act.Until.IsZero() {
		d.o.NotBefore = act.Until
	}
	if d.o.ID != 0 {
		if err := d.commit(ctx, ledger.Change{}); err != nil {
			return err
		}
	}
	return failure.Wrap(order.Interruption(ctx), failure.Stopped,
		"Run the same command again, or "+failure.Do(failure.Resume)+".",
		"the order for %s was stopped in time and will be continued", d.o.Lineage)
}

// stop leaves the order as it is, with the reason, for a later run. A dead one keeps the reason of its death.
func (d *driver) stop(class failure.Class, remedy failure.Remedy, format string, args ...any) error {
	err := failure.New(class, remedy, format, args...).Lasting(d.until())
	return errors.Join(d.leave(err), err)
}

// until is when the CA, or the back-off, lets this order or the next one for its lineage go on; zero where nothing was asked.
func (d *driver) until() time.Time {
	switch now := d.e.clock.Now(); {
	case d.o.NotBefore.After(now):
		return d.o.NotBefore
	case d.next.After(now):
		return d.next
	}
	return time.Time{}
}

// verdict is the order's, with the moment of the next one.
func (d *driver) verdict() error {
	err := order.Verdict(d.o)
	if e, ok := errors.AsType[*failure.Error](err); ok {
		return e.Lasting(d.until())
	}
	return err
}

func (d *driver) leave(why *failure.Error) error {
	d.note("left", "%s", failure.Clean(why.Sentence))
	if d.o.ID == 0 {
		return nil
	}
	if d.o.State != ledger.Invalid {
		d.o.Class, d.o.Sentence = string(why.Class), failure.Clean(why.Sentence)
		d.o.Remedy = why.Remedy.Keep()
		d.stand(asItStands)
	}
	return d.commit(context.Background(), ledger.Change{})
}

// giveUp lets Next release an order that cannot go on. The next intent makes it durable.
func (d *driver) giveUp(act order.Action) {
	if d.o.State != ledger.Invalid { // a dead one keeps what it died of
		d.o.Class, d.o.Sentence = string(act.Class), failure.Clean(act.Why)
		d.o.Remedy = act.Remedy.Keep()
		d.stand(asItStands)
	}
	d.o.Releasing = true
	d.note("given up", "%s", failure.Clean(act.Why))
}

// rest leaves an order with which nothing can be done now.
func (d *driver) rest(act order.Action) error {
	if !act.Until.IsZero() {
		d.o.NotBefore = act.Until
	}
	if act.Class == failure.Stopped && d.denial != "" {
		act.Why += "; it says: " + d.denial
	}
	return d.stop(act.Class, act.Remedy, "%s", act.Why)
}

// adjourn leaves a dead order whose siblings cannot be answered now.
func (d *driver) adjourn(act order.Action) error {
	if err := d.leave(failure.New(act.Class, "", "%s", act.Why)); err != nil {
		return err
	}
	return d.verdict()
}
