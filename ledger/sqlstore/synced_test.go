package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"slices"
	"testing"

	_ "modernc.org/sqlite" // the driver
)

// The database is told before a transaction whether it is to sync, and only where that is another
// word than the last. A word that did not arrive is said again.
func TestTheDatabaseIsToldWhetherToSync(t *testing.T) {
	db, err := sql.Open("sqlite", ":memory:")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	db.SetMaxOpenConns(1)
	var told []bool
	var broken error
	s := New(db, db, Dialect{Busy: func(error) bool { return false }, Sync: func(_ context.Context, _ *sql.DB, on bool) error {
		told = append(told, on)
		return broken
	}})
	begin := func(synced bool, want error) {
		t.Helper()
		tx, err := s.begin(t.Context(), synced)
		if err != want {
			t.Fatalf("%v, want %v", err, want)
		}
		if err == nil {
			tx.Rollback()
		}
	}
	begin(true, nil)
	broken = sql.ErrConnDone // it may have heard all the same
	begin(false, broken)
	broken = nil
	begin(true, nil)
	begin(false, nil)
	begin(false, nil)
	broken = sql.ErrConnDone
	begin(true, broken)
	broken = nil
	begin(true, nil)
	begin(true, nil)
	if want := []bool{false, true, false, true, true}; !slices.Equal(told, want) {
		t.Errorf("told %v, want %v", told, want)
	}
}

// After a sync that failed nothing is written any more: what is synced later would be told durable, and
// be gone after a power cut with what was to be synced before. Another error of a COMMIT is its own.
func TestNothingIsWrittenAfterASyncThatFailed(t *testing.T) {
	db, err := sql.Open("sqlite", ":memory:")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	db.SetMaxOpenConns(1)
	failed := false
	s := New(db, db, Dialect{Busy: func(error) bool { return false },
		Sync:       func(context.Context, *sql.DB, bool) error { return nil },
		SyncFailed: func(err error) bool { return failed && errors.Is(err, sql.ErrTxDone) }})
	for _, failed = range []bool{false, true} {
		tx, err := s.begin(t.Context(), true)
		if err != nil {
			t.Fatal(err)
		}
		_ = tx.Tx.Rollback() // so that its COMMIT fails
		if err := tx.Commit(); !errors.Is(err, sql.ErrTxDone) {
			t.Errorf("COMMIT answers %v", err)
		}
	}
	for _, synced := range []bool{true, false} {
		if _, err := s.begin(t.Context(), synced); !errors.Is(err, sql.ErrTxDone) {
			t.Errorf("synced %v: the next transaction begins with %v", synced, err)
		}
	}
}
