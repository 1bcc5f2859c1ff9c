package sqlite_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"orderly/ledger"
	"orderly/ledger/sqlite"
)

// older is a closed ledger as the first release made it, with orders in it.
func older(t *testing.T, orders int) (dir string) {
	t.Helper()
	dir, _ = made(t, orders)
	db := raw(t, dir)
	for _, statement := range []string{`DROP TABLE memos`, `DROP TABLE sightings`, `DROP TABLE messages`,
		`DELETE FROM goose_db_version WHERE version_id > 9`} {
		if _, err := db.Exec(statement); err != nil {
			t.Fatal(err)
		}
	}
	_ = db.Close()
	return dir
}

func TestALedgerOfAnOlderReleaseIsUpgraded(t *testing.T) {
	dir := older(t, 3)
	for range 2 {
		s := open(t, dir)
		if err := s.Commit(t.Context(), &ledger.Change{Memos: []ledger.Memo{{Key: "m", At: time.Now()}},
			Sightings: []ledger.Sighting{{Name: "a"}}, Messages: []ledger.Message{{Channel: "c"}}}); err != nil {
			t.Fatal(err)
		}
		orders, err := s.Orders(t.Context(), ledger.OrderFilter{})
		if err != nil || len(orders) != 3 || len(orders[0].Authorizations) != 2 {
			t.Errorf("%d orders, %v", len(orders), err)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
	sound(t, dir)
}

// Another host's ledger is refused before anything of it is changed.
func TestALedgerOfAnotherHostIsNotUpgraded(t *testing.T) {
	dir := older(t, 1)
	o := options(dir)
	o.Host = "host-2"
	refusal(t, dir, o)
	var have int
	if err := raw(t, dir).QueryRow(`SELECT MAX(version_id) FROM goose_db_version`).Scan(&have); err != nil || have != 9 {
		t.Errorf("version %d, %v", have, err)
	}
	o.Adopt = true
	s, err := sqlite.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.Commit(t.Context(), &ledger.Change{Sightings: []ledger.Sighting{{Name: "a"}}}); err != nil {
		t.Error(err)
	}
}

func TestProcessesThatUpgradeAtOnceAllCommit(t *testing.T) {
	dir := older(t, 1)
	gate, opener, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	const processes = 12
	var players [processes]*exec.Cmd
	var said [processes]bytes.Buffer
	for i := range players {
		players[i] = player(t, "first", dir)
		players[i].Stdin, players[i].Stderr = gate, &said[i]
		if err := players[i].Start(); err != nil {
			t.Fatal(err)
		}
	}
	_, _ = gate.Close(), opener.Close()
	for i, p := range players {
		if err := p.Wait(); err != nil {
			t.Errorf("process %d: %v: %s", i, err, said[i].String())
		}
	}
	orders, err := open(t, dir).Orders(t.Context(), ledger.OrderFilter{})
	if err != nil || len(orders) != processes+1 {
		t.Errorf("%d orders, %v", len(orders), err)
	}
	sound(t, dir)
}

// looked is what a reader saw.
type looked struct {
	Orders, Seen int
	Write        complaint
}

// playReader looks into the ledger as a user who may only read it, and tries to write.
func playReader(dir string) int {
	if err := dropPrivileges(); err != nil {
		return complain(err)
	}
	o := options(dir)
	o.Lock = func(context.Context) (func() error, error) { return func() error { return nil }, nil }
	ctx := context.Background()
	s, err := sqlite.Open(ctx, o)
	if err != nil {
		return complain(err)
	}
	orders, err1 := s.Orders(ctx, ledger.OrderFilter{})
	sightings, err2 := s.Sightings(ctx)
	messages, err3 := s.Messages(ctx)
	_, err4 := s.Memo(ctx, "m")
	if errors.Is(err4, ledger.ErrNone) {
		err4 = nil
	}
	said := looked{Orders: len(orders), Seen: len(sightings) + len(messages)}
	said.Write = complaintOf(s.Commit(ctx, &ledger.Change{Sightings: []ledger.Sighting{{Name: "a"}}}))
	if err := errors.Join(err1, err2, err3, err4); err != nil {
		return complain(err)
	}
	return complainIf(json.NewEncoder(os.Stdout).Encode(said))
}

// What may only be read is read as it is, though a release before made it.
func TestAnOlderLedgerThatCannotBeWrittenIsLookedInto(t *testing.T) {
	dir := older(t, 2)
	path := filepath.Join(dir, sqlite.FileName)
	if err := errors.Join(os.Chmod(path, 0o444), os.Chmod(dir, 0o777)); err != nil {
		t.Fatal(err)
	}
	for above := filepath.Dir(dir); above != os.TempDir() && above != "/"; above = filepath.Dir(above) {
		if err := os.Chmod(above, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	before := read(t, path)
	c := player(t, "reader", dir)
	var stderr bytes.Buffer
	c.Stderr = &stderr
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	text, _ := io.ReadAll(out)
	if err := c.Wait(); err != nil {
		t.Fatalf("%v: %s", err, stderr.String())
	}
	var saw looked
	if err := json.Unmarshal(text, &saw); err != nil {
		t.Fatalf("%v in %q", err, text)
	}
	if saw.Orders != 2 || saw.Seen != 0 {
		t.Errorf("it saw %+v", saw)
	}
	checkComplaint(t, saw.Write, "ledger", path)
	if !bytes.Equal(read(t, path), before) {
		t.Error("the file was changed")
	}
}
