package sqlite

import (
	"context"
	"database/sql"
	"embed"
	"io/fs"

	"github.com/pressly/goose/v3"

	"orderly/failure"
)

//go:embed migrations/*.sql
var migrations embed.FS

// newest is the version of the last file in migrations. A test keeps it true.
const newest = 5

// upgrade migrates an older ledger and refuses a newer one. The version is read first, and goose is called only when it is
// older: that keeps the usual start free of goose's own queries.
func upgrade(ctx context.Context, db *sql.DB, path string, o Options) error {
	have, err := version(ctx, db)
	if err != nil || have == newest {
		return err
	}
	if have > newest {
		return failure.New(failure.Ledger, "Install that version, or a newer one.",
			"the ledger %s was made by a newer Orderly (its version is %d, this program knows %d)", path, have, newest)
	}
	unlock, err := o.Lock(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = unlock() }()
	if have, err = version(ctx, db); err != nil || have == newest {
		return err // another process was quicker
	}
	return migrate(ctx, db)
}

func version(ctx context.Context, db *sql.DB) (int, error) {
	var v int
	err := db.QueryRowContext(ctx, `SELECT COALESCE(MAX(version_id), 0) FROM goose_db_version WHERE is_applied = 1`).Scan(&v)
	return v, err
}

func migrate(ctx context.Context, db *sql.DB) error {
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
		return context.Cause(ctx) // what breaks off a migration says something of transactions, whatever broke it off
	}
	return err
}
