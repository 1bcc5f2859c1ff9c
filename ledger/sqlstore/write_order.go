package sqlstore

import (
	"database/sql"
	"errors"
	"fmt"
	"strings"

	"orderly/ledger"
)

// An order is saved whole and guarded by its version: whoever saves an older state is told, and
// loses nothing of the newer one.

func (w *writer) order(o *ledger.Order) {
	if w.err != nil {
		return
	}
	if o.ID == 0 {
		w.insertOrder(o)
	} else {
		w.updateOrder(o)
	}
	w.orderNames(o)
	for _, a := range o.Authorizations {
		w.authorization(o.ID, a)
	}
}

// orderNames keeps the names of an order in order_names for as long as it is live.
func (w *writer) orderNames(o *ledger.Order) {
	if !o.State.Live() {
		w.exec(`DELETE FROM order_names WHERE order_id = ?`, o.ID)
		return
	}
	if w.err != nil {
		return
	}
	var missing string
	err := w.tx.QueryRowContext(w.ctx, w.dialect.Rebind(`SELECT name_key FROM orders WHERE id = ?
		AND NOT EXISTS (SELECT 1 FROM order_names WHERE order_id = orders.id)`), o.ID).Scan(&missing)
	if errors.Is(err, sql.ErrNoRows) {
		return
	}
	w.err = err
	for _, name := range splitKey(missing) {
		w.exec(`INSERT INTO order_names (name, order_id) VALUES (?, ?)`, name, o.ID)
	}
}

// orderValues are the columns that change, in the order of both statements below.
func (w *writer) orderValues(o *ledger.Order) []any {
	return []any{
		string(o.State), w.json(o.Request), micros(o.UpdatedAt), micros(o.SettledAt),
		micros(o.NotBefore), number(o.Superseded), number(o.Releasing), micros(o.MissingSince),
		o.URL, o.Finalize, o.Certificate, o.CAStatus, micros(o.Expires), o.Replaces,
		micros(o.CreateSentAt), o.CreateSends, o.Key.Path, o.Key.SHA256, o.CSR.Path, o.CSR.SHA256,
		micros(o.FinalizeSentAt), string(o.Chain), w.alternates(o), micros(o.InstalledAt),
		o.Redeploys, micros(o.DeployedAt), o.Class, o.Sentence, o.Remedy, string(o.Problem),
	}
}

// alternates are an order's other chains as one text, "" for none, as most orders have it.
func (w *writer) alternates(o *ledger.Order) string {
	if len(o.Alternates) == 0 {
		return ""
	}
	return w.json(o.Alternates)
}

func (w *writer) insertOrder(o *ledger.Order) {
	set(w, &o.Names, ledger.CanonicalNames(o.Names))
	for _, name := range o.Names {
		if name == "" || strings.Contains(name, ",") {
			// a NameKey would not give it back
			w.refuse(fmt.Errorf("%q cannot be a name of an order", name))
			return
		}
	}
	args := append(w.orderValues(o), o.AccountID, o.Lineage, ledger.NameKey(o.Names), o.Profile,
		micros(o.CreatedAt))
	w.insert(&o.ID, `INSERT INTO orders (state, request, updated_at, settled_at, not_before, superseded, releasing, missing_since, url,
			finalize_url, certificate_url, ca_status, expires_at, replaces, create_sent_at, create_sends, key_path,
			key_sha256, csr_path, csr_sha256, finalize_sent_at, chain, alternates, installed_at, redeploys, deployed_at, class, sentence,
			remedy, problem, version, account_id, lineage, name_key, profile, created_at)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 1, ?, ?, ?, ?, ?)`, args...)
	w.liveTwice()
	if w.err == nil {
		set(w, &o.Version, 1)
	}
}

func (w *writer) updateOrder(o *ledger.Order) {
	args := append(w.orderValues(o), o.ID, o.Version)
	if w.err != nil {
		return
	}
	res, err := w.tx.ExecContext(w.ctx, w.dialect.Rebind(`UPDATE orders SET state = ?, request = ?, updated_at = ?,
			settled_at = ?, not_before = ?, superseded = ?, releasing = ?, missing_since = ?, url = ?, finalize_url = ?, certificate_url = ?, ca_status = ?,
			expires_at = ?, replaces = ?, create_sent_at = ?, create_sends = ?, key_path = ?, key_sha256 = ?, csr_path = ?,
			csr_sha256 = ?, finalize_sent_at = ?, chain = ?, alternates = ?, installed_at = ?, redeploys = ?, deployed_at = ?, class = ?,
			sentence = ?, remedy = ?, problem = ?, version = version + 1
		WHERE id = ? AND version = ?`), args...)
	w.err = err
	w.liveTwice()
	if w.err != nil {
		return
	}
	if n, err := res.RowsAffected(); err != nil || n != 1 {
		w.refuse(fmt.Errorf("order %d: %w", o.ID, ledger.ErrStale))
		return
	}
	set(w, &o.Version, o.Version+1)
}

func (w *writer) liveTwice() {
	if w.err != nil && w.dialect.Duplicate(w.err) {
		w.err = nil // the statement alone was undone
		w.refuse(ledger.ErrLive)
	}
}

func (w *writer) authorization(order int64, a *ledger.Authorization) {
	values := []any{
		a.URL, a.Name, number(a.Wildcard), a.Status, micros(a.Expires), micros(a.SeenAt),
		a.ChallengeURL, a.ChallengeType, a.ChallengeStatus, a.Token, micros(a.AnswerSentAt),
		a.Answers, number(a.Answered), a.Placement, a.ErrorType, a.ErrorDetail,
	}
	if a.ID == 0 {
		w.insert(&a.ID, `INSERT INTO authorizations (url, name, wildcard, status, expires_at, seen_at, challenge_url,
				challenge_type, challenge_status, token, answer_sent_at, answers, answered, placement, error_type,
				error_detail, order_id) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`, append(values, order)...)
		return
	}
	w.update("authorization", a.ID, `UPDATE authorizations SET url = ?, name = ?, wildcard = ?, status = ?, expires_at = ?, seen_at = ?,
			challenge_url = ?, challenge_type = ?, challenge_status = ?, token = ?, answer_sent_at = ?, answers = ?,
			answered = ?, placement = ?, error_type = ?, error_detail = ?
		WHERE id = ? AND order_id = ?`, append(values, a.ID, order)...)
}
