package cli_test

// What is said of what is open, and of giving it up.

import (
	"testing"

	"orderly/testca"
)

func TestPendingSaysWhatHappensNext(t *testing.T) {
	t.Parallel()
	w := newWorld(t, testca.Config{Boulder: true, HideProcessing: true})
	h := w.host("one")
	name := "a.example.com"
	h.stoppedAt("challenge", h.certonly(w.site(name), name)...)
	h.must("pending", "release", "--all", "--local", "--yes")
	for _, args := range [][]string{{"pending"}, {"pending", "--json"}} {
		h.orderly(args...).says(t, 0,
			"given up here; stays pending at the CA until it expires, nobody looks")
	}
}

// What is said to be run is called as this program was, and runs with this run's directories.
func TestPendingNamesCommandsThatCanBePasted(t *testing.T) {
	t.Parallel()
	w := newWorld(t, testca.Config{Boulder: true, HideProcessing: true})
	h := w.host("one")
	name := "a.example.com"
	h.stoppedAt("authorization", h.certonly(w.site(name), name)...)
	dirs := " --config-dir " + h.config + " --work-dir " + h.working + " --logs-dir " + h.logs + "`"
	for _, program := range []string{"orderly", "certbot"} {
		h.program = program
		want := "the next `" + program + " renew" + dirs + ", or `" + program + " resume" + dirs +
			", answers it"
		for _, args := range [][]string{{"pending"}, {"pending", "--json"}} {
			h.orderly(args...).says(t, 0, want)
		}
	}
	h.program = "orderly"
	r := h.orderly("pending", "release", "--all", "--dry-run")
	r.says(t, 0, "one failed authorization for one name, of five an hour")
	h.must("pending", "release", "--all", "--yes")
	r = h.orderly("pending", "release", "--order", "1")
	r.says(t, 1, "order 1 is released, and nothing of it is left to release",
		"`orderly pending --config-dir "+h.config)
}
