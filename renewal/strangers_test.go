package renewal_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"orderly/failure"
	"orderly/ledger"
	"orderly/renewal"
	"orderly/testca"
)

// certonly is what the command does: it settles a little of what others left, and then turns to its
// own.
func (h *machine) certonly(w renewal.Wish) renewal.Result {
	h.t.Helper()
	h.site(w.Names...)
	s := h.process("certonly")
	must(h.t, s.Recover(h.t.Context(), w.Names[0]))
	r := s.Obtain(h.t.Context(), w)
	must(h.t, s.Finish(h.t.Context()))
	must(h.t, s.End("done", 0, ""))
	return r
}

// Whatever a run has left of another lineage, with hooks or without: a certonly for somebody else
// starts none of its hooks but the post-hooks that are owed, installs nothing for it, and still
// leaves nothing open at the CA that it could close (trials P5, S5).
func TestOthersHooksAreNotRunByTheWay(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"challenge", "finalize", "certificate"} {
		for _, shared := range []bool{false, true} {
			name := kind
			if shared {
				name += ", sharing a name"
			}
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				h := newHost(t, testca.Config{})
				h.leave(kind, true, h.hooked("a.example", "www.a.example"))
				w := h.wish("b.example")
				if shared {
					w = h.wish("b.example", "www.a.example")
				}
				if r := h.certonly(w); r.Outcome != renewal.Issued {
					t.Fatalf("%+v", r)
				}
				if got := h.notes(); strings.Contains(got, "deploy") || !shared && got != "pre; post" {
					t.Errorf("hooks: %q", got)
				}
				if _, err := os.Stat(filepath.Join(h.dir, "etc/live/a.example")); err == nil {
					t.Error("it was put in place by the way")
				}
				h.vanish()
				s := h.process("renew")
				results, err := s.ResumeAll(t.Context())
				must(t, err)
				if outcomes(results) != "a.example issued" || !strings.Contains(h.notes(), "deploy a.example www.a.example") {
					t.Errorf("its own next run: %s, hooks %q", outcomes(results), h.notes())
				}
				if n := len(h.ca.Truth().Orders); n != 2 || h.ca.Truth().Pending() != 0 {
					t.Errorf("%d orders, %d pending", n, h.ca.Truth().Pending())
				}
			})
		}
	}
}

// What cannot be put in place is told to its own lineage, each time, and hides nothing of anybody
// else's run (trial S5).
func TestAnOrderThatCannotBeInstalledWaitsForItsOwnRun(t *testing.T) {
	t.Parallel()
	h := newHost(t, testca.Config{})
	h.leave("certificate", true, h.hooked("a.example"))
	blocked := filepath.Join(h.dir, "etc", "archive", "a.example")
	must(t, os.MkdirAll(blocked, 0o755))
	must(t, os.WriteFile(filepath.Join(blocked, "somebodys.txt"), nil, 0o644))
	for _, other := range []string{"b.example", "c.example"} {
		if r := h.certonly(h.wish(other)); r.Outcome != renewal.Issued {
			t.Errorf("%+v", r)
		}
	}
	if got := h.notes(); got != "pre; post" {
		t.Errorf("hooks: %q", got)
	}
	h.vanish()
	for range 2 {
		r := h.certonly(h.hooked("a.example"))
		if r.Outcome != renewal.Failed || r.Class != failure.LineageTaken || !strings.Contains(r.Sentence, blocked) {
			t.Errorf("its own run: %+v", r)
		}
	}
	must(t, os.RemoveAll(blocked))
	if r := h.certonly(h.hooked("a.example")); r.Outcome != renewal.Issued || h.newest("a.example").State != ledger.Installed {
		t.Errorf("once there is room: %+v", r)
	}
	if n := len(h.ca.Truth().Orders); n != 3 {
		t.Errorf("%d orders", n)
	}
}
