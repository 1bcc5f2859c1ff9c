package renewal

import (
	"context"
	"encoding/json"
	"errors"
	"slices"

	"orderly/certbot"
	"orderly/failure"
	"orderly/ledger"
	"orderly/order"
)

// Unregistering is the command of a run that gives an account up, as the ledger keeps it.
func Unregistering(a *certbot.Account) string { return "unregister " + a.Server + " " + a.ID }

// surrender is the payload of an UnregisterTask.
type surrender struct {
	Server string `json:"server"`
	ID     string `json:"id"`
	URL    string `json:"url"`
}

// Unregister gives an account up for ever (RFC 8555 §7.3.6) and removes it from this host. No other run is at work
// meanwhile. What can be finished of its orders is finished before, since nobody can answer for them afterwards. An account
// that the CA does not know any more is removed all the same. A run that dies meanwhile leaves a task, which the next one
// finishes.
func (s *Server) Unregister(ctx context.Context, a *certbot.Account) error {
	if s.unregistered[a.ID] {
		return nil // this run has just finished what an earlier one began
	}
	if err := s.finishOrdersOf(ctx, a); err != nil {
		return err
	}
	event := ledger.Event{At: s.Clock.Now(), RunID: s.run.ID, Kind: "deactivate-account intent", Detail: a.URL + " " + a.ID}
	t, err := s.undertake(ctx, ledger.UnregisterTask, a.URL, surrender{a.Server, a.ID, a.URL}, ledger.Change{Events: []ledger.Event{event}})
	if err != nil {
		return err
	}
	return s.unregister(ctx, t, a)
}

// unregister is Unregister from the intent on.
func (s *Server) unregister(ctx context.Context, t *ledger.Task, a *certbot.Account) error {
	if t.Step == stepIntended {
		err := s.deactivate(ctx, a)
		if err != nil && s.isInVain(t, err) {
			return errors.Join(err, s.endTask(ctx, t, ledger.Event{Kind: "unregister failed", Detail: a.URL}))
		}
		if err != nil {
			return err
		}
	}
	ctx = context.WithoutCancel(ctx)
	if err := s.bury(ctx, a, t); err != nil {
		return err
	}
	if err := s.Disk.DeleteAccount(a.Server, a.ID); err != nil && len(s.Disk.AccountPlaces(a.Server, a.ID)) > 0 {
		return err
	}
	if s.unregistered == nil {
		s.unregistered = map[string]bool{}
	}
	s.unregistered[a.Server], s.unregistered[a.ID] = true, true
	return s.endTask(ctx, t, ledger.Event{Kind: "account removed", Detail: a.URL + " " + a.ID})
}

// FinishedUnregister reports whether this run has finished giving up an account of a CA that an earlier run had begun to give
// up.
func (s *Server) FinishedUnregister(server string) bool { return s.unregistered[server] }

// Begun reports whether the run is recorded already.
func (s *Server) Begun() bool { return s.run != nil }

// goOnUnregistering finishes what another run began. While another one lives that may work with the account it is left, and
// nothing is ordered in its name.
func (s *Server) goOnUnregistering(ctx context.Context, t *ledger.Task) error {
	var p surrender
	if err := json.Unmarshal([]byte(t.Payload), &p); err != nil {
		return err
	}
	s.dead[p.Server+" "+p.URL] = failure.New(failure.Account, "Run the same command again when no other run of Orderly is at work.",
		"the account %s is being given up", p.URL)
	if !s.solitary(ctx) {
		return nil
	}
	s.Report.Tell("Going on with giving up the account %s, which run %d began.", p.URL, t.RunID)
	a, err := s.Disk.Account(p.Server, p.ID)
	if err != nil && t.Step == stepIntended && len(s.Disk.AccountPlaces(p.Server, p.ID)) > 0 {
		return err // a key that cannot be read cannot sign
	}
	if err != nil {
		a = certbot.Account{Server: p.Server, ID: p.ID, URL: p.URL}
		t.Step = stepDeactivated
	}
	return s.unregister(ctx, t, &a)
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
func (s *Server) bury(ctx context.Context, a *certbot.Account, t *ledger.Task) error {
	orders, err := s.ordersOf(ctx, a)
	if err != nil {
		return err
	}
	now := s.Clock.Now()
	change := &ledger.Change{}
	change.Orders = slices.DeleteFunc(orders, order.Issued) // to put a certificate in place no account is needed
	for _, o := range change.Orders {
		if err := s.giveUp(ctx, o, "its account was deactivated"); err != nil {
			return err
		}
		change.Events = append(change.Events, ledger.Event{At: now, RunID: s.run.ID, OrderID: o.ID, Lineage: o.Lineage,
			Kind: "order given up", Detail: o.Sentence})
	}
	if t.Step == stepIntended {
		change.Events = append(change.Events, ledger.Event{At: now, RunID: s.run.ID, Kind: "account deactivated", Detail: a.URL + " " + a.ID})
	}
	t.Step, change.Tasks = stepDeactivated, []*ledger.Task{t}
	return s.Ledger.Commit(ctx, change)
}
