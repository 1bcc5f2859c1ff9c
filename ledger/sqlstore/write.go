package sqlstore

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"orderly/failure"
	"orderly/ledger"
)

// A change is one transaction. Its writers read as a list, so that it can be seen that nothing of a
// change is left out.

// writer carries one transaction. After the first error its methods do nothing, so that their
// callers read as a list.
type writer struct {
	ctx     context.Context
	tx      *session
	dialect Dialect
	err     error
	own     bool // err is about this change alone, and left the transaction as it was
	undos   []func()
}

// refuse ends the writing of a change that must not be written, or cannot be. It is for what was
// found out about the change, never for what a database complains of, which may have ended the
// transaction.
func (w *writer) refuse(err error) {
	if w.err == nil {
		w.err, w.own = err, true
	}
}

// set gives a field of a record the value it has in the ledger, until undo.
func set[T any](w *writer, field *T, value T) {
	old := *field
	*field = value
	w.undos = append(w.undos, func() { *field = old })
}

// undo takes back what set gave to records, since nothing was written. It goes backwards: a record
// that occurs twice in a change would otherwise keep what the first occurrence gave it.
func (w *writer) undo() {
	for _, f := range slices.Backward(w.undos) {
		f()
	}
	w.undos = nil // the change may be written once more
}

func (w *writer) change(c *ledger.Change) {
	for _, g := range c.Guards {
		w.guard(g)
	}
	w.account(c.Account)
	w.run(c.Run)
	for _, o := range c.Orders {
		if c.Account != nil && o.AccountID == 0 {
			set(w, &o.AccountID, c.Account.ID)
		}
		w.order(o)
	}
	w.certificate(c)
	for _, st := range c.Standings {
		w.standing(st)
	}
	for _, ch := range c.Charges {
		w.exec(`INSERT INTO charges (account_id, name, order_id, at, class) VALUES (?, ?, ?, ?, ?)`,
			ch.AccountID, ch.Name, ch.OrderID, micros(ch.At), ch.Class)
	}
	for _, h := range c.Holds {
		w.hold(h)
	}
	for _, sp := range c.Spends {
		w.spend(sp)
	}
	for _, t := range c.Tasks {
		w.task(t, c.Run)
	}
	for _, v := range c.Revocations {
		w.exec(`INSERT INTO revocations (sha256, serial, lineage, reason, revoked_at) VALUES (?, ?, ?, ?, ?) ON CONFLICT (sha256) DO NOTHING`,
			v.Fingerprint, v.Serial, v.Lineage, v.Reason, micros(v.At))
	}
	for _, f := range c.Found {
		w.found(f)
	}
	if !c.FoundOver.IsZero() {
		w.exec(`DELETE FROM found WHERE expires_at > 0 AND expires_at < ?`, micros(c.FoundOver))
	}
	for _, f := range c.Logged {
		w.logged(f)
	}
	if !c.LoggedOver.IsZero() {
		w.exec(`DELETE FROM log_failures WHERE last_at < ?`, micros(c.LoggedOver))
	}
	for _, i := range c.RenewalInfos {
		w.renewalInfo(i)
	}
	if !c.RenewalInfosOver.IsZero() {
		w.exec(`DELETE FROM renewal_infos WHERE expires_at > 0 AND expires_at < ?`,
			micros(c.RenewalInfosOver))
	}
	w.seen(c)
	for i := range c.Events {
		w.event(&c.Events[i], c.Run)
	}
}

// found keeps what a log names. What the CA said of it stays, however often it is found again.
func (w *writer) found(f ledger.Found) {
	w.exec(`INSERT INTO found (url, order_url, name, account, server, host, file, line, doubt, expires_at, found_at,
			checked_at, status)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (url) DO UPDATE SET order_url = excluded.order_url, name = excluded.name,
			account = excluded.account, server = excluded.server, host = excluded.host, file = excluded.file,
			line = excluded.line, doubt = excluded.doubt, expires_at = excluded.expires_at,
			found_at = excluded.found_at, checked_at = excluded.checked_at, status = excluded.status
		WHERE excluded.status <> '' OR found.status = ''`,
		f.URL, f.Order, f.Name, f.Account, f.Server, f.Host, f.File, f.Line, f.Doubt, micros(f.Expires),
		micros(f.FoundAt), micros(f.CheckedAt), f.Status)
}

