package sqlstore

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"orderly/ledger"
	"orderly/limit"
)

// Reads of everything but orders. Each is one statement, so that it sees one state of the ledger.

const accountColumns = `id, server, key_id, url, orders_url, created_at, shows_processing, unlisted_at`

// Account implements ledger.Store.
func (s *Store) Account(ctx context.Context, server, url string) (*ledger.Account, error) {
	return s.account(ctx, `SELECT `+accountColumns+` FROM accounts WHERE server = ? AND url = ?`,
		server, url)
}

// AccountByID implements ledger.Store.
func (s *Store) AccountByID(ctx context.Context, id int64) (*ledger.Account, error) {
	return s.account(ctx, `SELECT `+accountColumns+` FROM accounts WHERE id = ?`, id)
}

func (s *Store) account(ctx context.Context, query string, args ...any) (*ledger.Account, error) {
	var found *ledger.Account
	err := s.query(ctx, s.readers, func(r row) error {
		found = &ledger.Account{}
		return r.Scan(&found.ID, &found.Server, &found.KeyID, &found.URL, &found.OrdersURL,
			at(&found.CreatedAt), &found.ShowsProcessing, at(&found.UnlistedAt))
	}, query, args...)
	if err == nil && found == nil {
		err = fmt.Errorf("account %v: %w", args, ledger.ErrNone)
	}
	return found, err
}

// Certificate implements ledger.Store.
func (s *Store) Certificate(ctx context.Context, lineage string) (*ledger.Certificate, error) {
	var found *ledger.Certificate
	err := s.query(ctx, s.readers, func(r row) error {
		found = &ledger.Certificate{}
		c := found
		return r.Scan(&c.ID, &c.OrderID, &c.AccountID, &c.Lineage, list(&c.Names), &c.Serial,
			at(&c.NotBefore), at(&c.NotAfter), &c.RenewalID, &c.Fingerprint, at(&c.IssuedAt))
	}, `SELECT id, order_id, account_id, lineage, names, serial, not_before, not_after, renewal_id, sha256, issued_at
		FROM certificates WHERE lineage = ? ORDER BY id DESC LIMIT 1`, lineage)
	if err == nil && found == nil {
		err = fmt.Errorf("certificate of %s: %w", lineage, ledger.ErrNone)
	}
	return found, err
}

// Issued implements ledger.Store.
func (s *Store) Issued(ctx context.Context, account int64, nameKey string,
	since time.Time) (bool, error) {
	found := false
	err := s.query(ctx, s.readers, func(r row) error {
		found = true
		var id int64
		return r.Scan(&id)
	}, `SELECT id FROM certificates WHERE account_id = ? AND name_key = ? AND issued_at > ? LIMIT 1`,
		account, nameKey, micros(since))
	return found, err
}

// Standing implements ledger.Store.
func (s *Store) Standing(ctx context.Context, lineage string) (ledger.Standing, error) {
	found := ledger.Standing{Lineage: lineage}
	err := s.query(ctx, s.readers, func(r row) error {
		f := &found
		return r.Scan(&f.Class, &f.Sentence, &f.Remedy, at(&f.At), &f.Failures, at(&f.NextAt),
			&f.Fingerprint, at(&f.RefusedSince), at(&f.LetThroughAt))
	}, `SELECT class, sentence, remedy, at, failures, next_at, fingerprint, refused_since, let_through_at
		FROM standings WHERE lineage = ?`, lineage)
	return found, err
}

// Charges implements ledger.Store.
func (s *Store) Charges(ctx context.Context, account int64, names []string,
	since time.Time) ([]ledger.Charge, error) {
	args := []any{account, micros(since)}
	for _, name := range names {
		args = append(args, name)
	}
	var found []ledger.Charge
	err := s.query(ctx, s.readers, func(r row) error {
		var c ledger.Charge
		err := r.Scan(&c.AccountID, &c.Name, &c.OrderID, at(&c.At), &c.Class)
		found = append(found, c)
		return err
	}, `SELECT account_id, name, order_id, at, class FROM charges WHERE account_id = ? AND at >= ? AND name IN (`+
		marks(len(names))+`) ORDER BY at, id`, args...)
	return found, err
}

// Holds implements ledger.Store.
func (s *Store) Holds(ctx context.Context, account int64, now time.Time) ([]ledger.Hold, error) {
	var found []ledger.Hold
	err := s.query(ctx, s.readers, func(r row) error {
		var h ledger.Hold
		err := r.Scan(&h.AccountID, &h.Scope, at(&h.Until), &h.Class, &h.Detail, &h.URL)
		found = append(found, h)
		return err
	}, `SELECT account_id, scope, until_at, class, detail, url FROM holds
		WHERE (account_id = ? OR ? = 0) AND (until_at > ? OR until_at = 0) ORDER BY account_id, scope`, account, account, micros(now))
	return found, err
}

// Buckets implements ledger.Store.
func (s *Store) Buckets(ctx context.Context, account int64) ([]ledger.Bucket, error) {
	return s.buckets(ctx, `account_id = ? OR ? = 0`, account, account)
}

