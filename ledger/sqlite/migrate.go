package sqlite

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"io/fs"

	"github.com/pressly/goose/v3"

	"orderly/failure"
)

// A ledger of an older release is brought to this version's schema when it is opened, in one
// transaction a step; one of a newer version is refused.

//go:embed migrations/*.sql
var migrations embed.FS

// current is the version of the last file in migrations, a test keeps it true. Ledgers from oldest
// on are upgraded; those before it were never released.
const (
	oldest  = 9
	current = 10
	// seenFrom is the first version that has the tables of 00010_seen.sql.
	seenFrom = 10
)

// version is the version of the schema that a ledger has.
func version(ctx context.Context, db *sql.DB) (have int, err error) {
	const made = `SELECT COALESCE(MAX(version_id), 0) FROM goose_db_version WHERE is_applied = 1`
	err = db.QueryRowContext(ctx, made).Scan(&have)
	return have, err
}

// checkVersion refuses a ledger that an Orderly made whose schema is not known here: a column that
// means something else there would be misread, and an order with it.
func checkVersion(have int, path string) error {
	switch {
	case have > current:
		return failure.New(failure.Ledger, "Install that version, or a newer one.",
			"the ledger %s was made by a newer Orderly (its version is %d, this program knows %d)",
			path, have, current)
	case have < oldest:
		return failure.New(failure.Ledger,
			"Finish its orders with that version ("+failure.Do(failure.Resume)+
				"), then move it aside (with its -wal and "+
				"-shm files) and run "+failure.Do(failure.RebuildLedger)+
				", which makes a new one from what the disk and "+
				"the CA know.",
			"the ledger %s was made by a development version of Orderly that was never released (its "+
				"version is %d, this program knows %d)", path, have, current)
	}
	return nil
}

// upgrade brings the ledger of an older release to this version, while no other process does. A
// ledger that this process may read but not write is left as it is, for commands that only look;
// what they write fails with a sentence of its own.
func upgrade(ctx context.Context, db *sql.DB, have int, o Options) (now int, err error) {
	if have == current {
		return have, nil
	}
	unlock, err := o.Lock(ctx)
	if err != nil {
		return have, err
	}
	defer func() { _ = unlock() }() // the kernel drops it with the process at the latest
	if err := makeSchema(ctx, db); err != nil && !readOnly(err) {
		return have, err
	}
	return version(ctx, db) // another process may have been first
}

// nothingSeen is why nothing that was seen can be written, where a ledger could not be upgraded.
func nothingSeen(have int, path string) error {
	if have >= seenFrom {
		return nil
	}
	return unwritable(path, errors.New("an older release made it, and it is read-only"))
}

// makeSchema makes the tables in an empty file, or those that an older one lacks.
func makeSchema(ctx context.Context, db *sql.DB) error {
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return err
	}
	provider, err := goose.NewProvider(goose.DialectSQLite3, db, files)
	if err != nil {
		return err
	}
	_, err = provider.Up(ctx)
	if err != nil && ctx.Err() != nil {
		// what breaks off a migration says something of transactions, whatever broke it off
		return context.Cause(ctx)
	}
	return err
}
