package sqlstore

// What commands remember, what was seen of names, and what is still to be told. A ledger that a
// version before made and that cannot be written has no tables for it: then there is none.

import (
	"context"
	"encoding/json"
	"fmt"
	"net/netip"

	"orderly/ledger"
)

const (
	memoColumns     = `memo_key, at, body`
	sightingColumns = `name, addresses, served_at, elsewhere_since, dead_since, looked_at`
	messageColumns  = `channel, subject, body, created_at, next_at, tries, problem`
)

func (w *writer) seen(c *ledger.Change) {
	if w.dialect.NothingSeen != nil {
		if len(c.Memos)+len(c.Sightings)+len(c.SightingsGone)+len(c.Messages) > 0 {
			w.refuse(w.dialect.NothingSeen)
		}
		return
	}
	for _, m := range c.Memos {
		w.exec(`INSERT INTO memos (`+memoColumns+`) VALUES (?, ?, ?)
			ON CONFLICT (memo_key) DO UPDATE SET at = excluded.at, body = excluded.body`,
			m.Key, micros(m.At), bytes(m.Body))
	}
	for _, s := range c.Sightings {
		w.exec(`INSERT INTO sightings (`+sightingColumns+`) VALUES (?, ?, ?, ?, ?, ?)
			ON CONFLICT (name) DO UPDATE SET addresses = excluded.addresses,
				served_at = excluded.served_at, elsewhere_since = excluded.elsewhere_since,
				dead_since = excluded.dead_since, looked_at = excluded.looked_at`,
			s.Name, w.json(s.Addresses), micros(s.ServedAt), micros(s.ElsewhereSince),
			micros(s.DeadSince), micros(s.LookedAt))
	}
	for _, s := range c.SightingsGone {
		w.exec(`DELETE FROM sightings WHERE name = ? AND looked_at <= ?`, s.Name, micros(s.LookedAt))
	}
	for i := range c.Messages {
		w.message(&c.Messages[i])
	}
	for _, id := range c.Delivered {
		w.exec(`DELETE FROM messages WHERE id = ?`, id)
	}
}

// message keeps one that is new, or how another was tried, unless it is gone.
func (w *writer) message(m *ledger.Message) {
	if m.ID != 0 {
		w.exec(`UPDATE messages SET next_at = ?, tries = ?, problem = ? WHERE id = ?`,
			micros(m.NextAt), m.Tries, m.Problem, m.ID)
		return
	}
	w.insert(&m.ID, `INSERT INTO messages (`+messageColumns+`) VALUES (?, ?, ?, ?, ?, ?, ?)`,
		m.Channel, m.Subject, bytes(m.Body), micros(m.Created), micros(m.NextAt), m.Tries, m.Problem)
}

// bytes is a text of bytes as it is stored: an empty one is no NULL.
func bytes(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}

// Memo implements ledger.Store.
func (s *Store) Memo(ctx context.Context, key string) (ledger.Memo, error) {
	var m ledger.Memo
	found := false
	err := s.querySeen(ctx, func(r row) error {
		found = true
		return r.Scan(&m.Key, at(&m.At), blob{&m.Body})
	}, `SELECT `+memoColumns+` FROM memos WHERE memo_key = ?`, key)
	if err == nil && !found {
		err = fmt.Errorf("memo %s: %w", key, ledger.ErrNone)
	}
	return m, err
}

// Sightings implements ledger.Store.
func (s *Store) Sightings(ctx context.Context) ([]ledger.Sighting, error) {
	var found []ledger.Sighting
	err := s.querySeen(ctx, func(r row) error {
		var v ledger.Sighting
		err := r.Scan(&v.Name, addresses{&v.Addresses}, at(&v.ServedAt), at(&v.ElsewhereSince),
			at(&v.DeadSince), at(&v.LookedAt))
		found = append(found, v)
		return err
	}, `SELECT `+sightingColumns+` FROM sightings ORDER BY name`)
	return found, err
}

// Messages implements ledger.Store.
func (s *Store) Messages(ctx context.Context) ([]ledger.Message, error) {
	var found []ledger.Message
	err := s.querySeen(ctx, func(r row) error {
		var m ledger.Message
		err := r.Scan(&m.ID, &m.Channel, &m.Subject, blob{&m.Body}, at(&m.Created), at(&m.NextAt),
			&m.Tries, &m.Problem)
		found = append(found, m)
		return err
	}, `SELECT id, `+messageColumns+` FROM messages ORDER BY id`)
	return found, err
}

func (s *Store) querySeen(ctx context.Context, scan func(row) error, query string,
	args ...any) error {
	if s.dialect.NothingSeen != nil {
		return nil
	}
	return s.query(ctx, s.readers, scan, query, args...)
}

// blob scans a text of bytes, an empty one as nil.
type blob struct{ to *[]byte }

// Scan implements sql.Scanner.
func (b blob) Scan(src any) error {
	read, ok := src.([]byte)
	if !ok {
		return fmt.Errorf("a body is stored as %T, not as bytes", src)
	}
	*b.to = append([]byte(nil), read...) // what is given is the driver's
	return nil
}

// addresses scans a JSON list of addresses.
type addresses struct{ list *[]netip.Addr }

// Scan implements sql.Scanner.
func (a addresses) Scan(src any) error {
	text, ok := src.(string)
	if !ok {
		return fmt.Errorf("addresses are stored as %T, not as text", src)
	}
	var read []netip.Addr
	err := json.Unmarshal([]byte(text), &read)
	if *a.list = read; len(read) == 0 {
		*a.list = nil
	}
	return err
}