// BucketsOf implements ledger.Store.
func (s *Store) BucketsOf(
	ctx context.Context, account int64, buckets []limit.Bucket,
) ([]ledger.Bucket, error) {
	if len(buckets) == 0 {
		return nil, nil // no database has an empty VALUES
	}
	args := []any{account}
	for _, b := range buckets {
		args = append(args, b.Name, b.Key)
	}
	return s.buckets(ctx, `account_id = ? AND (name, bucket_key) IN (VALUES `+
		strings.TrimSuffix(strings.Repeat("(?, ?), ", len(buckets)), ", ")+`)`, args...)
}

func (s *Store) buckets(ctx context.Context, where string, args ...any) ([]ledger.Bucket, error) {
	var found []ledger.Bucket
	err := s.query(ctx, s.readers, func(r row) error {
		var b ledger.Bucket
		err := r.Scan(&b.AccountID, &b.Name, &b.Key, at(&b.TAT))
		found = append(found, b)
		return err
	}, `SELECT account_id, name, bucket_key, tat FROM buckets WHERE `+where+`
		ORDER BY account_id, name, bucket_key`, args...)
	return found, err
}

// Runs implements ledger.Store.
func (s *Store) Runs(ctx context.Context, limit int) ([]ledger.Run, error) {
	var found []ledger.Run
	err := s.query(ctx, s.readers, func(r row) error {
		var run ledger.Run
		err := r.Scan(&run.ID, &run.Command, &run.PID, at(&run.StartedAt), at(&run.EndedAt),
			&run.Outcome, &run.ExitCode, &run.Detail, &run.Round, &run.LastStep, at(&run.LastAt),
			&run.LastDetail, &run.LastLineage, &run.LastOrder)
		found = append(found, run)
		return err
	}, `SELECT r.id, r.command, r.pid, r.started_at, r.ended_at, r.outcome, r.exit_code, r.detail, r.round,
			COALESCE(e.kind, ''), COALESCE(e.at, 0), COALESCE(e.detail, ''), COALESCE(e.lineage, ''), COALESCE(e.order_id, 0)
		FROM runs r LEFT JOIN events e ON e.id = (SELECT MAX(id) FROM events WHERE run_id = r.id)
		ORDER BY r.id DESC LIMIT ?`, cap64(limit))
	return found, err
}

// Found implements ledger.Store.
func (s *Store) Found(ctx context.Context, now time.Time) ([]ledger.Found, error) {
	var found []ledger.Found
	err := s.query(ctx, s.readers, func(r row) error {
		var f ledger.Found
		err := r.Scan(&f.URL, &f.Order, &f.Name, &f.Account, &f.Server, &f.Host, &f.File, &f.Line, &f.Doubt,
			at(&f.Expires), at(&f.FoundAt), at(&f.CheckedAt), &f.Status)
		found = append(found, f)
		return err
	}, `SELECT url, order_url, name, account, server, host, file, line, doubt, expires_at, found_at, checked_at, status
		FROM found WHERE expires_at > ? OR expires_at = 0 ORDER BY expires_at, url`, micros(now))
	return found, err
}

// Revocations implements ledger.Store.
func (s *Store) Revocations(ctx context.Context) ([]ledger.Revocation, error) {
	var found []ledger.Revocation
	err := s.query(ctx, s.readers, func(r row) error {
		var v ledger.Revocation
		err := r.Scan(&v.Fingerprint, &v.Serial, &v.Lineage, &v.Reason, at(&v.At))
		found = append(found, v)
		return err
	}, `SELECT sha256, serial, lineage, reason, revoked_at FROM revocations ORDER BY revoked_at, sha256`)
	return found, err
}

// Tasks implements ledger.Store.
func (s *Store) Tasks(ctx context.Context) ([]ledger.Task, error) {
	var found []ledger.Task
	err := s.query(ctx, s.readers, func(r row) error {
		var t ledger.Task
		err := r.Scan(&t.ID, &t.RunID, &t.Kind, &t.Subject, &t.Step, &t.Payload, at(&t.BegunAt),
			at(&t.EndedAt))
		found = append(found, t)
		return err
	}, `SELECT id, run_id, kind, subject, step, payload, begun_at, ended_at FROM tasks WHERE ended_at = 0 ORDER BY id`)
	return found, err
}

// Events implements ledger.Store.
func (s *Store) Events(ctx context.Context, order int64, limit int) ([]ledger.Event, error) {
	where, args := "", []any{}
	if order != 0 {
		where, args = "WHERE order_id = ?", append(args, order)
	}
	var found []ledger.Event
	err := s.query(ctx, s.readers, func(r row) error {
		var e ledger.Event
		err := r.Scan(&e.ID, at(&e.At), &e.RunID, &e.OrderID, &e.Lineage, &e.Kind, &e.Detail)
		found = append(found, e)
		return err
	}, `SELECT id, at, run_id, order_id, lineage, kind, detail FROM events `+where+` ORDER BY id LIMIT ?`,
		append(args, cap64(limit))...)
	return found, err
}

// cap64 turns "0: no limit" into a number that both databases take.
func cap64(limit int) int64 {
	if limit <= 0 {
		return 1 << 62
	}
	return int64(limit)
}

// names scans a JSON list of strings.
type names struct{ list *[]string }

func list(l *[]string) names { return names{l} }

// Scan implements sql.Scanner.
func (n names) Scan(src any) error {
	text, ok := src.(string)
	if !ok {
		return fmt.Errorf("a list is stored as %T, not as text", src)
	}
	return json.Unmarshal([]byte(text), n.list)
}
