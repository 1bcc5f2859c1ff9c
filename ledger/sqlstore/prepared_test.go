package sqlstore

import (
	"database/sql"
	"fmt"
	"testing"

	_ "modernc.org/sqlite" // the driver
)

// What is asked for again and again is compiled once, also where a single connection serves all;
// what is asked for once is not kept.
func TestAStatementIsCompiledOnce(t *testing.T) {
	db, err := sql.Open("sqlite", ":memory:")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	db.SetMaxOpenConns(1)
	p := newPrepared(db)
	ask := func(text string, want int) {
		t.Helper()
		tx, err := p.begin(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		var got int
		if err := tx.QueryRowContext(t.Context(), text, want).Scan(&got); err != nil || got != want {
			t.Errorf("%s: %d, %v", text, got, err)
		}
		if err := tx.Rollback(); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 5 {
		ask("SELECT ?", i)
	}
	ask("SELECT ? + 0", 7)
	if p.asked["SELECT ?"] == nil || p.asked["SELECT ? + 0"] != nil {
		t.Errorf("kept are %v", p.asked)
	}
	for i := range 2 * mostPrepared {
		for range 3 {
			ask(fmt.Sprintf("SELECT ? + 0 * %d", i), i)
		}
	}
	if len(p.asked) > mostPrepared || len(p.wanted) > mostPrepared {
		t.Errorf("%d are known, %d wanted", len(p.asked), len(p.wanted))
	}
}
