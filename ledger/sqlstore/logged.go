package sqlstore

// What logs of other clients tell: merged as it comes, read by people who ask why.

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"orderly/ledger"
)

const loggedColumns = `host, lineage, name, class, sentence, remedy, customer, client, file, line, until_at,
	first_at, last_at, renewed_at, days`

func scanLogged(r row, f *ledger.LogFailure) error {
	return r.Scan(&f.Host, &f.Lineage, &f.Name, &f.Class, &f.Sentence, &f.Remedy, &f.Customer, &f.Client,
		&f.File, &f.Line, at(&f.Until), at(&f.First), at(&f.Last), at(&f.Renewed), days{&f.Days})
}

// logged merges a failure with what was known of it.
func (w *writer) logged(f ledger.LogFailure) {
	if w.err != nil {
		return
	}
	rows, err := w.tx.QueryContext(w.ctx, w.dialect.Rebind(`SELECT `+loggedColumns+` FROM log_failures
		WHERE host = ? AND lineage = ? AND name = ? AND class = ?`), f.Host, f.Lineage, f.Name, f.Class)
	if w.err = err; err != nil {
		return
	}
	defer func() { _ = rows.Close() }() // its error is that of rows.Err
	if rows.Next() {
		var old ledger.LogFailure
		if w.err = scanLogged(rows, &old); w.err != nil {
			return
		}
		f = f.Merged(old)
	}
	if w.err = rows.Err(); w.err != nil {
		return
	}
	_ = rows.Close()
	text, err := json.Marshal(f.Days)
	if w.err = err; err != nil {
		return
	}
	w.exec(`INSERT INTO log_failures (`+loggedColumns+`) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (host, lineage, name, class) DO UPDATE SET sentence = excluded.sentence,
			remedy = excluded.remedy, customer = excluded.customer, client = excluded.client,
			file = excluded.file, line = excluded.line, until_at = excluded.until_at,
			first_at = excluded.first_at, last_at = excluded.last_at, renewed_at = excluded.renewed_at,
			days = excluded.days`,
		f.Host, f.Lineage, f.Name, f.Class, f.Sentence, f.Remedy, f.Customer, f.Client, f.File, f.Line,
		micros(f.Until), micros(f.First), micros(f.Last), micros(f.Renewed), string(text))
}

// LogFailures implements ledger.Store.
func (s *Store) LogFailures(ctx context.Context, f ledger.LogFilter) ([]ledger.LogFailure, error) {
	where, args := `last_at >= ?`, []any{micros(f.Since)}
	in := func(column string, list []string) string {
		for _, one := range list {
			args = append(args, one)
		}
		return column + ` IN (` + strings.TrimSuffix(strings.Repeat("?, ", len(list)), ", ") + `)`
	}
	if len(f.Hosts) > 0 {
		where += ` AND ` + in("host", f.Hosts)
	}
	switch {
	case len(f.Names) > 0 && len(f.Lineages) > 0:
		where += ` AND (name <> '' AND ` + in("name", f.Names) + ` OR name = '' AND ` + in("lineage", f.Lineages) + `)`
	case len(f.Names) > 0:
		where += ` AND name <> '' AND ` + in("name", f.Names)
	case len(f.Lineages) > 0:
		where += ` AND name = '' AND ` + in("lineage", f.Lineages)
	}
	var found []ledger.LogFailure
	err := s.query(ctx, s.readers, func(r row) error {
		var one ledger.LogFailure
		err := scanLogged(r, &one)
		found = append(found, one)
		return err
	}, `SELECT `+loggedColumns+` FROM log_failures WHERE `+where+` ORDER BY host, lineage, name, class`, args...)
	return found, err
}

// days scans what logged wrote.
type days struct{ list *[]ledger.LogDay }

// Scan implements sql.Scanner.
func (d days) Scan(src any) error {
	text, ok := src.(string)
	if !ok {
		return fmt.Errorf("days are stored as %T, not as text", src)
	}
	return json.Unmarshal([]byte(text), d.list)
}
