package sqlstore

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"orderly/ledger"
)

// Orders are read with their authorizations, in one transaction: an order without them looks
// finished.

const orderColumns = `id, version, account_id, lineage, name_key, profile, state, request, created_at, updated_at,
	settled_at, not_before, superseded, releasing, missing_since, url, finalize_url, certificate_url, ca_status, expires_at, replaces,
	create_sent_at, create_sends, key_path, key_sha256, csr_path, csr_sha256, finalize_sent_at, chain, alternates,
	installed_at, redeploys, deployed_at, class, sentence, remedy, problem`

// live is the condition of the partial index orders_live, to the letter.
const live = `state IN ('creating', 'pending', 'ready', 'processing', 'valid')`

func scanOrder(r row) (*ledger.Order, error) {
	o := &ledger.Order{}
	var nameKey, request, chain, alternates, problem string
	err := r.Scan(&o.ID, &o.Version, &o.AccountID, &o.Lineage, &nameKey, &o.Profile, &o.State,
		&request, at(&o.CreatedAt), at(&o.UpdatedAt), at(&o.SettledAt), at(&o.NotBefore),
		&o.Superseded, &o.Releasing, at(&o.MissingSince), &o.URL, &o.Finalize, &o.Certificate,
		&o.CAStatus, at(&o.Expires), &o.Replaces, at(&o.CreateSentAt), &o.CreateSends, &o.Key.Path,
		&o.Key.SHA256, &o.CSR.Path, &o.CSR.SHA256, at(&o.FinalizeSentAt), &chain, &alternates,
		at(&o.InstalledAt), &o.Redeploys, at(&o.DeployedAt), &o.Class, &o.Sentence, &o.Remedy,
		&problem)
	if err != nil {
		return nil, err
	}
	o.Names = splitKey(nameKey)
	if chain != "" {
		o.Chain = []byte(chain)
	}
	if problem != "" {
		o.Problem = json.RawMessage(problem)
	}
	if err := unmarshalIf(alternates, &o.Alternates); err != nil {
		return nil, fmt.Errorf("the chains of order %d: %w", o.ID, err)
	}
	if err := json.Unmarshal([]byte(request), &o.Request); err != nil {
		return nil, fmt.Errorf("the request of order %d: %w", o.ID, err)
	}
	return o, nil
}

// unmarshalIf reads JSON where there is any.
func unmarshalIf(text string, into any) error {
	if text == "" {
		return nil
	}
	return json.Unmarshal([]byte(text), into)
}

// splitKey takes a ledger.NameKey apart.
func splitKey(key string) []string {
	if key == "" {
		return []string{} // strings.Split would make one empty name of it
	}
	return strings.Split(key, ",")
}

// Order implements ledger.Store.
func (s *Store) Order(ctx context.Context, id int64) (*ledger.Order, error) {
	found, err := s.orders(ctx, "id = ? ORDER BY id", []any{id}, 0)
	if err == nil && len(found) == 0 {
		return nil, fmt.Errorf("order %d: %w", id, ledger.ErrNone)
	}
	if err != nil {
		return nil, err
	}
	return found[0], nil
}

// Orders implements ledger.Store.
func (s *Store) Orders(ctx context.Context, f ledger.OrderFilter) ([]*ledger.Order, error) {
	where, args := conditions(f)
	newestFirst := " ORDER BY id DESC"
	if f.Live || f.Stands || f.Sharing != nil {
		// else SQLite reads the whole table by id instead of the index of the live ones
		newestFirst = " ORDER BY +id DESC"
	}
	selected := strings.Join(where, " AND ") + newestFirst
	if f.Live || f.Unsettled || f.Sharing != nil || f.URL != "" {
		// a renewal asks a dozen times whether another order stands in its way, and none does
		if found, err := s.any(ctx, selected, args, f.Limit); err != nil || !found {
			return nil, err
		}
	}
	return s.orders(ctx, selected, args, f.Limit)
}

// any reports whether orders would return any. It needs no snapshot, which costs as much again.
func (s *Store) any(ctx context.Context, where string, args []any, limit int) (bool, error) {
	rows, err := s.readers.QueryContext(ctx, s.dialect.Rebind(ordersQuery(where)),
		append(slices.Clone(args), cap64(limit))...)
	if err != nil {
		return false, s.failed("reading the ledger", err)
	}
	defer func() { _ = rows.Close() }() // its error is that of rows.Err
	found := rows.Next()
	if err := rows.Err(); err != nil {
		return false, s.failed("reading the ledger", err)
	}
	return found, nil
}

// ordersQuery is the statement of orders, with its limit to be given last.
func ordersQuery(where string) string {
	return `SELECT ` + orderColumns + ` FROM orders WHERE ` + where + ` LIMIT ?`
}

