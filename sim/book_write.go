package sim

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"orderly/failure"
	"orderly/ledger"
)

// clerk writes one change into a book. After the first error its methods do nothing, and undo takes back the rest.
type clerk struct {
	*Book
	err   error
	undos []func()
}

// Commit implements ledger.Store.
func (b *Book) Commit(ctx context.Context, c *ledger.Change) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("writing the ledger: %w", err)
	}
	w := &clerk{Book: b}
	w.change(c)
	if w.err == nil {
		return nil
	}
	for _, undo := range slices.Backward(w.undos) {
		undo()
	}
	var refused refusal
	if errors.As(w.err, &refused) {
		return refused.error
	}
	return w.err
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
		s.At, s.NextAt, s.RefusedSince, s.LetThroughAt = micro(s.At), micro(s.NextAt), micro(s.RefusedSince), micro(s.LetThroughAt)
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
	for _, s := range c.Spends {
		w.spend(s)
	}
	for _, d := range c.Debts {
		w.debt(d, c.Run)
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
	for i := range c.Events {
		w.event(&c.Events[i], c.Run)
	}
}

// micro is a time as a store keeps it.
func micro(t time.Time) time.Time {
	if t.IsZero() {
		return time.Time{}
	}
	return time.UnixMicro(t.UnixMicro()).UTC()
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
		kept.KeyID, kept.OrdersURL, kept.ShowsProcessing = a.KeyID, a.OrdersURL, a.ShowsProcessing || old.ShowsProcessing
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
	kept.StartedAt, kept.EndedAt, kept.LastStep, kept.LastAt = micro(r.StartedAt), micro(r.EndedAt), "", time.Time{}
	kept.LastDetail, kept.LastLineage, kept.LastOrder = "", "", 0
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
	kept.NotBefore, kept.NotAfter, kept.IssuedAt = micro(cert.NotBefore), micro(cert.NotAfter), micro(cert.IssuedAt)
	give(w, &cert.ID, kept.ID)
	put(w, w.certs, kept.Lineage, &kept)
}

func (w *clerk) spend(s ledger.Spend) {
	if w.err != nil {
		return
	}
	key := fmt.Sprint(s.AccountID, " ", s.Name, " ", s.Key)
	tat, err := s.Next(w.buckets[key].TAT)
	if err != nil {
		w.fail(refusal{err})
		return
	}
	put(w, w.buckets, key, ledger.Bucket{AccountID: s.AccountID, Name: s.Name, Key: s.Key, TAT: micro(tat)})
}

