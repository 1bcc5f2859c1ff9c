package e2e_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// planEntry is a line of a dry run's plan.
type planEntry struct {
	Order   int64    `json:"order"`
	Pending []string `json:"pending"`
	Cost    string   `json:"cost"`
}

func (h *host) plan(args ...string) []planEntry {
	h.t.Helper()
	return decode[struct{ Plan []planEntry }](h.world, h.must(append(args, "--dry-run", "--json")...).stdout).Plan
}

// A run that was killed leaves two authorizations; the operator gives the order up.
func TestTheOperatorGivesAnOrderUp(t *testing.T) {
	t.Parallel()
	w := newWorld(t, characters()[2].config)
	h := w.host("one")
	names := someNames(2)
	command := h.certonly(w.site(names...), names...)
	h.interrupt(point{"authorization", 2, true}, syscall.SIGKILL, command...)
	requests := len(h.ca.Truth().Requests)
	if plan := h.plan("pending", "drain"); len(plan) != 1 || len(plan[0].Pending) != 2 {
		t.Errorf("drain would do %+v", plan)
	}
	if n := len(h.ca.Truth().Requests); n != requests {
		t.Errorf("looking cost the CA %d requests", n-requests)
	}
	plan := h.plan("pending", "release", "--name", strings.ToUpper(names[1]))
	if len(plan) != 1 || plan[0].Cost != "one failed authorization for each of 2 names, of five an hour" {
		t.Errorf("release would do %+v", plan)
	}
	if r := h.orderly("pending", "release", "--all", "-n"); r.code != 2 || !strings.Contains(r.stderr, "--yes") {
		t.Errorf("nobody was asked: %s", r)
	}
	if n := h.ca.Truth().Pending(); n != 2 {
		t.Fatalf("%d authorizations are pending before anyone said yes", n)
	}
	h.must("pending", "release", "--order", fmt.Sprint(plan[0].Order), "--yes")
	if n := h.ca.Truth().Pending(); n != 0 || len(h.pending()) != 0 {
		t.Errorf("%d authorizations are pending", n)
	}
	for _, bad := range [][]string{{"--order", "99"}, {}, {"--all", "--order", "1"}} {
		if r := h.orderly(append([]string{"pending", "release"}, bad...)...); r.code == 0 || r.code > 2 || !strings.Contains(r.stderr, "remedy: ") {
			t.Errorf("release %v: %s", bad, r)
		}
	}
	h.must(command...)
	h.goodPair(names[0], names...)
}

func TestDrainFinishesWhatWasLeft(t *testing.T) {
	t.Parallel()
	w := newWorld(t, characters()[0].config)
	h := w.host("one")
	names := someNames(2)
	h.interrupt(point{"order", 1, true}, syscall.SIGKILL, h.certonly(w.site(names...), names...)...)
	h.must("pending", "drain")
	h.kept(promise{names: names})
}

