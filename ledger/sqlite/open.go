// Package sqlite keeps the ledger of one server in one SQLite file. It opens and makes the file and
// binds it to its host; the statements are sqlstore's. It must never open a ledger that another
// host wrote, one that another version of Orderly made, or one that lies on a network file system,
// where SQLite's locks do not hold.
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
	"time"

	_ "modernc.org/sqlite" // the driver

	"orderly/failure"
	"orderly/ledger/sqlstore"
)

// FileName is the name of the ledger in its directory.
const FileName = "ledger.db"

// applicationID stands in the file's header, so that a foreign SQLite file is told from ours
// ("ORDY").
const applicationID = 0x4f524459

// smallestFile is the size of SQLite's smallest page. SQLite takes a shorter file for an empty
// database.
const smallestFile = 512

// Options say which ledger to open.
type Options struct {
	Dir   string           // directory of the ledger; made (0700) if missing
	Host  string           // identity of this host
	Now   func() time.Time // for the record of when it was made
	Adopt bool             // take over a ledger that another host wrote
	// how long another writer is waited for; zero: as long as each commit's own context says
	Wait sqlstore.Wait
	// Lock excludes other processes while the file is made. It must wait and may not be nil.
	Lock func(ctx context.Context) (unlock func() error, err error)
}

// Open opens the ledger in o.Dir, making it first where there is none.
func Open(ctx context.Context, o Options) (*sqlstore.Store, error) {
	if err := makeDir(o.Dir); err != nil {
		return nil, failure.Wrap(err, failure.Config, writableDir(), "the ledger's directory %s cannot be made", o.Dir)
	}
	if err := refuseNetwork(o.Dir); err != nil {
		return nil, err
	}
	path := filepath.Join(o.Dir, FileName)
	if err := ensure(ctx, path, o); err != nil {
		return nil, err
	}
	db, err := connect(path, "FULL")
	if err != nil {
		return nil, explainOpen(path, err)
	}
	have, err := prepare(ctx, db, path, o)
	if err != nil {
		_ = db.Close() // its complaint would only be the same
		return nil, explainOpen(path, err)
	}
	readers, err := connectReaders(path)
	if err != nil {
		_ = db.Close()
		return nil, explainOpen(path, err)
	}
	store := sqlstore.New(db, readers, sqlstore.Dialect{
		Rebind:      func(query string) string { return query },
		Duplicate:   duplicate,
		Busy:        busy,
		Explain:     func(err error) error { return explain(path, err) },
		Sync:        sync,
		SyncFailed:  syncFailed,
		NothingSeen: nothingSeen(have, path),
		// begun as deferred: it takes no lock a writer would wait for
		Snapshot: sql.TxOptions{ReadOnly: true},
	})
	if o.Wait.Ending != nil {
		store.Await(o.Wait)
	}
	return store, nil
}

// present reports whether something that may be a ledger lies at path. It must not open the file:
// closing it again would drop every lock this process has on it through another handle (POSIX), and
// SQLite would rely on what is gone. A link is refused, because one that leads nowhere (a disk not
// mounted) would be taken for a missing ledger.
func present(path string) (bool, error) {
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return false, nil
	case err != nil:
		return false, failure.Wrap(err, failure.Ledger, "Orderly must run as the owner of its ledger.",
			"the ledger %s cannot be looked at", path)
	case info.Mode().Type() == fs.ModeSymlink:
		return false, failure.New(failure.Ledger, "Move the file itself here, or make its directory the link.",
			"the ledger %s is a symbolic link", path)
	case !info.Mode().IsRegular():
		return false, failure.New(failure.Ledger, "Move it aside.", "the ledger %s is not a file", path)
	case info.Size() < smallestFile:
		// SQLite would begin a new one in it
		return false, damaged(path, fmt.Sprintf("it has only %d bytes", info.Size()))
	}
	return true, nil
}

func damaged(path, how string) error {
	return failure.New(failure.Ledger,
		"Restore it from a backup, or move it aside (with its -wal and -shm files) and run "+
			failure.Do(failure.RebuildLedger)+
			", which makes a new one from what the disk and the CA know.",
		"the ledger %s is damaged: %s", path, how)
}

// connect opens the file, which must be there, for one writer; a second one would only wait for the
// first, and cost 2 MB. A deferred transaction that reads and then writes gets SQLITE_BUSY at once,
// hence immediate. The journal mode is not set here: a foreign file would be changed by it before
// it is known for one.
func connect(path, synchronous string) (*sql.DB, error) {
	return dial(path, 1, url.Values{"_txlock": {"immediate"},
		"_pragma": {patience, "foreign_keys(1)", "synchronous(" + synchronous + ")"}})
}

