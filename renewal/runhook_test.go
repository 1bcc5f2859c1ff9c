package renewal_test

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"orderly/failure"
	"orderly/host"
	"orderly/renewal"
	"orderly/testca"
)

// hooked is a wish with all three hooks.
func (h *machine) hooked(names ...string) renewal.Wish {
	w := h.wish(names...)
	w.Hooks = host.Hooked{Pre: host.Say(h.note("pre")), Post: host.Say(h.note("post")), Deploy: host.Say(h.note("deploy"))}
	return w
}

// run is a run of certonly.
func (h *machine) run(w renewal.Wish) renewal.Result {
	h.t.Helper()
	s := h.process("certonly")
	r := s.Obtain(h.t.Context(), w)
	must(h.t, s.Finish(h.t.Context()))
	must(h.t, s.End("done", 0, ""))
	return r
}

// A pre-hook may stop a web server. While a back-off holds, or the CA asked for a pause, none runs.
func TestNoHookRunsWhileABackOffHolds(t *testing.T) {
	t.Parallel()
	h := newHost(t, testca.Config{})
	h.set.SkipPreflight = map[string]bool{"dns": true, "http": true}
	h.ca.SetDead("a.example", true)
	h.site("a.example")
	if r := h.run(h.hooked("a.example")); r.Class != failure.Validation {
		t.Fatalf("%+v", r)
	}
	if got := h.notes(); got != "pre; post" {
		t.Errorf("the attempt: %q", got)
	}
	for range 2 {
		if r := h.run(h.hooked("a.example")); r.Class != failure.BackOff {
			t.Errorf("%+v", r)
		}
	}
	if got := h.notes(); got != "pre; post" {
		t.Errorf("during the back-off: %q", got)
	}
	h.clock.skip(2 * time.Minute)
	if r := h.run(h.hooked("a.example")); r.Class != failure.Validation {
		t.Errorf("%+v", r)
	}
	if got := h.notes(); got != "pre; post; pre; post" {
		t.Errorf("after it: %q", got)
	}
}

// What DNS and the disk say no hook can change.
func TestNoHookRunsWhereACheckRefusesForCertain(t *testing.T) {
	t.Parallel()
	h := newHost(t, testca.Config{DeadNames: []string{"b.example"}})
	h.site("b.example")
	if r := h.run(h.hooked("b.example")); r.Class != failure.DNSMissing {
		t.Errorf("%+v", r)
	}
	if r := h.run(h.hooked("gone.example")); r.Class != failure.WebrootGone {
		t.Errorf("%+v", r)
	}
	if got := h.notes(); got != "" {
		t.Errorf("hooks ran: %q", got)
	}
}

// opens is a wish whose document root is served from front/NAME, and only between its pre-hook and
// its post-hook.
func (h *machine) opens(front, name string) renewal.Wish {
	root := filepath.Join(h.dir, "real", name)
	must(h.t, os.MkdirAll(root, 0o755))
	must(h.t, os.MkdirAll(front, 0o755))
	w := h.hooked(name)
	w.Webroots[name], w.WebrootPaths = root, []string{root}
	w.Hooks.Pre = host.Say("ln -sfn " + root + " " + filepath.Join(front, name) + " && " + w.Hooks.Pre.Is())
	w.Hooks.Post = host.Say("rm " + filepath.Join(front, name) + " && " + w.Hooks.Post.Is())
	return w
}

func TestAPreHookMayOpenWhatTheCAIsToReach(t *testing.T) {
	t.Parallel()
	h := newHost(t, testca.Config{})
	if r := h.run(h.opens(filepath.Join(h.dir, "srv"), "a.example")); r.Outcome != renewal.Issued {
		t.Errorf("%+v", r)
	}
	if got := h.notes(); got != "pre; deploy a.example; post a.example" {
		t.Error(got)
	}
}

// What is seen before such a hook and after it differs always. That lifts no back-off, in however
// many runs, and the hook does not run for that.
func TestWhatAPreHookChangesLiftsNoBackOff(t *testing.T) {
	t.Parallel()
	h := newHost(t, testca.Config{})
	front := filepath.Join(h.dir, "front") // seen from here; the CA sees srv, where nothing is
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name, _, _ := strings.Cut(r.Host, ":")
		http.FileServerFS(os.DirFS(filepath.Join(front, name))).ServeHTTP(w, r)
	}))
	defer server.Close()
	h.set.PreflightPort = server.Listener.Addr().(*net.TCPAddr).Port
	w := h.opens(front, "a.example")
	if r := h.run(w); r.Class != failure.Validation {
		t.Fatalf("%+v", r)
	}
	before := h.notes()
	for range 3 {
		if r := h.run(w); r.Class != failure.BackOff {
			t.Errorf("%+v", r)
		}
	}
	if got := h.notes(); got != before || before != "pre; post" {
		t.Errorf("%q, and before %q", got, before)
	}
	elsewhere := filepath.Join(h.dir, "elsewhere")
	must(t, os.Rename(filepath.Join(h.dir, "real", "a.example"), elsewhere))
	must(t, os.Mkdir(filepath.Join(h.dir, "real", "a.example"), 0o755))
	if r := h.run(w); r.Class != failure.Validation {
		t.Errorf("another document root lifts the back-off, closed as the site is: %+v", r)
	}
}

