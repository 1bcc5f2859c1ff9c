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

// trace is a hook that writes a word, and for a deploy hook what it is told.
func (j journal) trace(word string) string {
	told := ""
	if strings.Contains(word, "deploy") {
		told = ` $(basename "$RENEWED_LINEAGE") $RENEWED_DOMAINS`
	}
	return `echo "` + word + told + `" >> ` + j.path
}

// directory puts executable hooks, and what is none, into the three directories.
func (j journal) directory() {
	j.h.t.Helper()
	for _, kind := range []string{"pre", "deploy", "post"} {
		dir := filepath.Join(j.h.config, "renewal-hooks", kind)
		for _, file := range []string{"20-second", "10-first", "30-backup~", "40-plain"} {
			j.h.write(filepath.Join(dir, file), "#!/bin/sh\n"+j.trace("dir-"+kind+"-"+file)+"\n")
			mode := os.FileMode(0o755)
			if file == "40-plain" {
				mode = 0o644
			}
			if err := os.Chmod(filepath.Join(dir, file), mode); err != nil {
				j.h.t.Fatal(err)
			}
		}
	}
}

// twoLineagesWithHooks makes them by orderly, each with hooks of its own in the renewal file, and one in common.
func twoLineagesWithHooks(h *host, j journal) {
	for _, name := range []string{"a.example.com", "b.example.com"} {
		command := h.certonly(h.site(name), name)
		h.must(append(command, "--pre-hook", j.trace("pre"), "--post-hook", j.trace("post-"+name), "--deploy-hook", j.trace("deploy"))...)
	}
	h.remove(j.path)
}

// In one directory, with the same hooks in renewal files, in directories and on the command line, both programs run the same
// hooks in the same order, and say the same of them.
func TestHooksRunAsWithCertbot(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		flags []string
	}{
		{"as the files say", nil},
		{"the command line's", []string{"--post-hook", "TRACE post-cli", "--deploy-hook", "TRACE deploy-cli"}},
		{"without directories", []string{"--no-directory-hooks"}},
		{"one certificate", []string{"--cert-name", "b.example.com"}},
		{"a hook that is in the directory as well", []string{"--pre-hook", "DIR pre/10-first", "--post-hook", "DIR post/20-second", "--deploy-hook", "DIR deploy/10-first"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, withPebbleDates())
			h := w.host("one")
			j := h.journal()
			twoLineagesWithHooks(h, j)
			j.directory()
			before := filepath.Join(h.dir, "renewal")
			copyTree(t, filepath.Join(h.config, "renewal"), before)
			args := []string{"renew", "--force-renewal", "--no-random-sleep-on-renew"}
			for _, flag := range c.flags {
				if word, ok := strings.CutPrefix(flag, "TRACE "); ok {
					flag = j.trace(word)
				}
				if file, ok := strings.CutPrefix(flag, "DIR "); ok {
					flag = filepath.Join(h.config, "renewal-hooks", file)
				}
				args = append(args, flag)
			}
			h.mustCertbot(args...)
			want := j.lines()
			kept := h.hookLines()
			h.remove(j.path)
			h.remove(filepath.Join(h.config, "renewal"))
			copyTree(t, before, filepath.Join(h.config, "renewal"))
			h.must(append(args, "--jobs", "1")...) // certbot's way: one after the other, as they are listed
			if got := j.lines(); !slices.Equal(got, want) {
				t.Errorf("orderly ran\n  %s\nand certbot\n  %s", strings.Join(got, "\n  "), strings.Join(want, "\n  "))
			}
			if got := h.hookLines(); got != kept {
				t.Errorf("orderly kept\n%s\nand certbot\n%s", got, kept)
			}
		})
	}
}