// sync says whether commits sync the -wal. It holds all of them in their order, so that none that is
// synced later outlives a power cut without those before it. The statement takes effect when it is
// compiled, and so is not kept compiled.
func sync(ctx context.Context, db *sql.DB, on bool) error {
	statement := `PRAGMA synchronous = NORMAL`
	if on {
		statement = `PRAGMA synchronous = FULL`
	}
	_, err := db.ExecContext(ctx, statement)
	return err
}

// mostReaders is how many looks there are at once. A command that reads one thing after another
// opens one connection; only a process with many orders at work opens them all.
const mostReaders = 4

// connectReaders opens the file, which has been prepared, for looks alone. In WAL mode they see the
// last commit and wait for nobody; on the writer's connection each would wait for the sync of the
// commit under way.
func connectReaders(path string) (*sql.DB, error) {
	return dial(path, mostReaders, url.Values{"_pragma": {patience, "query_only(1)"}})
}

// patience is how long another process is waited for: 5 seconds were too few for 50 processes on a
// slow disk.
const patience = "busy_timeout(30000)"

func dial(path string, most int, parameters url.Values) (*sql.DB, error) {
	parameters.Set("mode", "rw")
	dsn := url.URL{Scheme: "file", Opaque: (&url.URL{Path: path}).EscapedPath(),
		RawQuery: parameters.Encode()}
	db, err := sql.Open("sqlite", dsn.String())
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(most)
	db.SetMaxIdleConns(most)
	return db, nil
}

// prepare checks whose ledger it is, and that this version can read it, and brings an older one to
// this version. It returns the version that the ledger has now.
func prepare(ctx context.Context, db *sql.DB, path string, o Options) (int, error) {
	if err := ours(ctx, db, path); err != nil {
		return 0, err
	}
	if err := torn(ctx, db, path); err != nil {
		return 0, err
	}
	// in case a person's tool changed it
	if _, err := db.ExecContext(ctx, `PRAGMA journal_mode = WAL`); err != nil {
		return 0, err
	}
	have, err := version(ctx, db)
	if err != nil {
		return 0, err
	}
	if err := checkVersion(have, path); err != nil {
		return 0, err
	}
	// first of all whose it is: another host's is not to be changed
	if err := checkHost(ctx, db, path, o); err != nil {
		return 0, err
	}
	return upgrade(ctx, db, have, o)
}

// ours refuses an SQLite file of another program.
func ours(ctx context.Context, db *sql.DB, path string) error {
	var id int64
	if err := db.QueryRowContext(ctx, `PRAGMA application_id`).Scan(&id); err != nil {
		return err
	}
	if id != applicationID {
		return failure.New(failure.Ledger,
			"Move it aside, or name another directory with "+failure.Do(failure.ConfigDir)+".",
			"%s is an SQLite file of another program, not Orderly's ledger", path)
	}
	return nil
}

// torn refuses a file that ends within a page. SQLite itself compares the file with its header, but
// in whole pages, and takes what is missing of the last one for zeros. With a -wal beside it the
// file may be one whose checkpoint was cut short; the -wal still holds the missing pages.
func torn(ctx context.Context, db *sql.DB, path string) error {
	if wal, err := os.Stat(path + "-wal"); err == nil && wal.Size() > 0 {
		return nil
	}
	var page int64
	if err := db.QueryRowContext(ctx, `PRAGMA page_size`).Scan(&page); err != nil {
		return err
	}
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	if info.Size()%page != 0 {
		return damaged(path, fmt.Sprintf("its %d bytes end within a page of %d", info.Size(), page))
	}
	return nil
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
		return failure.New(failure.Ledger,
			"If this host has taken the other one's place, run "+failure.Do(failure.AdoptLedger)+
				"; if both are "+
				"in use, move the ledger aside here, since two ledgers for the same orders undo each other's work.",
			"the ledger %s was written on another host", path)
	}
	// What the other host has spent since is unknown, and unknown counts as spent:
	// 253402300799999999 is the end of the year 9999, which the next look at a bucket brings down
	// to an empty one's time.
	_, err := db.ExecContext(ctx, `UPDATE buckets SET tat = 253402300799999999`)
	if err != nil {
		return err
	}
	_, err = db.ExecContext(ctx, `UPDATE book SET host = ? WHERE id = 1`, o.Host)
	return err
}
