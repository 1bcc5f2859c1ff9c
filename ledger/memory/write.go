package memory

import (
	"context"
	"fmt"
	"slices"
	"time"

	"orderly/ledger"
)

// A change of a store in memory is undone by hand where it fails, since no database does it.

// clerk writes one change. After the first error its methods do nothing, and the undos take back
// the rest.
type clerk struct {
	*Store
	spent []spent // the outcomes of the change's Spends
	err   error
	undos []func()
}

// Commit implements ledger.Store.
func (s *Store) Commit(ctx context.Context, c *ledger.Change) error {
	if c.Empty() {
		return nil
	}
	select {
	case s.writing <- struct{}{}:
		defer func() { <-s.writing }()
	case <-ctx.Done():
	}
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("writing the ledger: %w", err)
	}
	undos, err := s.write(c)
	if err == nil {
		s.keep(undos, !c.Unsynced)
		s.commits.Add(1)
	}
	return err
}

// refusal is the error of a Spend, which Commit answers as it is.
type refusal struct{ error }

// give sets a field until undo.
func give[T any](w *clerk, field *T, value T) {
	old := *field
	*field = value
	w.undos = append(w.undos, func() { *field = old })
}

// put sets an element of a map until undo.
func put[K comparable, V any](w *clerk, m map[K]V, key K, value V) {
	old, was := m[key]
	m[key] = value
	w.undos = append(w.undos, func() {
		if delete(m, key); was {
			m[key] = old
		}
	})
}

// next gives the next id of a kind.
func (w *clerk) next(kind string) int64 {
	put(w, w.last, kind, w.last[kind]+1)
	return w.last[kind]
}

func (w *clerk) fail(err error) {
	if w.err == nil {
		w.err = err
	}
}

func (w *clerk) change(c *ledger.Change) {
	for _, g := range c.Guards {
		w.guard(g)
	}
	w.account(c.Account)
	w.run(c.Run)
	for _, o := range c.Orders {
		if c.Account != nil && o.AccountID == 0 {
			give(w, &o.AccountID, c.Account.ID)
		}
		w.order(o)
	}
	w.certificate(c)
	for _, s := range c.Standings {
		s.At, s.NextAt = micro(s.At), micro(s.NextAt)
		s.RefusedSince, s.LetThroughAt = micro(s.RefusedSince), micro(s.LetThroughAt)
		put(w, w.standings, s.Lineage, s)
	}
	for _, one := range c.Charges {
		w.known(one.AccountID)
		one.At = micro(one.At)
		give(w, &w.charges, append(w.charges[:len(w.charges):len(w.charges)], one))
	}
	for _, h := range c.Holds {
		w.known(h.AccountID)
		h.Until = micro(h.Until)
		put(w, w.holds, fmt.Sprint(h.AccountID, " ", h.Scope), h)
	}
	for _, s := range w.spent {
		w.spend(s)
	}
	for _, t := range c.Tasks {
		w.task(t, c.Run)
	}
	for _, v := range c.Revocations {
		if _, there := w.revoked[v.Fingerprint]; !there && w.err == nil {
			v.At = micro(v.At)
			put(w, w.revoked, v.Fingerprint, v)
		}
	}
	for _, f := range c.Found {
		if old, there := w.found[f.URL]; there && f.Status == "" && old.Status != "" {
			continue
		}
		f.Expires, f.FoundAt, f.CheckedAt = micro(f.Expires), micro(f.FoundAt), micro(f.CheckedAt)
		put(w, w.found, f.URL, f)
	}
	if over := micro(c.FoundOver); !over.IsZero() {
		w.forgetFound(over)
	}
	for _, f := range c.Logged {
		w.logged(f)
	}
	if over := micro(c.LoggedOver); !over.IsZero() {
		w.forgetLogged(over)
	}
	for _, i := range c.RenewalInfos {
		w.renewalInfo(i)
	}
	if over := micro(c.RenewalInfosOver); !over.IsZero() {
		w.forgetRenewalInfos(over)
	}
	w.seen(c)
	for i := range c.Events {
		w.event(&c.Events[i], c.Run)
	}
}

// forgetFound removes what expired before a moment.
func (w *clerk) forgetFound(over time.Time) {
	for url, f := range w.found {
		if !f.Expires.IsZero() && f.Expires.Before(over) {
			delete(w.found, url)
			w.undos = append(w.undos, func() { w.found[url] = f })
		}
	}
}

func (w *clerk) guard(g ledger.Guard) {
	if newest, known := w.fences[g.Key]; known && g.Fence < newest {
		w.fail(fmt.Errorf("under the lock %q: %w", g.Key, ledger.ErrLost))
		return
	}
	put(w, w.fences, g.Key, g.Fence)
}

func (w *clerk) known(account int64) {
	if w.accounts[account] == nil {
		w.fail(fmt.Errorf("there is no account %d", account))
	}
}

