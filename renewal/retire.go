package renewal

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"slices"
	"strings"

	"orderly/failure"
	"orderly/host"
	"orderly/ledger"
	"orderly/order"
	"orderly/order/admit"
	"orderly/preflight"
)

// A lineage whose sites have moved away is put aside, not deleted: nothing renews it any more, and
// it can come back as it was. What is still served from here is never put aside, so that the network
// is asked of each name, right before, and only a certain answer counts.

// retirements put lineages aside and take them back.
type retirements struct {
	*base
	*deletions
	done map[string]ledger.TaskKind // what this run has put aside or taken back
}

// Retire puts a lineage aside, after it has asked of each name whether it is served from here. What
// is unfinished of it goes first, as with Delete. A run that is killed meanwhile leaves a task, which
// the next one finishes.
func (s *retirements) Retire(ctx context.Context, name string) error {
	if s.done[name] == ledger.RetireTask {
		return nil // this run has just finished what an earlier one began
	}
	unlock, err := s.lock(ctx, order.LineageLock(name))
	if err != nil {
		return err
	}
	defer func() { _ = unlock() }()
	return s.retire(ctx, name, deletion{}, func() error { return s.gone(ctx, name) })
}

// Spare puts a lineage aside as Retire does, though its names are served from here: certain, which
// is asked under its lock, says whether another one has them all and nothing uses this one. One that
// another run works on is left.
func (s *retirements) Spare(ctx context.Context, name string, certain func() error) error {
	if s.done[name] == ledger.RetireTask {
		return nil // this run has just finished what an earlier one began
	}
	unlock, free, err := s.Locks.TryLock(order.LineageLock(name))
	if err != nil {
		return err
	}
	if !free {
		return failure.New(failure.Locked, "Run the same command again when it has ended.",
			"another run is at work on %s, which is left as it is", failure.Clean(name))
	}
	defer func() { _ = unlock() }()
	return s.retire(ctx, name, deletion{Spared: true}, certain)
}

// retire puts a lineage aside for one who holds its lock, where nothing speaks against it.
func (s *retirements) retire(ctx context.Context, name string, p deletion,
	certain func() error) error {
	if err := s.base.retiredAs(name); err != nil {
		return err
	}
	if err := s.Disk.Retirable(name); err != nil {
		return err
	}
	if err := certain(); err != nil {
		return err
	}
	ctx = context.WithoutCancel(ctx)
	p.File = s.renewalSum(name)
	var t *ledger.Task
	err := s.forsake(ctx, name, order.LineageRetired, func(change ledger.Change) (err error) {
		t, err = s.tasks().Undertake(ctx, ledger.RetireTask, name, p, change)
		return err
	})
	if err != nil {
		return err
	}
	return s.putAside(ctx, t)
}

// gone returns an error unless each name of a lineage certainly leads elsewhere, or nowhere.
func (s *retirements) gone(ctx context.Context, name string) error {
	l, err := s.host.Lineages.Open(name)
	if err != nil {
		return err
	}
	r, err := host.FromFile(l, host.Said{})
	if len(r.Names) == 0 { // a name without a document root is asked about all the same
		return err
	}
	report := s.host.Checks.Preflight(ctx, r, r.Names)
	if err := stoppedOr(ctx, nil); err != nil {
		return err
	}
	for _, one := range r.Names {
		if err := stays(name, one, report); err != nil {
			return err
		}
	}
	return nil
}

// stays is why a lineage may not be put aside for one of its names, nil where that is no reason.
func stays(lineage, name string, report preflight.Report) error {
	remedy := failure.Advise("If nobody needs it all the same: %s.", failure.Do(failure.Delete, lineage))
	i := slices.IndexFunc(report.Sights,
		func(s preflight.Sight) bool { return strings.EqualFold(s.Name, name) })
	if i < 0 {
		why := "no file is put anywhere to prove it"
		class := failure.Config
		if bad := admit.RefusalOf(report, name); bad != nil {
			why, class = bad.Sentence, bad.Class
		}
		return failure.New(class, remedy, "%s is not put aside: whether %s is served from here cannot be "+
			"asked: %s", lineage, name, why)
	}
	switch seen := report.Sights[i]; {
	case seen.Served:
		return failure.New(failure.Config, remedy, "%s is not put aside: %s is served from here", lineage, name)
	case !seen.Elsewhere && !seen.Dead:
		return failure.New(failure.Config, failure.Advise("If none of its addresses leads here, name those "+
			"that do: %s. ", failure.Do(failure.FleetAddresses, "FILE"))+remedy,
			"%s is not put aside: %s points to %s, and nothing says that this is elsewhere", lineage, name,
			texts(seen))
	}
	return nil
}

func texts(s preflight.Sight) string {
	var all []string
	for _, a := range s.Addresses {
		all = append(all, a.String())
	}
	return strings.Join(all, ", ")
}

