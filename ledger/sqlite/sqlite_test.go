package sqlite_test

import (
	"context"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"orderly/ledger"
	"orderly/ledger/ledgertest"
	"orderly/ledger/sqlite"
	"orderly/ledger/sqlstore"
	"orderly/lock"
)

// options open the ledger in dir as this test's host.
func options(dir string) sqlite.Options {
	return sqlite.Options{
		Dir: dir, Host: "host-1", Now: time.Now,
		Lock: func(ctx context.Context) (func() error, error) {
			f, err := lock.Open(filepath.Join(filepath.Dir(dir), "lock"))
			if err != nil {
				return nil, err
			}
			unlock, err := f.Lock(ctx, "ledger")
			if err != nil {
				return nil, err
			}
			return func() error { _ = unlock(); return f.Close() }, nil
		},
	}
}

func open(t testing.TB, dir string) *sqlstore.Store {
	t.Helper()
	s, err := sqlite.Open(t.Context(), options(dir))
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func TestSQLiteKeepsTheContract(t *testing.T) {
	var opening sync.Mutex // the lock file of options excludes processes; within one, opening takes turns
	ledgertest.Run(t, func(t *testing.T) ledgertest.Opener {
		dir := filepath.Join(t.TempDir(), "ledger")
		return func(t *testing.T) ledger.Store {
			opening.Lock()
			defer opening.Unlock()
			return open(t, dir)
		}
	})
}
