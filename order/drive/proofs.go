package drive

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"slices"
	"strings"

	"orderly/failure"
	"orderly/ledger"
	"orderly/order"
	"orderly/order/admit"
	"orderly/preflight"
)

// What the CA is to find stands here: the tokens of an order's challenges, from the check whether
// they can be seen to their removal. It speaks to no CA.

// proofs are what stands, or is to stand, for the authorizations of an order.
type proofs struct {
	*core
	checked             bool // preflight has run for the names still to be answered
	placed, unplaceable map[string]bool
	left                map[string]bool // tokens that could not be removed
	blocked             error           // why the first unplaceable authorization is
	failed              bool            // a person's command was to put a proof in place, and did not
}

func newProofs(c *core) *proofs {
	return &proofs{core: c, placed: map[string]bool{}, unplaceable: map[string]bool{}, left: map[string]bool{}}
}

func (p *proofs) facts() order.ProofFacts {
	return order.ProofFacts{Checked: p.checked, Placed: p.placed, Unplaceable: p.unplaceable,
		Blocked: p.obstacle(), Left: p.left}
}

// check runs preflight for the names still to be answered, since this process did not: an answer
// for a broken site would be charged as a failure.
func (p *proofs) check(ctx context.Context, list []*ledger.Authorization) error {
	// All names are looked at, also those that are valid already: the fingerprint is compared with
	// that of all of them.
	report := p.examine(ctx, list)
	if ctx.Err() != nil {
		return nil // the loop ends here, and what was seen may be wrong
	}
	p.checked, p.fingerprint = true, report.Fingerprint
	through := p.letThrough(report)
	for _, a := range list {
		bad := admit.RefusalOf(report, a.FullName())
		if bad != nil && !(through && !bad.Local && bad.Class.Network()) {
			p.block(a, admit.Refused(p.o.Request, bad))
		} else if held := p.heldBack(a, report); held != nil {
			p.block(a, held)
		}
	}
	return nil
}

// examine makes the checks for the names of an order that exists.
func (p *proofs) examine(ctx context.Context, list []*ledger.Authorization) preflight.Report {
	p.e.host.Refresh(ctx, &p.o.Request)
	var names []string
	for _, a := range list {
		names = append(names, a.FullName())
	}
	return p.e.gate().Examine(ctx, p.o.Request, names)
}

// heldBack is why a challenge that failed is not answered again now, or a command that failed to
// put its proof in place not run again; nil if it may be, or if it did not fail.
func (p *proofs) heldBack(a *ledger.Authorization, report preflight.Report) error {
	byHook := a.AnswerSentAt.IsZero() && p.way(a).Answers == order.HookAnswers
	if !order.Fallen(a) && !byHook {
		return nil
	}
	s, err := p.e.store.Standing(context.Background(), p.o.Lineage)
	if err != nil {
		return err
	}
	if byHook && failure.Class(s.Class) != failure.Hook {
		return nil
	}
	return p.e.gate().HoldsBack(p.plan, s, report)
}

// letThrough reports whether an order that exists is answered in spite of a refusal on network
// grounds, by the rule for new orders: otherwise one that a process left behind would wait until it
// expires, however little time the certificate has.
func (p *proofs) letThrough(report preflight.Report) bool {
	s, err := p.e.store.Standing(context.Background(), p.o.Lineage)
	if err != nil {
		return false
	}
	through := p.e.gate().LetsThrough(p.plan, s, report)
	if through {
		p.stand(func(s *ledger.Standing) { s.LetThroughAt = p.e.clock.Now() })
	}
	return through
}

// obstacle is what keeps names from being answered: all that fell say what the first alone does
// not.
func (p *proofs) obstacle() error {
	if list := order.AllFallen(p.o); len(list) > 0 && p.booked {
		return order.NotValidated(list, p.way)
	}
	return p.blocked
}

// block remembers that an authorization cannot be answered now, and why.
func (p *proofs) block(a *ledger.Authorization, why error) {
	p.unplaceable[a.URL] = true
	if p.blocked == nil {
		p.blocked = why
	}
	p.note("not answered", "%s: %s", failure.Clean(a.FullName()), failure.Clean(why.Error()))
}

