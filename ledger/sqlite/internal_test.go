package sqlite

import (
	"io/fs"
	"strconv"
	"strings"
	"testing"
)

func TestNewestIsTheLastMigration(t *testing.T) {
	files, err := fs.Glob(migrations, "migrations/*.sql")
	if err != nil || len(files) == 0 {
		t.Fatalf("migrations %v, %v", files, err)
	}
	for i, file := range files {
		number, _, _ := strings.Cut(strings.TrimPrefix(file, "migrations/"), "_")
		if version, err := strconv.Atoi(number); err != nil || version != i+1 {
			t.Errorf("%s is not number %d: %v", file, i+1, err)
		}
	}
	if newest != len(files) {
		t.Errorf("newest is %d, the last migration %s", newest, files[len(files)-1])
	}
}
