package packagetest

// Exactly one thing renews, whichever of the packages are there. Timers are told by what Orderly's
// doctor is told by; cron's lines are run by a shell, with programs in the place of the real ones that
// note who was called.

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"orderly/schedule"
)

// oneRenews checks what renews in the situation.
func (w *walk) oneRenews(t *testing.T) {
	t.Helper()
	var timers, calls []string
	if w.at[1] == installed {
		timers, calls = append(timers, "orderly-renew.timer true"), append(calls, "orderly renew -q --no-random-sleep-on-renew")
	}
	if w.at[0] == installed && w.at[2] != installed {
		timers = append(timers, "certbot.timer false")
		calls = append(calls, "certbot -q renew --no-random-sleep-on-renew")
	}
	if w.at[2] == installed && w.at[0] != absent {
		// Debian's file for cron calls certbot, which is Orderly: that is the one.
		calls = []string{"orderly -q renew --no-random-sleep-on-renew"}
	}
	if found := w.tr.renewers(t, true); !slices.Equal(found, timers) {
		t.Errorf("with systemd %q renew, and %q should", found, timers)
	}
	if others := slices.DeleteFunc(w.tr.renewers(t, false), func(r string) bool {
		return strings.HasSuffix(r, " true")
	}); len(others) != 0 && (w.at[0] != installed || w.at[2] == installed) {
		t.Errorf("with cron %q are told of as others", others)
	}
	if found := w.tr.cronCalls(t); !slices.Equal(found, calls) {
		t.Errorf("with cron %q renew, and %q should", found, calls)
	}
}

// renewers are what the doctor is told of, where systemd runs or does not, and whether it is Orderly.
func (tr *tree) renewers(t *testing.T, systemd bool) []string {
	t.Helper()
	if systemd {
		booted := tr.path("/run/systemd/system")
		if err := os.MkdirAll(booted, 0o755); err != nil {
			t.Fatal(err)
		}
		defer os.RemoveAll(filepath.Dir(booted))
	}
	var all []string
	for _, r := range (schedule.Host{Root: tr.root, Self: "/usr/bin/orderly"}).All() {
		all = append(all, fmt.Sprint(r.Name, " ", r.Ours))
	}
	slices.Sort(all)
	slices.Reverse(all) // Orderly's first
	return all
}

// noting is a program that notes that it was called.
const noting = "#!/bin/sh\necho %s \"$@\" >>/tmp/called\n"

// cronCalls are the programs that cron's lines call where systemd does not run.
func (tr *tree) cronCalls(t *testing.T) []string {
	t.Helper()
	_ = os.Remove(tr.path("/tmp/called")) // from the last time
	tr.write("/tmp/called", "")
	for _, name := range []string{"orderly", "certbot", "certbot.distrib", "sleep"} {
		program := tr.path("/usr/bin/" + name)
		info, err := os.Lstat(program)
		if err != nil || !info.Mode().IsRegular() {
			continue
		}
		text := fmt.Sprintf(noting, name)
		if name == "sleep" {
			text = "#!/bin/sh\n" // nobody waits
		}
		tr.write("/tmp/"+name, text)
		if err := os.Chmod(tr.path("/tmp/"+name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := unix.Mount(tr.path("/tmp/"+name), program, "", unix.MS_BIND, ""); err != nil {
			t.Fatal(err)
		}
		defer func() { _ = unix.Unmount(program, unix.MNT_DETACH) }()
	}
	files, _ := filepath.Glob(tr.path("/etc/cron.d/*")) // well formed
	for _, file := range files {
		if cronReads(filepath.Base(file)) {
			tr.runTable(t, file)
		}
	}
	var all []string
	for line := range strings.Lines(tr.read("/tmp/called")) {
		all = append(all, strings.TrimSpace(line))
	}
	slices.Sort(all)
	slices.Reverse(all)
	return all
}

// cronReads reports whether cron reads a file of that name in /etc/cron.d (see cron(8)).
func cronReads(name string) bool { return regexp.MustCompile(`^[A-Za-z0-9_-]+$`).MatchString(name) }

// runTable runs the lines of a table about the programs, one after the other, and none of them waits.
func (tr *tree) runTable(t *testing.T, file string) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	env := tr.env
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		if regexp.MustCompile(`^[A-Z]+=`).MatchString(line) {
			env = append(slices.Clone(env), line)
		}
		// Minute, hour, day, month and weekday, or @daily; the user; the command.
		m := regexp.MustCompile(`^(?:@\w+|\S+(?:\s+\S+){4})\s+root\s+(.*)$`).FindStringSubmatch(line)
		if m == nil || !regexp.MustCompile(`certbot|orderly`).MatchString(line) || strings.HasPrefix(line, "#") {
			continue
		}
		c := tr.command("/bin/sh", "-c", strings.ReplaceAll(m[1], "sleep int", "int"))
		c.Env = env
		_ = c.Run() // a line that steps aside fails
	}
}
