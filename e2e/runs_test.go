package e2e_test

import (
	"fmt"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"orderly/testca"
)

// runEntry is a line of `orderly runs --json`.
type runEntry struct {
	ID       int64     `json:"id"`
	Command  string    `json:"command"`
	PID      int       `json:"pid"`
	Started  time.Time `json:"started_at"`
	Ended    string    `json:"ended"`
	ExitCode *int      `json:"exit_code"`
	Took     *float64  `json:"took_seconds"`
	DiedIn   string    `json:"died_in"`
	LastStep string    `json:"last_step"`
	Detail   string    `json:"detail"`
}

func (h *host) runs(args ...string) []runEntry {
	h.t.Helper()
	return decode[struct{ Runs []runEntry }](h.world, h.must(append([]string{"runs", "--json"}, args...)...).stdout).Runs
}

// "Was it our time-out?" has an answer: which step a run came to, and whether it was killed, stopped or done.
func TestRunsSayHowEachEnded(t *testing.T) {
	t.Parallel()
	w := newWorld(t, characters()[0].config)
	h := w.host("one")
	names := someNames(2)
	command := h.certonly(w.site(names...), names...)
	h.interrupt(point{"challenge", 1, false}, syscall.SIGKILL, command...)
	h.interrupt(point{"order", 1, false}, syscall.SIGTERM, command...)
	h.must(command...)
	runs := h.runs()
	var ends []string
	for _, r := range runs {
		ends = append(ends, r.Ended)
		if r.Command != "certonly a.example.com,www1.a.example.com" || r.PID == 0 || r.Started.IsZero() {
			t.Errorf("%+v", r)
		}
	}
	if want := []string{"done", "stopped", "killed"}; !slices.Equal(ends, want) {
		t.Errorf("the runs ended as %q, not %q (newest first)", ends, want)
	}
	if code := runs[1].ExitCode; code == nil || *code != 75 || !strings.Contains(runs[1].Detail, "terminated") {
		t.Errorf("the stopped run: %+v", runs[1])
	}
	killed := h.runs("--killed")
	if len(killed) != 1 || killed[0].LastStep != "challenge intent" || killed[0].ExitCode != nil || killed[0].Took != nil ||
		!strings.HasPrefix(killed[0].DiedIn, "challenge sent for ") {
		t.Errorf("the killed runs are %+v", killed)
	}
	if r := h.must("runs", "--killed"); !strings.Contains(r.stdout, ": challenge sent for ") || strings.Contains(r.stdout, "done") {
		t.Errorf("%s", r)
	}
}

func TestADeadlineEndsARunThatGoesOnLater(t *testing.T) {
	t.Parallel()
	w := newWorld(t, characters()[0].config)
	h := w.host("one")
	names := someNames(2)
	command := h.certonly(w.site(names...), names...)
	h.hold("finalize", 1, false)
	r := h.orderly(append(command, "--deadline", "800ms")...)
	w.ca.ClearFaults()
	if r.code != 75 || !strings.Contains(r.stderr, "the deadline of 800ms has come") {
		t.Errorf("%s", r)
	}
	if runs := h.runs(); runs[0].Ended != "stopped" || !strings.Contains(runs[0].Detail, "deadline") {
		t.Errorf("%+v", runs[0])
	}
	h.must(command...)
	h.kept(promise{names: names})
}

