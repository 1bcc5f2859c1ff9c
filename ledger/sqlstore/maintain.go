package sqlstore

import (
	"context"
	"fmt"
)

// A ledger is looked after like any file of worth: it can be checked, and copied while it is in
// use.

// Check asks the database whether it is whole and returns what it complains of, nothing for a sound
// one. It knows SQLite's pragmas alone; a PostgreSQL server looks after itself.
func (s *Store) Check(ctx context.Context) ([]string, error) {
	var complaints []string
	err := s.query(ctx, s.readers, func(r row) error {
		var text string
		err := r.Scan(&text)
		if text != "ok" {
			complaints = append(complaints, text)
		}
		return err
	}, `PRAGMA integrity_check(20)`)
	if err != nil {
		return nil, err
	}
	err = s.query(ctx, s.readers, func(r row) error {
		var table, parent string
		var id, key int64
		err := r.Scan(&table, &id, &parent, &key)
		complaints = append(complaints,
			fmt.Sprintf("row %d of %s belongs to no row of %s", id, table, parent))
		return err
	}, `PRAGMA foreign_key_check`)
	return complaints, err
}

// Snapshot writes a consistent copy of the whole ledger to path, an empty file, while others go on
// working.
func (s *Store) Snapshot(ctx context.Context, path string) error {
	_, err := s.writer.db.ExecContext(ctx, `VACUUM INTO ?`, path)
	if err != nil {
		return s.failed("copying the ledger", err)
	}
	return nil
}
