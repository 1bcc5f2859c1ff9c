package sqlite_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"orderly/failure"
	"orderly/ledger"
	"orderly/ledger/sqlite"
)

// made is a closed ledger with orders in it; it returns its directory and the path of its file.
func made(t *testing.T, orders int) (dir, path string) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "ledger")
	s := open(t, dir)
	for i := range orders {
		if err := s.Commit(t.Context(), oneOrder(fmt.Sprint("l", i))); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return dir, filepath.Join(dir, sqlite.FileName)
}

// refusal opens what must be refused, and checks that a person is told which file it is and what to do.
func refusal(t *testing.T, dir string, o sqlite.Options) complaint {
	t.Helper()
	s, err := sqlite.Open(t.Context(), o)
	if err == nil {
		_ = s.Close()
		t.Fatal("it was opened")
	}
	said := complaintOf(err)
	checkComplaint(t, said, failure.Ledger, dir)
	return said
}

func checkComplaint(t *testing.T, said complaint, class failure.Class, path string) {
	t.Helper()
	if said.Class != class || said.Remedy == "" || !strings.Contains(said.Sentence, path) {
		t.Errorf("class %q (want %q), sentence %q, remedy %q", said.Class, class, said.Sentence, said.Remedy)
	}
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return content
}

func write(t *testing.T, path string, content []byte) {
	t.Helper()
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestATruncatedLedgerIsRefusedAndLeftAlone(t *testing.T) {
	dir, path := made(t, 100)
	content := read(t, path)
	for _, size := range []int{0, 1, 15, 16, 99, 100, 511, 512, 1000, 4095, 4096, 4097, 8192, len(content) / 2, len(content) / 8192 * 4096,
		len(content) - 4096, len(content) - 4095, len(content) - 1} {
		t.Run(fmt.Sprint(size, " bytes"), func(t *testing.T) {
			write(t, path, content[:size])
			said := refusal(t, dir, options(dir))
			if !strings.Contains(said.Sentence, "damaged") {
				t.Errorf("sentence %q", said.Sentence)
			}
			if !bytes.Equal(read(t, path), content[:size]) {
				t.Error("the file was changed")
			}
		})
	}
	write(t, path, content)
	if orders, err := open(t, dir).Orders(t.Context(), ledger.OrderFilter{}); err != nil || len(orders) != 100 {
		t.Errorf("the whole file again: %d orders, %v", len(orders), err)
	}
}

func TestWhatIsNoLedgerIsRefusedAndLeftAlone(t *testing.T) {
	foreign := filepath.Join(t.TempDir(), sqlite.FileName)
	db := raw(t, filepath.Dir(foreign))
	if _, err := db.Exec(`CREATE TABLE orders (id INTEGER); INSERT INTO orders VALUES (1)`); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	for what, content := range map[string][]byte{
		"another program's SQLite file": read(t, foreign),
		"a text":                        []byte("orders:\n  - a.example\n"),
		"a long text":                   bytes.Repeat([]byte("orders: a.example\n"), 2048),
		"pages of zeros":                make([]byte, 8192),
	} {
		t.Run(what, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, sqlite.FileName)
			write(t, path, content)
			refusal(t, dir, options(dir))
			if !bytes.Equal(read(t, path), content) {
				t.Error("the file was changed")
			}
		})
	}
}

func TestADirectoryOrALinkInTheLedgersPlaceIsRefused(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, sqlite.FileName)
	if err := os.Mkdir(path, 0o700); err != nil {
		t.Fatal(err)
	}
	refusal(t, dir, options(dir))

	if err := errors.Join(os.Remove(path), os.Symlink("/nowhere/ledger.db", path)); err != nil {
		t.Fatal(err)
	}
	if said := refusal(t, dir, options(dir)); !strings.Contains(said.Sentence, "link") {
		t.Errorf("sentence %q", said.Sentence)
	}
	if target, err := os.Readlink(path); err != nil || target != "/nowhere/ledger.db" {
		t.Errorf("the link is now %q, %v", target, err)
	}

	file := filepath.Join(dir, "file")
	write(t, file, nil)
	s, err := sqlite.Open(t.Context(), options(file))
	if err == nil {
		_ = s.Close()
		t.Fatal("a file was taken for the ledger's directory")
	}
	checkComplaint(t, complaintOf(err), failure.Config, file)
}

func TestALedgerOfANewerOrderlyIsRefused(t *testing.T) {
	dir, _ := made(t, 1)
	db := raw(t, dir)
	if _, err := db.Exec(`INSERT INTO goose_db_version (version_id, is_applied) VALUES (999, 1)`); err != nil {
		t.Fatal(err)
	}
	_ = db.Close()
	if said := refusal(t, dir, options(dir)); !strings.Contains(said.Sentence, "newer") || !strings.Contains(said.Sentence, "999") {
		t.Errorf("sentence %q", said.Sentence)
	}
	o := options(dir)
	o.Adopt = true
	refusal(t, dir, o)
}

