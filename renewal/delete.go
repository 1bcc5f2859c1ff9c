package renewal

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"orderly/failure"
	"orderly/ledger"
	"orderly/order"
)

// CertificateNames checks that there is a certificate of each name, so that nothing is deleted if one was mistyped. A list
// separated by commas is taken for several names, unless a certificate is called so.
func (s *Server) CertificateNames(given []string) ([]string, error) {
	there, err := s.Disk.Names()
	if err != nil {
		return nil, err
	}
	var names []string
	for _, text := range given {
		list := []string{text}
		if !slices.Contains(there, text) {
			list = strings.Split(text, ",")
		}
		for _, name := range list {
			if name = strings.TrimSpace(name); name == "" || slices.Contains(names, name) {
				continue
			}
			if !slices.Contains(there, name) {
				return nil, s.noCertificate(name)
			}
			names = append(names, name)
		}
	}
	return names, nil
}

// noCertificate says in certbot's words that there is no renewal file.
func (s *Server) noCertificate(name string) error {
	return failure.New(failure.Config, "`orderly certificates` lists the names.", "No certificate found with name %s (expected %s).",
		failure.Clean(name), s.Disk.Dirs.Renewal(failure.Clean(name)))
}

// Delete removes a lineage from the disk, as certbot's delete does. Its unfinished orders go first, so that nothing of it
// comes back: one that the CA has issued, or is about to, is given up; of another one the names become valid with the next
// run, so that nothing stays pending, and no certificate is made. Called again after a kill, it ends what is left.
func (s *Server) Delete(ctx context.Context, name string) error {
	unlock, err := s.Locks.Lock(ctx, order.LineageLock(name))
	if err != nil {
		return waited(err, "another process to finish with "+name)
	}
	defer func() { _ = unlock() }()
	return s.delete(context.WithoutCancel(ctx), name)
}

// delete is Delete for one who holds the lineage's lock.
func (s *Server) delete(ctx context.Context, name string) error {
	if err := s.forsake(ctx, name); err != nil {
		return err
	}
	if err := s.Disk.Delete(name); err != nil {
		return err
	}
	if err := s.note(ctx, ledger.Event{Lineage: name, Kind: "lineage deleted"}); err != nil {
		return err
	}
	s.Report.Say("Deleted all files relating to certificate %s.", name)
	return nil
}

// forsake lets nothing come of a lineage's unfinished orders.
func (s *Server) forsake(ctx context.Context, name string) error {
	orders, err := s.Ledger.Orders(ctx, ledger.OrderFilter{Unsettled: true, Lineage: name})
	if err != nil || len(orders) == 0 {
		return err
	}
	change := &ledger.Change{Orders: orders}
	for _, o := range orders {
		what := "superseded"
		switch o.State {
		case ledger.Processing, ledger.Valid, ledger.Installed:
			what = "given up"
			if err := s.giveUp(ctx, o, "its lineage was deleted"); err != nil {
				return err
			}
		default:
			o.Superseded, o.Request.New, o.UpdatedAt = true, false, s.Clock.Now()
		}
		change.Events = append(change.Events, ledger.Event{At: s.Clock.Now(), RunID: s.run.ID, OrderID: o.ID, Lineage: name,
			Kind: "order " + what, Detail: "its lineage was deleted"})
		s.Report.Tell("Order %d for %s, which an earlier run left, is %s: nothing of it comes back.", o.ID, name, what)
	}
	if err := s.Ledger.Commit(ctx, change); err != nil {
		return err
	}
	keys := &order.Keys{Dir: s.KeyDir}
	for _, o := range orders {
		if !o.SettledAt.IsZero() {
			keys.Remove(o)
		}
	}
	return nil
}

// longestOrder is how long an order may live that nobody has seen (Let's Encrypt's).
const longestOrder = 7 * 24 * time.Hour

// giveUp settles an order, without a request, that is not to be gone on with. What stands of its tokens goes. One that the
// CA may have made unseen becomes a phantom.
func (s *Server) giveUp(ctx context.Context, o *ledger.Order, why string) error {
	for _, a := range o.Authorizations {
		if err := s.unplace(ctx, o, a); err != nil {
			return err
		}
	}
	now := s.Clock.Now()
	switch {
	case o.State == ledger.Installed || o.State == ledger.Invalid: // these are what they are
	case o.State == ledger.Creating && !o.CreateSentAt.IsZero():
		o.State, o.Expires = ledger.Phantom, o.CreateSentAt.Add(longestOrder)
		o.Class, o.Sentence, o.Remedy = string(failure.AnswerLost), why+"; whether the CA has made it is not known", ""
	default:
		o.State, o.Class, o.Sentence, o.Remedy = ledger.ReleasedState, string(failure.Released), why, ""
	}
	o.SettledAt, o.UpdatedAt = now, now
	return nil
}

// unplace removes an authorization's token from where it stands.
func (s *Server) unplace(ctx context.Context, o *ledger.Order, a *ledger.Authorization) error {
	if a.Placement == "" {
		return nil
	}
	if err := (solvers{s}).Remove(ctx, a.Placement); err != nil {
		return errors.Join(fmt.Errorf("the token of order %d", o.ID), err)
	}
	a.Placement = ""
	return nil
}
