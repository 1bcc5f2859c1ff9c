package order

import (
	"time"

	"orderly/acme"
	"orderly/failure"
	"orderly/ledger"
)

// Facts is all that Next may look at: the order as the ledger has it, and what this process has seen with its own eyes.
type Facts struct {
	Now   time.Time
	Order *ledger.Order
	CA    CA
	// Known: what is known of the CA is what its directory shows.
	Known bool
	// ShowsProcessing: the CA has been seen to show a challenge as `processing`.
	ShowsProcessing bool
	// Wanted, where set, is what the run wants of key and CSR by now; the order may have been made for
	// something else.
	Wanted *ledger.Request
	// Insists: a person wants it now.
	Insists bool
	// UntilIssued: what remains once the CA has issued is for a run about the order's own lineage.
	UntilIssued bool

	// Looked: this process has seen the order at the CA since it took it over or since an answer was
	// lost (rule 1).
	Looked bool
	// Seen: authorization URLs that the CA has shown to this process.
	Seen map[string]bool
	// Unknown: those of them that the CA does not know now, though it shows their order. They are
	// unplaceable, too.
	Unknown map[string]bool

	List     ListFacts
	NewOrder NewOrderFacts
	Proofs   ProofFacts
	Issuance IssuanceFacts
	Wait     WaitFacts
}

// ListFacts is what this process knows of the account's orders list.
type ListFacts struct {
	// Walked: it was searched for the order's name set in vain. Proves: so that it was certainly never
	// made. None: the account has no list that is of use.
	Walked, Proves, None bool
}

// NewOrderFacts is what this process knows of the newOrders for an order that has no URL yet.
type NewOrderFacts struct {
	// Admitted: this process found, before it planned the order, that nothing forbids it (invariant I3).
	Admitted bool
	// Suspected: an order for the name set may exist that no newOrder of this one made, since the CA
	// refused a `replaces`.
	Suspected bool
	// Sent: how many newOrders this process has sent for it without an answer. Ghosts: how many
	// unexpired phantoms of the name set other rows have left.
	Sent, Ghosts int
	// Crowded: what may be pending unseen could fill the account, where pending ones are counted.
	Crowded bool
	// Sound: the CA has been seen to answer newOrder since the last one without an answer.
	Sound bool
	// Unmade: the last newOrder certainly brought no order; nil where it may have, and before any was sent.
	Unmade *Unmade
}

// ProofFacts is what stands, or can stand, for the order's authorizations.
type ProofFacts struct {
	// Checked: preflight has run for the names still to be answered.
	Checked bool
	// Placed, Unplaceable: authorization URLs whose token this process has put in place, and whose token
	// could not be put in place or must not be answered now.
	Placed, Unplaceable map[string]bool
	// Blocked says why the first unplaceable authorization cannot be answered.
	Blocked error
	// Left: authorization URLs whose token could not be removed now. A later run does it.
	Left map[string]bool
}

// IssuanceFacts is what stands between valid names and their certificate.
type IssuanceFacts struct {
	// KeyReady: key and CSR are on disk and are the ones the ledger speaks of.
	KeyReady bool
	// Denied: the CA has refused finalize, as too early perhaps. Finalizes: how often it took this
	// process's CSR, which is not to be sent again before NotAgain.
	Denied    bool
	Finalizes int
	NotAgain  time.Time
	// Refusal is what the CA refused to issue with; nil once it has shown the order otherwise than ready.
	// Resting says why an order that an earlier run was refused so is not finalized now.
	Refusal *acme.Problem
	Resting error
}

// WaitFacts is for how long the CA is waited for, and what failed meanwhile.
type WaitFacts struct {
	// Patience is how long the CA is waited for without anything changing; LongestWait is the longest
	// Retry-After that is waited for on the spot.
	Patience, LongestWait time.Duration
	// Trouble is the last request that failed; nil once one of its kind has succeeded.
	Trouble *Trouble
	// NextPoll: not to look again before this moment. GiveUp: not to go on waiting after this one.
	NextPoll, GiveUp time.Time
	// Asked: NextPoll is what the CA asked for. Overtime: it was looked at once after GiveUp, since the CA
	// had asked for that.
	Asked, Overtime bool
	// NotBefore: an earlier run was asked to send nothing about the order before this moment.
	NotBefore time.Time
}

// resendPause is how long a newOrder without an answer is left alone before it is searched for or sent again. It is long
// enough for the `expires` of the answer to show whether it is the first order or a second one (see Judge).
const resendPause = 3 * time.Second

// mostUnanswered is how many newOrders may have made an order for a name set that nobody here knows. Where so many have no
// answer, another one is sent only to a CA that was seen to answer newOrder, and then one in laterSends.
const (
	mostUnanswered = 2
	laterSends     = 24 * time.Hour
)

