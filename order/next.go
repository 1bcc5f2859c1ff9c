package order

import (
	"fmt"
	"slices"
	"time"

	"orderly/failure"
	"orderly/ledger"
)

// Kind says what an Action is.
type Kind string

// The kinds of action. Those in the first group change something at the CA; the driver makes their intent durable first.
const (
	Create   Kind = "new-order" // POST newOrder
	Answer   Kind = "answer"    // POST the challenges of Action.Authorizations
	Finalize Kind = "finalize"  // POST the CSR
	Release  Kind = "release"   // deactivate Action.Authorizations

	Probe    Kind = "probe"    // find out whether the CA answers newOrder, without an order
	Search   Kind = "search"   // walk the account's orders list for an order whose newOrder was not answered
	Look     Kind = "look"     // GET the order
	Show     Kind = "show"     // GET Action.Authorizations
	Download Kind = "download" // GET the certificate

	Check   Kind = "check"    // preflight for the names of Action.Authorizations; without any, all that a new order needs
	Place   Kind = "place"    // put the tokens of Action.Authorizations in place
	Clear   Kind = "clear"    // remove the tokens of Action.Authorizations
	MakeKey Kind = "make-key" // make the private key and the CSR

	ChangeKey    Kind = "change-key"    // forget key and CSR, since another kind of key is wanted by now
	DropReplaces Kind = "drop-replaces" // ask for an order that replaces none, since the CA will not have it
	Install      Kind = "install"       // put the certificate in place
	Deploy       Kind = "deploy"        // run the deploy hooks
	Forgo        Kind = "forgo-hooks"   // give the deploy hooks up: they end whoever runs them

	Learn     Kind = "learn"     // read the CA's directory
	Steady    Kind = "steady"    // begin the waiting anew: the clock was set back
	Wait      Kind = "wait"      // until Action.Until
	Settle    Kind = "settle"    // nothing remains to be done: the order rests in Action.State
	GiveUp    Kind = "give-up"   // deactivate what is pending from now on: what keeps the order does not go away by itself
	Supersede Kind = "supersede" // no certificate is to come of it; its names become valid with a later run
	Stop      Kind = "stop"      // nothing can be done now: record why, and no request before Action.Until
	Adjourn   Kind = "adjourn"   // Stop for a dead order, which keeps what it died of
	Leave     Kind = "leave"     // nothing is to be done now: the order stays as it is, for a later run
	Done      Kind = "done"      // it was settled before
)

// Action is the one thing to do now.
type Action struct {
	Kind           Kind
	Authorizations []*ledger.Authorization
	Until          time.Time
	State          ledger.State
	Class          failure.Class
	Why            string
	Remedy         failure.Remedy
	Holds          []ledger.Hold // what the CA asked for beside the end of this order
	Overtime       bool          // patience is over, and the CA asked for this one look more
	Failed         bool          // a back-off follows, since the next run would come to the same
}

// Next decides what to do about an order. It is pure: the same facts give the same action.
func Next(f Facts) Action {
	o := f.Order
	switch {
	case !o.SettledAt.IsZero():
		return Action{Kind: Done}
	case f.clockSetBack():
		return Action{Kind: Steady}
	case !f.mayRetry():
		return f.retryLater()
	case f.UntilIssued && Issued(o):
		return Action{Kind: Leave}
	case o.State == ledger.Installed:
		return f.installed()
	case o.State == ledger.SupersededState:
		return f.end(ledger.SupersededState, failure.Released, o.Sentence)
	case o.State == ledger.Valid && len(o.Chain) > 0:
		return f.downloaded()
	case f.Now.Before(f.Wait.NotBefore):
		return Action{Kind: Leave, Class: failure.RateLimited, Remedy: "Run it again after that: the same order goes on.",
			Why: fmt.Sprintf("the CA asked for no requests about the order for %s before %s", o.Subject(), f.Wait.NotBefore.UTC().Format(time.RFC3339))}
	case !f.Known:
		return Action{Kind: Learn}
	case o.State == ledger.Creating:
		return f.creating()
	case !f.Looked:
		return f.poll(Action{Kind: Look})
	}
	switch o.State {
	case ledger.PendingState, ledger.Ready, ledger.Invalid:
		if o.Releasing {
			return f.releasing()
		}
	}
	switch o.State {
	case ledger.PendingState:
		return f.pending()
	case ledger.Ready:
		return f.ready()
	case ledger.Processing:
		if f.ripe() {
			return f.ready()
		}
		return f.waitFor(Action{Kind: Look})
	case ledger.Valid:
		return f.valid()
	case ledger.Invalid:
		return f.invalid()
	}
	return f.end(o.State, failure.Class(o.Class), o.Sentence)
}