// hookLines are the hooks that the renewal files keep, sorted.
func (h *host) hookLines() string {
	var lines []string
	for _, name := range []string{"a.example.com", "b.example.com"} {
		for line := range strings.Lines(h.read(filepath.Join(h.config, "renewal", name+".conf"))) {
			if strings.Contains(line, "_hook =") {
				lines = append(lines, name+": "+strings.TrimSpace(line))
			}
		}
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

func copyTree(t *testing.T, from, to string) {
	t.Helper()
	if err := os.CopyFS(to, os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
}

// What a script finds in the output of either program.
func TestWhatHooksPrintReadsAsWithCertbot(t *testing.T) {
	t.Parallel()
	w := newWorld(t, withPebbleDates())
	h := w.host("one")
	h.lineages("a.example.com")
	args := []string{"renew", "--force-renewal", "--no-random-sleep-on-renew", "--no-directory-hooks",
		"--pre-hook", "echo to stop it; echo second line", "--deploy-hook", "echo deployed; exit 7", "--post-hook", "echo oh no >&2"}
	for _, r := range []result{h.mustCertbot(args...), h.must(args...)} {
		for _, want := range []string{"Hook 'pre-hook' ran with output:\n to stop it\n second line\n", "Hook 'deploy-hook' ran with output:\n deployed\n"} {
			if !strings.Contains(r.stdout, want) {
				t.Errorf("stdout lacks %q: %s", want, r)
			}
		}
		for _, want := range []string{"Hook 'deploy-hook' reported error code 7\n", "Hook 'post-hook' ran with error output:\n oh no\n"} {
			if !strings.Contains(r.stderr, want) {
				t.Errorf("stderr lacks %q: %s", want, r)
			}
		}
	}
}

// The post-hooks come after the summary, so that a script that reads on sees them last, and with what the round came to.
func TestPostHooksComeAfterTheSummary(t *testing.T) {
	t.Parallel()
	w := newWorld(t, testca.Config{})
	h := w.host("one")
	h.lineages("a.example.com", "b.example.com")
	h.remove(filepath.Join(w.dir, "sites", "b.example.com"))
	r := h.orderly("renew", "--force-renewal", "--post-hook", "echo renewed $RENEWED_DOMAINS failed $FAILED_DOMAINS")
	summary, hook := strings.Index(r.stdout, "The following renewals succeeded:"), strings.Index(r.stdout, " renewed a.example.com failed b.example.com\n")
	if r.code != 1 || summary < 0 || hook < summary {
		t.Errorf("%s", r)
	}
}

func TestNoHookRunsWhereNothingIsAttempted(t *testing.T) {
	t.Parallel()
	w := newWorld(t, backdated())
	h := w.host("one")
	j := h.journal()
	h.lineages("a.example.com", "off.example.com")
	conf := filepath.Join(h.config, "renewal", "off.example.com.conf")
	h.write(conf, strings.Replace("renew_before_expiry = 100 days\n"+h.read(conf), "[renewalparams]", "[renewalparams]\nautorenew = False", 1))
	j.directory()
	h.must(j.withHooks([]string{"renew"})...)
	h.must(j.withHooks(h.certonly(filepath.Join(w.dir, "sites", "off.example.com"), "off.example.com"))...)
	j.is()
}

// certbot keeps such a hook, and cannot read the renewal file from then on.
func TestAHookThatNoRenewalFileCanHoldIsRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t, testca.Config{})
	h := w.host("one")
	r := h.orderly(append(h.certonly(w.site("a.example.com"), "a.example.com"), "--post-hook", "date '+%(x)s'")...)
	if r.code == 0 || !strings.Contains(r.stderr, "--post-hook cannot be kept in a renewal file") || w.requests("") != 0 {
		t.Errorf("%s", r)
	}
}

// A hook that cannot be found is refused, but for who knows better.
func TestAHookIsTakenUnseenWhereThatIsSaid(t *testing.T) {
	t.Parallel()
	w := newWorld(t, testca.Config{})
	h := w.host("one")
	command := append(h.certonly(w.site("a.example.com"), "a.example.com"), "--post-hook", "no-such-command")
	if r := h.orderly(command...); r.code != 1 || !strings.Contains(r.stderr, "See also the --disable-hook-validation option.") {
		t.Errorf("%s", r)
	}
	r := h.must(append(command, "--disable-hook-validation")...)
	if !strings.Contains(r.stderr, "Hook 'post-hook' reported error code 127") {
		t.Errorf("%s", r)
	}
}

// Where nobody watches, renew waits before the first renewal, as certbot does; a signal ends the wait within two seconds,
// and nothing was begun.
func TestTheRandomDelayCanBeEnded(t *testing.T) {
	t.Parallel()
	w := newWorld(t, backdated())
	h := w.host("one")
	j := h.journal()
	h.lineages("a.example.com")
	h.env = append(h.env, "ORDERLY_NO_RANDOM_SLEEP=")
	if r := h.must("renew"); strings.Contains(r.stderr, "random delay") {
		t.Errorf("a delay although nothing is due: %s", r)
	}
	conf := filepath.Join(h.config, "renewal", "a.example.com.conf")
	h.write(conf, "renew_before_expiry = 100 days\n"+h.read(conf))
	requests := w.requests("")
	c := h.start(j.withHooks([]string{"renew"})...)
	until(t, "the delay begins", func() bool {
		text, err := os.ReadFile(filepath.Join(h.logs, "orderly.log"))
		return err == nil && strings.Contains(string(text), "Non-interactive renewal: random delay of")
	})
	c.signal(syscall.SIGTERM)
	r := c.wait()
	endedInTime(t, r, syscall.SIGTERM)
	if w.requests("") != requests || !strings.Contains(r.stderr, "stopped in the random delay before the first renewal") {
		t.Errorf("%s", r)
	}
	j.is()
	h.must(j.withHooks([]string{"renew", "--no-random-sleep-on-renew"})...)
	j.is("pre", "deploy", "post")
}