// The CA's limit is never met, because the ledger counts what the CA counts.
func TestTheBudgetIsKeptAcrossRuns(t *testing.T) {
	t.Parallel()
	config := characters()[2].config
	config.Limits.NewOrdersPerAccount.Count, config.Limits.NewOrdersPerAccount.Period = 3, 3*60*60*1e9
	w := newWorld(t, config)
	h := w.host("one")
	h.lineages("a.example.com")
	write(t, filepath.Join(h.config, "orderly", "ca.toml"), fmt.Sprintf("[[ca]]\ndirectory = %q\nboulder = true\n[ca.limits]\nNewOrdersPerAccount = \"2/3h\"\n", h.ca.DirectoryURL()))
	h.lineages("b.example.com", "c.example.com")
	late := []string{"d.example.com"}
	requests := len(h.ca.Truth().Requests)
	r := h.orderly(h.certonly(w.site(late...), late...)...)
	if r.code != 1 || !strings.Contains(r.stderr, "NewOrdersPerAccount") || !strings.Contains(r.stderr, "remedy: ") {
		t.Errorf("the budget is spent: %s", r)
	}
	if truth := h.ca.Truth(); len(truth.Requests) != requests || truth.RateLimited != 0 {
		t.Errorf("it cost the CA %d requests, %d were refused", len(truth.Requests)-requests, truth.RateLimited)
	}
	limits := decode[struct {
		Limits []struct {
			Limit      string
			Used, Left int64
		}
	}](w, h.must("limits", "--json").stdout).Limits
	if len(limits) != 1 || limits[0].Limit != "NewOrdersPerAccount" || limits[0].Left != 0 {
		t.Errorf("orderly limits says %+v", limits)
	}
	write(t, filepath.Join(h.config, "orderly", "ca.toml"), "[[ca]]\ncolour = 1\n")
	if r := h.orderly("limits"); r.code != 1 || !strings.Contains(r.stderr, "colour") || !strings.Contains(r.stderr, "ca.toml") {
		t.Errorf("a wrong ca.toml: %s", r)
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestTheLedgerIsCheckedCopiedAndExported(t *testing.T) {
	t.Parallel()
	w := newWorld(t, characters()[0].config)
	h := w.host("one")
	if r := h.orderly("ledger", "check"); r.code != 1 || !strings.Contains(r.stderr, "there is no ledger") {
		t.Errorf("without a ledger: %s", r)
	}
	names := someNames(2)
	command := h.certonly(w.site(names...), names...)
	h.interrupt(point{"finalize", 1, true}, syscall.SIGKILL, command...)
	h.must("ledger", "check")
	kinds := map[string]int{}
	for line := range strings.Lines(h.must("ledger", "export").stdout) {
		var record struct {
			Version int
			Kind    string
		}
		if err := json.Unmarshal([]byte(line), &record); err != nil || record.Version != 1 {
			t.Fatalf("%v: %s", err, line)
		}
		kinds[record.Kind]++
	}
	if kinds["order"] != 1 || kinds["run"] != 1 || kinds["event"] < 5 {
		t.Errorf("the export has %v", kinds)
	}
	copied := filepath.Join(w.dir, "copy.db")
	h.must("ledger", "backup", copied)
	if r := h.orderly("ledger", "backup", copied); r.code != 1 {
		t.Errorf("a copy was overwritten: %s", r)
	}
	keys, err := filepath.Glob(filepath.Join(h.config, "orderly", "keys", "*.key"))
	if err != nil || len(keys) != 1 {
		t.Fatal(keys, err)
	}
	write(t, keys[0], "not the key")
	if r := h.orderly("ledger", "check"); r.code != 1 || !strings.Contains(r.stderr, "private key") {
		t.Errorf("with a damaged key: %s", r)
	}
	// The copy takes the ledger's place, and the order goes on with what it knows. Its key is lost, so it is made anew.
	for _, suffix := range []string{"", "-wal", "-shm"} {
		_ = os.Remove(filepath.Join(h.config, "orderly", "ledger.db"+suffix)) // not all of them are there
	}
	if err := os.Rename(copied, filepath.Join(h.config, "orderly", "ledger.db")); err != nil {
		t.Fatal(err)
	}
	h.must(command...)
	h.goodPair(names[0], names...)
}

// The ledger is lost while an order is open. A CA with an orders list shows it again.
func TestALostLedgerIsRebuiltFromTheCAsList(t *testing.T) {
	t.Parallel()
	w := newWorld(t, characters()[1].config)
	h := w.host("one")
	names := someNames(2)
	command := h.certonly(w.site(names...), names...)
	h.must(command...)
	h.interrupt(point{"authorization", 1, true}, syscall.SIGKILL, "renew", "--force-renewal")
	for _, suffix := range []string{"", "-wal", "-shm"} {
		_ = os.Remove(filepath.Join(h.config, "orderly", "ledger.db"+suffix)) // not all of them are there
	}
	if n := h.ca.Truth().Pending(); n != 2 {
		t.Fatalf("%d authorizations are pending", n)
	}
	h.must("ledger", "rebuild")
	if n := len(h.pending()); n != 2 {
		t.Errorf("orderly pending lists %d", n)
	}
	h.must("resume")
	if truth := h.ca.Truth(); truth.Pending() != 0 || len(truth.Orders) != 2 || len(truth.Issued) != 2 {
		t.Errorf("%d authorizations are pending, %d orders, %d certificates", truth.Pending(), len(truth.Orders), len(truth.Issued))
	}
	h.goodPair(names[0], names...)
}