// creating: newOrder is to be sent, or was sent without an answer (rule 2).
func (f *Facts) creating() Action {
	o := f.Order
	if f.NewOrder.Unmade != nil {
		if act, ok := f.unmade(); ok {
			return act
		}
	}
	switch {
	case o.CreateSentAt.IsZero() && !f.NewOrder.Admitted:
		return Action{Kind: Settle, State: ledger.ReleasedState, Class: failure.Released, Why: "newOrder was never sent"}
	case o.CreateSentAt.IsZero() && f.NewOrder.Suspected && !f.List.None && !f.List.Walked:
		return f.poll(Action{Kind: Search})
	case o.CreateSentAt.IsZero():
		return f.mayCreate()
	case f.Now.Before(o.CreateSentAt.Add(resendPause)):
		return Action{Kind: Wait, Until: o.CreateSentAt.Add(resendPause)} // the CA may be slow to make and list it
	case f.Now.After(o.CreateSentAt.Add(f.CA.Lifetime(o.Profile))):
		// A phantom, which is counted until it has expired: this host's clock, which says so, may be ahead.
		return Action{Kind: Settle, State: ledger.Phantom, Class: failure.Expired,
			Why: "newOrder was sent and never answered; what may have come of it should have expired"}
	case !f.List.None && !f.List.Walked:
		return f.poll(Action{Kind: Search})
	case o.Superseded && f.List.Proves:
		return Action{Kind: Settle, State: ledger.ReleasedState, Class: failure.Released,
			Why: "newOrder never arrived, and nobody wants it any more"}
	case o.Superseded && !f.CA.Reuses:
		return Action{Kind: Settle, State: ledger.Phantom, Class: failure.AnswerLost,
			Why: "newOrder was sent and never answered, and nobody wants it any more"}
	case f.NewOrder.Sent >= f.mostSends():
		return f.unheard()
	case !f.NewOrder.Admitted:
		return Action{Kind: Check} // an earlier process found nothing against it, but that may be long ago (invariant I3)
	case o.Replaces != "" && o.CreateSends >= mostUnanswered:
		// It may be what the CA breaks at; a renewal without it is as good (RFC 9773 §5).
		return Action{Kind: DropReplaces, Why: "newOrder with it was not answered again and again"}
	}
	return f.mayCreate()
}

// releasing: deactivate what is pending. Nothing is finalized any more, but what the CA has issued meanwhile is installed.
func (f *Facts) releasing() Action {
	open := Unfinished(f.Order)
	unseen := pick(open, func(a *ledger.Authorization) bool { return !f.Seen[a.URL] })
	known := pick(open, func(a *ledger.Authorization) bool { return !f.Unknown[a.URL] })
	switch {
	case len(unseen) > 0:
		return f.poll(Action{Kind: Show, Authorizations: unseen})
	case len(known) > 0:
		return f.poll(Action{Kind: Release, Authorizations: known})
	case len(open) > 0:
		return f.stuck()
	}
	class, why := failure.Class(f.Order.Class), f.Order.Sentence
	if class == "" {
		class, why = failure.Released, "it was given up, and nothing of it is pending at the CA"
	}
	return f.end(ledger.ReleasedState, class, why)
}

// pending: make every name valid (rule 9): all tokens before the first answer, all answers before the first poll.
func (f *Facts) pending() Action {
	if act, ok := f.authorize(); ok {
		return act
	}
	if f.ripe() {
		return f.ready()
	}
	return f.waitFor(f.overdue(Action{Kind: Look}))
}

