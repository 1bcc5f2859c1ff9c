package e2e_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"orderly/testca"
)

// journal is a file that hooks write to.
type journal struct {
	h    *host
	path string
}

func (h *host) journal() journal {
	return journal{h, filepath.Join(h.dir, "journal")}
}

// note is a hook that writes a word and the environment it got.
func (j journal) note(word string) string {
	return `echo "` + word + ` $RENEWED_LINEAGE $RENEWED_DOMAINS" >> ` + j.path
}

// words are what was noted, without the environment.
func (j journal) words() []string {
	var words []string
	for _, line := range j.lines() {
		word, _, _ := strings.Cut(line, " ")
		words = append(words, word)
	}
	return words
}

func (j journal) lines() []string {
	text, err := os.ReadFile(j.path)
	if err != nil {
		return nil
	}
	return strings.Split(strings.TrimSpace(string(text)), "\n")
}

func (j journal) is(want ...string) {
	j.h.t.Helper()
	if got := j.words(); !slices.Equal(got, want) {
		j.h.t.Errorf("the hooks ran as %q, not %q", got, want)
	}
}

// withHooks adds three hooks to a command line.
func (j journal) withHooks(command []string) []string {
	return slices.Concat(command, []string{"--pre-hook", j.note("pre"), "--post-hook", j.note("post"), "--deploy-hook", j.note("deploy")})
}

func TestHooksRunInCertbotsOrder(t *testing.T) {
	t.Parallel()
	w := newWorld(t, testca.Config{})
	h := w.host("one")
	j := h.journal()
	names := someNames(2)
	command := j.withHooks(h.certonly(w.site(names...), names...))
	h.must(command...)
	j.is("pre", "deploy", "post")
	if want := "deploy " + filepath.Join(h.config, "live", names[0]) + " " + strings.Join(names, " "); j.lines()[1] != want {
		t.Errorf("the deploy hook saw %q, not %q", j.lines()[1], want)
	}
	h.must(command...) // kept: nothing runs
	j.is("pre", "deploy", "post")
	h.must("renew", "--force-renewal") // as the renewal file says
	j.is("pre", "deploy", "post", "pre", "deploy", "post")
}

func TestPreAndPostHooksRunOncePerRun(t *testing.T) {
	t.Parallel()
	w := newWorld(t, testca.Config{})
	h := w.host("one")
	j := h.journal()
	h.lineages("a.example.com", "b.example.com", "c.example.com")
	h.must(j.withHooks([]string{"renew", "--force-renewal"})...)
	j.is("pre", "deploy", "deploy", "deploy", "post")
}

func TestDirectoryHooksRunFirst(t *testing.T) {
	t.Parallel()
	w := newWorld(t, testca.Config{})
	h := w.host("one")
	j := h.journal()
	h.lineages("a.example.com")
	for _, kind := range []string{"pre", "deploy", "post"} {
		path := filepath.Join(h.config, "renewal-hooks", kind, "10-note")
		h.write(path, "#!/bin/sh\n"+j.note("directory-"+kind)+"\n")
		if err := os.Chmod(path, 0o755); err != nil {
			t.Fatal(err)
		}
		h.write(filepath.Join(h.config, "renewal-hooks", kind, "not-executable"), "exit 1")
	}
	h.must(j.withHooks([]string{"renew", "--force-renewal"})...)
	j.is("directory-pre", "pre", "directory-deploy", "deploy", "directory-post", "post")
	h.must(j.withHooks([]string{"renew", "--force-renewal", "--no-directory-hooks"})...)
	if got := j.words()[6:]; !slices.Equal(got, []string{"pre", "deploy", "post"}) {
		t.Errorf("without directory hooks %q ran", got)
	}
}

// What a pre-hook stopped must be started again, also when the order fails or the hook itself does.
func TestThePostHookRunsAfterAFailureToo(t *testing.T) {
	t.Parallel()
	h, command := failing(t, testca.Config{})
	j := h.journal()
	if r := h.orderly(j.withHooks(command)...); r.code != 1 {
		t.Errorf("%s", r)
	}
	j.is("pre", "post")
	if r := h.orderly(append(h.certonly(h.site("b.example.com"), "b.example.com"), "--pre-hook", "exit 3", "--post-hook", j.note("post"))...); r.code != 1 || !strings.Contains(r.stderr, "reported error code 3") {
		t.Errorf("%s", r)
	}
	j.is("pre", "post", "post")
}

