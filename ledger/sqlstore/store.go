// Package sqlstore is the ledger over database/sql: one set of hand-written SQL in the subset that
// SQLite and PostgreSQL share. Opening, making tables and everything that only one database knows
// belongs to the package of that database. It never looks at a clock and never leaves a transaction
// open across a call.
package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"orderly/failure"
	"orderly/ledger"
	"orderly/ledger/committer"
)

// Dialect is what the databases do differently.
type Dialect struct {
	// Rebind turns `?` placeholders into the database's own.
	Rebind func(query string) string
	// Duplicate reports whether err is the violation of a unique index.
	Duplicate func(err error) bool
	// Busy reports whether err says that another writer was in the way for as long as any is waited
	// for.
	Busy func(err error) bool
	// Explain turns a database error into a sentence with a remedy, or returns it unchanged.
	Explain func(err error) error
	// Sync says whether transactions that begin from now on are synced when they are committed.
	// It is asked between two of them.
	Sync func(ctx context.Context, db *sql.DB, on bool) error
	// SyncFailed reports whether err, of a COMMIT, says that a sync failed.
	SyncFailed func(err error) bool
	// NothingSeen is the error of writing memos, sightings and messages where the database has no
	// tables for them yet and cannot be given them. There are none then. Otherwise it is nil.
	NothingSeen error
	// Snapshot opens a transaction that only reads and sees one moment of the ledger throughout.
	Snapshot sql.TxOptions
}

// Store implements ledger.Store. Make it with New.
type Store struct {
	writer       *prepared
	readers      *prepared
	dialect      Dialect
	committer    *committer.Committer[*transaction]
	commits      atomic.Int64
	transactions atomic.Int64
	syncs        atomic.Int64
	unsynced     bool  // what the database was told last; whoever opens a transaction has it
	lost         error // of a sync that failed; whoever has a transaction has it
	wait         Wait
	last         context.Context // over once the last wait for another writer is
}

var _ ledger.Store = (*Store)(nil)

// New returns a store on an open database, which Close closes. Reads have connections of their own,
// so that a look does not wait for the sync of a commit under way.
func New(db, readers *sql.DB, d Dialect) *Store {
	s := &Store{writer: newPrepared(db), readers: newPrepared(readers), dialect: d,
		last: context.Background()}
	s.committer = committer.New(s.begin)
	return s
}

// Close closes the database.
func (s *Store) Close() error { return errors.Join(s.readers.db.Close(), s.writer.db.Close()) }

func (s *Store) failed(doing string, err error) error {
	if r, ok := errors.AsType[refusal](err); ok {
		return r.error
	}
	switch {
	case failure.ClassOf(err) == failure.Stopped && failure.RemedyOf(err) != "":
		return fmt.Errorf("%s: %w", doing, err)
	case errors.Is(err, ledger.ErrLive), errors.Is(err, ledger.ErrStale),
		errors.Is(err, ledger.ErrNone), errors.Is(err, ledger.ErrLost),
		errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("%s: %w", doing, err)
	}
	if err = s.dialect.Explain(err); failure.ClassOf(err) != failure.Internal {
		return fmt.Errorf("%s: %w", doing, err) // it has its class, sentence and remedy already
	}
	return failure.Wrap(err, failure.Ledger, "", "%s", doing)
}

// reader is what prepared and session share.
type reader interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

// query runs a query and calls scan for each row.
func (s *Store) query(ctx context.Context, from reader, scan func(row) error, query string,
	args ...any) error {
	rows, err := from.QueryContext(ctx, s.dialect.Rebind(query), args...)
	if err != nil {
		return s.failed("reading the ledger", err)
	}
	defer func() { _ = rows.Close() }() // its error is that of rows.Err
	for rows.Next() {
		if err := scan(rows); err != nil {
			return s.failed("reading the ledger", err)
		}
	}
	if err := rows.Err(); err != nil {
		return s.failed("reading the ledger", err)
	}
	return nil
}

// snapshot calls read with a reader that sees one moment of the ledger, however many queries it
// runs.
func (s *Store) snapshot(ctx context.Context, read func(reader) error) error {
	tx, err := s.readers.begin(ctx, &s.dialect.Snapshot)
	if err != nil {
		return s.failed("reading the ledger", err)
	}
	defer func() { _ = tx.Rollback() }() // it only read
	return read(tx)
}

// row is what *sql.Rows and *sql.Row share.
type row interface{ Scan(dest ...any) error }

// micros is a time as it is stored: microseconds since 1970, 0 for the zero time.
func micros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

// instant scans what micros wrote.
type instant struct{ t *time.Time }

func at(t *time.Time) instant { return instant{t} }

// Scan implements sql.Scanner.
func (i instant) Scan(src any) error {
	v, ok := src.(int64)
	if !ok {
		return fmt.Errorf("a time is stored as %T, not as an integer", src)
	}
	if v == 0 {
		*i.t = time.Time{}
		return nil
	}
	*i.t = time.UnixMicro(v).UTC()
	return nil
}

func number(b bool) int64 {
	if b {
		return 1
	}
	return 0
}