// ripe reports whether finalize is tried although the CA does not call the order ready: its names are proven, nothing has happened
// for a while, and nobody here has sent one. CAs of the protocol's drafts call an order pending until then, others processing.
func (f *Facts) ripe() bool {
	o := f.Order
	begun := o.State != ledger.PendingState && !o.FinalizeSentAt.IsZero()
	if begun || f.Issuance.Denied || f.Issuance.Finalizes > 0 || o.Finalize == "" || len(o.Authorizations) == 0 {
		return false
	}
	for _, a := range o.Authorizations {
		if a.Status != ledger.AuthorizationValid && a.Status != ledger.AuthorizationReplaced {
			return false
		}
	}
	return f.Now.After(f.Wait.GiveUp.Add(-f.Wait.Patience / 2))
}

// authorize returns what is to be done before authorizations can only be waited for.
func (f *Facts) authorize() (Action, bool) {
	open := Unfinished(f.Order)
	unseen := pick(open, func(a *ledger.Authorization) bool { return !f.Seen[a.URL] })
	if len(unseen) > 0 {
		return f.poll(Action{Kind: Show, Authorizations: unseen}), true
	}
	able := pick(open, func(a *ledger.Authorization) bool { return !f.Proofs.Unplaceable[a.URL] })
	due := pick(able, f.unanswered)
	if len(due) > 0 && !f.Proofs.Checked {
		return Action{Kind: Check, Authorizations: due}, true
	}
	// Also tokens of challenges already answered are put back: the CA may look again.
	bare := pick(able, func(a *ledger.Authorization) bool { return !f.Proofs.Placed[a.URL] })
	if len(bare) > 0 {
		return Action{Kind: Place, Authorizations: bare}, true
	}
	if len(due) > 0 {
		return f.poll(Action{Kind: Answer, Authorizations: due}), true
	}
	if len(open) > 0 && len(able) == 0 {
		return f.stuck(), true
	}
	return Action{}, false
}

// stuck: no name that is open can be answered. By the CA's price list the order is given up, where pending authorizations are
// counted and keep others from being issued, or kept, to go on when what is broken is mended, or to expire.
func (f *Facts) stuck() Action {
	act := Action{Kind: Stop, Class: failure.ClassOf(f.Proofs.Blocked), Remedy: failure.RemedyOf(f.Proofs.Blocked)}
	if f.Proofs.Blocked != nil {
		act.Why = f.Proofs.Blocked.Error()
	}
	unknown := slices.ContainsFunc(Unfinished(f.Order), func(a *ledger.Authorization) bool { return f.Unknown[a.URL] })
	switch {
	case f.CA.CountsPending > 0 && !unknown: // what the CA does not know it would not deactivate either
		act.Kind = GiveUp
	case f.Order.State == ledger.Invalid: // what made it die says more than what keeps its siblings pending
		act.Kind = Adjourn
	}
	return act
}

// overdue replaces a look at the order by a look at its authorizations where only those can show what happened: a sibling
// can never be answered, so the order will stay pending; or an answer may not have arrived (rule 4).
func (f *Facts) overdue(look Action) Action {
	open := Unfinished(f.Order)
	able := pick(open, func(a *ledger.Authorization) bool { return !f.Proofs.Unplaceable[a.URL] })
	late := pick(able, func(a *ledger.Authorization) bool {
		quiet := f.Now.Sub(a.AnswerSentAt) > f.CA.LongestValidation && a.SeenAt.Sub(a.AnswerSentAt) <= f.CA.LongestValidation
		unsure := !a.Answered && !a.SeenAt.After(a.AnswerSentAt)
		return quiet || unsure
	})
	switch {
	case len(able) < len(open):
		return Action{Kind: Show, Authorizations: able}
	case len(late) > 0:
		return Action{Kind: Show, Authorizations: late}
	}
	return look
}

