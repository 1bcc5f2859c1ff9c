package drive

import (
	"context"
	"fmt"
	"time"

	"orderly/failure"
	"orderly/ledger"
	"orderly/order"
)

// From the key to the deploy hooks: what is done once every name is valid.

// issuance is what this process has tried to have the certificate of an order.
type issuance struct {
	*core
	sight *sight

	material  order.Material
	keyReady  bool
	denied    int       // times finalize was refused
	denial    string    // what it was refused with
	finalized bool      // the CA accepted the CSR that this process sent
	finalizes int       // how often it did
	notAgain  time.Time // not to be sent again before
	inherited bool      // an earlier process had the certificate already
	tried     bool      // an earlier process may have sent finalize
	resting   error     // why finalize is not sent, after an earlier run was refused so
}

func newIssuance(c *core, s *sight) *issuance {
	i := &issuance{core: c, sight: s, inherited: len(c.o.Chain) > 0,
		tried: !c.o.FinalizeSentAt.IsZero()}
	if c.o.CSR.Set() {
		i.material, i.keyReady = c.e.host.Keys().Load(c.o)
	}
	return i
}

func (i *issuance) facts() order.IssuanceFacts {
	return order.IssuanceFacts{KeyReady: i.keyReady, Denied: i.denied > 0, Finalizes: i.finalizes,
		NotAgain: i.notAgain, Refusal: i.sight.refusal, Resting: i.resting}
}

// makeKey makes the private key and the CSR. They are on disk to stay before the ledger speaks of
// them, and both are before finalize (rule 7).
func (i *issuance) makeKey() error {
	i.e.host.Keys().Remove(i.o) // of an earlier try that was damaged, or that the ledger never heard of
	key, csr, err := i.e.host.Keys().Make(i.o)
	if err != nil {
		return i.stop(failure.ClassOf(err), failure.RemedyOf(err), "%v", err)
	}
	i.o.Key, i.o.CSR = key, csr
	i.material, i.keyReady = i.e.host.Keys().Load(i.o)
	if !i.keyReady {
		return i.stop(failure.Config, "Look at the disk.",
			"the private key just written for %s cannot be read back", i.o.Subject())
	}
	return nil
}

// changeKey forgets key and CSR: a person wants another key by now, by a flag or in the renewal
// file.
func (i *issuance) changeKey() {
	order.TakeKey(&i.o.Request, i.plan.Request)
	i.o.Key, i.o.CSR, i.keyReady = ledger.FileRef{}, ledger.FileRef{}, false
	i.sight.refusal, i.resting = nil, nil // it was about the other one, perhaps
	i.e.host.Adopt(i.o, i.plan.Request)
	i.note("another key", "another kind of key is wanted than that of the CSR")
}

// finalize sends the CSR. An order has one CSR for good, so sending it again after a look that says
// `ready` is harmless (rule 5).
func (i *issuance) finalize(ctx context.Context) error {
	o := i.o
	o.State, o.FinalizeSentAt = ledger.Processing, i.e.clock.Now()
	i.note("finalize intent", "CSR %s", o.CSR.SHA256)
	if err := i.commit(ctx, ledger.Change{}); err != nil {
		return err
	}
	rctx, cancel := outliving(ctx)
	defer cancel()
	reply, err := i.e.acme().Finalize(rctx, o.Finalize, i.material.CSR)
	if err != nil {
		i.notFinalized(err)
		return nil
	}
	i.note("finalize answered", "%s", failure.Clean(reply.Status))
	i.sight.address(reply.URL)
	if reply.Status == "pending" || reply.Status == "ready" || i.sight.unclear(reply) != nil {
		i.looked = false
		i.trouble("finalize", fmt.Errorf("the CA calls the order %s after finalize", failure.Clean(reply.Status)))
		return nil
	}
	i.finalized, i.denial, i.sight.early = true, "", false
	i.sentAgain()
	i.sight.absorb(reply)
	if i.patience.isNew("finalized") {
		i.progress()
	}
	if reply.Status == "processing" {
		i.pause(reply.Reply)
	}
	if o.URL == "" {
		return i.commit(ctx, ledger.Change{}) // no look would show it again
	}
	return nil
}

