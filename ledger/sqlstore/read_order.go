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

const orderColumns = `id, version, account_id, lineage, name_key, profile, state, request, created_at, updated_at,
	settled_at, not_before, superseded, url, finalize_url, certificate_url, ca_status, expires_at, replaces,
	create_sent_at, create_sends, key_path, key_sha256, csr_path, csr_sha256, finalize_sent_at, chain, installed_at,
	deployed_at, class, sentence, remedy`

// live is the condition of the partial index orders_live, to the letter.
const live = `state IN ('creating', 'pending', 'ready', 'processing', 'valid')`

func scanOrder(r row) (*ledger.Order, error) {
	o := &ledger.Order{}
	var nameKey, request, chain string
	err := r.Scan(&o.ID, &o.Version, &o.AccountID, &o.Lineage, &nameKey, &o.Profile, &o.State, &request,
		at(&o.CreatedAt), at(&o.UpdatedAt), at(&o.SettledAt), at(&o.NotBefore), &o.Superseded, &o.URL, &o.Finalize,
		&o.Certificate, &o.CAStatus, at(&o.Expires), &o.Replaces, at(&o.CreateSentAt), &o.CreateSends, &o.Key.Path,
		&o.Key.SHA256, &o.CSR.Path, &o.CSR.SHA256, at(&o.FinalizeSentAt), &chain, at(&o.InstalledAt),
		at(&o.DeployedAt), &o.Class, &o.Sentence, &o.Remedy)
	if err != nil {
		return nil, err
	}
	o.Names = strings.Split(nameKey, ",")
	if chain != "" {
		o.Chain = []byte(chain)
	}
	if err := json.Unmarshal([]byte(request), &o.Request); err != nil {
		return nil, fmt.Errorf("the request of order %d: %w", o.ID, err)
	}
	return o, nil
}

// Order implements ledger.Store.
func (s *Store) Order(ctx context.Context, id int64) (*ledger.Order, error) {
	found, err := s.orders(ctx, "id = ?", []any{id}, 0)
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
	where, args := []string{"1 = 1"}, []any{}
	if f.Live {
		where = append(where, live)
	}
	if f.Unsettled {
		where = append(where, "settled_at = 0")
	}
	if f.Lineage != "" {
		where, args = append(where, "lineage = ?"), append(args, f.Lineage)
	}
	if f.AccountID != 0 {
		where, args = append(where, "account_id = ?"), append(args, f.AccountID)
	}
	if f.URL != "" {
		where, args = append(where, "url <> '' AND url = ?"), append(args, f.URL)
	}
	return s.orders(ctx, strings.Join(where, " AND "), args, f.Limit)
}

func (s *Store) orders(ctx context.Context, where string, args []any, limit int) ([]*ledger.Order, error) {
	var found []*ledger.Order
	err := s.query(ctx, func(r row) error {
		o, err := scanOrder(r)
		found = append(found, o)
		return err
	}, `SELECT `+orderColumns+` FROM orders WHERE `+where+` ORDER BY id DESC LIMIT ?`, append(args, cap64(limit))...)
	if err != nil {
		return nil, err
	}
	slices.Reverse(found)
	for _, o := range found {
		if err := s.authorizations(ctx, o); err != nil {
			return nil, err
		}
	}
	return found, nil
}

func (s *Store) authorizations(ctx context.Context, o *ledger.Order) error {
	return s.query(ctx, func(r row) error {
		a := &ledger.Authorization{}
		o.Authorizations = append(o.Authorizations, a)
		return r.Scan(&a.ID, &a.URL, &a.Name, &a.Wildcard, &a.Status, at(&a.Expires), at(&a.SeenAt), &a.ChallengeURL,
			&a.ChallengeType, &a.ChallengeStatus, &a.Token, at(&a.AnswerSentAt), &a.Answers, &a.Answered, &a.Placement,
			&a.ErrorType, &a.ErrorDetail)
	}, `SELECT id, url, name, wildcard, status, expires_at, seen_at, challenge_url, challenge_type, challenge_status,
			token, answer_sent_at, answers, answered, placement, error_type, error_detail
		FROM authorizations WHERE order_id = ? ORDER BY id`, o.ID)
}

// Pending implements ledger.Store. Both halves run over partial indexes, so that the answer does not grow with the ledger.
func (s *Store) Pending(ctx context.Context, now time.Time) ([]ledger.Pending, error) {
	var found []ledger.Pending
	scan := func(r row) error {
		var p ledger.Pending
		var name, nameKey string
		if err := r.Scan(&p.OrderID, &p.Lineage, &p.State, &nameKey, &name, &p.URL, &p.Answered, at(&p.Since),
			at(&p.Expires), at(&p.NotBefore)); err != nil {
			return err
		}
		p.Names = []string{name}
		if name == "" {
			p.Names = strings.Split(nameKey, ",")
		}
		found = append(found, p)
		return nil
	}
	t := micros(now)
	err := s.query(ctx, scan, `SELECT o.id, o.lineage, o.state, o.name_key, a.name, a.url, a.answered, o.created_at,
			CASE WHEN a.expires_at = 0 THEN o.expires_at ELSE a.expires_at END, o.not_before
		FROM authorizations a JOIN orders o ON o.id = a.order_id
		WHERE a.status = 'pending' AND (a.expires_at > ? OR a.expires_at = 0 AND (o.expires_at > ? OR o.expires_at = 0))
		ORDER BY 9, a.id`, t, t)
	if err != nil {
		return nil, err
	}
	err = s.query(ctx, scan, `SELECT id, lineage, state, name_key, '', '', 0, created_at, expires_at, not_before
		FROM orders WHERE state = 'phantom' AND expires_at > ? ORDER BY expires_at, id`, t)
	if err != nil {
		return nil, err
	}
	// A newOrder that was sent by a process that died may have made an order: the next run finds out.
	err = s.query(ctx, scan, `SELECT id, lineage, state, name_key, '', '', 0, create_sent_at, 0, not_before
		FROM orders WHERE `+live+` AND state = 'creating' AND create_sent_at > 0 ORDER BY id`)
	if err != nil {
		return nil, err
	}
	slices.SortStableFunc(found, func(a, b ledger.Pending) int { return a.Expires.Compare(b.Expires) })
	return found, nil
}