// Nothing that was never released is read: what its columns mean has changed since.
func TestALedgerOfADevelopmentVersionIsRefusedAndLeftAlone(t *testing.T) {
	dir, _ := made(t, 1)
	db := raw(t, dir)
	if _, err := db.Exec(`UPDATE goose_db_version SET version_id = 5 WHERE version_id > 5`); err != nil {
		t.Fatal(err)
	}
	_ = db.Close()
	for range 2 {
		said := refusal(t, dir, options(dir))
		if !strings.Contains(said.Sentence, "development version") || !strings.Contains(said.Remedy, string(failure.Do(failure.RebuildLedger))) {
			t.Errorf("sentence %q, remedy %q", said.Sentence, said.Remedy)
		}
	}
}

func TestALedgerOfAnotherHostIsRefusedUntilAdopted(t *testing.T) {
	dir, _ := made(t, 1)
	o := options(dir)
	o.Host = "host-2"
	refusal(t, dir, o)
	refusal(t, dir, o) // the refusal itself changed nothing

	o.Adopt = true
	s, err := sqlite.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if orders, err := s.Orders(t.Context(), ledger.OrderFilter{}); err != nil || len(orders) != 1 {
		t.Errorf("%d orders, %v", len(orders), err)
	}
	_ = s.Close()
	o.Adopt = false
	if s, err = sqlite.Open(t.Context(), o); err != nil {
		t.Fatalf("after the adoption: %v", err)
	}
	_ = s.Close()
	refusal(t, dir, options(dir)) // now the first host is the stranger
}

func TestAJournalWithoutItsLedgerIsNotOverwritten(t *testing.T) {
	for _, suffix := range []string{"-wal", "-journal"} {
		dir := t.TempDir()
		path := filepath.Join(dir, sqlite.FileName)
		write(t, path+suffix, []byte("pages that were never checkpointed"))
		if said := refusal(t, dir, options(dir)); !strings.Contains(said.Remedy, path+suffix) {
			t.Errorf("remedy %q", said.Remedy)
		}
		if _, err := os.Stat(path); err == nil {
			t.Error("a ledger was made over it")
		}
		read(t, path+suffix)
	}
}

func TestTheDraftOfACrashedCreationIsMadeAnew(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, sqlite.FileName)
	for _, suffix := range []string{".new", ".new-journal", ".new-wal", ".new-shm"} {
		write(t, path+suffix, []byte("half a ledger"))
	}
	s := open(t, dir)
	if err := s.Commit(t.Context(), oneOrder("a")); err != nil {
		t.Fatal(err)
	}
	if left, err := filepath.Glob(path + ".new*"); err != nil || len(left) != 0 {
		t.Errorf("left: %v, %v", left, err)
	}
	sound(t, dir)
}

// A crash in the middle of a checkpoint leaves a file whose header speaks of more pages than it has, while the -wal still
// holds them all.
func TestALedgerWhoseCheckpointWasCutShortOpens(t *testing.T) {
	dir, path := made(t, 5)
	before := len(read(t, path))
	s := open(t, dir)
	for i := range 50 {
		if err := s.Commit(t.Context(), oneOrder(fmt.Sprint("more", i))); err != nil {
			t.Fatal(err)
		}
	}
	journal := read(t, path+"-wal")
	if info, err := os.Stat(path); err != nil || info.Size() != int64(before) {
		t.Fatalf("SQLite has checkpointed already, so the journal does not hold everything: %v", err)
	}
	if err := s.Close(); err != nil { // checkpoints
		t.Fatal(err)
	}
	content := read(t, path)
	for _, size := range []int{before, before + 100, before + 4096, (before + len(content)) / 2, len(content) - 1} {
		t.Run(fmt.Sprint(size, " of ", len(content), " bytes"), func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, sqlite.FileName)
			write(t, path, content[:size])
			write(t, path+"-wal", journal)
			if orders, err := open(t, dir).Orders(t.Context(), ledger.OrderFilter{}); err != nil || len(orders) != 55 {
				t.Errorf("%d orders, %v", len(orders), err)
			}
			sound(t, dir)
		})
	}
}

func TestAStrangerIsToldWhatIsNotWritable(t *testing.T) {
	above, err := os.MkdirTemp("", "stranger")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.Chmod(above, 0o700); _ = os.RemoveAll(above) })
	inside := filepath.Join(above, "made", "ledger")
	s := open(t, inside)
	if err := errors.Join(s.Commit(t.Context(), oneOrder("a")), s.Close()); err != nil {
		t.Fatal(err)
	}
	empty := filepath.Join(above, "empty")
	if err := os.Mkdir(empty, 0o755); err != nil {
		t.Fatal(err)
	}
	openTo := map[string]os.FileMode{empty: 0o555, filepath.Join(inside, sqlite.FileName): 0o444, inside: 0o555,
		filepath.Dir(inside): 0o555, above: 0o555}
	for path, mode := range openTo {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
	}
	checkComplaint(t, told(t, player(t, "stranger", filepath.Join(above, "new"))), failure.Config, above)
	checkComplaint(t, told(t, player(t, "stranger", empty)), failure.Config, empty)
	checkComplaint(t, told(t, player(t, "stranger", inside)), failure.Ledger, inside)
	for path := range openTo {
		_ = os.Chmod(path, 0o700)
	}
}

func TestOpenEndsWithItsContext(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "ledger")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for range 2 { // making one, and opening it
		_, err := sqlite.Open(ctx, options(dir))
		if !errors.Is(err, context.Canceled) || failure.ClassOf(err) == failure.Ledger {
			t.Errorf("Open answers %v of class %s", err, failure.ClassOf(err))
		}
		open(t, dir)
	}
}