// putAside does what a task of putting aside means to do, and ends it.
func (s *retirements) putAside(ctx context.Context, t *ledger.Task) error {
	if err := s.Disk.Retire(t.Subject); err != nil {
		if _, left := s.Disk.RetiredAs(t.Subject); !left {
			// it was put back: the person is told, and decides
			return errors.Join(err, s.tasks().End(ctx, t,
				ledger.Event{Lineage: t.Subject, Kind: "retirement given up"}))
		}
		return err
	}
	if err := s.tasks().End(ctx, t,
		ledger.Event{Lineage: t.Subject, Kind: "lineage retired"}); err != nil {
		return err
	}
	s.did(t)
	away, _ := s.Disk.RetiredAs(t.Subject)
	s.Report.Say("%s", failure.Advise("The certificate %s was put aside in %s, and is renewed no more; %s "+
		"takes it back.", t.Subject, away.Dir, failure.Do(failure.Unretire, t.Subject)))
	return nil
}

// goOnRetiring finishes what another run began. A lineage that somebody works on is left to a later
// run; one that was changed since, or made anew, stays, and so does one that may have come into use:
// by what was certain when another run looked, nothing is begun.
func (s *retirements) goOnRetiring(ctx context.Context, t *ledger.Task) error {
	var p deletion
	if err := json.Unmarshal([]byte(t.Payload), &p); err != nil {
		return err
	}
	unlock, free, err := s.Locks.TryLock(order.LineageLock(t.Subject))
	if err != nil || !free {
		return err
	}
	defer func() { _ = unlock() }()
	ctx = context.WithoutCancel(ctx)
	_, begun := s.Disk.RetiredAs(t.Subject)
	_, err = os.Lstat(s.Disk.Dirs.Renewal(t.Subject))
	there := err == nil
	if there && p.Spared && !begun && p.File == s.renewalSum(t.Subject) {
		s.Report.Warn("that %s is put aside, which run %d began, is given up: something may use it by now",
			t.Subject, t.RunID)
		return s.tasks().End(ctx, t, ledger.Event{Lineage: t.Subject, Kind: "retirement given up"})
	}
	if there && (begun || p.File != s.renewalSum(t.Subject)) {
		s.Report.Warn("that %s is put aside, which run %d began, is given up: %s was made or changed since",
			t.Subject, t.RunID, s.Disk.Dirs.Renewal(t.Subject))
		return s.tasks().End(ctx, t, ledger.Event{Lineage: t.Subject, Kind: "retirement given up"})
	}
	s.Report.Tell("Going on with putting %s aside, which run %d began.", t.Subject, t.RunID)
	return s.putAside(ctx, t)
}

// Unretire takes a lineage back that was put aside, exactly as it was.
func (s *retirements) Unretire(ctx context.Context, name string) error {
	if s.done[name] == ledger.ReturnTask {
		return nil // this run has just finished what an earlier one began
	}
	unlock, err := s.lock(ctx, order.LineageLock(name))
	if err != nil {
		return err
	}
	defer func() { _ = unlock() }()
	if err := s.Disk.Returnable(name); err != nil {
		return err
	}
	ctx = context.WithoutCancel(ctx)
	t, err := s.tasks().Undertake(ctx, ledger.ReturnTask, name, deletion{}, ledger.Change{})
	if err != nil {
		return err
	}
	return s.takeBack(ctx, t)
}

// takeBack does what a task of taking back means to do, and ends it. Where something stands in its
// place by now, what has come back stays, and so does the rest where it is.
func (s *retirements) takeBack(ctx context.Context, t *ledger.Task) error {
	if err := s.Disk.Return(t.Subject); err != nil {
		if errors.Is(err, fs.ErrExist) {
			err = errors.Join(err, s.tasks().End(ctx, t,
				ledger.Event{Lineage: t.Subject, Kind: "return given up"}))
		}
		return err
	}
	if err := s.tasks().End(ctx, t,
		ledger.Event{Lineage: t.Subject, Kind: "lineage returned"}); err != nil {
		return err
	}
	s.did(t)
	s.Report.Say("The certificate %s is back as it was, and is renewed when it is due.", t.Subject)
	return nil
}

func (s *retirements) did(t *ledger.Task) {
	if s.done == nil {
		s.done = map[string]ledger.TaskKind{}
	}
	s.done[t.Subject] = t.Kind
}

// goOnReturning finishes what another run began.
func (s *retirements) goOnReturning(ctx context.Context, t *ledger.Task) error {
	unlock, free, err := s.Locks.TryLock(order.LineageLock(t.Subject))
	if err != nil || !free {
		return err
	}
	defer func() { _ = unlock() }()
	s.Report.Tell("Going on with taking %s back, which run %d began.", t.Subject, t.RunID)
	return s.takeBack(context.WithoutCancel(ctx), t)
}

// retiredAs says of a lineage that was put aside that it was; nil for any other. The words are
// certbot's where there is no renewal file.
func (s *base) retiredAs(name string) error {
	away, ok := s.Disk.RetiredAs(name)
	if _, err := os.Lstat(s.Disk.Dirs.Renewal(name)); !ok || err == nil {
		return nil
	}
	return failure.New(failure.Config, failure.Advise("To take it back: %s.",
		failure.Do(failure.Unretire, name)),
		"No certificate found with name %s (expected %s): it was put aside on %s.", failure.Clean(name),
		s.Disk.Dirs.Renewal(failure.Clean(name)), away.At.UTC().Format("2006-01-02"))
}
