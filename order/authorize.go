package order

import (
	"context"
	"time"

	"orderly/acme"
	"orderly/failure"
	"orderly/ledger"
	"orderly/preflight"
)

// check runs preflight for the names still to be answered, since this process did not: an answer for a broken site would
// be charged as a failure.
func (d *driver) check(ctx context.Context, list []*ledger.Authorization) error {
	d.checked = true
	var names []string
	for _, a := range list {
		names = append(names, a.Name)
	}
	report := d.e.Preflight(ctx, d.o.Request, names)
	if ctx.Err() != nil {
		d.checked = false
		return nil // the loop ends here, and what was seen may be wrong
	}
	d.fingerprint = report.Fingerprint
	for _, a := range list {
		if bad := refusalOf(report, a.Name); bad != nil {
			d.block(a, failure.New(bad.Class, bad.Remedy, "%s", bad.Sentence))
		}
	}
	return nil
}

// refusalOf returns the first refusal that concerns a name.
func refusalOf(r preflight.Report, name string) *preflight.Result {
	for i, result := range r.Results {
		if result.Verdict == preflight.Refuse && (result.Name == name || result.Name == "") {
			return &r.Results[i]
		}
	}
	return nil
}

// place puts tokens in place. What is about to stand where is durable before, so that the next process can remove it.
func (d *driver) place(ctx context.Context, list []*ledger.Authorization) error {
	for _, a := range list {
		plan, err := d.e.Solver.Plan(d.o.Request, a.Name, a.Token)
		switch {
		case err != nil:
			d.block(a, err)
		case a.Placement == "":
			a.Placement = plan
		}
	}
	if err := d.commit(ctx, ledger.Change{}); err != nil {
		return err
	}
	for _, a := range list {
		if d.unplaceable[a.URL] {
			continue
		}
		if err := d.e.Solver.Place(a.Placement, d.e.Key.KeyAuthorization(a.Token)); err != nil {
			d.block(a, err)
			continue
		}
		d.placed[a.URL] = true
	}
	return nil
}

// attempt is what a challenge's row said before an answer was intended, to be put back if it certainly was not sent.
type attempt struct {
	at       time.Time
	answers  int
	answered bool
}

// answer POSTs challenges, all intents in one commit.
func (d *driver) answer(ctx context.Context, list []*ledger.Authorization) error {
	before := map[*ledger.Authorization]attempt{}
	for _, a := range list {
		before[a] = attempt{a.AnswerSentAt, a.Answers, a.Answered}
		a.AnswerSentAt, a.Answered = d.e.Clock.Now(), false
		a.Answers++
		d.note("challenge intent", "%s, attempt %d", failure.Clean(a.Name), a.Answers)
	}
	if err := d.commit(ctx, ledger.Change{}); err != nil {
		return err
	}
	rctx, cancel := outliving(ctx)
	defer cancel()
	var trouble error
	var last acme.Reply
	together(rctx, d, list, func(ctx context.Context, a *ledger.Authorization) (acme.Challenge, error) {
		return d.e.ACME.Respond(ctx, a.ChallengeURL)
	}, func(a *ledger.Authorization, reply acme.Challenge, err error) {
		if err == nil {
			d.accepted(a, reply)
			last = reply.Reply
			return
		}
		if !d.notAccepted(a, before[a], err) && trouble == nil {
			trouble = err
		}
	})
	if trouble != nil {
		return d.trouble("challenge", trouble)
	}
	d.progress()
	d.pause(acme.Reply{HasRetryAfter: last.HasRetryAfter, RetryAfter: last.RetryAfter})
	return nil
}

func (d *driver) accepted(a *ledger.Authorization, reply acme.Challenge) {
	a.Answered = true
	d.note("challenge accepted", "%s, %s", failure.Clean(a.Name), failure.Clean(reply.Status))
	if reply.URL == a.ChallengeURL || reply.URL == "" {
		a.ChallengeStatus = reply.Status
	}
	if reply.Status == "processing" && !d.e.Account.ShowsProcessing {
		d.e.Account.ShowsProcessing, d.account = true, true
	}
}

// notAccepted sorts a failed answer and reports whether it is settled by looking alone.
func (d *driver) notAccepted(a *ledger.Authorization, before attempt, err error) bool {
	fate, p := judgeError(err)
	switch {
	case fate == notDone: // nothing was validated: the intent is taken back
		a.AnswerSentAt, a.Answers, a.Answered = before.at, before.answers, before.answered
		d.note("challenge not sent", "%s", failure.Clean(a.Name))
		return false
	case fate == refused && p.Status == 409: // Boulder: it is being validated already (rule 4)
		a.Answered = true
		return true
	}
	// It may be under way, or the CA says that it is not pending any more: look at it before anything else.
	delete(d.seen, a.URL)
	d.looked = false
	return false
}

// clear removes tokens whose authorization is final.
func (d *driver) clear(list []*ledger.Authorization) error {
	for _, a := range list {
		if err := d.e.Solver.Remove(a.Placement); err != nil {
			// The document root may be gone, or read-only by now. The token is worthless; the order goes on.
			d.note("token left", "%s: %s", failure.Clean(a.Name), failure.Clean(err.Error()))
		}
		a.Placement = ""
	}
	return nil
}
