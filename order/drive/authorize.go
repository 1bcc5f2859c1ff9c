package drive

import (
	"context"
	"errors"
	"time"

	"orderly/acme"
	"orderly/failure"
	"orderly/ledger"
	"orderly/order"
	"orderly/order/admit"
)

// check runs preflight for the names still to be answered, since this process did not: an answer for a broken site would
// be charged as a failure.
func (d *driver) check(ctx context.Context, list []*ledger.Authorization) error {
	// All names are looked at, also those that are valid already: the fingerprint is compared with that of all of them.
	report := d.examine(ctx, list)
	if ctx.Err() != nil {
		return nil // the loop ends here, and what was seen may be wrong
	}
	d.checked, d.fingerprint = true, report.Fingerprint
	through := d.letThrough(report)
	for _, a := range list {
		bad := admit.RefusalOf(report, a.FullName())
		if bad != nil && !(through && !bad.Local && bad.Class.Network()) {
			d.block(a, failure.New(bad.Class, order.RemedyFor(d.o.Request, bad.Remedy), "%s", bad.Sentence))
		} else if held := d.heldBack(a, report); held != nil {
			d.block(a, held)
		}
	}
	return nil
}

// readmit finds out whether a newOrder that was not answered may be sent again. If not, its row stays for a later run.
func (d *driver) readmit(ctx context.Context) error {
	d.e.host.Refresh(ctx, &d.plan.Request) // the row may be an earlier run's, and its document roots of that time
	d.e.host.Adopt(d.o, d.plan.Request)
	report, err := d.e.gate().Admit(ctx, d.plan)
	if ctx.Err() != nil {
		return nil // the loop ends here
	}
	d.admitted, d.checked, d.fingerprint = err == nil, err == nil, report.Fingerprint
	return err
}

// place puts tokens in place. What is about to stand where is durable before, so that the next process can remove it.
func (d *driver) place(ctx context.Context, list []*ledger.Authorization) error {
	for i, a := range list {
		if d.fixed(a) {
			continue
		}
		plan, err := d.e.host.Plan(ctx, d.o.Request, d.proof(list, i), a.Placement)
		switch {
		case err != nil:
			d.block(a, err)
		case a.Placement == "":
			a.Placement = plan
		case !d.e.host.Suits(a.Placement, d.o.Request, d.proof(list, i)):
			// The document root was moved since, and the old token is of no use.
			if stands, err := d.remove(ctx, a); err != nil || stands {
				return err
			}
			a.Placement = plan // which knows of the old one, if that still stands
			delete(d.left, a.URL)
		}
	}
	if err := d.commit(ctx, ledger.Change{}); err != nil {
		return err
	}
	for _, a := range d.unblocked(list) {
		if done, err := d.putInPlace(ctx, a); err != nil || !done {
			return err
		}
	}
	return nil
}

// putInPlace reports false if it was cut short by the end of ctx. What a hook's end says of itself is durable before the
// next one begins.
func (d *driver) putInPlace(ctx context.Context, a *ledger.Authorization) (bool, error) {
	before := a.Placement
	err := d.settlePlace(ctx, a)
	switch {
	case err == nil:
		d.placed[a.URL] = true
	case errors.Is(err, errCommit):
		return false, err
	case ctx.Err() != nil:
		return false, nil
	default:
		d.block(a, err)
	}
	if a.Placement != before && d.way(a).Answers != order.SiteAnswers { // a file's record says no more than the next commit brings in time
		return true, d.commit(ctx, ledger.Change{})
	}
	return true, nil
}

// errCommit says that the ledger could not be written.
var errCommit = errors.New("the ledger could not be written")

// settlePlace places a proof wherever it belongs by now. Each new place is durable before anything is done there.
func (d *driver) settlePlace(ctx context.Context, a *ledger.Authorization) error {
	for {
		placement, err := d.e.host.Place(ctx, a.Placement, d.content(a))
		moved := errors.Is(err, order.ErrMoved) && placement != a.Placement
		a.Placement = placement
		if !moved {
			return err
		}
		if err := d.commit(ctx, ledger.Change{}); err != nil {
			return errors.Join(errCommit, err)
		}
	}
}

// follow puts tokens where their document roots lead by now: a customer may deploy a new release while the CA looks. What
// goes wrong with it is not what the order fails for: the token stood, and the CA may have seen it.
func (d *driver) follow(ctx context.Context) error {
	for _, a := range order.Unfinished(d.o) {
		if !d.placed[a.URL] || a.Placement == "" || d.way(a).Answers != order.SiteAnswers {
			continue // nothing but a file can be put in place twice without anything happening
		}
		err := d.settlePlace(ctx, a)
		if errors.Is(err, errCommit) {
			return err
		}
		if err != nil && ctx.Err() == nil {
			d.note("token not followed", "%s: %s", failure.Clean(a.FullName()), failure.Clean(err.Error()))
		}
	}
	return nil
}