// place puts tokens in place. What is about to stand where is in the ledger before, so that the next
// process can remove it. Of files it need not be synced: who takes the order up after a power cut
// puts the same ones in the same places. The answers, which are synced, are about to follow.
func (p *proofs) place(ctx context.Context, list []*ledger.Authorization) error {
	for i, a := range list {
		if p.fixed(a) {
			continue
		}
		plan, err := p.e.host.Plan(ctx, p.o.Request, p.proof(list, i), a.Placement)
		switch {
		case err != nil:
			p.block(a, err)
		case a.Placement == "":
			a.Placement = plan
		case !p.e.host.Suits(a.Placement, p.o.Request, p.proof(list, i)):
			// The document root was moved since, and the old token is of no use.
			if stands, err := p.remove(ctx, a); err != nil || stands {
				return err
			}
			a.Placement = plan // which knows of the old one, if that still stands
			delete(p.left, a.URL)
		}
	}
	noFile := func(a *ledger.Authorization) bool { return p.way(a).Answers != order.SiteAnswers }
	files := !slices.ContainsFunc(list, noFile)
	if err := p.commit(ctx, ledger.Change{Unsynced: files}); err != nil {
		return err
	}
	for _, a := range p.unblocked(list) {
		if done, err := p.putInPlace(ctx, a); err != nil || !done {
			return err
		}
	}
	return nil
}

// putInPlace reports false if it was cut short by the end of ctx. What a hook's end says of itself
// is durable before the next one begins.
func (p *proofs) putInPlace(ctx context.Context, a *ledger.Authorization) (bool, error) {
	before := a.Placement
	err := p.settlePlace(ctx, a)
	switch {
	case err == nil:
		p.placed[a.URL] = true
	case errors.Is(err, errCommit):
		return false, err
	case ctx.Err() != nil:
		return false, nil
	default:
		p.block(a, err)
		p.hookFailed(a)
	}
	if a.Placement != before && p.way(a).Answers != order.SiteAnswers {
		// A file's record says no more than the next commit brings in time.
		return true, p.commit(ctx, ledger.Change{})
	}
	return true, nil
}

// hookFailed begins a back-off where a person's command failed: run by every run until the order
// expires, it would ask a DNS provider, or restart a server, as often. Once it may be run again at
// once, since it may be mended.
func (p *proofs) hookFailed(a *ledger.Authorization) {
	if p.failed || p.way(a).Answers != order.HookAnswers {
		return
	}
	p.failed = true
	p.fellFreely(p.e.clock.Now())
}

// errCommit says that the ledger could not be written.
var errCommit = errors.New("the ledger could not be written")

// settlePlace places a proof wherever it belongs by now. Each new place is durable before anything
// is done there.
func (p *proofs) settlePlace(ctx context.Context, a *ledger.Authorization) error {
	for {
		placement, err := p.e.host.Place(ctx, a.Placement, p.content(a))
		moved := errors.Is(err, order.ErrMoved) && placement != a.Placement
		a.Placement = placement
		if !moved {
			return err
		}
		if err := p.commit(ctx, ledger.Change{}); err != nil {
			return errors.Join(errCommit, err)
		}
	}
}

// follow puts tokens where their document roots lead by now: a customer may deploy a new release
// while the CA looks. What goes wrong with it is not what the order fails for: the token stood, and
// the CA may have seen it.
func (p *proofs) follow(ctx context.Context) error {
	for _, a := range order.Unfinished(p.o) {
		if !p.placed[a.URL] || a.Placement == "" || p.way(a).Answers != order.SiteAnswers {
			continue // nothing but a file can be put in place twice without anything happening
		}
		err := p.settlePlace(ctx, a)
		if errors.Is(err, errCommit) {
			return err
		}
		if err != nil && ctx.Err() == nil {
			p.note("token not followed", "%s: %s", failure.Clean(a.FullName()), failure.Clean(err.Error()))
		}
	}
	return nil
}

