package sqlite

import (
	"context"
	"database/sql"
	"embed"
	"io/fs"

	"github.com/pressly/goose/v3"

	"orderly/failure"
)

// One schema, refused where another version made it.

//go:embed migrations/*.sql
var migrations embed.FS

// current is the version of the last file in migrations, a test keeps it true. Those before it were
// never released, so that there is nothing yet to migrate from.
const current = 9

// checkVersion refuses a ledger that another version of Orderly made: a column that means something
// else there would be misread, and an order with it.
func checkVersion(ctx context.Context, db *sql.DB, path string) error {
	const made = `SELECT COALESCE(MAX(version_id), 0) FROM goose_db_version WHERE is_applied = 1`
	var have int
	if err := db.QueryRowContext(ctx, made).Scan(&have); err != nil {
		return err
	}
	switch {
	case have > current:
		return failure.New(failure.Ledger, "Install that version, or a newer one.",
			"the ledger %s was made by a newer Orderly (its version is %d, this program knows %d)",
			path, have, current)
	case have < current:
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

// makeSchema makes the tables in an empty file.
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