// attempt is what a challenge's row said before an answer was intended, to be put back if it certainly was not sent.
type attempt struct {
	at       time.Time
	answers  int
	answered bool
	status   string
}

// answer POSTs challenges, all intents in one commit.
func (d *driver) answer(ctx context.Context, list []*ledger.Authorization) error {
	if err := d.follow(ctx); err != nil || ctx.Err() != nil {
		return err
	}
	before := map[*ledger.Authorization]attempt{}
	for _, a := range list {
		before[a] = attempt{a.AnswerSentAt, a.Answers, a.Answered, a.ChallengeStatus}
		a.AnswerSentAt, a.Answered, a.ChallengeStatus = d.e.clock.Now(), false, ledger.AuthorizationPending
		if a.SeenAt.After(a.AnswerSentAt) {
			a.SeenAt = a.AnswerSentAt // the clock was set back: it was not seen after this intent
		}
		a.Answers++
		d.note("challenge intent", "%s, attempt %d", failure.Clean(a.FullName()), a.Answers)
	}
	if err := d.commit(ctx, ledger.Change{}); err != nil {
		return err
	}
	rctx, cancel := outliving(ctx)
	defer cancel()
	var trouble error
	accepted := false
	var last acme.Reply
	together(rctx, d, list, func(ctx context.Context, a *ledger.Authorization) (acme.Challenge, error) {
		return d.e.acme().Respond(ctx, a.ChallengeURL)
	}, func(a *ledger.Authorization, reply acme.Challenge, err error) {
		if err == nil {
			d.accepted(a, reply)
			accepted, last = true, reply.Reply
			return
		}
		if !d.notAccepted(a, before[a], err) && trouble == nil {
			trouble = err
		}
	})
	if trouble != nil {
		return d.trouble("challenge", trouble)
	}
	if accepted {
		d.progress()
	}
	d.pause(last)
	return nil
}

func (d *driver) accepted(a *ledger.Authorization, reply acme.Challenge) {
	a.Answered = true
	d.sentBy(a)
	d.note("challenge accepted", "%s, %s", failure.Clean(a.FullName()), failure.Clean(reply.Status))
	if reply.URL == a.ChallengeURL || reply.URL == "" {
		fallen := order.Fallen(a)
		if a.ChallengeStatus = d.statusOf(a, reply); reply.Error != nil {
			a.ErrorType, a.ErrorDetail = reply.Error.Type, reply.Error.Detail.String()
		}
		if !fallen && order.Fallen(a) {
			d.fallen(a, reply.Status)
		}
	}
	if reply.Status == "processing" && !d.e.Account().ShowsProcessing {
		d.changeAccount(func(a *ledger.Account) { a.ShowsProcessing = true })
	}
}

// sentBy puts the moment of an intent off to the end of its request: those of one commit go one after another, each may take
// as long as the time-out, and a validation that began after the others must not be taken for one that never began (rule 4).
func (d *driver) sentBy(a *ledger.Authorization) { a.AnswerSentAt = d.e.clock.Now() }

// notAccepted sorts a failed answer and reports whether it is settled by looking alone.
func (d *driver) notAccepted(a *ledger.Authorization, before attempt, err error) bool {
	effect, p := order.EffectOf(err)
	switch {
	case effect == order.NotDone: // nothing was validated: the intent is taken back
		a.AnswerSentAt, a.Answers, a.Answered, a.ChallengeStatus = before.at, before.answers, before.answered, before.status
		d.note("challenge not sent", "%s", failure.Clean(a.FullName()))
		return false
	case effect == order.Refused && p.Status == 409: // Boulder: it is being validated already (rule 4)
		a.Answered = true
		d.sentBy(a)
		return true
	}
	if effect == order.Refused {
		d.refusals[a.ChallengeURL] = p
	}
	// It may be under way, or the CA says that it is not pending any more: look at it before anything else.
	d.sentBy(a)
	d.seen[a.URL] = false
	d.looked = false
	return false
}

// clear removes tokens whose authorization is final.
func (d *driver) clear(ctx context.Context, list []*ledger.Authorization) error {
	for _, a := range list {
		before := a.Placement
		stands, err := d.remove(ctx, a)
		if err != nil || stands {
			return err
		}
		if d.left[a.URL] {
			continue // its record is how a later run finds it
		}
		counted := a.Placement != before
		a.Placement = ""
		if !counted {
			continue
		}
		if err := d.commit(ctx, ledger.Change{}); err != nil {
			return err
		}
	}
	return nil
}