func TestNoHookRunsForARefusedLineage(t *testing.T) {
	t.Parallel()
	w := newWorld(t, testca.Config{})
	h := w.host("one")
	j := h.journal()
	h.lineages("a.example.com")
	h.remove(filepath.Join(w.dir, "sites", "a.example.com"))
	if r := h.orderly(j.withHooks([]string{"renew", "--force-renewal"})...); r.code != 1 {
		t.Errorf("%s", r)
	}
	j.is()
}

// A killed run owes its post-hook; whoever comes next pays it first, also when there is nothing else to do.
func TestAKilledRunsPostHookIsPaid(t *testing.T) {
	t.Parallel()
	for _, next := range []string{"the same again", "renew", "resume", "a certificate for another"} {
		t.Run(next, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, characters()[2].config)
			h := w.host("one")
			j := h.journal()
			names := someNames(2)
			command := j.withHooks(h.certonly(w.site(names...), names...))
			h.interrupt(point{"challenge", 2, true}, syscall.SIGKILL, command...)
			j.is("pre")
			switch next {
			case "the same again":
				h.must(command...)
			case "a certificate for another":
				h.lineages("other.example.com") // pays as well; the hooks of another lineage are not its own to run
				j.is("pre", "post")
				return
			default:
				h.must(next)
			}
			words := j.words()
			if len(words) < 2 || words[1] != "post" || words[len(words)-1] != "post" {
				t.Errorf("the hooks ran as %q: the debt was not paid first", words)
			}
			if !slices.Contains(words, "deploy") {
				t.Errorf("the hooks ran as %q", words)
			}
			paid := len(j.words())
			h.must("renew")
			if n := len(j.words()) - paid; n != 0 {
				t.Errorf("%d hooks ran for nothing", n)
			}
			h.kept(promise{names: names})
		})
	}
}

// The next run may be about another certificate alone.
func TestARunForOneCertificatePaysToo(t *testing.T) {
	t.Parallel()
	w := newWorld(t, characters()[2].config)
	h := w.host("one")
	j := h.journal()
	h.lineages("other.example.com")
	names := someNames(2)
	h.interrupt(point{"challenge", 2, true}, syscall.SIGKILL, j.withHooks(h.certonly(w.site(names...), names...))...)
	h.must("renew", "--cert-name", "other.example.com")
	j.is("pre", "post")
}

// A run that is stopped in time leaves the hook to the next one.
func TestAStoppedRunStartsAgainWhatItStopped(t *testing.T) {
	t.Parallel()
	w := newWorld(t, characters()[2].config)
	h := w.host("one")
	j := h.journal()
	names := someNames(2)
	command := j.withHooks(h.certonly(w.site(names...), names...))
	r := h.interrupt(point{"order", 1, true}, syscall.SIGTERM, command...)
	endedInTime(t, r, syscall.SIGTERM)
	h.must(command...)
	words := j.words()
	if words[0] != "pre" || words[1] != "post" || words[len(words)-1] != "post" {
		t.Errorf("the hooks ran as %q", words)
	}
	h.kept(promise{names: names})
}

// Killed while the deploy hook runs, the web server was perhaps never told: the hook runs again.
func TestADeployHookRunsAtLeastOnce(t *testing.T) {
	t.Parallel()
	for _, next := range []string{"the same again", "renew", "resume"} {
		t.Run(next, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, characters()[2].config)
			h := w.host("one")
			j := h.journal()
			names := someNames(2)
			started := filepath.Join(h.dir, "started")
			hook := "test -e " + started + " || { touch " + started + "; exec sleep 60; }; " + j.note("deploy")
			command := append(h.certonly(w.site(names...), names...), "--deploy-hook", hook)
			c := h.start(command...)
			until(t, "the deploy hook runs", func() bool { _, err := os.Stat(started); return err == nil })
			c.kill()
			h.goodPair(names[0], names...)
			if next == "the same again" {
				h.must(command...)
			} else {
				h.must(next)
			}
			j.is("deploy")
			h.kept(promise{names: names})
		})
	}
}