// guard takes a fence for the newest of its lock, unless a newer one was there.
func (w *writer) guard(g ledger.Guard) {
	if w.err != nil {
		return
	}
	res, err := w.tx.ExecContext(w.ctx, w.dialect.Rebind(`INSERT INTO fences (lock_key, fence) VALUES (?, ?)
		ON CONFLICT (lock_key) DO UPDATE SET fence = excluded.fence WHERE excluded.fence >= fences.fence`),
		g.Key, g.Fence)
	if w.err = err; err != nil {
		return
	}
	if n, err := res.RowsAffected(); err != nil || n != 1 {
		w.refuse(fmt.Errorf("under the lock %q: %w", g.Key, ledger.ErrLost))
	}
}

func (w *writer) exec(query string, args ...any) {
	if w.err != nil {
		return
	}
	_, w.err = w.tx.ExecContext(w.ctx, w.dialect.Rebind(query), args...)
}

// update runs an UPDATE of the one record with this id, and complains if there is none.
func (w *writer) update(what string, id int64, query string, args ...any) {
	if w.err != nil {
		return
	}
	res, err := w.tx.ExecContext(w.ctx, w.dialect.Rebind(query), args...)
	if err != nil {
		w.err = err
		return
	}
	if n, err := res.RowsAffected(); err != nil || n != 1 {
		w.refuse(fmt.Errorf("%s %d: %w", what, id, ledger.ErrNone))
	}
}

// insert runs an INSERT and stores the new row's id.
func (w *writer) insert(id *int64, query string, args ...any) {
	if w.err != nil {
		return
	}
	var given int64
	w.err = w.tx.QueryRowContext(w.ctx, w.dialect.Rebind(query+` RETURNING id`),
		args...).Scan(&given)
	if w.err == nil {
		set(w, id, given)
	}
}

// json encodes v and refuses strings that JSON would not give back: a document root may have any
// bytes in its name, and one that came back changed would let a later run write elsewhere than was
// asked.
func (w *writer) json(v any) string {
	encoded, err := json.Marshal(v)
	text := string(encoded)
	if err == nil && strings.Contains(text, `\ufffd`) && // nearly no text is taken apart
		strings.Contains(strings.ReplaceAll(text, `\\`, ``), `\ufffd`) {
		err = failure.New(failure.Config, "Rename the directory or file.",
			"a name or path is not UTF-8: %s", text)
	}
	if err != nil {
		w.refuse(fmt.Errorf("encoding %T: %w", v, err))
	}
	return text
}

func (w *writer) account(a *ledger.Account) {
	if a == nil {
		return
	}
	w.insert(&a.ID, `INSERT INTO accounts (server, key_id, url, orders_url, created_at, shows_processing, unlisted_at)
		VALUES (?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (server, url) DO UPDATE SET key_id = excluded.key_id, orders_url = excluded.orders_url,
			unlisted_at = excluded.unlisted_at,
			shows_processing = CASE WHEN excluded.shows_processing = 1 THEN 1 ELSE accounts.shows_processing END`,
		a.Server, a.KeyID, a.URL, a.OrdersURL, micros(a.CreatedAt), number(a.ShowsProcessing),
		micros(a.UnlistedAt))
}

