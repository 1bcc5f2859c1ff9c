package sqlstore

// What `failures` and `why` read: what is known of all lineages, and what was never ordered.

import (
	"context"
	"time"

	"orderly/ledger"
)

// Standings implements ledger.Store.
func (s *Store) Standings(ctx context.Context) ([]ledger.Standing, error) {
	var found []ledger.Standing
	err := s.query(ctx, s.readers, func(r row) error {
		var f ledger.Standing
		err := r.Scan(&f.Lineage, &f.Class, &f.Sentence, &f.Remedy, at(&f.At), &f.Failures,
			at(&f.NextAt), &f.Fingerprint, at(&f.RefusedSince), at(&f.LetThroughAt))
		found = append(found, f)
		return err
	}, `SELECT lineage, class, sentence, remedy, at, failures, next_at, fingerprint, refused_since, let_through_at
		FROM standings ORDER BY lineage`)
	return found, err
}

// Refusals implements ledger.Store.
func (s *Store) Refusals(ctx context.Context, lineage string, since time.Time) ([]ledger.Event,
	error) {
	where, args := "", []any{ledger.Refused, micros(since)}
	if lineage != "" {
		where, args = " AND lineage = ?", append(args, lineage)
	}
	var found []ledger.Event
	err := s.query(ctx, s.readers, func(r row) error {
		var e ledger.Event
		err := r.Scan(&e.ID, at(&e.At), &e.RunID, &e.OrderID, &e.Lineage, &e.Kind, &e.Detail)
		found = append(found, e)
		return err
	}, `SELECT id, at, run_id, order_id, lineage, kind, detail FROM events
		WHERE kind = ? AND at >= ?`+where+` ORDER BY id`, args...)
	return found, err
}