func TestWhatHooksPrintIsShownAsCertbotShowsIt(t *testing.T) {
	t.Parallel()
	h := newHost(t, testca.Config{})
	h.site("a.example")
	w := h.wish("a.example")
	w.Hooks = host.Hooked{Pre: host.Say("echo one; echo two; echo wrong >&2; exit 3"), Post: host.Say("kill -9 $$")}
	if r := h.run(w); r.Outcome != renewal.Issued {
		t.Fatalf("%+v", r)
	}
	for _, want := range []string{"Hook 'pre-hook' ran with output:\n one\n two"} {
		if !slices.Contains(h.report.lines, want) {
			t.Errorf("%q is not among %q", want, h.report.lines)
		}
	}
	for _, want := range []string{"Hook 'pre-hook' reported error code 3", "Hook 'pre-hook' ran with error output:\n wrong", "Hook 'post-hook' reported error code -9"} {
		if !slices.Contains(h.report.warnings, want) {
			t.Errorf("%q is not among %q", want, h.report.warnings)
		}
	}
}

// A post-hook is told what was renewed and what was not, over the whole round.
func TestAPostHookIsToldTheOutcomeOfTheRound(t *testing.T) {
	t.Parallel()
	h := newHost(t, testca.Config{})
	h.has("a.example", "b.example", "c.example", "fresh.example")
	h.due("a.example", "b.example", "c.example")
	must(t, os.RemoveAll(h.root("b.example")))
	post := "echo post $RENEWED_DOMAINS, $FAILED_DOMAINS, $RENEWED_LINEAGE >> " + filepath.Join(h.dir, "notes")
	_, err := h.renew(renewal.Round{Said: host.Said{Hooks: host.Hooked{Post: host.Say(post)}}})
	must(t, err)
	if got := h.notes(); got != "post a.example c.example, b.example," {
		t.Errorf("without deploy hooks: %q", got)
	}
	must(t, os.Remove(filepath.Join(h.dir, "notes")))
	_, err = h.renew(renewal.Round{Said: host.Said{Hooks: host.Hooked{Deploy: host.Say("true"), Post: host.Say(post)}}, Renew: true, CertName: "c.example"})
	must(t, err)
	if got, want := h.notes(), "post c.example, , "+filepath.Join(h.dir, "etc/live/c.example"); got != want {
		t.Errorf("%q, not %q: certbot's deploy hooks leave their environment to later ones", got, want)
	}
}

func TestHooksOfTheCommandLineAreKept(t *testing.T) {
	t.Parallel()
	h := newHost(t, testca.Config{})
	h.has("a.example", "b.example")
	h.due("a.example")
	_, err := h.renew(renewal.Round{Said: host.Said{Hooks: host.Hooked{Post: host.Say("true kept")}}})
	must(t, err)
	for name, want := range map[string]bool{"a.example": true, "b.example": false} {
		text, err := os.ReadFile(h.disk().Dirs.Renewal(name))
		must(t, err)
		if got := strings.Contains(string(text), "post_hook = true kept\n"); got != want {
			t.Errorf("%s: kept %v\n%s", name, got, text)
		}
	}
}

// Where nobody watches, a round waits once before its first renewal, and before any hook. A signal
// ends the wait.
func TestARoundIsDelayedOnce(t *testing.T) {
	t.Parallel()
	h := newHost(t, testca.Config{})
	h.has("a.example", "b.example", "fresh.example")
	delays := 0
	round := renewal.Round{Said: host.Said{Hooks: host.Hooked{Pre: host.Say(h.note("pre"))}}, Spread: func() time.Duration { delays++; return time.Millisecond }}
	_, err := h.renew(round)
	must(t, err)
	if delays != 0 {
		t.Errorf("nothing is due, but %d delays", delays)
	}
	h.due("a.example", "b.example")
	requests := len(h.ca.Truth().Requests)
	ctx, cancel := context.WithCancel(t.Context())
	long := round
	long.Spread = func() time.Duration { cancel(); return time.Hour }
	s := h.process("renew")
	if results, err := s.RenewAll(ctx, long); failure.ClassOf(err) != failure.Stopped || renewal.Exit(results, err) != failure.Stopped.ExitCode() {
		t.Errorf("%v, %+v", err, results)
	}
	must(t, s.Finish(ctx))
	must(t, s.End("stopped", 75, ""))
	if got := h.notes(); got != "" || len(h.ca.Truth().Requests) != requests {
		t.Errorf("after a signal: %q, %d requests", got, len(h.ca.Truth().Requests)-requests)
	}
	results, err := h.renew(round)
	must(t, err)
	if delays != 1 || strings.Count(outcomes(results), "issued") != 2 {
		t.Errorf("%d delays, %s", delays, outcomes(results))
	}
	for range 100 {
		if d := renewal.Spread(); d < time.Second || d > 8*time.Minute {
			t.Fatalf("a delay of %s", d)
		}
	}
}

func TestAHookIsLookedForWhereCertbotLooks(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	plain := filepath.Join(dir, "plain")
	must(t, os.WriteFile(plain, []byte("#!/bin/sh\n"), 0o644))
	path := func(string) string { return "/nowhere" }
	for _, c := range []struct{ command, want string }{
		{"", ""}, {"chroot --version", ""}, // in /usr/sbin, which is added
		{"/bin/sh -c true", ""}, {"if true; then :; fi", ""}, {"A=1 ls", ""},
		{"no-such-command --reload", "Unable to find pre-hook command no-such-command in the PATH.\n(PATH is /nowhere:/usr/sbin:/usr/local/bin:/usr/local/sbin)"},
		{plain + " x", "pre-hook command " + plain + " exists, but is not executable."},
		{"/no/such x", "Unable to find pre-hook command /no/such in the PATH."},
	} {
		err := host.CheckHook("pre-hook", c.command, path)
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%q: %v", c.command, err)
		}
	}
}
