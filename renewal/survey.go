package renewal

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"
	"time"

	"orderly/certbot"
	"orderly/failure"
	"orderly/ledger"
)

// The first look of a round at all lineages. Nearly all of thousands are not due, and nothing of
// them is kept.

// view is what a round keeps of a lineage after a first look. Only one that something may be done
// for is kept whole: a host has thousands, and nearly all of them are not due.
type view struct {
	path    string    // of the renewal file
	ends    time.Time // of the current certificate
	lineage *certbot.Lineage
	// names of its orders that an earlier process left
	unfinished []string
	kept       Result // where lineage is nil
	// what its CA is to be asked of when it should be renewed, nil for nothing
	question *question
	owned    certbot.Owned
}

// survey reads the lineages. What cannot be read becomes a result, and the others go on.
func (s *rounds) survey(ctx context.Context, names []string, round Round) ([]view, []Result,
	error) {
	orders, err := s.Ledger.Orders(ctx, ledger.OrderFilter{Unsettled: true})
	if err != nil {
		return nil, nil, err
	}
	unfinished := map[string][]string{} // names, by lineage
	for _, o := range orders {
		unfinished[o.Lineage] = append(unfinished[o.Lineage], o.Names...)
	}
	views := make([]view, len(names))
	var odd atomic.Bool
	s.Disk.OpenEach(names, func(i int, l *certbot.Lineage, err error) {
		if err != nil || l.Unsettled || l.KeyLost != nil {
			odd.Store(true) // mended or complained of below, one after the other
			return
		}
		broken := s.guarded(ctx, l.Name,
			func() { views[i] = s.viewOf(l, round, unfinished[l.Name]) })
		if broken != nil {
			views[i] = view{}
			odd.Store(true)
		}
	})
	if err := stoppedOr(ctx, nil); err != nil {
		return nil, nil, err
	}
	var broken []Result
	if odd.Load() {
		if views, broken, err = s.mend(ctx, names, views, round, unfinished); err != nil {
			return nil, nil, err
		}
	}
	return s.withoutCopies(views, broken, round)
}

// withoutCopies leaves out the lineages whose files are those of another, which is renewed in their
// stead: a renewal file that somebody copied beside itself is not worth an order.
func (s *rounds) withoutCopies(views []view, broken []Result, round Round) ([]view, []Result,
	error) {
	if round.CertName != "" {
		if err := s.Disk.NotCopied(round.CertName); err != nil {
			return nil, append(broken, s.invalid(round.CertName, err)), nil
		}
		return views, broken, nil
	}
	var all []certbot.Owned
	for _, v := range views {
		all = append(all, v.owned)
	}
	copies := certbot.Copies(all)
	var originals []view
	for _, v := range views {
		original := copies[v.owned.Name]
		if original == "" {
			originals = append(originals, v)
			continue
		}
		skipped := s.invalid(v.owned.Name, s.Disk.SharedFailure(v.owned.Name, original))
		skipped.Outcome = Skipped
		broken = append(broken, skipped)
	}
	return originals, broken, nil
}

// mend takes up those that a first look passed over: what can be mended is, and the others become
// results.
func (s *rounds) mend(ctx context.Context, names []string, views []view, round Round,
	unfinished map[string][]string) (good []view, broken []Result, err error) {
	var standing []string // but for empty files, which are looked for when the first is met
	for i, v := range views {
		if v.path != "" {
			good = append(good, v)
			continue
		}
		if err := stoppedOr(ctx, nil); err != nil {
			return nil, nil, err
		}
		var openErr error
		if broken := s.guarded(ctx, names[i], func() {
			var l *certbot.Lineage
			if l, openErr = s.host.Lineages.Open(names[i]); openErr == nil {
				v = s.viewOf(l, round, unfinished[l.Name])
			}
		}); broken != nil {
			openErr = broken
		}
		if errors.Is(openErr, certbot.ErrBlank) && standing == nil {
			if standing, err = s.withoutBlank(); err != nil {
				return nil, nil, err
			}
		}
		switch {
		case openErr == nil:
			good = append(good, v)
		case standing != nil && !slices.Contains(standing, names[i]): // an empty one that went just now
		default:
			broken = append(broken, s.invalid(names[i], openErr))
		}
	}
	return good, broken, nil
}

// withoutBlank removes empty renewal files that stand for nothing, and returns the names that are
// left.
func (s *rounds) withoutBlank() ([]string, error) {
	if err := s.host.Lineages.ClearBlank(); err != nil {
		return nil, err
	}
	names, err := s.Disk.Names()
	return append([]string{""}, names...), err
}

func (s *rounds) viewOf(l *certbot.Lineage, round Round, unfinished []string) view {
	v := view{path: l.Renewal.Path, ends: l.Certificate.NotAfter, unfinished: unfinished,
		owned: l.Renewal.Owned()}
	if !round.Renew && !s.Settings.Rehearsal && l.KeyLost == nil {
		v.question = s.questionOf(l)
	}
	needed, due, err := s.judge(l, round)
	if needed || err != nil || len(unfinished) > 0 {
		v.lineage = l
		return v
	}
	v.kept = Result{Lineage: l.Name, Names: l.Certificate.Names}
	if due.Because == "" { // this run has renewed it
		s.keep(&v.kept, l)
		return v
	}
	s.stands(&v.kept, l, due)
	return v
}

func (s *rounds) invalid(name string, err error) Result {
	r := Result{Lineage: name, Path: s.Disk.Dirs.Renewal(name)}
	r.fail(err)
	r.Outcome = Invalid
	return r
}

// result is what comes of a lineage in a round.
func (s *rounds) result(ctx context.Context, v view, round Round) Result {
	if v.lineage == nil {
		for _, note := range v.kept.Notes {
			s.host.Voice.In(ctx).WarnOnce("%s", failure.Remedy(note))
		}
		return v.kept
	}
	return s.renew(ctx, v.lineage, round)
}