// finalizePause, doubled with each, is how long an order that is shown ready although the CA took
// its CSR is looked at before the CSR is sent once more.
const finalizePause = 2 * time.Second

// sentAgain puts the next finalize off, once the CA has taken one.
func (i *issuance) sentAgain() {
	i.finalizes++
	i.notAgain = i.e.clock.Now().Add(finalizePause << i.finalizes)
}

// mostNotReady bounds the pause after a finalize that came too early.
const mostNotReady = 10 * time.Second

func (i *issuance) notFinalized(err error) {
	effect, p := order.EffectOf(err)
	switch {
	case effect == order.NotDone || i.accountTrouble(err) != nil && !p.IsType("badPublicKey"): // that is about the CSR's key here
		i.o.State = ledger.Ready
		i.trouble("finalize", err)
	case effect == order.Undecided:
		i.looked = false
		i.trouble("finalize", err)
	case p.IsType("orderNotReady"):
		// Some CAs need a while to see what they have validated. The order may also be valid
		// already.
		i.note("finalize not ready", "%s", p.Error())
		i.denied++
		i.denial, i.looked, i.sight.early = p.Error(), false, true
		if i.finalizes > 0 {
			i.sentAgain() // it was taken, so that this is no early one
		}
		i.patience.nextPoll = i.e.clock.Now().Add(max(p.RetryAfter, min(time.Second<<(i.denied-1), mostNotReady)))
		i.patience.asked = p.HasRetryAfter // for hours, perhaps: they are not slept through
		i.loseUnaddressed()
	default:
		// It may be valid already, for an earlier finalize arrived, or be finalized elsewhere by
		// now, or be dead: a look tells.
		i.note("finalize refused", "%s", p.Error())
		i.denied++
		i.sight.refusal, i.denial, i.looked = p, p.Error(), false
	}
}

// takeRefusal finds out whether an earlier run's finalize was refused so that it must not be sent
// again now: the CA would refuse it with every run until the order expires.
func (i *issuance) takeRefusal(ctx context.Context) error {
	if i.o.FinalizeSentAt.IsZero() || !i.o.State.Live() || i.o.State == ledger.Valid {
		return nil
	}
	s, err := i.e.store.Standing(ctx, i.o.Lineage)
	if err != nil || s.At.Before(i.o.FinalizeSentAt) || !order.RefusedByCA(failure.Class(s.Class)) {
		return err
	}
	if i.resting = i.e.gate().Rests(i.plan, s); i.resting != nil {
		i.next = s.NextAt
	}
	return nil
}

// install puts the certificate in place, or finds that it is not wanted there any more. It is
// idempotent, so its outcome needs no commit of its own.
func (i *issuance) install(ctx context.Context) error {
	done, err := i.e.host.Install(ctx, i.o, i.material.PrivateKey, i.o.Chain)
	if err != nil {
		return i.stop(failure.ClassOf(err), failure.RemedyOf(err), "%v", err)
	}
	if done.Superseded != "" {
		i.o.State, i.o.Reason = ledger.SupersededState, ledger.Because("", "", done.Superseded)
		i.note("left aside", "%s", i.o.Sentence)
		return nil
	}
	i.o.State, i.o.InstalledAt = ledger.Installed, i.e.clock.Now()
	i.note("installed", "%s", i.o.Lineage)
	return nil
}

// deploy runs the deploy hooks. A process that dies in between leaves the order unsettled, and the
// next one runs them again: that it does is counted before they are begun.
func (i *issuance) deploy(ctx context.Context) error {
	if i.inherited {
		i.o.Redeploys++
		i.note("deploy hooks again", "the run before ended while they ran, or before")
		if err := i.commit(ctx, ledger.Change{}); err != nil {
			return err
		}
	}
	if err := i.e.host.Deploy(ctx, i.o); err != nil {
		return i.stop(failure.ClassOf(err), failure.RemedyOf(err), "%v", err)
	}
	i.o.DeployedAt = i.e.clock.Now()
	return nil
}

// forgo gives the deploy hooks up.
func (i *issuance) forgo() {
	i.note("deploy hooks given up", "%d runs ended while they ran", i.o.Redeploys+1)
	i.o.DeployedAt = i.e.clock.Now()
}
