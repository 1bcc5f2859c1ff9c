package sqlstore

import (
	"database/sql"
	"path/filepath"
	"sync"
	"testing"

	_ "modernc.org/sqlite" // the driver
)

// Several readers at once, each in a transaction of its own on few connections, wait for no
// statement that another of them is to compile.
func TestReadersThatCompileStatementsWaitForNobody(t *testing.T) {
	db, err := sql.Open("sqlite", "file:"+filepath.Join(t.TempDir(), "a.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	db.SetMaxOpenConns(2)
	p := newPrepared(db)
	var group sync.WaitGroup
	for i := range 8 {
		group.Go(func() {
			for range 30 {
				tx, err := p.begin(t.Context(), nil)
				if err != nil {
					t.Error(err)
					return
				}
				for _, text := range []string{"SELECT ?", "SELECT ? + 0"} {
					var got int
					if err := tx.QueryRowContext(t.Context(), text, i).Scan(&got); err != nil || got != i {
						t.Errorf("%d, %v", got, err)
					}
				}
				if err := tx.Rollback(); err != nil {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
}
