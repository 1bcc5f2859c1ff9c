package e2e_test

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"orderly/testca"
)

// A digest whose run is killed by whoever is told, before or after he was: what was found is told, by
// the next run, and nothing is told anew.
func TestADigestThatIsKilledIsToldOnce(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		when, run string
		copies    int
	}{
		{"before it is told", "kill -KILL $ORDERLY_HOOK_OF; sleep 60", 1},
		// A second copy is the price of losing none.
		{"after it was told", "cat >>TOLD; kill -KILL $ORDERLY_HOOK_OF; sleep 60", 2},
	} {
		t.Run(c.when, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, testca.Config{})
			h := w.host("one")
			h.must("renew")
			w.write(filepath.Join(h.config, "renewal", "a.example.com.conf"), "a bare word\n")
			told, mark := filepath.Join(w.dir, "told"), filepath.Join(w.dir, "mark")
			first := strings.ReplaceAll(c.run, "TOLD", told)
			w.write(filepath.Join(h.config, "orderly", "digest.toml"), "[[channel]]\nname = \"file\"\nkind = \"command\"\n"+
				"run = \"\"\"\nif mkdir "+mark+" 2>/dev/null; then "+first+"; fi\ncat >>"+told+"\n\"\"\"\n")
			run := h.start("digest")
			endedInTime(t, run.wait(), syscall.SIGKILL)
			h.must("digest").says(t, 0, "Nothing has changed since the last digest", "file: delivered.")
			h.must("digest").says(t, 0, "Nothing has changed since the last digest")
			text, err := os.ReadFile(told)
			if err != nil || strings.Count(string(text), "D1: ") != c.copies {
				t.Errorf("%v: %s", err, text)
			}
		})
	}
}