// A person asks while a run is under way.
func TestWhatIsPendingIsShownWhileARunWorks(t *testing.T) {
	t.Parallel()
	w := newWorld(t, characters()[2].config)
	h := w.host("one")
	names := someNames(2)
	h.hold("challenge", 1, false)
	c := h.start(h.certonly(w.site(names...), names...)...)
	h.held(c)
	var shown []string
	for _, entry := range h.pending() {
		shown = append(shown, entry.Names...)
		if entry.State != "pending" || entry.Age < 0 || entry.Next == "" || entry.Expires.Before(time.Now()) {
			t.Errorf("%+v", entry)
		}
	}
	if !slices.Equal(sorted(shown), sorted(names)) {
		t.Errorf("orderly pending shows %q, not %q", shown, names)
	}
	text := h.must("pending").stdout
	for _, want := range append(names, "ORDER", "EXPIRES (UTC)", "NEXT") {
		if !strings.Contains(text, want) {
			t.Errorf("orderly pending does not show %q: %s", want, text)
		}
	}
	if runs := h.runs(); len(runs) != 1 || runs[0].Ended != "running" || runs[0].PID != c.cmd.Process.Pid {
		t.Errorf("%+v", runs)
	}
	w.ca.ClearFaults()
	w.ca.Release()
	if r := c.wait(); r.code != 0 {
		t.Errorf("%s", r)
	}
	h.kept(promise{names: names})
	if text := h.must("pending").stdout; text != "Nothing is pending.\n" {
		t.Errorf("%q", text)
	}
}

// `orderly resume` beside a living run leaves that run's order alone.
func TestResumeLeavesALivingRunAlone(t *testing.T) {
	t.Parallel()
	w := newWorld(t, characters()[2].config)
	h := w.host("one")
	j := h.journal()
	names := someNames(2)
	h.hold("challenge", 2, false)
	c := h.start(j.withHooks(h.certonly(w.site(names...), names...))...)
	h.held(c)
	before := w.requests("")
	if r := h.must("resume"); !strings.Contains(r.stdout, "Nothing was left unfinished.") {
		t.Errorf("%s", r)
	}
	if n := w.requests("") - before; n != 0 {
		t.Errorf("%d requests were made for another's order", n)
	}
	j.is("pre")
	w.ca.ClearFaults()
	w.ca.Release()
	if r := c.wait(); r.code != 0 {
		t.Errorf("%s", r)
	}
	h.kept(promise{names: names})
}

func TestAnOrderShowsItsTimeline(t *testing.T) {
	t.Parallel()
	w := newWorld(t, characters()[0].config)
	h := w.host("one")
	names := someNames(2)
	command := h.certonly(w.site(names...), names...)
	h.interrupt(point{"finalize", 1, true}, syscall.SIGKILL, command...)
	h.must(command...)
	type shown struct {
		Order  struct{ State, URL string }
		Events []struct {
			Kind string
			Run  int64
		}
	}
	view := decode[shown](w, h.must("order", "show", "1", "--json").stdout)
	var kinds []string
	for _, e := range view.Events {
		kinds = append(kinds, e.Kind)
	}
	at := 0
	for _, want := range []string{"new-order intent", "new-order answered", "challenge intent", "challenge accepted", "finalize intent", "order seen", "certificate downloaded", "installed", "settled"} {
		next := slices.Index(kinds[at:], want)
		if next < 0 {
			t.Fatalf("%q does not come after %q in %q", want, kinds[:at], kinds)
		}
		at += next
	}
	if last := view.Events[len(view.Events)-1]; view.Order.State != "installed" || view.Order.URL != w.ca.Truth().Orders[0].URL || last.Run != 2 {
		t.Errorf("%+v", view)
	}
	text := h.must("order", "show", "1").stdout
	for _, want := range append(names, "Order 1 for a.example.com: installed", "finalize intent", "AT (UTC)") {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not shown: %s", want, text)
		}
	}
	if list := h.must("order", "list").stdout; !strings.Contains(list, "a.example.com") || !strings.Contains(list, "installed") {
		t.Errorf("%s", list)
	}
}

// The two seconds of rule 10.
func TestASignalEndsARunWithinTwoSeconds(t *testing.T) {
	for _, signal := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP} {
		for _, at := range []point{{"directory", 1, false}, {"new-account", 1, true}, {"new-order", 1, true}, {"challenge", 1, false}, {"certificate", 1, true}} {
			t.Run(fmt.Sprint(signal, " ", at), func(t *testing.T) {
				w := newWorld(t, testca.Config{})
				h := w.host("one")
				r := h.interrupt(at, signal, h.certonly(w.site("a.example.com"), "a.example.com")...)
				endedInTime(t, r, signal)
			})
		}
	}
}