func (f *Facts) ready() Action {
	o := f.Order
	if left := f.standing(); len(left) > 0 {
		return Action{Kind: Clear, Authorizations: left}
	}
	switch {
	case o.Superseded && o.URL == "" && !o.FinalizeSentAt.IsZero():
		return f.end(ledger.LostState, failure.AnswerLost,
			"finalize was sent and never answered, and nobody wants its certificate any more")
	case o.Superseded:
		return Action{Kind: Settle, State: ledger.Ready, Class: failure.Released,
			Why: f.provenOnly()}
	case f.Wanted != nil && !SameKey(o.Request, *f.Wanted) && f.unfinalized():
		return Action{Kind: ChangeKey}
	case f.Issuance.Refusal != nil: // and the look that followed shows the order ready all the same
		why := NotIssued(o, f.Issuance.Refusal)
		return Action{Kind: Stop, Class: why.Class, Remedy: why.Remedy, Why: why.Sentence, Failed: true}
	case f.Issuance.Resting != nil:
		return Action{Kind: Leave, Class: failure.ClassOf(f.Issuance.Resting), Remedy: failure.RemedyOf(f.Issuance.Resting), Why: f.Issuance.Resting.Error()}
	case !f.Issuance.KeyReady:
		return Action{Kind: MakeKey}
	case f.Issuance.Finalizes >= mostFinalizes, f.Issuance.Finalizes > 0 && f.Now.Before(f.Issuance.NotAgain):
		return f.waitFor(Action{Kind: Look})
	case f.Issuance.Denied:
		return f.waitFor(Action{Kind: Finalize})
	}
	return f.poll(Action{Kind: Finalize})
}

// unfinalized reports whether no finalize with the order's CSR has arrived for certain: none was sent, or the CA calls the order
// ready. One that is ripe may be called so by a CA that is issuing already; an order without a URL cannot be asked for.
func (f *Facts) unfinalized() bool {
	o := f.Order
	return o.FinalizeSentAt.IsZero() || o.State == ledger.Ready && o.URL != ""
}

func (f *Facts) valid() Action {
	o := f.Order
	switch {
	case f.ripe() && o.Certificate == "":
		return f.ready()
	case o.FinalizeSentAt.IsZero() && o.Certificate == "" && !f.Issuance.Denied:
		return f.waitFor(Action{Kind: Look}) // nothing shows that it was issued
	case !f.Issuance.KeyReady && o.FinalizeSentAt.IsZero():
		return f.end(ledger.TakenState, failure.Taken, "another holder of the account finalized the order for "+o.Lineage)
	case !f.Issuance.KeyReady:
		return f.lost()
	case o.Certificate == "":
		return f.waitFor(Action{Kind: Look})
	}
	if left := f.standing(); len(left) > 0 { // another holder may have finalized it, and then the download is its end
		return Action{Kind: Clear, Authorizations: left}
	}
	return f.poll(Action{Kind: Download})
}

func (f *Facts) downloaded() Action {
	if !f.Issuance.KeyReady {
		return f.lost()
	}
	return Action{Kind: Install}
}

func (f *Facts) lost() Action {
	return f.end(ledger.LostState, failure.KeyLost,
		"the CA issued a certificate, but the private key that belongs to it is gone")
}

// mostRedeploys is how often deploy hooks are begun again after a process that ran them died or was stopped.
const mostRedeploys = 3

// installed runs the deploy hooks at least once per certificate (rule 14), but not for ever: hooks that end whoever runs
// them would end every run from then on.
func (f *Facts) installed() Action {
	switch {
	case !f.Order.DeployedAt.IsZero():
	case f.Order.Redeploys < mostRedeploys:
		return Action{Kind: Deploy}
	default:
		return Action{Kind: Forgo}
	}
	return f.end(ledger.Installed, "", "")
}

// invalid: the order is dead, but its siblings are still answered, so that they become valid and reusable.
func (f *Facts) invalid() Action {
	open := Unfinished(f.Order)
	if len(open) > 0 {
		act, ok := f.authorize()
		if !ok {
			act = f.waitFor(Action{Kind: Show, Authorizations: open})
		}
		return act
	}
	return f.end(ledger.Invalid, failure.Class(f.Order.Class), f.Order.Sentence)
}

// end settles the order once no token of it stands any more.
func (f *Facts) end(s ledger.State, class failure.Class, why string) Action {
	if left := f.standing(); len(left) > 0 {
		return Action{Kind: Clear, Authorizations: left}
	}
	return Action{Kind: Settle, State: s, Class: class, Why: why}
}

// provenOnly says why an order whose names are valid ends without a certificate.
func (f *Facts) provenOnly() string {
	if f.Order.Request.NamesOnly {
		return "its names are valid now, which is all that was left to do: its own order is another client's"
	}
	return "its names are valid now; an order for another name set took its place"
}
