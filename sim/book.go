package sim

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"orderly/ledger"
)

// Book is a ledger in memory, with the whole contract of ledger.Store. It outlives the simulated processes that use it, as
// a file would; whatever goes in or comes out is a copy, so that a process that dies leaves nothing behind but what it
// committed.
type Book struct {
	mu        sync.Mutex
	last      map[string]int64 // the last id given, by kind of record
	accounts  map[int64]*ledger.Account
	runs      map[int64]*ledger.Run
	steps     map[int64]*ledger.Event // the last event of each run
	orders    map[int64]*ledger.Order // never changed in place: a save puts a new one there
	active    map[int64]bool          // orders that are live or unsettled
	alive     map[string]int64        // the live order of each account, lineage, profile and name set
	lineages  map[string][]int64
	urls      map[string][]int64
	certs     map[string]*ledger.Certificate
	standings map[string]ledger.Standing
	charges   []ledger.Charge
	holds     map[string]ledger.Hold
	buckets   map[string]ledger.Bucket
	debts     map[int64]*ledger.Debt
	tasks     map[int64]*ledger.Task
	events    []*ledger.Event
	histories map[int64][]*ledger.Event // of each order
	revoked   map[string]ledger.Revocation
}

var _ ledger.Store = (*Book)(nil)

// NewBook returns an empty ledger.
func NewBook() *Book {
	return &Book{last: map[string]int64{}, accounts: map[int64]*ledger.Account{}, runs: map[int64]*ledger.Run{},
		steps: map[int64]*ledger.Event{}, orders: map[int64]*ledger.Order{}, active: map[int64]bool{},
		alive: map[string]int64{}, lineages: map[string][]int64{}, urls: map[string][]int64{},
		certs: map[string]*ledger.Certificate{}, standings: map[string]ledger.Standing{}, holds: map[string]ledger.Hold{},
		buckets: map[string]ledger.Bucket{}, debts: map[int64]*ledger.Debt{}, tasks: map[int64]*ledger.Task{}, histories: map[int64][]*ledger.Event{}, revoked: map[string]ledger.Revocation{}}
}

// Close implements ledger.Store. Nothing is lost by it.
func (b *Book) Close() error { return nil }

// begin takes the book for one call, or says that the call came too late.
func (b *Book) begin(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("reading the ledger: %w", err)
	}
	b.mu.Lock()
	return nil
}

func none(what string, id any) error { return fmt.Errorf("%s %v: %w", what, id, ledger.ErrNone) }

// Account implements ledger.Store.
func (b *Book) Account(ctx context.Context, server, url string) (*ledger.Account, error) {
	if err := b.begin(ctx); err != nil {
		return nil, err
	}
	defer b.mu.Unlock()
	for _, a := range b.accounts {
		if a.Server == server && a.URL == url {
			found := *a
			return &found, nil
		}
	}
	return nil, none("account", url)
}

// AccountByID implements ledger.Store.
func (b *Book) AccountByID(ctx context.Context, id int64) (*ledger.Account, error) {
	if err := b.begin(ctx); err != nil {
		return nil, err
	}
	defer b.mu.Unlock()
	if a, ok := b.accounts[id]; ok {
		found := *a
		return &found, nil
	}
	return nil, none("account", id)
}

// Order implements ledger.Store.
func (b *Book) Order(ctx context.Context, id int64) (*ledger.Order, error) {
	if err := b.begin(ctx); err != nil {
		return nil, err
	}
	defer b.mu.Unlock()
	if o, ok := b.orders[id]; ok {
		return copyOrder(o), nil
	}
	return nil, none("order", id)
}

// Orders implements ledger.Store.
func (b *Book) Orders(ctx context.Context, f ledger.OrderFilter) ([]*ledger.Order, error) {
	if err := b.begin(ctx); err != nil {
		return nil, err
	}
	defer b.mu.Unlock()
	found := b.selected(f)
	for i, o := range found {
		found[i] = copyOrder(o)
	}
	return found, nil
}

