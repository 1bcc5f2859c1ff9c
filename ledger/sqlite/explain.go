package sqlite

import (
	"context"
	"errors"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
	"modernc.org/sqlite"
	sqlitelib "modernc.org/sqlite/lib"

	"orderly/failure"
)

// What SQLite complains of is a full disk, a wrong owner or a broken file; each is somebody's to
// mend.

func duplicate(err error) bool {
	e, ok := errors.AsType[*sqlite.Error](err)
	return ok && e.Code() == sqlitelib.SQLITE_CONSTRAINT_UNIQUE
}

func busy(err error) bool {
	e, ok := errors.AsType[*sqlite.Error](err)
	return ok && e.Code()&0xff == sqlitelib.SQLITE_BUSY
}

// syncFailed reports whether err says that what was written may never come to the disk.
func syncFailed(err error) bool {
	e, ok := errors.AsType[*sqlite.Error](err)
	return ok && e.Code() == sqlitelib.SQLITE_IOERR_FSYNC
}

// readOnly reports whether err says that the file can be read and not written.
func readOnly(err error) bool {
	e, ok := errors.AsType[*sqlite.Error](err)
	return ok && e.Code()&0xff == sqlitelib.SQLITE_READONLY
}

// explain names the remedy for what SQLite complains of.
func explain(path string, err error) error {
	e, ok := errors.AsType[*sqlite.Error](err)
	if !ok {
		return err
	}
	switch e.Code() & 0xff {
	case sqlitelib.SQLITE_FULL:
		return full(path, err)
	case sqlitelib.SQLITE_BUSY, sqlitelib.SQLITE_LOCKED, sqlitelib.SQLITE_PROTOCOL:
		return failure.Wrap(err, failure.Ledger,
			"Look for a process that holds the file open; nothing was lost.",
			"the ledger %s was locked for 30 seconds", path)
	case sqlitelib.SQLITE_CORRUPT, sqlitelib.SQLITE_NOTADB:
		return damaged(path, failure.Clean(strings.TrimSpace(e.Error())))
	case sqlitelib.SQLITE_READONLY, sqlitelib.SQLITE_CANTOPEN, sqlitelib.SQLITE_PERM,
		sqlitelib.SQLITE_IOERR:
		if noSpace(filepath.Dir(path)) {
			return full(path, err) // SQLite says so only when the database file itself cannot grow
		}
		if e.Code()&0xff == sqlitelib.SQLITE_IOERR {
			return failure.Wrap(err, failure.Ledger,
				"Look for errors of the disk in the kernel's log.",
				"the disk under the ledger %s gave an error", path)
		}
		return unwritable(path, err)
	}
	return err
}

func unwritable(path string, err error) error {
	return failure.Wrap(err, failure.Ledger,
		"Make the file and its directory writable for Orderly's user.",
		"the ledger %s cannot be written", path)
}

func full(path string, err error) error {
	return failure.Wrap(err, failure.Ledger,
		"Make room; nothing was lost and the order goes on with the next run.",
		"no space left for the ledger %s", path)
}

func noSpace(dir string) bool {
	var st unix.Statfs_t
	return unix.Statfs(dir, &st) == nil && st.Bavail < 16 // -shm alone takes 8 blocks of 4 kB
}

// explainOpen gives what went wrong while opening the ledger a sentence that names it. The end of
// ctx is nobody's fault and stays what it is.
func explainOpen(path string, err error) error {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	if err = explain(path, err); failure.ClassOf(err) != failure.Internal {
		return err
	}
	return failure.Wrap(err, failure.Ledger,
		"Restore it from a backup, or move it aside (with its -wal and -shm files) and run "+
			failure.Do(failure.RebuildLedger)+".",
		"the ledger %s cannot be opened", path)
}
