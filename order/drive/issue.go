package drive

import (
	"context"
	"fmt"
	"time"

	"orderly/failure"
	"orderly/ledger"
	"orderly/order"
)

// makeKey makes the private key and the CSR. They are on disk to stay before the ledger speaks of them, and both are
// before finalize (rule 7).
func (d *driver) makeKey() error {
	d.e.host.Keys().Remove(d.o) // of an earlier try that was damaged, or that the ledger never heard of
	key, csr, err := d.e.host.Keys().Make(d.o)
	if err != nil {
		return d.stop(failure.ClassOf(err), failure.RemedyOf(err), "%v", err)
	}
	d.o.Key, d.o.CSR = key, csr
	d.material, d.keyReady = d.e.host.Keys().Load(d.o)
	if !d.keyReady {
		return d.stop(failure.Config, "Look at the disk.", "the private key just written for %s cannot be read back", d.o.Lineage)
	}
	return nil
}

// changeKey forgets key and CSR: a person wants another key by now, by a flag or in the renewal file.
func (d *driver) changeKey() {
	order.TakeKey(&d.o.Request, d.plan.Request)
	d.o.Key, d.o.CSR, d.keyReady = ledger.FileRef{}, ledger.FileRef{}, false
	d.e.host.Adopt(d.o, d.plan.Request)
	d.note("another key", "another kind of key is wanted than that of the CSR")
}

// finalize sends the CSR. An order has one CSR for good, so sending it again after a look that says `ready` is harmless
// (rule 5).
func (d *driver) finalize(ctx context.Context) error {
	o := d.o
	o.State, o.FinalizeSentAt = ledger.Processing, d.e.clock.Now()
	d.note("finalize intent", "CSR %s", o.CSR.SHA256)
	if err := d.commit(ctx, ledger.Change{}); err != nil {
		return err
	}
	rctx, cancel := outliving(ctx)
	defer cancel()
	reply, err := d.e.acme().Finalize(rctx, o.Finalize, d.material.CSR)
	if err != nil {
		return d.notFinalized(err)
	}
	d.note("finalize answered", "%s", failure.Clean(reply.Status))
	d.address(reply.URL)
	if reply.Status == "pending" || reply.Status == "ready" || d.unclear(reply) != nil {
		d.looked = false
		return d.trouble("finalize", fmt.Errorf("the CA calls the order %s after finalize", failure.Clean(reply.Status)))
	}
	d.finalized, d.denial = true, ""
	d.sentAgain()
	d.absorb(reply)
	if d.isNew("finalized") {
		d.progress()
	}
	if reply.Status == "processing" {
		d.pause(reply.Reply)
	}
	if o.URL == "" {
		return d.commit(ctx, ledger.Change{}) // no look would show it again
	}
	return nil
}

// finalizePause, doubled with each, is how long an order that is shown ready although the CA took its CSR is looked at before
// the CSR is sent once more.
const finalizePause = 2 * time.Second

// sentAgain puts the next finalize off, once the CA has taken one.
func (d *driver) sentAgain() {
	d.finalizes++
	d.notAgain = d.e.clock.Now().Add(finalizePause << d.finalizes)
}

// mostNotReady bounds the pause after a finalize that came too early.
const mostNotReady = 10 * time.Second

// mostDenials is how often a refusal of finalize is answered by a look at the order (rule 5). One that comes again although
// the order is ready has another reason: Boulder refuses so when CAA forbids to issue.
const mostDenials = 1

func (d *driver) notFinalized(err error) error {
	effect, p := order.EffectOf(err)
	switch {
	case effect == order.NotDone || d.accountTrouble(err) != nil && !p.IsType("badPublicKey"): // that is about the CSR's key here
		d.o.State = ledger.Ready
		return d.trouble("finalize", err)
	case effect == order.Undecided:
		d.looked = false
		return d.trouble("finalize", err)
	case p.IsType("orderNotReady"):
		// Some CAs need a while to see what they have validated. The order may also be valid already.
		d.note("finalize not ready", "%s", p.Error())
		d.denied++
		d.denial, d.looked = p.Error(), false
		if d.finalizes > 0 {
			d.sentAgain() // it was taken, so that this is no early one
		}
		d.nextPoll = d.e.clock.Now().Add(max(p.RetryAfter, min(time.Second<<(d.denied-1), mostNotReady)))
		d.asked = p.HasRetryAfter // for hours, perhaps: they are not slept through
		d.loseUnaddressed()
		return nil
	case (p.Status == 403 || p.Status == 404) && d.denied < mostDenials:
		d.denied++
		d.looked = false // it may be valid already, for an earlier finalize arrived, or be finalized elsewhere by now
		return nil
	}
	d.o.State = ledger.Ready
	d.said(p)
	why := order.NotIssued(d.o, p)
	return d.stop(why.Class, why.Remedy, "%s", why.Sentence)
}