// A signal ends a deploy hook that hangs, and the hook is owed.
func TestAHangingHookDoesNotKeepARunFromEnding(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"--pre-hook", "--deploy-hook", "--post-hook"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, characters()[2].config)
			h := w.host("one")
			names := someNames(1)
			started := filepath.Join(h.dir, "started")
			hook := "test -e " + started + " || { touch " + started + "; sleep 60; }"
			command := append(h.certonly(w.site(names...), names...), kind, hook)
			c := h.start(command...)
			until(t, "the hook runs", func() bool { _, err := os.Stat(started); return err == nil })
			c.signal(syscall.SIGTERM)
			endedInTime(t, c.wait(), syscall.SIGTERM)
			h.must(command...)
			h.kept(promise{names: names})
		})
	}
}

func TestAHookThatCannotBeFoundIsSaidBeforeAnythingIsOrdered(t *testing.T) {
	t.Parallel()
	w := newWorld(t, testca.Config{})
	h := w.host("one")
	for _, kind := range []string{"pre", "post", "deploy"} {
		r := h.orderly(append(h.certonly(w.site("a.example.com"), "a.example.com"), "--"+kind+"-hook", "no-such-command --reload")...)
		if r.code != 1 || !strings.Contains(r.stderr, "Unable to find "+kind+"-hook command no-such-command in the PATH.") {
			t.Errorf("%s", r)
		}
	}
	if n := w.requests(""); n != 0 {
		t.Errorf("%d requests were made", n)
	}
}

// An order that a killed run left is answered only after the pre-hook has run again: it may open what the CA is to reach.
func TestAResumedOrderHasItsPreHook(t *testing.T) {
	t.Parallel()
	for _, next := range []string{"resume", "renew"} {
		t.Run(next, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, characters()[2].config)
			h := w.host("one")
			j := h.journal()
			names := someNames(2)
			h.interrupt(point{"authorization", 2, true}, syscall.SIGKILL, j.withHooks(h.certonly(w.site(names...), names...))...)
			h.must(next)
			j.is("pre", "post", "pre", "deploy", "post")
		})
	}
}

// A deploy hook that renews another certificate of the same round would wait for a run that waits for
// the hook: each certificate that was put in place is held until its deploy hook had its turn. It is
// told so at once, and the round goes on.
func TestADeployHookThatWantsAnothersCertificateIsNotWaitedFor(t *testing.T) {
	t.Parallel()
	w := newWorld(t, crowded(characters()[2]))
	c := w.host("one").crowd("a.example.com", "b.example.com")
	said := filepath.Join(w.dir, "said")
	nested := strings.Join(slices.Concat([]string{program, "certonly", "--webroot", "-n", "-w", "$root",
		"-d", "$other", "--force-renewal", "--server", w.ca.DirectoryURL()}, c.dirs()), " ")
	w.write(filepath.Join(w.dir, "hook"), strings.NewReplacer("SAID", said, "CONFIG", c.config,
		"SITES", filepath.Join(w.dir, "sites"), "NESTED", nested).Replace(`
[ -e SAID ] && exit 0
case $RENEWED_DOMAINS in a.*) other=b.example.com;; *) other=a.example.com;; esac
root=SITES/$other
while [ ! -e CONFIG/archive/$other/cert2.pem ]; do sleep 0.05; done
NESTED > SAID 2>&1
echo exit $? >> SAID
`))
	c.must("renew", "--jobs", "2", "--longest-validation", c.longest.String(),
		"--deploy-hook", "sh "+filepath.Join(w.dir, "hook"))
	if text := w.read(said); !strings.Contains(text, "waits for the hook that runs this") ||
		!strings.Contains(text, "post-hook") || !strings.HasSuffix(text, "exit 1\n") {
		t.Errorf("the hook's own command was told:\n%s", text)
	}
	c.onceEach(c.names)
}
