package sqlstore

import (
	"context"
	"database/sql"
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
