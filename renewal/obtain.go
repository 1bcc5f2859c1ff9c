package renewal

import (
	"context"
	"errors"

	"orderly/failure"
	"orderly/ledger"
	"orderly/order"
)

// A wish is decided about twice: before anything is waited for, so that what is not due costs
// nothing, and again under the lineage's lock, since another process may have been quicker.

// errMoved says that another process changed what the decision rested on while the lock was waited
// for.
var errMoved = errors.New("another process made or renamed the lineage meanwhile")

// mostDecisions bounds how often a decision is made anew because of errMoved.
const mostDecisions = 5

// Obtain fulfils a wish: it keeps, makes or renews a certificate.
func (s *wishes) Obtain(ctx context.Context, w Wish) (result Result) {
	defer func() { s.logResult(ctx, result) }()
	w.answers = map[string]int{}
	s.heal(ctx, w)
	for range mostDecisions {
		d, err := s.decide(w, s.Clock.Now())
		if err == nil && d.Why == itIsDue && s.consult(ctx, w, d.Current) {
			d, err = s.decide(w, s.Clock.Now())
		}
		err = stoppedOr(ctx, err)
		result = Result{Lineage: d.Lineage, Names: w.Names}
		if err != nil {
			result.fail(err)
			return result
		}
		d.Needed = d.Needed || s.Settings.Rehearsal
		if !d.Needed && !s.unfinished(ctx, d.Lineage) {
			s.keep(&result, d.Current)
			for _, note := range result.Notes {
				s.host.Voice.WarnOnce("%s", failure.Remedy(note))
			}
			return result
		}
		err = s.fulfil(ctx, w, d, &result)
		if errors.Is(err, errMoved) {
			continue
		}
		if err != nil {
			result.fail(err)
		}
		return result
	}
	result.fail(failure.Wrap(errMoved, failure.Locked, "Run the same command again.",
		"%s changes faster than it can be looked at", result.Lineage))
	return result
}

// fulfil runs the engine for a decision, which is made again under the lineage's lock.
func (s *wishes) fulfil(ctx context.Context, w Wish, d Decision, result *Result) error {
	engine, err := s.engineFor(ctx, w)
	if err != nil {
		return err
	}
	if err := s.host.Ports.Reserve(ctx, w.Port(d.Current)); err != nil {
		return err
	}
	defer s.host.Ports.Rest(s.host.Files.OrderName(d.Lineage))
	outcome, err := s.obtain(ctx, engine, s.host.Files.OrderName(d.Lineage), w.Names, d.Current,
		s.enough(w, d), func(ctx context.Context, left []string) (*order.Plan, error) {
			closed := w
			closed.closed = true
			again, err := s.decide(closed, s.Clock.Now())
			if err = stoppedOr(ctx, err); err != nil {
				return nil, err
			}
			if again.Lineage != d.Lineage {
				return nil, errMoved
			}
			if !again.Needed && !s.Settings.Rehearsal {
				return nil, nil
			}
			request, err := w.request(again, engine.Account().KeyID)
			if err != nil {
				return nil, err
			}
			s.attempt(ctx, engine, &request, again.Current, left)
			return &order.Plan{Request: request.Filed(), Force: s.Settings.Force,
				Urgent: again.Current != nil && s.pressing(again.Current)}, nil
		})
	return s.conclude(d.Lineage, outcome, err, result)
}

// enough reports whether a decision's lineage has a certificate for just these names that is not
// due: otherwise a script that names a dead domain would get another certificate with every run.
func (s *wishes) enough(w Wish, d Decision) func([]string) bool {
	return func(names []string) bool {
		if d.Current == nil || w.Renew || w.Choice.ChangesKeyType(d.Current) ||
			s.host.Lineages.NeedsKey(d.Current) || s.Settings.Rehearsal ||
			ledger.NameKey(names) != ledger.NameKey(d.Current.Certificate.Names) {
			return false
		}
		at, err := s.dueAt(d.Current)
		return err == nil && s.Clock.Now().Before(at)
	}
}
