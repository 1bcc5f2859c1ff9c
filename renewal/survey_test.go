package renewal_test

import (
	"os"
	"path/filepath"
	"testing"

	"orderly/renewal"
	"orderly/testca"
)

// A machine that went down may have left several empty renewal files: all that stand for nothing go
// with the first, and none is then said to be missing.
func TestSeveralEmptyRenewalFilesAreNoFailure(t *testing.T) {
	t.Parallel()
	h := newHost(t, testca.Config{})
	dir := filepath.Dir(h.disk().Dirs.Renewal("x"))
	must(t, os.MkdirAll(dir, 0o755))
	for _, name := range []string{"a.example", "b.example", "c.example"} {
		must(t, os.WriteFile(filepath.Join(dir, name+".conf"), nil, 0o644))
	}
	results, err := h.renew(renewal.Round{})
	must(t, err)
	left, err := os.ReadDir(dir)
	must(t, err)
	if len(results) != 0 || len(left) != 0 {
		t.Errorf("%d files are left; %+v", len(left), results)
	}
}
