package e2e_test

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"orderly/testca"
)

// files lists what is on a host's disk beside the ledger, the logs and the account: a rehearsal may change nothing of it.
func (h *host) files() []string {
	h.t.Helper()
	var all []string
	err := filepath.WalkDir(h.config, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := strings.TrimPrefix(path, h.config)
		if name == "/orderly" || name == "/accounts" {
			return fs.SkipDir
		}
		line := name
		if d.Type()&fs.ModeSymlink != 0 {
			to, err := os.Readlink(path)
			if err != nil {
				return err
			}
			line += " -> " + to
		} else if d.Type().IsRegular() {
			line += " " + h.read(path)
		}
		all = append(all, line)
		return nil
	})
	if err != nil {
		h.t.Fatal(err)
	}
	return all
}

// Killed at any request, a rehearsal is finished by whatever comes next, and neither is its certificate put in place.
func TestAKilledDryRunLeavesNothing(t *testing.T) {
	for _, at := range []point{{"new-order", 1, true}, {"authorization", 1, false}, {"challenge", 1, true}, {"finalize", 1, false}, {"finalize", 1, true}} {
		t.Run(fmt.Sprint(at), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, testca.Config{OrdersList: true})
			h := w.host("one")
			names := someNames(2)
			command := append(h.certonly(w.site(names...), names...), "--dry-run")
			h.interrupt(at, 9, command...)
			h.must("resume", "--longest-validation", "2s")
			truth := w.ca.Truth()
			if truth.Pending() != 0 || len(h.pending()) != 0 || truth.ValidatedTwice() != 0 {
				t.Errorf("%d pending, %v", truth.Pending(), h.pending())
			}
			if _, err := os.Stat(filepath.Join(h.config, "live", names[0])); err == nil {
				t.Error("a rehearsal made a lineage")
			}
			h.must(append(command, "--longest-validation", "2s")...)
			if n := w.ca.Truth().Pending(); n != 0 {
				t.Errorf("%d pending", n)
			}
		})
	}
}

// A rehearsal on the server of an unfinished order neither goes on with it nor takes it over.
func TestADryRunLeavesAnUnfinishedOrderAlone(t *testing.T) {
	t.Parallel()
	for _, ca := range []testca.Config{{}, {Reuse: true, HideProcessing: true, Boulder: true}} {
		w := newWorld(t, ca)
		h := w.host("one")
		names := someNames(2)
		command := h.certonly(w.site(names...), names...)
		h.interrupt(point{"authorization", 1, true}, 9, command...)
		r := h.orderly(append(command, "--dry-run")...)
		if r.code != 1 || !strings.Contains(r.stderr, "order 1 for a.example.com shares a name and is unfinished") || !strings.Contains(r.stderr, "`orderly resume ") {
			t.Errorf("%s", r)
		}
		if _, err := os.Stat(filepath.Join(h.config, "live")); err == nil {
			t.Error("the rehearsal installed something")
		}
		h.must("resume")
		h.goodPair(names[0], names...)
		h.must(append(command, "--dry-run")...)
		if truth := w.ca.Truth(); truth.Pending() != 0 || len(truth.Issued) != 2 || truth.ValidatedTwice() != 0 {
			t.Errorf("%d pending, %d issued", truth.Pending(), len(truth.Issued))
		}
	}
}
