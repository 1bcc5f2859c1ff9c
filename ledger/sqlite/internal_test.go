package sqlite

import (
	"io/fs"
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
