package memory

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"orderly/ledger"
	"orderly/limit"
)

// Readers get copies: whoever changes what it was given changes nothing in the book.

// Account implements ledger.Store.
func (s *Store) Account(ctx context.Context, server, url string) (*ledger.Account, error) {
	if err := s.begin(ctx); err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	for _, a := range s.accounts {
		if a.Server == server && a.URL == url {
			found := *a
			return &found, nil
		}
	}
	return nil, none("account", url)
}

// AccountByID implements ledger.Store.
func (s *Store) AccountByID(ctx context.Context, id int64) (*ledger.Account, error) {
	if err := s.begin(ctx); err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	if a, ok := s.accounts[id]; ok {
		found := *a
		return &found, nil
	}
	return nil, none("account", id)
}

// Certificate implements ledger.Store.
func (s *Store) Certificate(ctx context.Context, lineage string) (*ledger.Certificate, error) {
	if err := s.begin(ctx); err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	if c, ok := s.certs[lineage]; ok {
		found := *c
		found.Names = slices.Clone(c.Names)
		return &found, nil
	}
	return nil, none("certificate of", lineage)
}

// Issued implements ledger.Store.
func (s *Store) Issued(
	ctx context.Context, account int64, nameKey string, since time.Time,
) (bool, error) {
	if err := s.begin(ctx); err != nil {
		return false, err
	}
	defer s.mu.Unlock()
	at, there := s.issued[issuance{account, nameKey}]
	return there && at.After(since), nil
}

// Standing implements ledger.Store.
func (s *Store) Standing(ctx context.Context, lineage string) (ledger.Standing, error) {
	if err := s.begin(ctx); err != nil {
		return ledger.Standing{}, err
	}
	defer s.mu.Unlock()
	if s, ok := s.standings[lineage]; ok {
		return s, nil
	}
	return ledger.Standing{Lineage: lineage}, nil
}

// Charges implements ledger.Store.
func (s *Store) Charges(
	ctx context.Context, account int64, names []string, since time.Time,
) ([]ledger.Charge, error) {
	if err := s.begin(ctx); err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	var found []ledger.Charge
	for _, c := range s.charges {
		if c.AccountID == account && slices.Contains(names, c.Name) && !c.At.Before(since) {
			found = append(found, c)
		}
	}
	slices.SortStableFunc(found, func(x, y ledger.Charge) int { return x.At.Compare(y.At) })
	return found, nil
}

// Holds implements ledger.Store.
func (s *Store) Holds(ctx context.Context, account int64, now time.Time) ([]ledger.Hold, error) {
	if err := s.begin(ctx); err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	var found []ledger.Hold
	for _, h := range s.holds {
		if (account == 0 || h.AccountID == account) && (h.Until.After(now) || h.Until.IsZero()) {
			found = append(found, h)
		}
	}
	slices.SortFunc(found, func(x, y ledger.Hold) int {
		return cmp.Or(cmp.Compare(x.AccountID, y.AccountID), strings.Compare(x.Scope, y.Scope))
	})
	return found, nil
}

// Buckets implements ledger.Store.
func (s *Store) Buckets(ctx context.Context, account int64) ([]ledger.Bucket, error) {
	if err := s.begin(ctx); err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	var found []ledger.Bucket
	for _, one := range s.buckets {
		if account == 0 || one.AccountID == account {
			found = append(found, one)
		}
	}
	slices.SortFunc(found, byPlace)
	return found, nil
}

// BucketsOf implements ledger.Store.
func (s *Store) BucketsOf(
	ctx context.Context, account int64, buckets []limit.Bucket,
) ([]ledger.Bucket, error) {
	if err := s.begin(ctx); err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	var found []ledger.Bucket
	for _, b := range buckets {
		if one, there := s.buckets[place{account, b.Name, b.Key}]; there {
			found = append(found, one)
		}
	}
	slices.SortFunc(found, byPlace)
	return slices.Compact(found), nil
}

// byPlace sorts buckets by account, name and key.
func byPlace(x, y ledger.Bucket) int {
	return cmp.Or(cmp.Compare(x.AccountID, y.AccountID), strings.Compare(x.Name, y.Name),
		strings.Compare(x.Key, y.Key))
}

// Runs implements ledger.Store.
func (s *Store) Runs(ctx context.Context, limit int) ([]ledger.Run, error) {
	if err := s.begin(ctx); err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	var found []ledger.Run
	for id := s.last["run"]; id > 0 && (limit <= 0 || len(found) < limit); id-- {
		r := *s.runs[id]
		if e := s.steps[id]; e != nil {
			r.LastStep, r.LastAt, r.LastDetail = e.Kind, e.At, e.Detail
			r.LastLineage, r.LastOrder = e.Lineage, e.OrderID
		}
		found = append(found, r)
	}
	return found, nil
}

// Found implements ledger.Store.
func (s *Store) Found(ctx context.Context, now time.Time) ([]ledger.Found, error) {
	if err := s.begin(ctx); err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	var found []ledger.Found
	for _, f := range s.found {
		if f.Expires.IsZero() || f.Expires.After(now) {
			found = append(found, f)
		}
	}
	slices.SortFunc(found, func(a, b ledger.Found) int {
		return cmp.Or(a.Expires.Compare(b.Expires), strings.Compare(a.URL, b.URL))
	})
	return found, nil
}

// Revocations implements ledger.Store.
func (s *Store) Revocations(ctx context.Context) ([]ledger.Revocation, error) {
	if err := s.begin(ctx); err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	found := slices.Collect(maps.Values(s.revoked))
	slices.SortFunc(found, func(x, y ledger.Revocation) int {
		return cmp.Or(x.At.Compare(y.At), strings.Compare(x.Fingerprint, y.Fingerprint))
	})
	return found, nil
}

// Tasks implements ledger.Store.
func (s *Store) Tasks(ctx context.Context) ([]ledger.Task, error) {
	if err := s.begin(ctx); err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	var found []ledger.Task
	for id := int64(1); id <= s.last["task"]; id++ {
		if t := s.tasks[id]; t.EndedAt.IsZero() {
			found = append(found, *t)
		}
	}
	return found, nil
}

// Events implements ledger.Store.
func (s *Store) Events(ctx context.Context, order int64, limit int) ([]ledger.Event, error) {
	if err := s.begin(ctx); err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	list := s.events
	if order != 0 {
		list = s.histories[order]
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
