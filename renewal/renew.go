package renewal

import (
	"context"
	"errors"
	"io/fs"
	"os"

	"orderly/certbot"
	"orderly/failure"
	"orderly/host"
	"orderly/ledger"
	"orderly/order"
)

// One lineage in a round: whether it is due, and its renewal.

func (s *rounds) renew(ctx context.Context, l *certbot.Lineage, round Round) Result {
	l = s.asOrdered(l)
	result := Result{Lineage: l.Name, Names: l.Certificate.Names}
	needed, err := s.needed(l, round)
	if err == nil && !needed && !s.unfinished(ctx, s.host.Files.OrderName(l.Name)) {
		s.keep(&result, l)
		return result
	}
	if err == nil {
		err = s.spread(ctx, l, round)
	}
	if err == nil && needed && !round.Renew && !s.Settings.Rehearsal {
		s.tellEarly(l, &result)
	}
	if err == nil {
		err = s.renewOne(ctx, l, round, &result)
	}
	if failure.ClassOf(err) == failure.Locked && !needed {
		s.keep(&result, l) // it is not due, and what another run does for it is that run's
		return result
	}
	if err != nil && round.CertName == "" && deleted(l) {
		s.Report.Tell("%s was deleted meanwhile.", l.Name)
		result.gone = true
		return result
	}
	if err != nil {
		result.Path = l.Renewal.FullChain
		result.fail(err)
	}
	if err != nil && result.Outcome != Locked {
		s.host.Hooks.Failed(l.Certificate.Names)
	}
	return result
}

// deleted reports whether a lineage is not there any more. Of a round of many it may be hours since
// they were listed: what a person deletes meanwhile is no renewal that failed.
func deleted(l *certbot.Lineage) bool {
	_, err := os.Lstat(l.Renewal.Path)
	return errors.Is(err, fs.ErrNotExist)
}

// tellEarly says that the CA wants a certificate renewed long before its time, and why it wants it
// now where it says that.
func (s *rounds) tellEarly(l *certbot.Lineage, result *Result) {
	due, err := s.calendar.due(l)
	if err != nil || due.Because != DueByCA {
		return
	}
	early := termOf(l).early(due.At)
	result.Explanation = due.Explanation
	switch {
	case early && due.Explanation == "":
		s.Report.Tell("The CA wants %s renewed before its time.", l.Name)
	case early:
		s.Report.Tell("The CA wants %s renewed before its time; why: %s", l.Name, due.Explanation)
	case due.Explanation != "":
		s.Report.Tell("The CA wants %s renewed now; why: %s", l.Name, due.Explanation)
	}
}

func (s *rounds) renewOne(ctx context.Context, l *certbot.Lineage, round Round,
	result *Result) error {
	wanted, err := host.FromFile(l, round.Said)
	if err != nil {
		result.Refused = true
		return err
	}
	if err := s.host.Ports.Reserve(ctx, wanted); err != nil {
		return err
	}
	defer s.host.Ports.Rest(s.host.Files.OrderName(l.Name))
	engine, err := s.engineFor(ctx, round.wish(l.Renewal.Params))
	if err != nil {
		result.Refused = failure.ClassOf(err) == failure.Account
		return err
	}
	outcome, err := s.obtain(ctx, engine, s.host.Files.OrderName(l.Name), l.Certificate.Names, l,
		never, func(ctx context.Context, left []string) (*order.Plan, error) {
			if !s.Settings.Rehearsal {
				if _, err := s.host.Lineages.Repair(l.Name); err != nil {
					return nil, err
				}
			}
			fresh, err := s.Disk.Open(l.Name)
			if err != nil {
				return nil, err
			}
			fresh = s.asOrdered(fresh)
			// Another process may have renewed it while the lock was waited for; a forced renewal
			// is wanted all the same, unless the certificate changed since this run looked at it.
			changed := fresh.Certificate.Serial != l.Certificate.Serial
			if needed, err := s.needed(fresh, round); err != nil || !needed || (round.Renew && changed) {
				return nil, err
			}
			request, err := host.FromFile(fresh, round.Said)
			if err != nil {
				return nil, err
			}
			request.Account = engine.Account().KeyID
			for _, note := range fresh.Renewal.Notes {
				s.host.Voice.In(ctx).WarnOnce("%s", note)
			}
			s.attempt(ctx, engine, &request, fresh, left)
			return &order.Plan{Request: request.Filed(), Force: s.Settings.Force,
				Urgent: s.pressing(fresh)}, nil
		})
	s.Accounts().Mourn(engine.Account().Server, engine.Account().URL, err)
	err = s.conclude(l.Name, outcome, err, result)
	if err == nil && outcome.Order != nil && outcome.Order.State == ledger.SupersededState {
		result.Outcome = Superseded
	}
	return err
}
