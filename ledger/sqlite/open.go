// Package sqlite keeps the ledger of one server in one SQLite file. It opens, makes, migrates and binds the file to its
// host; the statements are sqlstore's. It must never open a ledger that another host wrote, one that a newer Orderly made,
// or one that lies on a network file system, where SQLite's locks do not hold.
package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"modernc.org/sqlite"
	sqlitelib "modernc.org/sqlite/lib"

	"orderly/failure"
	"orderly/ledger/sqlstore"
)

// FileName is the name of the ledger in its directory.
const FileName = "ledger.db"

// applicationID stands in the file's header, so that a foreign SQLite file is told from ours ("ORDY").
const applicationID = 0x4f524459

// Options say which ledger to open.
type Options struct {
	Dir   string           // directory of the ledger; made (0700) if missing
	Host  string           // identity of this host
	Now   func() time.Time // for the record of when it was made
	Adopt bool             // take over a ledger that another host wrote
	// Lock excludes other processes while the file is made or migrated. It must wait and may not be nil.
	Lock func(ctx context.Context) (unlock func() error, err error)
}

// Open opens the ledger in o.Dir, making or migrating it first where needed.
func Open(ctx context.Context, o Options) (*sqlstore.Store, error) {
	if err := os.MkdirAll(o.Dir, 0o700); err != nil {
		return nil, failure.Wrap(err, failure.Config, "Make the directory writable, or choose another with --config-dir.",
			"the ledger's directory %s cannot be made", o.Dir)
	}
	if err := refuseNetwork(o.Dir); err != nil {
		return nil, err
	}
	path := filepath.Join(o.Dir, FileName)
	if err := ensure(ctx, path, o); err != nil {
		return nil, err
	}
	db, err := connect(path, "WAL")
	if err != nil {
		return nil, explainOpen(path, err)
	}
	if err := prepare(ctx, db, path, o); err != nil {
		return nil, errors.Join(explainOpen(path, err), db.Close())
	}
	return sqlstore.New(db, sqlstore.Dialect{
		Rebind:    func(query string) string { return query },
		Duplicate: duplicate,
		Explain:   func(err error) error { return explain(path, err) },
	}), nil
}

// ensure makes the ledger if there is none. It appears under its name only when it is whole, so that an empty or short
// file under that name is always a damaged ledger, never one that is about to be made.
func ensure(ctx context.Context, path string, o Options) error {
	if there, err := whole(path); there || err != nil {
		return err
	}
	unlock, err := o.Lock(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = unlock() }() // the kernel drops it with the process at the latest
	if there, err := whole(path); there || err != nil {
		return err
	}
	if _, err := os.Lstat(path + "-wal"); err == nil {
		return failure.New(failure.Ledger, "Restore ledger.db from a backup, or move ledger.db-wal aside to begin anew.",
			"%s is gone, though its ledger.db-wal is there", path)
	}
	return create(ctx, path, o)
}

// whole reports whether a ledger lies at path, and refuses one that was cut short.
func whole(path string) (bool, error) {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return false, nil
	case err != nil:
		return false, failure.Wrap(err, failure.Ledger, "", "the ledger %s cannot be opened", path)
	case !info.Mode().IsRegular():
		return false, failure.New(failure.Ledger, "Move it aside.", "the ledger %s is not a file", path)
	}
	head := make([]byte, 100)
	f, err := os.Open(path)
	if err != nil {
		return false, failure.Wrap(err, failure.Ledger, "Orderly must run as the owner of its ledger.",
			"the ledger %s cannot be read", path)
	}
	defer func() { _ = f.Close() }()
	if _, err := f.ReadAt(head, 0); err != nil {
		return false, damaged(path, fmt.Sprintf("it has only %d bytes", info.Size()))
	}
	if string(head[:16]) != "SQLite format 3\x00" {
		return false, damaged(path, "it is no SQLite file")
	}
	page := int64(head[16])<<8 | int64(head[17])
	pages := int64(head[28])<<24 | int64(head[29])<<16 | int64(head[30])<<8 | int64(head[31])
	if page == 1 {
		page = 65536
	}
	// A checkpoint cut short by a crash leaves the file short too, but then its -wal still holds the missing pages.
	wal, err := os.Stat(path + "-wal")
	if info.Size() < page*pages && (err != nil || wal.Size() == 0) {
		return false, damaged(path, fmt.Sprintf("it has %d bytes where its header speaks of %d", info.Size(), page*pages))
	}
	return true, nil
}

func damaged(path, how string) error {
	return failure.New(failure.Ledger,
		"Restore it from a backup, or move it aside (with its -wal and -shm files) to begin a new one.",
		"the ledger %s is damaged: %s", path, how)
}