func (w *clerk) debt(d *ledger.Debt, run *ledger.Run) {
	if w.err != nil {
		return
	}
	if old := w.debts[d.ID]; old != nil {
		kept := *old
		kept.PaidAt = micro(d.PaidAt)
		put(w, w.debts, d.ID, &kept)
		return
	}
	if d.ID != 0 {
		w.fail(none("hook owed", d.ID))
		return
	}
	if d.RunID == 0 && run != nil {
		give(w, &d.RunID, run.ID)
	}
	give(w, &d.ID, w.next("debt"))
	kept := *d
	kept.OwedAt, kept.PaidAt = micro(d.OwedAt), micro(d.PaidAt)
	put(w, w.debts, d.ID, &kept)
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

func (w *clerk) order(o *ledger.Order) {
	if w.err != nil {
		return
	}
	kept := copyOrder(o)
	old := w.orders[o.ID]
	switch {
	case o.ID == 0:
		w.fresh(o, kept)
	case old == nil || old.Version != o.Version:
		w.fail(fmt.Errorf("order %d: %w", o.ID, ledger.ErrStale))
	default:
		kept.AccountID, kept.Lineage, kept.Names = old.AccountID, old.Lineage, old.Names
		kept.Profile, kept.CreatedAt = old.Profile, old.CreatedAt
	}
	if w.err == nil {
		w.fail(whole(kept.Request))
	}
	if w.err != nil {
		return
	}
	orderTimes(kept)
	w.authorizations(o, kept, old)
	w.lives(kept, old)
	kept.Version = o.Version + 1
	give(w, &o.Version, kept.Version)
	put(w, w.orders, kept.ID, kept)
	if kept.URL != "" && (old == nil || old.URL != kept.URL) {
		put(w, w.urls, kept.URL, append(slices.Clone(w.urls[kept.URL]), kept.ID))
	}
}

// fresh prepares an order that is not in the book yet.
func (w *clerk) fresh(o, kept *ledger.Order) {
	give(w, &o.Names, ledger.CanonicalNames(o.Names))
	kept.Names = slices.Clone(o.Names)
	w.known(o.AccountID)
	for _, name := range o.Names {
		if name == "" || strings.Contains(name, ",") {
			w.fail(fmt.Errorf("%q cannot be a name of an order", name))
		}
	}
	if w.err != nil {
		return
	}
	kept.ID = w.next("order")
	give(w, &o.ID, kept.ID)
	put(w, w.lineages, kept.Lineage, append(slices.Clone(w.lineages[kept.Lineage]), kept.ID))
}

// lives keeps one live order per account, lineage, profile and name set.
func (w *clerk) lives(kept, old *ledger.Order) {
	key := fmt.Sprint(kept.AccountID, " ", kept.Lineage, " ", kept.Profile, " ", ledger.NameKey(kept.Names))
	holder := w.alive[key]
	switch {
	case kept.State.Live() && holder != 0 && holder != kept.ID:
		w.fail(ledger.ErrLive)
		return
	case kept.State.Live():
		put(w, w.alive, key, kept.ID)
	case old != nil && holder == kept.ID:
		put(w, w.alive, key, 0)
	}
	was := w.active[kept.ID]
	is := kept.State.Live() || kept.SettledAt.IsZero()
	if was == is {
		return
	}
	if is {
		w.active[kept.ID] = true
	} else {
		delete(w.active, kept.ID)
	}
	w.undos = append(w.undos, func() {
		if delete(w.active, kept.ID); was {
			w.active[kept.ID] = true
		}
	})
}

// authorizations lays the saved ones over those that the book has; what is left out stays.
func (w *clerk) authorizations(o, kept, old *ledger.Order) {
	var list []*ledger.Authorization
	if old != nil {
		list = slices.Clone(old.Authorizations)
	}
	for i, a := range kept.Authorizations {
		a.Expires, a.SeenAt, a.AnswerSentAt = micro(a.Expires), micro(a.SeenAt), micro(a.AnswerSentAt)
		if a.ID == 0 {
			a.ID = w.next("authorization")
			give(w, &o.Authorizations[i].ID, a.ID)
			list = append(list, a)
			continue
		}
		at := slices.IndexFunc(list, func(known *ledger.Authorization) bool { return known.ID == a.ID })
		if at < 0 {
			w.fail(none("authorization", a.ID))
			return
		}
		list[at] = a
	}
	kept.Authorizations = list
}

func orderTimes(o *ledger.Order) {
	for _, t := range []*time.Time{&o.CreatedAt, &o.UpdatedAt, &o.SettledAt, &o.NotBefore, &o.Expires, &o.CreateSentAt,
		&o.FinalizeSentAt, &o.InstalledAt, &o.DeployedAt} {
		*t = micro(*t)
	}
}

// whole refuses a request with strings that JSON would not give back.
func whole(r ledger.Request) error {
	texts := slices.Concat([]string{r.Lineage, r.Server}, r.Names, r.WebrootPaths, slices.Collect(maps.Keys(r.Webroots)), slices.Collect(maps.Values(r.Webroots)))
	for _, s := range texts {
		if !utf8.ValidString(s) {
			text, _ := json.Marshal(s)
			return failure.New(failure.Config, "Rename the directory or file.", "a name or path is not UTF-8: %s", text)
		}
	}
	return nil
}
