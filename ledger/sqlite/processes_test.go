package sqlite_test

import (
	"bufio"
	"bytes"
	"database/sql"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"orderly/ledger"
	"orderly/ledger/sqlite"
)

// raw opens the ledger's file beside the store, as any SQLite program would.
func raw(t *testing.T, dir string) *sql.DB {
	t.Helper()
	db, err := sql.Open("sqlite", filepath.Join(dir, sqlite.FileName))
	if err != nil {
		t.Fatal(err)
	}
	db.SetMaxOpenConns(1)
	t.Cleanup(func() { _ = db.Close() })
	return db
}

// sound fails the test if SQLite finds anything wrong with the ledger.
func sound(t *testing.T, dir string) {
	t.Helper()
	db := raw(t, dir)
	defer func() { _ = db.Close() }()
	var verdict string
	if err := db.QueryRow(`PRAGMA integrity_check`).Scan(&verdict); err != nil || verdict != "ok" {
		t.Fatalf("integrity_check: %q, %v", verdict, err)
	}
	var violations int
	if err := db.QueryRow(`SELECT COUNT(*) FROM pragma_foreign_key_check`).Scan(&violations); err != nil || violations != 0 {
		t.Fatalf("foreign_key_check: %d, %v", violations, err)
	}
}

func TestFiftyProcessesThatStartAtOnceAllCommit(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "ledger")
	gate, opener, err := os.Pipe() // closing it is the starting shot
	if err != nil {
		t.Fatal(err)
	}
	const processes = 50
	var players [processes]*exec.Cmd
	var said [processes]bytes.Buffer
	for i := range players {
		players[i] = player(t, "first", dir)
		players[i].Stdin, players[i].Stderr = gate, &said[i]
		if err := players[i].Start(); err != nil {
			t.Fatal(err)
		}
	}
	_ = gate.Close()
	_ = opener.Close()
	for i, p := range players {
		if err := p.Wait(); err != nil {
			t.Errorf("process %d: %v: %s", i, err, said[i].String())
		}
	}
	orders, err := open(t, dir).Orders(t.Context(), ledger.OrderFilter{})
	if err != nil || len(orders) != processes {
		t.Errorf("%d orders, %v", len(orders), err)
	}
	sound(t, dir)
}

func TestNothingCommittedIsLostByKill9(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "ledger")
	var committed []int64
	for range 20 {
		ids := killed(t, "loop", dir)
		committed = append(committed, ids...)
		wholeLedger(t, dir, ids)
	}
	wholeLedger(t, dir, committed)
	t.Logf("%d commits in 20 killed processes", len(committed))
}

// killed plays a process that commits in a loop, kills it at a random moment, and returns the ids it printed.
func killed(t *testing.T, part, dir string) []int64 {
	t.Helper()
	p := player(t, part, dir)
	var stderr bytes.Buffer
	p.Stderr = &stderr
	out, err := p.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	var ids []int64
	fatal := 1 + rand.IntN(60)
	for lines := bufio.NewScanner(out); lines.Scan(); {
		id, err := strconv.ParseInt(lines.Text(), 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		if ids = append(ids, id); len(ids) == fatal {
			// A little later, so that it is hit in any part of a commit.
			time.AfterFunc(rand.N(2*time.Millisecond), func() { _ = p.Process.Kill() })
		}
	}
	if err := p.Wait(); err == nil || len(ids) < fatal {
		t.Fatalf("the process ended by itself after %d commits: %v: %s", len(ids), err, stderr.String())
	}
	return ids
}

// wholeLedger fails the test if the ledger is damaged or one of the orders is not whole.
func wholeLedger(t *testing.T, dir string, ids []int64) {
	t.Helper()
	sound(t, dir)
	s := open(t, dir)
	for _, id := range ids {
		whole(t, s, id)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

// whole fails the test if an order that oneOrder made is not there with everything that came with it.
func whole(t *testing.T, s ledger.Store, id int64) {
	t.Helper()
	o, err := s.Order(t.Context(), id)
	if err != nil {
		t.Fatalf("a committed order: %v", err)
	}
	events, err := s.Events(t.Context(), id, 0)
	if err != nil || len(events) != 1 || len(o.Authorizations) != 2 {
		t.Fatalf("order %d has %d authorizations, %d events, %v", id, len(o.Authorizations), len(events), err)
	}
}

func TestAProcessKilledWhileItMakesTheLedgerHindersNobody(t *testing.T) {
	// How long it takes from its start to its end, on this machine as busy as it is.
	began := time.Now()
	if err := player(t, "first", filepath.Join(t.TempDir(), "ledger")).Run(); err != nil {
		t.Fatal(err)
	}
	took := time.Since(began)
	for range 20 {
		dir := filepath.Join(t.TempDir(), "ledger")
		p := player(t, "first", dir)
		if err := p.Start(); err != nil {
			t.Fatal(err)
		}
		end := time.AfterFunc(rand.N(took), func() { _ = p.Process.Kill() })
		_ = p.Wait()
		end.Stop()
		s := open(t, dir)
		if err := s.Commit(t.Context(), oneOrder("after")); err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat(filepath.Join(dir, sqlite.FileName+".new")); err == nil {
			t.Fatal("the draft of the killed process is still there")
		}
		sound(t, dir)
		_ = s.Close()
	}
}

// POSIX drops all locks of a process on a file when any descriptor of it is closed. If that happened when a second handle
// is opened or closed, another process could take itself for the last user when it ends, and remove the -wal that the first
// handle writes to. (SQLite 3.53 looks at the locks on -shm, too, before it believes that.)
func TestASecondHandleTakesNoLocksFromTheFirst(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "ledger")
	first := open(t, dir)
	if err := first.Commit(t.Context(), oneOrder("before")); err != nil {
		t.Fatal(err)
	}
	if err := open(t, dir).Close(); err != nil {
		t.Fatal(err)
	}
	if out, err := player(t, "first", dir).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if _, err := os.Stat(filepath.Join(dir, sqlite.FileName+"-wal")); err != nil {
		t.Errorf("another process removed the journal in use: %v", err)
	}
	if err := first.Commit(t.Context(), oneOrder("after")); err != nil {
		t.Fatal(err)
	}
	if orders, err := open(t, dir).Orders(t.Context(), ledger.OrderFilter{}); err != nil || len(orders) != 3 {
		t.Errorf("%d orders, %v", len(orders), err)
	}
}
