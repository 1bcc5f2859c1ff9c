package drive

import (
	"context"
	"time"

	"orderly/acme"
	"orderly/failure"
	"orderly/ledger"
	"orderly/order"
)

// What the CA shows of an order's authorizations, and what is sent about them: answers, in this
// file, and deactivations.

// authorizations are those of an order, as this process has seen them.
type authorizations struct {
	*core
	proofs   *proofs
	seen     map[string]bool
	unknown  map[string]bool          // those that the CA does not know now
	refusals map[string]*acme.Problem // of answers, by the challenge's URL
}

func newAuthorizations(c *core, p *proofs) *authorizations {
	return &authorizations{core: c, proofs: p, seen: map[string]bool{}, unknown: map[string]bool{},
		refusals: map[string]*acme.Problem{}}
}

// attempt is what a challenge's row said before an answer was intended, to be put back if it
// certainly was not sent.
type attempt struct {
	at       time.Time
	answers  int
	answered bool
	status   string
}

// answer POSTs challenges, all intents in one commit.
func (az *authorizations) answer(ctx context.Context, list []*ledger.Authorization) error {
	if err := az.proofs.follow(ctx); err != nil || ctx.Err() != nil {
		return err
	}
	before := map[*ledger.Authorization]attempt{}
	for _, a := range list {
		before[a] = attempt{a.AnswerSentAt, a.Answers, a.Answered, a.ChallengeStatus}
		a.AnswerSentAt, a.Answered, a.ChallengeStatus = az.e.clock.Now(), false, ledger.AuthorizationPending
		if a.SeenAt.After(a.AnswerSentAt) {
			a.SeenAt = a.AnswerSentAt // the clock was set back: it was not seen after this intent
		}
		a.Answers++
		az.note("challenge intent", "%s, attempt %d", failure.Clean(a.FullName()), a.Answers)
	}
	if err := az.commit(ctx, ledger.Change{}); err != nil {
		return err
	}
	rctx, cancel := outliving(ctx)
	defer cancel()
	var trouble error
	accepted := false
	var last acme.Reply
	together(rctx, az.core, list, func(ctx context.Context, a *ledger.Authorization) (acme.Challenge, error) {
		return az.e.acme().Respond(ctx, a.ChallengeURL)
	}, func(a *ledger.Authorization, reply acme.Challenge, err error) {
		if err == nil {
			az.accepted(a, reply)
			accepted, last = true, reply.Reply
			return
		}
		if !az.notAccepted(a, before[a], err) && trouble == nil {
			trouble = err
		}
	})
	if trouble != nil {
		az.trouble("challenge", trouble)
		return nil
	}
	if accepted {
		az.progress()
	}
	az.pause(last)
	return nil
}

func (az *authorizations) accepted(a *ledger.Authorization, reply acme.Challenge) {
	a.Answered = true
	az.sentBy(a)
	az.note("challenge accepted", "%s, %s", failure.Clean(a.FullName()), failure.Clean(reply.Status))
	if reply.URL == a.ChallengeURL || reply.URL == "" {
		fallen := order.Fallen(a)
		if a.ChallengeStatus = az.statusOf(a, reply); reply.Error != nil {
			a.ErrorType, a.ErrorDetail = reply.Error.Type, reply.Error.Detail.String()
		}
		if !fallen && order.Fallen(a) {
			az.fallen(a, reply.Status)
		}
	}
	if reply.Status == "processing" && !az.e.Account().ShowsProcessing {
		az.changeAccount(func(a *ledger.Account) { a.ShowsProcessing = true })
	}
}

// sentBy puts the moment of an intent off to the end of its request: those of one commit go one
// after another, each may take as long as the time-out, and a validation that began after the
// others must not be taken for one that never began (rule 4).
func (az *authorizations) sentBy(a *ledger.Authorization) { a.AnswerSentAt = az.e.clock.Now() }

