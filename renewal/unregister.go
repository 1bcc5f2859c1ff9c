package renewal

import (
	"context"
	"errors"
	"strings"

	"orderly/certbot"
	"orderly/failure"
	"orderly/ledger"
)

// accountDeactivated is the event after which nothing of an account remains but its directory.
const accountDeactivated = "account deactivated"

// unregister is how a run says which account it gives up.
const unregister = "unregister "

// Unregistering is the command of a run that gives an account up, as the ledger keeps it.
func Unregistering(a *certbot.Account) string { return unregister + a.Server + " " + a.ID }

// Unregister gives an account up for ever (RFC 8555 §7.3.6) and removes it from this host. No other run is at work
// meanwhile. What can be finished of its orders is finished before, since nobody can answer for them afterwards. Called
// again after a kill, it ends what is left. An account that the CA does not know any more is removed all the same.
func (s *Server) Unregister(ctx context.Context, a *certbot.Account) error {
	if err := s.finishOrdersOf(ctx, a); err != nil {
		return err
	}
	if err := s.note(ctx, ledger.Event{Kind: "deactivate-account intent", Detail: a.URL + " " + a.ID}); err != nil {
		return err
	}
	if err := s.deactivate(ctx, a); err != nil {
		return err
	}
	ctx = context.WithoutCancel(ctx)
	if err := s.bury(ctx, a); err != nil {
		return err
	}
	return s.Disk.DeleteAccount(a.Server, a.ID)
}

// FinishUnregister removes what a killed Unregister left of an account whose key is gone already. It reports whether there
// was such a run.
func (s *Server) FinishUnregister(ctx context.Context, server string) (bool, error) {
	run, err := s.broken(ctx, unregister+server, accountDeactivated)
	if err != nil || run == nil {
		return false, err
	}
	id := strings.TrimSpace(strings.TrimPrefix(run.Command, unregister+server))
	if err := s.Disk.DeleteAccount(server, id); err != nil && failure.ClassOf(err) != failure.Account {
		return true, err
	}
	return true, nil
}

// broken returns the newest run with a command, or with more behind it, if it vanished right after a step; nil otherwise.
func (s *Server) broken(ctx context.Context, command, step string) (*ledger.Run, error) {
	runs, err := s.Ledger.Runs(ctx, lastRenewals)
	if err != nil {
		return nil, err
	}
	for _, r := range runs {
		if r.ID == s.run.ID || (r.Command != command && !strings.HasPrefix(r.Command, command+" ")) {
			continue
		}
		if r.LastStep == step && (r.EndedAt.IsZero() || r.ExitCode != 0) {
			return &r, nil
		}
		return nil, nil
	}
	return nil, nil
}

// finishOrdersOf goes on with what earlier runs left of an account's orders. One that cannot be finished does not keep the
// account.
func (s *Server) finishOrdersOf(ctx context.Context, a *certbot.Account) error {
	orders, err := s.ordersOf(ctx, a)
	if err != nil {
		return err
	}
	for _, o := range orders {
		if result, did := s.resume(ctx, o); did && result.Err != nil {
			s.Report.Warn("order %d for %s could not be finished: %v", o.ID, o.Lineage, result.Err)
		}
		if ctx.Err() != nil {
			return failure.New(failure.Stopped, "Run the same command again; nothing was deactivated.", "stopped before the account was deactivated")
		}
	}
	return nil
}

func (s *Server) ordersOf(ctx context.Context, a *certbot.Account) ([]*ledger.Order, error) {
	row, err := s.Ledger.Account(ctx, a.Server, a.URL)
	if errors.Is(err, ledger.ErrNone) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return s.Ledger.Orders(ctx, ledger.OrderFilter{Unsettled: true, AccountID: row.ID})
}

// deactivate asks the CA to deactivate the account, and finds out what became of it where no answer says so.
func (s *Server) deactivate(ctx context.Context, a *certbot.Account) error {
	speaker, _, err := s.speaker(a)
	if err != nil {
		return err
	}
	_, err = speaker.DeactivateAccount(ctx)
	if err != nil && undecided(err) && ctx.Err() == nil {
		object, look := speaker.Fetch(ctx)
		if look == nil && object.Status == "deactivated" {
			return nil
		}
		if unknownAccount(look) {
			err = look
		}
	}
	if unknownAccount(err) {
		s.Report.Warn("the CA does not accept the account any more: %v", err)
		return nil
	}
	if err != nil {
		return accountFailure(err, "the account %s could not be deactivated", a.URL)
	}
	return nil
}

// bury settles what is left of a deactivated account's orders: nobody can ask the CA about them any more, or answer. Their
// authorizations stay in the account of what is pending until they have expired.
func (s *Server) bury(ctx context.Context, a *certbot.Account) error {
	orders, err := s.ordersOf(ctx, a)
	if err != nil {
		return err
	}
	now := s.Clock.Now()
	change := &ledger.Change{Orders: orders}
	for _, o := range orders {
		if err := s.giveUp(ctx, o, "its account was deactivated"); err != nil {
			return err
		}
		change.Events = append(change.Events, ledger.Event{At: now, RunID: s.run.ID, OrderID: o.ID, Lineage: o.Lineage,
			Kind: "order given up", Detail: o.Sentence})
	}
	change.Events = append(change.Events, ledger.Event{At: now, RunID: s.run.ID, Kind: accountDeactivated, Detail: a.URL + " " + a.ID})
	return s.Ledger.Commit(ctx, change)
}
