package sqlstore

// What CAs said of when certificates should be renewed. A round over thousands of lineages reads
// all of it with one statement.

import (
	"context"

	"orderly/ledger"
)

const renewalInfoColumns = `server, id, lineage, start_at, end_at, moment, early, explanation, first_at,
	asked_at, next_at, expires_at`

// renewalInfo keeps an answer. Two runs that ask at once draw two moments in one window: the first
// that was durable stays.
func (w *writer) renewalInfo(i ledger.RenewalInfo) {
	const same = `renewal_infos.moment <> 0 AND renewal_infos.start_at = excluded.start_at
		AND renewal_infos.end_at = excluded.end_at`
	w.exec(`INSERT INTO renewal_infos (`+renewalInfoColumns+`) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (server, id) DO UPDATE SET lineage = excluded.lineage,
			moment = CASE WHEN `+same+` THEN renewal_infos.moment ELSE excluded.moment END,
			early = CASE WHEN `+same+` THEN renewal_infos.early ELSE excluded.early END,
			start_at = excluded.start_at, end_at = excluded.end_at, explanation = excluded.explanation,
			asked_at = excluded.asked_at, next_at = excluded.next_at, expires_at = excluded.expires_at`,
		i.Server, i.ID, i.Lineage, micros(i.Start), micros(i.End), micros(i.Moment), number(i.Early),
		i.Explanation, micros(i.FirstAt), micros(i.AskedAt), micros(i.NextAt), micros(i.Expires))
}

// RenewalInfos implements ledger.Store.
func (s *Store) RenewalInfos(ctx context.Context, lineage string) ([]ledger.RenewalInfo, error) {
	where, args := "", []any{}
	if lineage != "" {
		where, args = `WHERE lineage IN (?, '')`, append(args, lineage)
	}
	var found []ledger.RenewalInfo
	var i ledger.RenewalInfo // each row fills all of it: there are thousands
	columns := []any{&i.Server, &i.ID, &i.Lineage, at(&i.Start), at(&i.End), at(&i.Moment), &i.Early,
		&i.Explanation, at(&i.FirstAt), at(&i.AskedAt), at(&i.NextAt), at(&i.Expires)}
	err := s.query(ctx, s.readers, func(r row) error {
		err := r.Scan(columns...)
		found = append(found, i)
		return err
	}, `SELECT `+renewalInfoColumns+` FROM renewal_infos `+where+` ORDER BY server, id`, args...)
	return found, err
}
