package memory

import (
	"context"
	"maps"
	"slices"
	"time"

	"orderly/ledger"
)

// Which orders match is asked by plain loops over an index or two: a simulated year has thousands
// of orders, not millions.

// Order implements ledger.Store.
func (s *Store) Order(ctx context.Context, id int64) (*ledger.Order, error) {
	if err := s.begin(ctx); err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	if o, ok := s.orders[id]; ok {
		return copyOrder(o), nil
	}
	return nil, none("order", id)
}

// Orders implements ledger.Store.
func (s *Store) Orders(ctx context.Context, f ledger.OrderFilter) ([]*ledger.Order, error) {
	if err := s.begin(ctx); err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	found := s.selected(f)
	for i, o := range found {
		found[i] = copyOrder(o)
	}
	return found, nil
}

// Peek returns the orders that match, oldest first: the store's own records, which must not be
// changed. It is for judges that look after every request, and for whom copies would cost more than
// all that they judge.
func (s *Store) Peek(f ledger.OrderFilter) []*ledger.Order {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.selected(f)
}

func (s *Store) selected(f ledger.OrderFilter) []*ledger.Order {
	var found []*ledger.Order
	ids := s.candidates(f)
	for _, id := range slices.Backward(ids) {
		o := s.orders[id]
		if !matches(o, f) {
			continue
		}
		found = append(found, o)
		if len(found) == f.Limit {
			break
		}
	}
	slices.Reverse(found)
	return found
}

// Owners returns the orders that have a URL at the CA, or once had it, as Peek does.
func (s *Store) Owners(url string) []*ledger.Order {
	s.mu.Lock()
	defer s.mu.Unlock()
	var found []*ledger.Order
	for _, id := range s.urls[url] {
		found = append(found, s.orders[id])
	}
	return found
}

// matches reports whether an order is one that a filter selects.
func matches(o *ledger.Order, f ledger.OrderFilter) bool {
	switch {
	case f.Lineage != "" && o.Lineage != f.Lineage,
		f.AccountID != 0 && o.AccountID != f.AccountID,
		f.Live && !o.State.Live(),
		f.Unsettled && !o.SettledAt.IsZero(),
		f.Stands && !stands(o),
		f.URL != "" && o.URL != f.URL,
		f.NameKey != "" && ledger.NameKey(o.Names) != f.NameKey,
		!f.Since.IsZero() && o.UpdatedAt.Before(f.Since),
		f.Sharing != nil && !(o.State.Live() && share(o.Names, f.Sharing)):
		return false
	}
	return true
}

// share reports whether an order's names and any others have one in common.
func share(names, others []string) bool {
	others = ledger.CanonicalNames(others)
	return slices.ContainsFunc(names,
		func(name string) bool { return slices.Contains(others, name) })
}

// stands reports whether a token of an order still stands.
func stands(o *ledger.Order) bool {
	return slices.ContainsFunc(o.Authorizations, func(a *ledger.Authorization) bool {
		return a.Placement != ""
	})
}

// candidates are the ids, ascending, among which all that match are.
func (s *Store) candidates(f ledger.OrderFilter) []int64 {
	switch {
	case f.URL != "":
		return slices.Compact(slices.Sorted(slices.Values(s.urls[f.URL])))
	case f.Live || f.Unsettled || f.Sharing != nil:
		return slices.Sorted(maps.Keys(s.active))
	case f.Lineage != "":
		return s.lineages[f.Lineage]
	}
	return slices.Sorted(maps.Keys(s.orders))
}

// Pending implements ledger.Store.
func (s *Store) Pending(ctx context.Context, now time.Time) ([]ledger.Pending, error) {
	if err := s.begin(ctx); err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	var found []ledger.Pending
	for _, id := range slices.Sorted(maps.Keys(s.orders)) {
		found = append(found, pendingOf(s.orders[id], now)...)
	}
	slices.SortStableFunc(found, func(x, y ledger.Pending) int { return x.Expires.Compare(y.Expires) })
	return found, nil
}

// pendingOf is what one order contributes to Pending.
func pendingOf(o *ledger.Order, now time.Time) []ledger.Pending {
	one := ledger.Pending{OrderID: o.ID, Lineage: o.Lineage, State: o.State,
		Names: slices.Clone(o.Names), NotBefore: o.NotBefore}
	var found []ledger.Pending
	switch {
	case o.State == ledger.Phantom && (o.Expires.IsZero() || o.Expires.After(now)):
		one.Since, one.Expires = o.CreatedAt, o.Expires
		found = append(found, one)
	case o.State == ledger.Creating && !o.CreateSentAt.IsZero():
		one.Since = o.CreateSentAt
		for range max(1, o.CreateSends) { // each may have made an order
			found = append(found, one)
		}
	case o.State == ledger.PendingState && len(o.Authorizations) == 0 && (o.Expires.IsZero() || o.Expires.After(now)):
		one.Since, one.Expires = o.CreatedAt, o.Expires
		found = append(found, one)
	}
	for _, a := range o.Authorizations {
		end := a.Expires
		if end.IsZero() {
			end = o.Expires
		}
		if a.Status != ledger.AuthorizationPending || !end.IsZero() && !end.After(now) {
			continue
		}
		p := one
		p.Names, p.URL, p.Answered = []string{a.Name}, a.URL, a.Answered
		p.Since, p.Expires = o.CreatedAt, end
		if a.Name == "" {
			p.Names = slices.Clone(o.Names)
		}
		found = append(found, p)
	}
	return found
}

// copyOrder copies an order with everything that hangs on it.
func copyOrder(o *ledger.Order) *ledger.Order {
	c := *o
	c.Names, c.Chain, c.Problem = slices.Clone(o.Names), slices.Clone(o.Chain), slices.Clone(o.Problem)
	c.Alternates = nil
	for _, chain := range o.Alternates {
		c.Alternates = append(c.Alternates, slices.Clone(chain))
	}
	c.Request.Names, c.Request.CSR = slices.Clone(o.Request.Names), slices.Clone(o.Request.CSR)
	c.Authorizations = nil
	if n := len(o.Authorizations); n > 0 {
		block := make([]ledger.Authorization, n)
		c.Authorizations = make([]*ledger.Authorization, n)
		for i, a := range o.Authorizations {
			block[i] = *a
			c.Authorizations[i] = &block[i]
		}
	}
	return &c
}