// notAccepted sorts a failed answer and reports whether it is settled by looking alone.
func (az *authorizations) notAccepted(a *ledger.Authorization, before attempt, err error) bool {
	effect, p := order.EffectOf(err)
	switch {
	case effect == order.NotDone: // nothing was validated: the intent is taken back
		a.AnswerSentAt, a.Answers, a.Answered, a.ChallengeStatus = before.at, before.answers, before.answered, before.status
		az.note("challenge not sent", "%s", failure.Clean(a.FullName()))
		return false
	case effect == order.Refused && p.Status == 409: // Boulder: it is being validated already (rule 4)
		a.Answered = true
		az.sentBy(a)
		return true
	}
	if effect == order.Refused {
		az.refusals[a.ChallengeURL] = p
	}
	// It may be under way, or the CA says that it is not pending any more: look at it before
	// anything else.
	az.sentBy(a)
	az.seen[a.URL] = false
	az.looked = false
	return false
}

// kindOf is the type of challenge by which an authorization is to be proven. One that was answered
// keeps its own, whatever the request says by now: the CA may be at work on it, and would charge
// for whichever of two fails.
func (az *authorizations) kindOf(a *ledger.Authorization) string {
	if !a.AnswerSentAt.IsZero() && a.ChallengeType != "" {
		return a.ChallengeType
	}
	return az.proofs.way(a).Type
}

// offersNone says why an authorization cannot be answered.
func (az *authorizations) offersNone(a *ledger.Authorization, kind string) error {
	if kind == "" {
		return failure.New(failure.Config, "Prove it by dns-01: "+failure.Do(failure.ProveByDNS)+".",
			"none of the preferred challenges can prove %s", failure.Clean(a.FullName()))
	}
	return failure.New(failure.CARefused, "Order this name with another challenge.",
		"the CA offers no %s challenge for %s", kind, failure.Clean(a.FullName()))
}

// shown takes up what the CA says of an authorization and reports whether that is news.
func (az *authorizations) shown(a *ledger.Authorization, reply acme.Authorization) bool {
	news := az.patience.isNew(a.URL + " " + reply.Status)
	az.seen[a.URL] = true
	a.SeenAt = az.e.clock.Now()
	a.Name, a.Wildcard = nameShown(az.o, reply)
	a.Expires = az.endTold(reply.Expires, a.Expires, reply.Reply)
	az.inherit(a, reply)
	if reply.Status != a.Status && reply.Status != ledger.AuthorizationPending {
		az.note("authorization "+failure.Clean(reply.Status), "%s", failure.Clean(a.FullName()))
	}
	if reply.Status == ledger.AuthorizationInvalid && a.Status != reply.Status {
		// The CA has charged for it (Boulder: FailedAuthorizationsPerDomainPerAccount).
		az.charge(a, failure.Validation, a.SeenAt)
	}
	a.Status = reply.Status
	kind := az.kindOf(a)
	chosen := choose(a, kind, reply.Challenges)
	for i, c := range reply.Challenges {
		if i == chosen {
			az.challengeShown(a, c)
		} else if c.Type != kind && a.Final() && c.Error != nil { // another holder of the account tried it by another challenge
			a.ErrorType, a.ErrorDetail = c.Error.Type, c.Error.Detail.String()
		}
	}
	if !a.Final() && (a.ChallengeURL == "" || a.ChallengeType != kind) {
		az.proofs.block(a, az.offersNone(a, kind))
	}
	return news
}

func (az *authorizations) challengeShown(a *ledger.Authorization, c acme.Challenge) {
	before, status := order.Fallen(a), az.statusOf(a, c)
	if c.Token != a.Token {
		az.proofs.placed[a.URL] = false // what stands is for a token that the CA does not look for any more
	}
	a.ChallengeURL, a.ChallengeType, a.ChallengeStatus, a.Token = c.URL, c.Type, status, c.Token
	if c.Status == "processing" && !az.e.Account().ShowsProcessing {
		az.changeAccount(func(a *ledger.Account) { a.ShowsProcessing = true })
	}
	if c.Error != nil {
		a.ErrorType, a.ErrorDetail = c.Error.Type, c.Error.Detail.String()
	}
	if !before && order.Fallen(a) {
		az.fallen(a, c.Status)
	}
}

// blame names the names that failed and made the order die. The back-off begins with the first of
// them, and not only when the last of their siblings is done: until then another run must not order
// anew.
func (az *authorizations) blame(list []*ledger.Authorization, first bool) {
	why := order.NotValidated(list, az.proofs.way)
	az.o.State, az.o.Reason = ledger.Invalid, ledger.Because(failure.Validation, why.Remedy, why.Sentence)
	az.o.Problem = order.ProblemOf(list).Encode()
	if first && !az.booked {
		az.fell(az.e.clock.Now())
	}
}
