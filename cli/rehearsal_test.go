package cli_test

// Rehearsals, which change nothing.

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"orderly/testca"
)

// files lists what is on a host's disk beside the ledger, the logs and the account: a rehearsal may
// change nothing of it.
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

// A rehearsal makes orders of its own, finishes them, and changes nothing on disk.
func TestADryRunOfCertonlyLeavesNothing(t *testing.T) {
	for name, config := range map[string]testca.Config{
		"a plain CA": {}, "a CA with an orders list": {OrdersList: true},
		"a CA like Boulder": {Reuse: true, HideProcessing: true, Boulder: true, AuthzReuse: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, config)
			h := w.host("one")
			names := someNames(2)
			command := h.certonly(w.site(names...), names...)
			r := h.orderly(append(command, "--dry-run", "--deploy-hook",
				"touch "+filepath.Join(h.dir, "deployed"))...)
			if r.code != 0 || !strings.Contains(r.stdout, "Simulating a certificate request for") ||
				!strings.Contains(r.stdout, "The dry run was successful.") {
				t.Fatalf("%s", r)
			}
			if _, err := os.Stat(filepath.Join(h.config, "live")); err == nil {
				t.Error("a rehearsal made a lineage")
			}
			if _, err := os.Stat(filepath.Join(h.dir, "deployed")); err == nil {
				t.Error("a rehearsal ran the deploy hook")
			}
			truth := w.ca.Truth()
			if truth.Pending() != 0 || len(unfinished(truth)) != 0 || len(h.pending()) != 0 {
				t.Errorf("a rehearsal left %d pending, %v, %v", truth.Pending(), unfinished(truth),
					h.pending())
			}
			h.must(command...)
			h.goodPair(names[0], names...)
			before := h.files()
			h.must(append(command, "--dry-run")...)
			h.must("renew", "--dry-run", "--server", w.ca.DirectoryURL(), "--run-deploy-hooks")
			if after := h.files(); !slices.Equal(before, after) {
				t.Errorf("a rehearsal changed the disk:\n%s\nnot\n%s", strings.Join(after, "\n"),
					strings.Join(before, "\n"))
			}
			if n := len(w.ca.Truth().Issued); n != 4 {
				t.Errorf("%d certificates were issued", n)
			}
		})
	}
}

// A rehearsal over many lineages, half of them with new names.
func TestADryRunOverManyLineagesLeavesNothingPending(t *testing.T) {
	t.Parallel()
	w := newWorld(t, testca.Config{Reuse: true, HideProcessing: true, Boulder: true,
		AuthzReuse: true})
	const lineages = 12 // what the fortieth does, the fourth has shown
	h := w.host("one")
	for i := range lineages {
		name := fmt.Sprintf("l%d.example.com", i)
		h.must(h.certonly(w.site(name), name)...)
	}
	before := h.files()
	issued := len(w.ca.Truth().Issued)
	for i := range lineages / 2 {
		name, more := fmt.Sprintf("l%d.example.com", i), fmt.Sprintf("new.l%d.example.com", i)
		root := w.site(name, more)
		r := h.orderly(append(h.certonly(root, name, more), "--cert-name", name, "--dry-run")...)
		if r.code != 0 {
			t.Fatalf("%s", r)
		}
	}
	r := h.orderly("renew", "--dry-run", "--server", w.ca.DirectoryURL())
	if r.code != 0 || !strings.Contains(r.stdout,
		"Congratulations, all simulated renewals succeeded") {
		t.Errorf("%s", r)
	}
	truth := w.ca.Truth()
	if truth.Pending() != 0 || len(h.pending()) != 0 || truth.RateLimited != 0 {
		t.Errorf("%d pending, %v, %d answers 429", truth.Pending(), h.pending(), truth.RateLimited)
	}
	if n := len(truth.Issued) - issued; n != lineages+lineages/2 {
		t.Errorf("%d certificates were issued in the rehearsals", n)
	}
	if after := h.files(); !slices.Equal(before, after) {
		t.Error("the rehearsals changed the disk")
	}
}
