package cli_test

// What a person sees of a round at a terminal.

import (
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"orderly/cli"
	"orderly/testca"
)

// atTerminal runs a command whose output goes to a terminal of some columns.
func (h *host) atTerminal(columns int, args ...string) (int, string) {
	h.t.Helper()
	slave, closed := terminal(h.t, columns)
	env := h.call(args...)
	env.Stdout, env.Stderr = slave, slave
	code := cli.Main(h.t.Context(), env)
	return code, closed()
}

// The line of a round stands beneath the blocks, fits the terminal, and is gone at the end; a terminal that
// only prints is spared it, and colours.
func TestTheProgressOfARoundFitsTheTerminal(t *testing.T) {
	t.Parallel()
	w := newWorld(t, testca.Config{})
	h := w.host("one")
	for i := range 4 {
		name := fmt.Sprintf("s%d.example.com", i)
		h.must(append(h.certonly(w.site(name), name), "--deploy-hook", "echo deployed "+name)...)
	}
	w.remove(w.dir + "/sites/s2.example.com")
	const erase = "\r\x1b[K"
	for _, columns := range []int{20, 60, 132} {
		code, text := h.atTerminal(columns, "renew", "--force-renewal", "--jobs", "3")
		if code != 1 || !strings.Contains(text, "\n3 renewed, 1 refused before any order.\n") {
			t.Errorf("%d: %q", code, text)
		}
		bars := 0
		for piece := range strings.SplitSeq(text, erase) {
			bar := piece[strings.LastIndex(piece, "\n")+1:]
			if bar == "" || !strings.HasPrefix(bar, "Renewing ") {
				continue
			}
			if bars++; utf8.RuneCountInString(bar) >= columns {
				t.Errorf("in %d columns: %q", columns, bar)
			}
		}
		if last := text[max(strings.LastIndex(text, erase), 0):]; bars == 0 || strings.Contains(last, "Renewing [") {
			t.Errorf("%d bars, and at the end %q", bars, last)
		}
	}
	h.stoppedAt("new-order", "renew", "--force-renewal", "--jobs", "3")
	code, text := h.atTerminal(60, "resume", "--jobs", "2")
	last := text[max(strings.LastIndex(text, erase), 0):]
	if code != 0 || !strings.Contains(text, "Resuming [") || strings.Contains(last, "Resuming") {
		t.Errorf("%d: %q", code, text)
	}
	h.env["TERM"] = "dumb"
	if _, text := h.atTerminal(80, "renew", "--force-renewal", "--jobs", "3"); strings.ContainsAny(text, "\r\x1b") {
		t.Errorf("at a dumb terminal: %q", text)
	}
}