// conditions are what a filter asks for, and their arguments.
func conditions(f ledger.OrderFilter) (where []string, args []any) {
	where = []string{"1 = 1"}
	if f.Live && f.Sharing == nil {
		where = append(where, live)
	}
	alone := "" // makes SQLite take the index of the names alone
	if f.Sharing != nil {
		names := ledger.CanonicalNames(f.Sharing)
		where, alone = append(where, "id IN (SELECT order_id FROM order_names WHERE name IN ("+marks(len(names))+"))"), "+"
		for _, name := range names {
			args = append(args, name)
		}
	}
	if f.Unsettled {
		where = append(where, alone+"settled_at = 0")
	}
	if f.Stands {
		where = append(where, "id IN (SELECT order_id FROM authorizations WHERE placement <> '')")
	}
	if f.Lineage != "" {
		where, args = append(where, "lineage = ?"), append(args, f.Lineage)
	}
	if f.AccountID != 0 {
		where, args = append(where, alone+"account_id = ?"), append(args, f.AccountID)
	}
	if f.URL != "" {
		where, args = append(where, "url <> '' AND url = ?"), append(args, f.URL)
	}
	if f.NameKey != "" {
		where, args = append(where, "name_key = ?"), append(args, f.NameKey)
	}
	if !f.Since.IsZero() {
		where, args = append(where, alone+"updated_at >= ?"), append(args, micros(f.Since))
	}
	return where, args
}

// marks is a list of n placeholders. PostgreSQL has no empty IN ().
func marks(n int) string {
	if n == 0 {
		return "NULL"
	}
	return strings.TrimSuffix(strings.Repeat("?, ", n), ", ")
}

// orders returns the first orders, up to limit, of those that `where` selects and sorts, last one
// first.
func (s *Store) orders(ctx context.Context, where string, args []any,
	limit int) ([]*ledger.Order, error) {
	var found []*ledger.Order
	byID := map[int64]*ledger.Order{}
	selected := `FROM orders WHERE ` + where + ` LIMIT ?`
	args = append(args, cap64(limit))
	err := s.snapshot(ctx, func(from reader) error {
		err := s.query(ctx, from, func(r row) error {
			o, err := scanOrder(r)
			if err == nil {
				found, byID[o.ID] = append(found, o), o
			}
			return err
		}, ordersQuery(where), args...)
		if err != nil || len(found) == 0 {
			return err
		}
		return s.query(ctx, from, func(r row) error { return scanAuthorization(r, byID) },
			`SELECT order_id, id, url, name, wildcard, status, expires_at, seen_at, challenge_url, challenge_type,
				challenge_status, token, answer_sent_at, answers, answered, placement, error_type, error_detail
			FROM authorizations WHERE order_id IN (SELECT id `+selected+`) ORDER BY order_id, id`, args...)
	})
	if err != nil {
		return nil, err
	}
	slices.Reverse(found)
	return found, nil
}

func scanAuthorization(r row, orders map[int64]*ledger.Order) error {
	var order int64
	a := &ledger.Authorization{}
	err := r.Scan(&order, &a.ID, &a.URL, &a.Name, &a.Wildcard, &a.Status, at(&a.Expires),
		at(&a.SeenAt), &a.ChallengeURL, &a.ChallengeType, &a.ChallengeStatus, &a.Token,
		at(&a.AnswerSentAt), &a.Answers, &a.Answered, &a.Placement, &a.ErrorType, &a.ErrorDetail)
	if err != nil {
		return err
	}
	orders[order].Authorizations = append(orders[order].Authorizations, a)
	return nil
}

// pendingQuery has four parts in one statement, so that an order on its way from one to another is
// never missed: what is pending, the phantoms, newOrders sent by a process that died, each of which
// may have made an order (the next run finds out), and orders of which only the URL is known. Each
// part runs over a partial index, so that the answer does not grow slower with the ledger.
const pendingQuery = `
	SELECT o.id AS order_id, o.lineage, o.state, o.name_key, a.name, a.url, a.answered, o.created_at,
		CASE WHEN a.expires_at = 0 THEN o.expires_at ELSE a.expires_at END AS expires, o.not_before, a.id AS part, 1
	FROM authorizations a JOIN orders o ON o.id = a.order_id
	WHERE a.status = 'pending' AND (a.expires_at > ? OR a.expires_at = 0 AND (o.expires_at > ? OR o.expires_at = 0))
	UNION ALL
	SELECT id, lineage, state, name_key, '', '', 0, created_at, expires_at, not_before, 0, 1
	FROM orders WHERE state = 'phantom' AND (expires_at > ? OR expires_at = 0)
	UNION ALL
	SELECT id, lineage, state, name_key, '', '', 0, create_sent_at, 0, not_before, 0, create_sends
	FROM orders WHERE ` + live + ` AND state = 'creating' AND create_sent_at > 0
	UNION ALL
	SELECT id, lineage, state, name_key, '', '', 0, created_at, expires_at, not_before, 0, 1
	FROM orders WHERE ` + live + ` AND state = 'pending' AND (expires_at > ? OR expires_at = 0)
		AND NOT EXISTS (SELECT 1 FROM authorizations a WHERE a.order_id = orders.id)
	ORDER BY expires, order_id, part`

// Pending implements ledger.Store.
func (s *Store) Pending(ctx context.Context, now time.Time) ([]ledger.Pending, error) {
	var found []ledger.Pending
	t := micros(now)
	err := s.query(ctx, s.readers, func(r row) error {
		var p ledger.Pending
		var name, nameKey string
		var part, orders int64
		err := r.Scan(&p.OrderID, &p.Lineage, &p.State, &nameKey, &name, &p.URL, &p.Answered,
			at(&p.Since), at(&p.Expires), at(&p.NotBefore), &part, &orders)
		p.Names = []string{name}
		if name == "" {
			p.Names = splitKey(nameKey)
		}
		for range max(1, orders) {
			found = append(found, p)
		}
		return err
	}, pendingQuery, t, t, t, t)
	return found, err
}
