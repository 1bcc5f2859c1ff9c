package memory

// What `failures` and `why` read: what is known of all lineages, and what was never ordered.

import (
	"context"
	"maps"
	"slices"
	"time"

	"orderly/ledger"
)

// Standings implements ledger.Store.
func (s *Store) Standings(ctx context.Context) ([]ledger.Standing, error) {
	if err := s.begin(ctx); err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	var found []ledger.Standing
	for _, lineage := range slices.Sorted(maps.Keys(s.standings)) {
		found = append(found, s.standings[lineage])
	}
	return found, nil
}

// Refusals implements ledger.Store.
func (s *Store) Refusals(ctx context.Context, lineage string, since time.Time) ([]ledger.Event,
	error) {
	if err := s.begin(ctx); err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	var found []ledger.Event
	for _, e := range s.events {
		if e.Kind == ledger.Refused && !e.At.Before(since) && (lineage == "" || e.Lineage == lineage) {
			found = append(found, *e)
		}
	}
	return found, nil
}