func create(ctx context.Context, path string, o Options) error {
	draft := path + ".new"
	for _, leftover := range []string{draft, draft + "-journal"} {
		if err := os.Remove(leftover); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return failure.Wrap(err, failure.Ledger, "", "a leftover cannot be removed")
		}
	}
	f, err := os.OpenFile(draft, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
	if err != nil {
		return failure.Wrap(err, failure.Config, "Make the directory writable, or choose another with --config-dir.",
			"the ledger %s cannot be made", path)
	}
	if err := f.Close(); err != nil {
		return err
	}
	db, err := connect(draft, "DELETE")
	if err != nil {
		return explainOpen(path, err)
	}
	err = errors.Join(migrate(ctx, db), register(ctx, db, o), db.Close())
	if err != nil {
		return explainOpen(path, err)
	}
	return publish(draft, path)
}

// publish renames the finished draft and makes the rename durable.
func publish(draft, path string) error {
	if err := os.Rename(draft, path); err != nil {
		return failure.Wrap(err, failure.Ledger, "", "the ledger cannot be put in place")
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

func register(ctx context.Context, db *sql.DB, o Options) error {
	_, err := db.ExecContext(ctx, `INSERT INTO book (id, host, created_at) VALUES (1, ?, ?)`, o.Host, o.Now().UnixMicro())
	if err != nil {
		return err
	}
	_, err = db.ExecContext(ctx, fmt.Sprintf(`PRAGMA application_id = %d`, applicationID))
	return err
}

// connect opens the file. A deferred transaction that reads and then writes gets SQLITE_BUSY at once, hence immediate; 5
// seconds of patience were too few for 50 processes on a slow disk, hence 30.
func connect(path, journal string) (*sql.DB, error) {
	dsn := url.URL{Scheme: "file", Opaque: (&url.URL{Path: path}).EscapedPath(), RawQuery: url.Values{
		"_txlock": {"immediate"},
		"_pragma": {"busy_timeout(30000)", "journal_mode(" + journal + ")", "synchronous(FULL)", "foreign_keys(1)"},
	}.Encode()}
	db, err := sql.Open("sqlite", dsn.String())
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(1) // one writer; a second connection would only wait for the first, and cost 2 MB
	return db, nil
}

// prepare checks whose ledger it is and migrates an older one.
func prepare(ctx context.Context, db *sql.DB, path string, o Options) error {
	var id int64
	if err := db.QueryRowContext(ctx, `PRAGMA application_id`).Scan(&id); err != nil {
		return err
	}
	if id != applicationID {
		return failure.New(failure.Ledger, "Move it aside, or name another directory with --config-dir.",
			"%s is an SQLite file of another program, not Orderly's ledger", path)
	}
	if err := upgrade(ctx, db, path, o); err != nil {
		return err
	}
	return checkHost(ctx, db, path, o)
}

func checkHost(ctx context.Context, db *sql.DB, path string, o Options) error {
	var host string
	if err := db.QueryRowContext(ctx, `SELECT host FROM book WHERE id = 1`).Scan(&host); err != nil {
		return err
	}
	if host == o.Host {
		return nil
	}
	if !o.Adopt {
		return failure.New(failure.Ledger, "If this host has taken the other one's place, run `orderly ledger adopt`; if both are "+
			"in use, move the ledger aside here, since two ledgers for the same orders undo each other's work.",
			"the ledger %s was written on another host", path)
	}
	_, err := db.ExecContext(ctx, `UPDATE book SET host = ? WHERE id = 1`, o.Host)
	return err
}

func duplicate(err error) bool {
	e, ok := errors.AsType[*sqlite.Error](err)
	return ok && e.Code() == sqlitelib.SQLITE_CONSTRAINT_UNIQUE
}

// explain names the remedy for what SQLite complains of.
func explain(path string, err error) error {
	e, ok := errors.AsType[*sqlite.Error](err)
	if !ok {
		return err
	}
	switch e.Code() & 0xff {
	case sqlitelib.SQLITE_FULL:
		return failure.Wrap(err, failure.Ledger, "Make room; nothing was lost and the order goes on with the next run.",
			"no space left for the ledger %s", path)
	case sqlitelib.SQLITE_BUSY, sqlitelib.SQLITE_LOCKED:
		return failure.Wrap(err, failure.Ledger, "Look for a process that holds the file open; nothing was lost.",
			"the ledger %s was locked for 30 seconds", path)
	case sqlitelib.SQLITE_READONLY, sqlitelib.SQLITE_CANTOPEN, sqlitelib.SQLITE_PERM:
		return failure.Wrap(err, failure.Ledger, "Make the file and its directory writable for Orderly's user.",
			"the ledger %s cannot be written", path)
	case sqlitelib.SQLITE_CORRUPT, sqlitelib.SQLITE_NOTADB:
		return damaged(path, failure.Clean(strings.TrimSpace(e.Error())))
	}
	return err
}

func explainOpen(path string, err error) error {
	if failure.ClassOf(err) != failure.Internal {
		return err
	}
	return failure.Wrap(explain(path, err), failure.Ledger, "", "the ledger %s cannot be opened", path)
}