// install puts the certificate in place, or finds that it is not wanted there any more. It is idempotent, so its outcome
// needs no commit of its own.
func (d *driver) install(ctx context.Context) error {
	done, err := d.e.host.Install(ctx, d.o, d.material.PrivateKey, d.o.Chain)
	if err != nil {
		return d.stop(failure.ClassOf(err), failure.RemedyOf(err), "%v", err)
	}
	if done.Superseded != "" {
		d.o.State, d.o.Class, d.o.Sentence, d.o.Remedy = ledger.SupersededState, "", failure.Clean(done.Superseded), ""
		d.note("left aside", "%s", d.o.Sentence)
		return nil
	}
	d.o.State, d.o.InstalledAt = ledger.Installed, d.e.clock.Now()
	d.note("installed", "%s", d.o.Lineage)
	return nil
}

// deploy runs the deploy hooks. A process that dies in between leaves the order unsettled, and the next one runs them again:
// that it does is counted before they are begun.
func (d *driver) deploy(ctx context.Context) error {
	if d.inherited {
		d.o.Redeploys++
		d.note("deploy hooks again", "the run before ended while they ran, or before")
		if err := d.commit(ctx, ledger.Change{}); err != nil {
			return err
		}
	}
	if err := d.e.host.Deploy(ctx, d.o); err != nil {
		return d.stop(failure.ClassOf(err), failure.RemedyOf(err), "%v", err)
	}
	d.o.DeployedAt = d.e.clock.Now()
	return nil
}

// forgo gives the deploy hooks up.
func (d *driver) forgo() {
	d.note("deploy hooks given up", "%d runs ended while they ran", d.o.Redeploys+1)
	d.o.DeployedAt = d.e.clock.Now()
}

// settle ends the order: nothing remains to be done for it.
func (d *driver) settle(ctx context.Context, act order.Action) error {
	if err := d.commit(ctx, d.conclude(ctx, act)); err != nil {
		return err
	}
	d.settled = true
	d.e.host.Keys().Remove(d.o)
	return nil
}

// conclude brings the order to its end, whoever wants it. What it returns is to be committed with the order.
func (d *driver) conclude(ctx context.Context, act order.Action) ledger.Change {
	d.unwritten.holds = append(d.unwritten.holds, act.Holds...)
	for _, h := range act.Holds {
		d.next = h.Until
	}
	phantoms, issued := order.End(d.o, act, d.e.known(), d.e.clock.Now())
	if issued && len(d.o.Chain) == 0 {
		d.payIssued(ctx) // the CA counts what it issued, whoever has it
	}
	more := d.ending(act)
	more.Orders = append(more.Orders, phantoms...)
	d.note("settled", "%s", d.o.State)
	return more
}

// ending is what is written beside the order's own end: the lineage's standing and, at a good end, the run's.
func (d *driver) ending(act order.Action) ledger.Change {
	switch act.State {
	case ledger.Installed:
		d.unwritten.stood = &ledger.Standing{Lineage: d.o.Lineage}
		if d.wished {
			return ledger.Change{Run: d.e.host.Last()}
		}
	case ledger.Invalid:
		if d.booked || len(order.Failed(d.o)) > 0 { // it was booked when the first name failed
			d.stand(asItStands)
			break
		}
		d.fell(d.lastDeed())
	case ledger.TakenState, ledger.LostState, ledger.ExpiredState:
		d.fellFreely(d.lastDeed())
	case ledger.ReleasedState:
		if d.o.Releasing && act.Class != failure.Released && !d.booked { // given up for a reason that the next one may meet as well
			d.fellFreely(d.e.clock.Now())
		}
	case ledger.RefusedState, ledger.Phantom:
		d.stand(asItStands)
	}
	return ledger.Change{}
}