func (w *clerk) account(a *ledger.Account) {
	if a == nil {
		return
	}
	for id, old := range w.accounts {
		if old.Server != a.Server || old.URL != a.URL {
			continue
		}
		kept := *old
		kept.KeyID, kept.OrdersURL, kept.UnlistedAt = a.KeyID, a.OrdersURL, micro(a.UnlistedAt)
		kept.ShowsProcessing = a.ShowsProcessing || old.ShowsProcessing
		put(w, w.accounts, id, &kept)
		give(w, &a.ID, id)
		return
	}
	kept := *a
	kept.ID, kept.CreatedAt = w.next("account"), micro(a.CreatedAt)
	put(w, w.accounts, kept.ID, &kept)
	give(w, &a.ID, kept.ID)
}

func (w *clerk) run(r *ledger.Run) {
	if r == nil || w.err != nil {
		return
	}
	kept := *r
	kept.StartedAt, kept.EndedAt = micro(r.StartedAt), micro(r.EndedAt)
	kept.LastStep, kept.LastAt, kept.LastDetail = "", time.Time{}, ""
	kept.LastLineage, kept.LastOrder = "", 0
	if r.ID == 0 {
		kept.ID = w.next("run")
		give(w, &r.ID, kept.ID)
	} else if old := w.runs[r.ID]; old != nil {
		kept.Command, kept.PID, kept.StartedAt = old.Command, old.PID, old.StartedAt
	} else {
		w.fail(none("run", r.ID))
		return
	}
	put(w, w.runs, kept.ID, &kept)
}

func (w *clerk) certificate(c *ledger.Change) {
	cert := c.Certificate
	if cert == nil || w.err != nil {
		return
	}
	if cert.OrderID == 0 && len(c.Orders) > 0 {
		give(w, &cert.OrderID, c.Orders[0].ID)
	}
	w.known(cert.AccountID)
	if w.orders[cert.OrderID] == nil {
		w.fail(fmt.Errorf("there is no order %d", cert.OrderID))
	}
	kept := *cert
	kept.ID, kept.Names = w.next("certificate"), slices.Clone(cert.Names)
	kept.NotBefore, kept.NotAfter = micro(cert.NotBefore), micro(cert.NotAfter)
	kept.IssuedAt = micro(cert.IssuedAt)
	give(w, &cert.ID, kept.ID)
	put(w, w.certs, kept.Lineage, &kept)
	set := issuance{kept.AccountID, ledger.NameKey(kept.Names)}
	if kept.IssuedAt.After(w.issued[set]) {
		put(w, w.issued, set, kept.IssuedAt)
	}
}

// spent is what a Spend came to.
type spent struct {
	place
	tat time.Time
	err error
}

// ask asks the Spends of a change, one after the other. Reads go on meanwhile; no other Commit
// does.
func (s *Store) ask(spends []ledger.Spend) []spent {
	var all []spent
	for _, one := range spends {
		at := place{one.AccountID, one.Name, one.Key}
		tat := s.tat(at)
		for _, earlier := range all {
			if earlier.place == at {
				tat = earlier.tat
			}
		}
		tat, err := one.Next(tat)
		all = append(all, spent{at, micro(tat), err})
		if err != nil {
			break
		}
	}
	return all
}

// tat is what a bucket has now, zero for one that is not there.
func (s *Store) tat(at place) time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.buckets[at].TAT
}

func (w *clerk) spend(s spent) {
	switch {
	case w.err != nil:
	case s.err != nil:
		w.fail(refusal{s.err})
	default:
		put(w, w.buckets, s.place,
			ledger.Bucket{AccountID: s.account, Name: s.name, Key: s.key, TAT: s.tat})
	}
}

func (w *clerk) task(t *ledger.Task, run *ledger.Run) {
	if w.err != nil {
		return
	}
	if old := w.tasks[t.ID]; old != nil {
		kept := *old
		kept.Step, kept.Payload, kept.EndedAt = t.Step, t.Payload, micro(t.EndedAt)
		put(w, w.tasks, t.ID, &kept)
		return
	}
	if t.ID != 0 {
		w.fail(none("task", t.ID))
		return
	}
	if t.RunID == 0 && run != nil {
		give(w, &t.RunID, run.ID)
	}
	give(w, &t.ID, w.next("task"))
	kept := *t
	kept.BegunAt, kept.EndedAt = micro(t.BegunAt), micro(t.EndedAt)
	put(w, w.tasks, t.ID, &kept)
}

func (w *clerk) event(e *ledger.Event, run *ledger.Run) {
	if w.err != nil {
		return
	}
	if e.OrderID == 0 && e.Of != nil {
		if e.Of.ID == 0 {
			w.fail(fmt.Errorf("event %q is of an order that is not in the ledger", e.Kind))
			return
		}
		give(w, &e.OrderID, e.Of.ID)
		give(w, &e.Lineage, e.Of.Lineage)
	}
	if e.RunID == 0 && run != nil {
		give(w, &e.RunID, run.ID)
	}
	give(w, &e.ID, w.next("event"))
	kept := *e
	kept.At, kept.Of = micro(e.At), nil
	give(w, &w.events, append(w.events, &kept))
	put(w, w.histories, e.OrderID, append(w.histories[e.OrderID], &kept))
	put(w, w.steps, e.RunID, &kept)
}