// clear removes tokens whose authorization is final.
func (p *proofs) clear(ctx context.Context, list []*ledger.Authorization) error {
	for _, a := range list {
		before := a.Placement
		stands, err := p.remove(ctx, a)
		if err != nil || stands {
			return err
		}
		if p.left[a.URL] {
			continue // its record is how a later run finds it
		}
		counted := a.Placement != before
		a.Placement = ""
		delete(p.placed, a.URL) // the CA may ask for it once more, in this run
		if !counted {
			continue
		}
		if err := p.commit(ctx, ledger.Change{}); err != nil {
			return err
		}
	}
	return nil
}

// proof describes what is to be put in place for the authorization list[index].
func (p *proofs) proof(list []*ledger.Authorization, index int) order.Proof {
	a := list[index]
	this := order.Proof{Type: a.ChallengeType, Name: strings.TrimPrefix(a.Name, "*."),
		Token: a.Token, Content: p.content(a), Index: index}
	for _, other := range list {
		this.Together = append(this.Together, strings.TrimPrefix(other.Name, "*."))
	}
	return this
}

// content is what the CA is to find for an authorization.
func (p *proofs) content(a *ledger.Authorization) string {
	authorization := p.e.key().KeyAuthorization(a.Token)
	if a.ChallengeType != ledger.DNS01 {
		return authorization
	}
	sum := sha256.Sum256([]byte(authorization))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// way is how the request has an authorization proven by now.
func (p *proofs) way(a *ledger.Authorization) order.Way {
	return p.e.host.Challenge(p.o.Request, a.Wildcard)
}

// fixed reports whether an authorization was answered by a challenge that the request would not
// choose any more: then what stands for it stays as it is, and what does not stand cannot be put in
// place.
func (p *proofs) fixed(a *ledger.Authorization) bool {
	if a.AnswerSentAt.IsZero() || a.ChallengeType == p.way(a).Type {
		return false
	}
	if a.Placement == "" {
		p.block(a, failure.New(failure.Config, "It comes to its end at the CA by itself; the next run orders anew.",
			"%s was answered by %s, which is not how it is to be proven any more",
			failure.Clean(a.FullName()), failure.Clean(a.ChallengeType)))
	}
	return true
}

// remove takes away what stands for an authorization. Where that is somebody's command it is
// counted before, so that one that ends whoever runs it is not begun for ever, and its end is
// durable at once, so that it is not begun twice.
func (p *proofs) remove(ctx context.Context, a *ledger.Authorization) (stands bool, err error) {
	counted := p.e.host.Leaving(a.Placement)
	if counted != a.Placement {
		a.Placement = counted
		if err := p.commit(ctx, ledger.Change{}); err != nil {
			return true, err
		}
	}
	if err := p.e.host.Remove(ctx, a.Placement); err != nil {
		if ctx.Err() != nil {
			return true, nil // it was cut short, and the next run does it
		}
		// The document root may be read-only, or not answer. The token is worthless, and the order
		// goes on.
		p.note("token left", "%s: %s", failure.Clean(a.FullName()), failure.Clean(err.Error()))
		if errors.Is(err, order.ErrStands) {
			p.left[a.URL] = true
		}
	}
	return false, nil
}

// unblocked are those of a list that can be put in place.
func (p *proofs) unblocked(list []*ledger.Authorization) []*ledger.Authorization {
	return slices.DeleteFunc(slices.Clone(list), func(a *ledger.Authorization) bool {
		return p.unplaceable[a.URL]
	})
}

// takeAway removes what stands of the order's tokens. The record of one that cannot be removed now
// stays: it is how a later run finds it.
func (p *proofs) takeAway(ctx context.Context) error {
	for _, a := range p.o.Authorizations {
		if a.Placement == "" {
			continue
		}
		stands, err := p.remove(ctx, a)
		if err != nil {
			return err
		}
		if stands { // cut short
			return failure.Wrap(order.Interruption(ctx), failure.Stopped, "Run the same command again.",
				"stopped before the tokens of order %d were removed", p.o.ID)
		}
		if !p.left[a.URL] {
			a.Placement = ""
		}
	}
	return nil
}
