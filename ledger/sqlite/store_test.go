package sqlite_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"orderly/failure"
	"orderly/ledger"
	"orderly/ledger/sqlite"
	"orderly/ledger/sqlstore"
)

func TestAFreshLedgerBelongsToItsUserAlone(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "above", "ledger")
	s := open(t, dir)
	if err := s.Commit(t.Context(), oneOrder("a")); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]os.FileMode{
		filepath.Dir(dir): os.ModeDir | 0o700, dir: os.ModeDir | 0o700, filepath.Join(dir, "ledger.db"): 0o600,
		filepath.Join(dir, "ledger.db-wal"): 0o600, filepath.Join(dir, "ledger.db-shm"): 0o600,
	} {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode() != want {
			t.Errorf("%s has mode %v, want %v", path, info.Mode(), want)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	left, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil || len(left) != 1 {
		t.Errorf("after it was closed: %v, %v", left, err)
	}
}

func TestADirectoryThatIsThereKeepsItsMode(t *testing.T) {
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o750); err != nil {
		t.Fatal(err)
	}
	open(t, dir)
	if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o750 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
}

func TestOddDirectoryNamesAreNoTrouble(t *testing.T) {
	for _, name := range []string{"with blank", "a?mode=memory&_pragma=x", "100%25", "#1", "ü日本", "it's", `back\slash`, "a:b", "semi;colon", "-dash"} {
		dir := filepath.Join(t.TempDir(), name)
		s := open(t, dir)
		if err := s.Commit(t.Context(), oneOrder("a")); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := os.Stat(filepath.Join(dir, sqlite.FileName)); err != nil {
			t.Error(err)
		}
	}
	t.Chdir(t.TempDir())
	o := options("relative:dir")
	s, err := sqlite.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	_ = s.Close()
	if _, err := os.Stat("relative:dir/ledger.db"); err != nil {
		t.Error(err)
	}
}

func TestTheJournalIsAWriteAheadLog(t *testing.T) {
	dir, _ := made(t, 0)
	s := open(t, dir)
	if err := s.Commit(t.Context(), oneOrder("a")); err != nil {
		t.Fatal(err)
	}
	var mode string
	db := raw(t, dir)
	if err := db.QueryRow(`PRAGMA journal_mode`).Scan(&mode); err != nil || mode != "wal" {
		t.Errorf("journal mode %s, %v", mode, err)
	}
	_, _ = db.Close(), s.Close()

	// A person's tool may have left another journal mode.
	db = raw(t, dir)
	if err := db.QueryRow(`PRAGMA journal_mode = DELETE`).Scan(&mode); err != nil || mode != "delete" {
		t.Fatalf("mode %s, %v", mode, err)
	}
	_ = db.Close()
	s = open(t, dir)
	if err := s.Commit(t.Context(), oneOrder("b")); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(dir, sqlite.FileName+"-wal")); err != nil {
		t.Errorf("not in WAL mode: %v", err)
	}
}

// Another process may hold the write lock for long, as one does that was stopped in a debugger. SIGTERM and a deadline
// must end the wait.
func TestACommitStopsWaitingForAnotherWriterWithItsContext(t *testing.T) {
	dir, _ := made(t, 1)
	s := open(t, dir)
	holder, err := raw(t, dir).Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := holder.ExecContext(t.Context(), `BEGIN IMMEDIATE`); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	c := oneOrder("waiting")
	err = s.Commit(ctx, c)
	if !errors.Is(err, context.DeadlineExceeded) || c.Orders[0].ID != 0 {
		t.Errorf("Commit answers %v, id %d", err, c.Orders[0].ID)
	}
	if orders, err := s.Orders(t.Context(), ledger.OrderFilter{}); err != nil || len(orders) != 1 {
		t.Errorf("reading beside a writer: %d orders, %v", len(orders), err)
	}
	released := make(chan error)
	go func() { released <- s.Commit(t.Context(), c) }() // waits until the lock is free
	if _, err := holder.ExecContext(t.Context(), `ROLLBACK`); err != nil {
		t.Fatal(err)
	}
	if err := <-released; err != nil {
		t.Errorf("once the lock was free: %v", err)
	}
	sound(t, dir)
}

// All but the first pages are overwritten behind the back of SQLite, which notices when it needs one of them.
func TestDamageFoundLaterIsNamed(t *testing.T) {
	dir, path := made(t, 200)
	content := read(t, path)
	for i := 3 * 4096; i < len(content); i++ {
		content[i] = 0xa5
	}
	write(t, path, content)
	s, err := sqlite.Open(t.Context(), options(dir))
	if err == nil {
		_, err = s.Orders(t.Context(), ledger.OrderFilter{})
		_ = s.Close()
	}
	checkComplaint(t, complaintOf(err), failure.Ledger, path)
}

func TestCommitsAreCounted(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "ledger"))
	for i := range 3 {
		if err := s.Commit(t.Context(), oneOrder(fmt.Sprint(i))); err != nil {
			t.Fatal(err)
		}
	}
	_ = s.Commit(t.Context(), oneOrder("0"))
	_ = s.Commit(t.Context(), &ledger.Change{})
	if commits, transactions := s.Commits(), s.Transactions(); commits != 3 || transactions != 3 {
		t.Errorf("%d in %d transactions after three, a refused one and an empty one", commits, transactions)
	}
}

// A change that need not be synced is not, and the one after it is.
func TestOnlyWhatIsToBeSyncedIs(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "ledger"))
	before := s.Syncs()
	for i, unsynced := range []bool{true, true, false, true, false, false} {
		c := oneOrder(fmt.Sprint(i))
		c.Unsynced = unsynced
		if err := s.Commit(t.Context(), c); err != nil {
			t.Fatal(err)
		}
	}
	if commits, syncs := s.Commits(), s.Syncs()-before; commits != 6 || syncs != 3 {
		t.Errorf("%d commits cost %d syncs", commits, syncs)
	}
}

// What must not be lost is committed although a signal came; but a signal ends the wait for another writer, too (trial P9).
// Once it is over, a commit still goes through where nobody is in its way.
func TestTheLastCommitsOfARunWaitTogetherAndNotForLong(t *testing.T) {
	dir, _ := made(t, 1)
	o := options(dir)
	ending, end := context.WithCancel(t.Context())
	told := make(chan struct{}, 8)
	o.Wait = sqlstore.Wait{Ending: ending, Grace: 200 * time.Millisecond, Tell: func() { told <- struct{}{} }}
	s, err := sqlite.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	holder, err := raw(t, dir).Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := holder.ExecContext(t.Context(), `BEGIN IMMEDIATE`); err != nil {
		t.Fatal(err)
	}
	first := make(chan error, 1)
	go func() { first <- s.Commit(context.Background(), oneOrder("first")) }()
	<-told // after a second somebody is told
	end()
	for i, commit := range []func() error{
		func() error { return <-first },
		func() error { return s.Commit(context.Background(), oneOrder("second")) },
	} {
		if err := commit(); failure.ClassOf(err) != failure.Stopped || failure.RemedyOf(err) == "" {
			t.Errorf("commit %d: %v", i+1, err)
		}
	}
	if _, err := holder.ExecContext(t.Context(), `ROLLBACK`); err != nil {
		t.Fatal(err)
	}
	if err := s.Commit(context.Background(), oneOrder("third")); err != nil {
		t.Errorf("with nobody in the way: %v", err)
	}
	sound(t, dir)
}