func (w *writer) run(r *ledger.Run) {
	switch {
	case r == nil:
	case r.ID == 0:
		w.insert(&r.ID, `INSERT INTO runs (command, pid, started_at, ended_at, outcome, exit_code, detail, round)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
			r.Command, r.PID, micros(r.StartedAt), micros(r.EndedAt), r.Outcome, r.ExitCode,
			r.Detail, number(r.Round))
	default:
		w.update("run", r.ID, `UPDATE runs SET ended_at = ?, outcome = ?, exit_code = ?, detail = ?, round = ? WHERE id = ?`,
			micros(r.EndedAt), r.Outcome, r.ExitCode, r.Detail, number(r.Round), r.ID)
	}
}

func (w *writer) certificate(c *ledger.Change) {
	cert := c.Certificate
	if cert == nil || w.err != nil {
		return
	}
	if cert.OrderID == 0 && len(c.Orders) > 0 {
		set(w, &cert.OrderID, c.Orders[0].ID)
	}
	w.insert(&cert.ID, `INSERT INTO certificates (order_id, account_id, lineage, names, name_key, serial,
			not_before, not_after, renewal_id, sha256, issued_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
		cert.OrderID, cert.AccountID, cert.Lineage, w.json(cert.Names), ledger.NameKey(cert.Names),
		cert.Serial, micros(cert.NotBefore), micros(cert.NotAfter), cert.RenewalID,
		cert.Fingerprint, micros(cert.IssuedAt))
}

func (w *writer) standing(s ledger.Standing) {
	w.exec(`INSERT INTO standings (lineage, class, sentence, remedy, at, failures, next_at, fingerprint, refused_since,
			let_through_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (lineage) DO UPDATE SET class = excluded.class, sentence = excluded.sentence,
			remedy = excluded.remedy, at = excluded.at, failures = excluded.failures, next_at = excluded.next_at,
			fingerprint = excluded.fingerprint, refused_since = excluded.refused_since,
			let_through_at = excluded.let_through_at`,
		s.Lineage, s.Class, s.Sentence, s.Remedy, micros(s.At), s.Failures, micros(s.NextAt),
		s.Fingerprint, micros(s.RefusedSince), micros(s.LetThroughAt))
}

// refusal is the error of a Spend: what Commit answers, to the letter.
type refusal struct{ error }

// Unwrap lets errors.Is and errors.As see it.
func (r refusal) Unwrap() error { return r.error }

func (w *writer) spend(sp ledger.Spend) {
	if w.err != nil {
		return
	}
	var tat time.Time
	err := w.tx.QueryRowContext(w.ctx, w.dialect.Rebind(
		`SELECT tat FROM buckets WHERE account_id = ? AND name = ? AND bucket_key = ?`), sp.AccountID, sp.Name, sp.Key).Scan(at(&tat))
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		w.err = err
		return
	}
	next, err := sp.Next(tat)
	if err != nil {
		w.refuse(refusal{err})
		return
	}
	w.exec(`INSERT INTO buckets (account_id, name, bucket_key, tat) VALUES (?, ?, ?, ?)
		ON CONFLICT (account_id, name, bucket_key) DO UPDATE SET tat = excluded.tat`, sp.AccountID, sp.Name, sp.Key, micros(next))
}

func (w *writer) hold(h ledger.Hold) {
	w.exec(`INSERT INTO holds (account_id, scope, until_at, class, detail, url) VALUES (?, ?, ?, ?, ?, ?)
		ON CONFLICT (account_id, scope) DO UPDATE SET until_at = excluded.until_at, class = excluded.class,
			detail = excluded.detail, url = excluded.url`,
		h.AccountID, h.Scope, micros(h.Until), h.Class, h.Detail, h.URL)
}

func (w *writer) task(t *ledger.Task, run *ledger.Run) {
	if t.ID != 0 {
		w.update("task", t.ID, `UPDATE tasks SET step = ?, payload = ?, ended_at = ? WHERE id = ?`,
			t.Step, t.Payload, micros(t.EndedAt), t.ID)
		return
	}
	if t.RunID == 0 && run != nil {
		set(w, &t.RunID, run.ID)
	}
	w.insert(&t.ID, `INSERT INTO tasks (run_id, kind, subject, step, payload, begun_at, ended_at)
		VALUES (?, ?, ?, ?, ?, ?, ?)`,
		t.RunID, t.Kind, t.Subject, t.Step, t.Payload, micros(t.BegunAt), micros(t.EndedAt))
}

func (w *writer) event(e *ledger.Event, run *ledger.Run) {
	if w.err != nil {
		return
	}
	if e.OrderID == 0 && e.Of != nil {
		if e.Of.ID == 0 {
			w.refuse(fmt.Errorf("event %q is of an order that is not in the ledger", e.Kind))
			return
		}
		set(w, &e.OrderID, e.Of.ID)
		set(w, &e.Lineage, e.Of.Lineage)
	}
	if e.RunID == 0 && run != nil {
		set(w, &e.RunID, run.ID)
	}
	w.insert(&e.ID, `INSERT INTO events (at, run_id, order_id, lineage, kind, detail) VALUES (?, ?, ?, ?, ?, ?)`,
		micros(e.At), e.RunID, e.OrderID, e.Lineage, e.Kind, e.Detail)
}