// mostSends is how often one process sends newOrder for one order where no answer arrives: more often where a list shows before
// each that the one before it never arrived.
func (f *Facts) mostSends() int {
	if f.List.Proves {
		return 4
	}
	return mostUnanswered
}

// doubtful is how many orders of the name set there may be of which nobody here knows.
func (f *Facts) doubtful() int {
	if f.List.Proves || f.Order.CreateSentAt.IsZero() {
		return f.NewOrder.Ghosts
	}
	return f.NewOrder.Ghosts + f.Order.CreateSends
}

// mayCreate lets newOrder be sent where it is certain that no row of orders that nobody knows is made by it: a CA, or what stands
// before it, may answer every newOrder with a page, for days, and each may have arrived.
func (f *Facts) mayCreate() Action {
	many := f.doubtful()
	switch {
	case f.NewOrder.Sent >= f.mostSends():
		return f.unheard()
	case (many >= mostUnanswered || f.NewOrder.Crowded) && !f.NewOrder.Sound:
		return f.poll(Action{Kind: Probe})
	case many > mostUnanswered && f.Now.Before(f.Order.CreateSentAt.Add(laterSends)) && !f.Insists:
		return f.unheard()
	}
	return f.poll(Action{Kind: Create})
}

// unheard leaves the order to a later run, which goes on with this row: what became of its newOrder is found out then.
func (f *Facts) unheard() Action {
	return Action{Kind: Stop, Class: failure.AnswerLost, Remedy: "The next run finds out what became of it, and goes on.",
		Why: f.Order.Lineage + ": newOrder was sent, and the CA has not answered it: it may have made an order"}
}

// mostFinalizes is how often a process sends the CSR to a CA that takes it and then calls the order ready again.
const mostFinalizes = 3

// After mostAnswers POSTs to one challenge, over all processes, the next ones are laterAnswers apart.
const (
	mostAnswers  = 5
	laterAnswers = time.Hour
)

// unanswered reports whether a challenge POST is due: none was ever intended, or rule 4 allows another one.
func (f *Facts) unanswered(a *ledger.Authorization) bool {
	if a.AnswerSentAt.IsZero() {
		return true
	}
	if a.ChallengeStatus == "processing" || !a.SeenAt.After(a.AnswerSentAt) {
		return false
	}
	if Fallen(a) {
		return true // it waits for another try: the check that comes before says whether for today's
	}
	if a.Answers >= mostAnswers {
		return a.SeenAt.Sub(a.AnswerSentAt) > max(laterAnswers, f.CA.LongestValidation)
	}
	plain := a.ChallengeStatus == ledger.AuthorizationPending && a.ErrorType == "" // else that may be how it failed again
	if !a.Answered && f.ShowsProcessing && !f.CA.HidesProcessing && plain {
		return true // shown after the intent, and not as processing: it never arrived
	}
	return a.SeenAt.Sub(a.AnswerSentAt) > f.CA.LongestValidation
}

// Fallen reports whether an authorization's challenge was answered and failed, though the CA keeps the authorization pending:
// with the challenge invalid, or (step-ca) pending with its error. Both are kept as an invalid challenge.
func Fallen(a *ledger.Authorization) bool {
	return !a.Final() && !a.AnswerSentAt.IsZero() && a.ChallengeStatus == "invalid"
}

// AllFallen returns the authorizations of which Fallen is true.
func AllFallen(o *ledger.Order) []*ledger.Authorization { return pick(o.Authorizations, Fallen) }

// Unfinished returns the authorizations that are not final.
func Unfinished(o *ledger.Order) []*ledger.Authorization {
	return pick(o.Authorizations, func(a *ledger.Authorization) bool { return !a.Final() })
}

// GivenUp returns the authorizations that are over without having failed. No order with one can become ready.
func GivenUp(o *ledger.Order) []*ledger.Authorization {
	return pick(o.Authorizations, func(a *ledger.Authorization) bool {
		return a.Status == "deactivated" || a.Status == "expired" || a.Status == "revoked"
	})
}

// standing returns the authorizations whose token stands and is to be removed by this process.
func (f *Facts) standing() []*ledger.Authorization {
	return pick(f.Order.Authorizations, func(a *ledger.Authorization) bool { return a.Placement != "" && !f.Proofs.Left[a.URL] })
}

func pick(list []*ledger.Authorization, want func(*ledger.Authorization) bool) []*ledger.Authorization {
	var out []*ledger.Authorization
	for _, a := range list {
		if want(a) {
			out = append(out, a)
		}
	}
	return out
}

// Failed returns the authorizations that the CA could not validate.
func Failed(o *ledger.Order) []*ledger.Authorization {
	return pick(o.Authorizations, func(a *ledger.Authorization) bool { return a.Status == ledger.AuthorizationInvalid })
}
