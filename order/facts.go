package order

import (
	"time"

	"orderly/ledger"
)

// Facts is all that Next may look at: the order as the ledger has it, and what this process has seen with its own eyes.
type Facts struct {
	Now   time.Time
	Order *ledger.Order
	CA    CA
	// Known: what is known of the CA is what its directory shows.
	Known bool
	// Wanted, where set, is what the run wants of key and CSR by now; the order may have been made for something else.
	Wanted *ledger.Request
	// UntilIssued: what remains once the CA has issued is for a run about the order's own lineage.
	UntilIssued bool

	// Looked: this process has seen the order at the CA since it took it over or since an answer was lost (rule 1).
	Looked bool
	// Seen, Placed, Unplaceable: authorization URLs that the CA has shown to this process, whose token this process has put
	// in place, and whose token could not be put in place or must not be answered now.
	Seen, Placed, Unplaceable map[string]bool
	// Left: authorization URLs whose token could not be removed now. A later run does it.
	Left map[string]bool
	// Admitted: this process found, before it planned the order, that nothing forbids it (invariant I3).
	Admitted bool
	// Blocked says why the first unplaceable authorization cannot be answered.
	Blocked error
	// Checked: preflight has run for the names still to be answered.
	Checked bool
	// KeyReady: key and CSR are on disk and are the ones the ledger speaks of.
	KeyReady bool
	// ListWalked: the account's orders list was searched for this name set in vain; ListProves: so that it was certainly never
	// made. NoList: the account has none that is of use.
	ListWalked, ListProves, NoList bool
	// Suspected: an order for the name set may exist that no newOrder of this one made, since the CA refused a `replaces`.
	Suspected bool
	// ShowsProcessing: the CA has been seen to show a challenge as `processing`.
	ShowsProcessing bool

	// Unmade: the last newOrder certainly brought no order; nil where it may have, and before any was sent.
	Unmade *Unmade

	// Patience is how long the CA is waited for without anything changing; LongestWait is the longest Retry-After that is
	// waited for on the spot.
	Patience, LongestWait time.Duration
	// Denied: the CA has refused finalize as too early. Finalizes: how often it took this process's CSR, which is not to be
	// sent again before NotAgain.
	Denied    bool
	Finalizes int
	NotAgain  time.Time

	// NextPoll: not to look again before this moment. GiveUp: not to go on waiting after this one.
	NextPoll, GiveUp time.Time
	// Asked: NextPoll is what the CA asked for.
	Asked bool
	// NotBefore: an earlier run was asked to send nothing about the order before this moment.
	NotBefore time.Time
}

// resendPause is how long a newOrder without an answer is left alone before it is searched for or sent again. It is long
// enough for the `expires` of the answer to show whether it is the first order or a second one (see Judge).
const resendPause = 3 * time.Second

// mostSends is how often newOrder may be sent for one order where no answer arrives: more often where a list shows before
// each that the one before it never arrived, and where the CA hands back the order that the first one made.
func (f *Facts) mostSends() int {
	if f.ListProves || f.CA.Reuses {
		return 4
	}
	return 2
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
	if !a.Answered && f.ShowsProcessing && !f.CA.HidesProcessing {
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

// standing returns the authorizations whose token stands and is to be removed by this process.
func (f *Facts) standing() []*ledger.Authorization {
	return pick(f.Order.Authorizations, func(a *ledger.Authorization) bool { return a.Placement != "" && !f.Left[a.URL] })
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
