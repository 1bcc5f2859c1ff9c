package sqlite

import (
	"database/sql"
	"io/fs"
	"net/url"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

func TestTheVersionIsThatOfTheLastMigration(t *testing.T) {
	files, err := fs.Glob(migrations, "migrations/*.sql")
	if err != nil || len(files) == 0 {
		t.Fatalf("migrations %v, %v", files, err)
	}
	last := files[len(files)-1]
	number, _, _ := strings.Cut(strings.TrimPrefix(last, "migrations/"), "_")
	if version, err := strconv.Atoi(number); err != nil || version != current {
		t.Errorf("current is %d, the last migration %s: %v", current, last, err)
	}
}

// By it those that waited together for another process are told together.
func TestAWriterInTheWayIsKnownByItsError(t *testing.T) {
	path := filepath.Join(t.TempDir(), FileName)
	holder, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = holder.Close() }()
	held, err := holder.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := held.ExecContext(t.Context(), `BEGIN IMMEDIATE`); err != nil {
		t.Fatal(err)
	}
	db, err := dial(path, 1, url.Values{"_txlock": {"immediate"}, "_pragma": {"busy_timeout(1)"}})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	if _, err := db.BeginTx(t.Context(), nil); err == nil || !busy(err) || duplicate(err) {
		t.Errorf("BEGIN answers %v", err)
	}
	if err := held.Close(); err != nil {
		t.Error(err)
	}
}
