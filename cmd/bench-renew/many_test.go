package main

import (
	"bytes"
	"path/filepath"
	"strings"
	"testing"
)

// A short form of the benchmark of many that are due: the CA's own store holds one order for each
// whatever the jobs, and what one costs in commits and syncs is bounded by counts. How many commits
// share a sync depends on how fast the disk is (./ledger/sqlite has the test of that), and how long
// it took is for the long form.
func TestWhatManyThatAreDueCost(t *testing.T) {
	dir := built(t)
	b := bench{orderly: filepath.Join(dir, "orderly"), testca: filepath.Join(dir, "testca"), due: 12,
		pairs: 1}
	rows, err := b.many(t.Context(), paces()[:1])
	if err != nil {
		t.Fatal(err)
	}
	r := rows[0]
	if r.One <= 0 || r.Many <= 0 || r.Ratio <= 0 || r.CPU <= 0 || r.CPUOne <= 0 || r.Memory <= 0 {
		t.Errorf("%+v", r)
	}
	const most = 8 // the run's own commits among them
	if r.Commits < 1 || r.Commits > most || r.Transactions < 0.1 || r.Transactions > r.Commits+0.5 {
		t.Errorf("%.2f commits a certificate in %.2f transactions, more than %d", r.Commits,
			r.Transactions, most)
	}
	const mostSynced = 5 // four of an order's seven, and some of the run's own
	if r.Synced < 0.1 || r.Synced > min(mostSynced, r.Transactions) {
		t.Errorf("%.2f of %.2f transactions a certificate sync", r.Synced, r.Transactions)
	}
	if r.Syncs == nil {
		t.Fatal("strace is missing: scripts/deps installs it")
	}
	if *r.Syncs < 0.1 || *r.Syncs > most+1 {
		t.Errorf("%.2f syncs of the ledger a certificate", *r.Syncs)
	}
	var table bytes.Buffer
	if err := show(&table, b, results{many: rows}, false); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"12 certificates due", "times shorter", "target ≥ 6", "12 / 12 / 0"} {
		if !strings.Contains(table.String(), want) {
			t.Errorf("the table lacks %q:\n%s", want, &table)
		}
	}
}