// selected are the book's own records that match, oldest first.
func (b *Book) selected(f ledger.OrderFilter) []*ledger.Order {
	var found []*ledger.Order
	ids := b.candidates(f)
	for _, id := range slices.Backward(ids) {
		o := b.orders[id]
		switch {
		case f.Lineage != "" && o.Lineage != f.Lineage, f.AccountID != 0 && o.AccountID != f.AccountID,
			f.Live && !o.State.Live(), f.Unsettled && !o.SettledAt.IsZero(), f.Stands && !stands(o), f.URL != "" && o.URL != f.URL,
			f.NameKey != "" && ledger.NameKey(o.Names) != f.NameKey:
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

// stands reports whether a token of an order still stands.
func stands(o *ledger.Order) bool {
	return slices.ContainsFunc(o.Authorizations, func(a *ledger.Authorization) bool { return a.Placement != "" })
}

// candidates are the ids, ascending, among which all that match are.
func (b *Book) candidates(f ledger.OrderFilter) []int64 {
	switch {
	case f.URL != "":
		return slices.Compact(slices.Sorted(slices.Values(b.urls[f.URL])))
	case f.Live || f.Unsettled:
		return slices.Sorted(maps.Keys(b.active))
	case f.Lineage != "":
		return b.lineages[f.Lineage]
	}
	return slices.Sorted(maps.Keys(b.orders))
}

// Certificate implements ledger.Store.
func (b *Book) Certificate(ctx context.Context, lineage string) (*ledger.Certificate, error) {
	if err := b.begin(ctx); err != nil {
		return nil, err
	}
	defer b.mu.Unlock()
	if c, ok := b.certs[lineage]; ok {
		found := *c
		found.Names = slices.Clone(c.Names)
		return &found, nil
	}
	return nil, none("certificate of", lineage)
}

// Standing implements ledger.Store.
func (b *Book) Standing(ctx context.Context, lineage string) (ledger.Standing, error) {
	if err := b.begin(ctx); err != nil {
		return ledger.Standing{}, err
	}
	defer b.mu.Unlock()
	if s, ok := b.standings[lineage]; ok {
		return s, nil
	}
	return ledger.Standing{Lineage: lineage}, nil
}

// Charges implements ledger.Store.
func (b *Book) Charges(ctx context.Context, account int64, names []string, since time.Time) ([]ledger.Charge, error) {
	if err := b.begin(ctx); err != nil {
		return nil, err
	}
	defer b.mu.Unlock()
	var found []ledger.Charge
	for _, c := range b.charges {
		if c.AccountID == account && slices.Contains(names, c.Name) && !c.At.Before(since) {
			found = append(found, c)
		}
	}
	slices.SortStableFunc(found, func(a, b ledger.Charge) int { return a.At.Compare(b.At) })
	return found, nil
}

// Holds implements ledger.Store.
func (b *Book) Holds(ctx context.Context, account int64, now time.Time) ([]ledger.Hold, error) {
	if err := b.begin(ctx); err != nil {
		return nil, err
	}
	defer b.mu.Unlock()
	var found []ledger.Hold
	for _, h := range b.holds {
		if (account == 0 || h.AccountID == account) && (h.Until.After(now) || h.Until.IsZero()) {
			found = append(found, h)
		}
	}
	slices.SortFunc(found, func(a, b ledger.Hold) int {
		return firstOf(int(a.AccountID-b.AccountID), strings.Compare(a.Scope, b.Scope))
	})
	return found, nil
}

// Buckets implements ledger.Store.
func (b *Book) Buckets(ctx context.Context, account int64) ([]ledger.Bucket, error) {
	if err := b.begin(ctx); err != nil {
		return nil, err
	}
	defer b.mu.Unlock()
	var found []ledger.Bucket
	for _, one := range b.buckets {
		if account == 0 || one.AccountID == account {
			found = append(found, one)
		}
	}
	slices.SortFunc(found, func(x, y ledger.Bucket) int {
		return firstOf(int(x.AccountID-y.AccountID), strings.Compare(x.Name, y.Name), strings.Compare(x.Key, y.Key))
	})
	return found, nil
}

// firstOf is the first comparison that decides.
func firstOf(results ...int) int {
	for _, r := range results {
		if r != 0 {
			return r
		}
	}
	return 0
}

// Runs implements ledger.Store.
func (b *Book) Runs(ctx context.Context, limit int) ([]ledger.Run, error) {
	if err := b.begin(ctx); err != nil {
		return nil, err
	}
	defer b.mu.Unlock()
	var found []ledger.Run
	for id := b.last["run"]; id > 0 && (limit <= 0 || len(found) < limit); id-- {
		r := *b.runs[id]
		if e := b.steps[id]; e != nil {
			r.LastStep, r.LastAt, r.LastDetail, r.LastLineage, r.LastOrder = e.Kind, e.At, e.Detail, e.Lineage, e.OrderID
		}
		found = append(found, r)
	}
	return found, nil
}

// Debts implements ledger.Store.
func (b *Book) Debts(ctx context.Context) ([]ledger.Debt, error) {
	if err := b.begin(ctx); err != nil {
		return nil, err
	}
	defer b.mu.Unlock()
	var found []ledger.Debt
	for id := int64(1); id <= b.last["debt"]; id++ {
		if d := b.debts[id]; d.PaidAt.IsZero() {
			found = append(found, *d)
		}
	}
	return found, nil
}

// Revocations implements ledger.Store.
func (b *Book) Revocations(ctx context.Context) ([]ledger.Revocation, error) {
	if err := b.begin(ctx); err != nil {
		return nil, err
	}
	defer b.mu.Unlock()
	found := slices.Collect(maps.Values(b.revoked))
	slices.SortFunc(found, func(a, c ledger.Revocation) int {
		return cmp.Or(a.At.Compare(c.At), strings.Compare(a.Fingerprint, c.Fingerprint))
	})
	return found, nil
}

// Tasks implements ledger.Store.
func (b *Book) Tasks(ctx context.Context) ([]ledger.Task, error) {
	if err := b.begin(ctx); err != nil {
		return nil, err
	}
	defer b.mu.Unlock()
	var found []ledger.Task
	for id := int64(1); id <= b.last["task"]; id++ {
		if t := b.tasks[id]; t.EndedAt.IsZero() {
			found = append(found, *t)
		}
	}
	return found, nil
}

// Events implements ledger.Store.
func (b *Book) Events(ctx context.Context, order int64, limit int) ([]ledger.Event, error) {
	if err := b.begin(ctx); err != nil {
		return nil, err
	}
	defer b.mu.Unlock()
	list := b.events
	if order != 0 {
		list = b.histories[order]
	}
	if limit > 0 && len(list) > limit {
		list = list[:limit]
	}
	var found []ledger.Event
	for _, e := range list {
		found = append(found, *e)
	}
	return found, nil
}

// Pending implements ledger.Store.
func (b *Book) Pending(ctx context.Context, now time.Time) ([]ledger.Pending, error) {
	if err := b.begin(ctx); err != nil {
		return nil, err
	}
	defer b.mu.Unlock()
	var found []ledger.Pending
	for _, id := range slices.Sorted(maps.Keys(b.orders)) {
		found = append(found, pendingOf(b.orders[id], now)...)
	}
	slices.SortStableFunc(found, func(x, y ledger.Pending) int { return x.Expires.Compare(y.Expires) })
	return found, nil
}

// pendingOf is what one order contributes to Pending.
func pendingOf(o *ledger.Order, now time.Time) []ledger.Pending {
	one := ledger.Pending{OrderID: o.ID, Lineage: o.Lineage, State: o.State, Names: slices.Clone(o.Names), NotBefore: o.NotBefore}
	var found []ledger.Pending
	switch {
	case o.State == ledger.Phantom && (o.Expires.IsZero() || o.Expires.After(now)):
		one.Since, one.Expires = o.CreatedAt, o.Expires
		found = append(found, one)
	case o.State == ledger.Creating && !o.CreateSentAt.IsZero():
		one.Since = o.CreateSentAt
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
		p := ledger.Pending{OrderID: o.ID, Lineage: o.Lineage, State: o.State, Names: []string{a.Name}, URL: a.URL,
			Answered: a.Answered, Since: o.CreatedAt, Expires: end, NotBefore: o.NotBefore}
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
	c.Names, c.Chain = slices.Clone(o.Names), slices.Clone(o.Chain)
	c.Request.Names, c.Request.WebrootPaths = slices.Clone(o.Request.Names), slices.Clone(o.Request.WebrootPaths)
	c.Request.Webroots = maps.Clone(o.Request.Webroots)
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
