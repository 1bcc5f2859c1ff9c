package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"orderly/failure"
)

// A ledger that is half made must never be taken for one: it would say that nothing was ordered.

// writableDir is what to do where nothing can be made in a directory.
func writableDir() failure.Remedy {
	return "Make the directory writable, or choose another with " + failure.Do(failure.ConfigDir) + "."
}

// makeDir makes dir and what is missing above it, each entry durable: a commit is worth nothing if
// a power cut takes the directory away.
func makeDir(dir string) error {
	if info, err := os.Stat(dir); err == nil && info.IsDir() {
		return nil
	}
	parent := filepath.Dir(dir)
	if parent != dir {
		if err := makeDir(parent); err != nil {
			return err
		}
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		if info, again := os.Stat(dir); again == nil && info.IsDir() {
			return nil // another process was quicker
		}
		return err
	}
	return syncPath(parent)
}

// syncPath makes what was written to a file or directory durable.
func syncPath(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	err = f.Sync()
	if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOTSUP) {
		err = nil // some file systems know no such thing of directories
	}
	return errors.Join(err, f.Close())
}

// ensure makes the ledger if there is none. It appears under its name only when it is whole, so
// that an empty or short file under that name is always a damaged ledger, never one that is about
// to be made.
func ensure(ctx context.Context, path string, o Options) error {
	if there, err := present(path); there || err != nil {
		return err
	}
	unlock, err := o.Lock(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = unlock() }() // the kernel drops it with the process at the latest
	if there, err := present(path); there || err != nil {
		return err
	}
	for _, companion := range []string{path + "-wal", path + "-journal"} {
		if _, err := os.Lstat(companion); err == nil {
			return failure.New(failure.Ledger,
				failure.Remedy("Restore ledger.db from a backup, or move "+companion+" aside to begin anew."), "the ledger %s is gone, though its %s is there", path, filepath.Base(companion))
		}
	}
	return create(ctx, path, o)
}

func create(ctx context.Context, path string, o Options) error {
	draft := path + ".new"
	if err := removeDraft(draft); err != nil {
		return failure.Wrap(err, failure.Ledger, writableDir(),
			"a leftover of the ledger %s cannot be removed", path)
	}
	f, err := os.OpenFile(draft, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
	if err == nil {
		err = f.Close()
	}
	if err != nil {
		return failure.Wrap(err, failure.Config, writableDir(), "the ledger %s cannot be made",
			path)
	}
	if err := fill(ctx, draft, o); err != nil {
		_ = removeDraft(draft) // what is left of it the next attempt removes
		return explainOpen(path, err)
	}
	dir := filepath.Dir(path)
	err = errors.Join(os.Rename(draft, path), syncPath(dir))
	// the directory may be that of a process that was killed before it had made its name durable
	if err == nil {
		err = syncPath(filepath.Dir(dir))
	}
	if err != nil && !errors.Is(err, fs.ErrPermission) {
		return failure.Wrap(err, failure.Ledger, writableDir(),
			"the ledger %s cannot be put in place", path)
	}
	return nil
}

func removeDraft(draft string) error {
	for _, suffix := range []string{"", "-journal", "-wal", "-shm"} {
		if err := os.Remove(draft + suffix); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// fill makes the whole ledger in the empty file draft and closes it, so that nothing is left in a
// journal. WAL mode, which SQLite keeps in the file, comes last: what it needs beside the file
// would not be renamed with it. One sync at the end makes it durable instead of the two dozen that
// SQLite would ask for on the way.
func fill(ctx context.Context, draft string, o Options) error {
	db, err := connect(draft, "OFF")
	if err != nil {
		return err
	}
	if err = makeSchema(ctx, db); err == nil {
		err = register(ctx, db, o)
	}
	if err := errors.Join(err, db.Close()); err != nil {
		return err
	}
	return syncPath(draft)
}

func register(ctx context.Context, db *sql.DB, o Options) error {
	_, err := db.ExecContext(ctx, `INSERT INTO book (id, host, created_at) VALUES (1, ?, ?)`, o.Host, o.Now().UnixMicro())
	if err != nil {
		return err
	}
	_, err = db.ExecContext(ctx, fmt.Sprintf(`PRAGMA application_id = %d; PRAGMA journal_mode = WAL`, applicationID))
	return err
}
