package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// dpkg and rpm must see an upgrade in each later build, and in the version itself when it is out.
func TestLaterPackagesAreNewer(t *testing.T) {
	at := time.Date(2026, 11, 28, 23, 59, 59, 0, time.UTC)
	one := release{version: "0.1.0", commit: strings.Repeat("f", 40), date: at}
	changed := one
	changed.dirty = true
	later := release{version: "0.1.0", commit: strings.Repeat("0", 40), date: at.Add(time.Second)}
	out := later
	out.out = "2026-11-29"
	behind := out // the version is out, and the work goes on
	behind.date = behind.date.Add(24 * time.Hour)
	tried := behind
	tried.dirty = true
	if out.packageVersion() != "0.1.0" || !strings.HasSuffix(tried.packageVersion(), ".dirty") {
		t.Errorf("what is out is called %s, and with changes %s", out.packageVersion(), tried.packageVersion())
	}
	versions := []string{one.packageVersion(), changed.packageVersion(), later.packageVersion(), out.packageVersion(),
		behind.packageVersion(), tried.packageVersion(),
		release{version: "0.2.0", commit: one.commit, date: at}.packageVersion()}
	for i := range versions[1:] {
		if err := exec.CommandContext(t.Context(), "dpkg", "--compare-versions", versions[i], "lt", versions[i+1]).Run(); err != nil {
			t.Errorf("%s is not before %s: %v", versions[i], versions[i+1], err)
		}
	}
}

// git runs git for a test.
func gitIn(t *testing.T, dir string, args ...string) {
	t.Helper()
	command := exec.CommandContext(t.Context(), "git", append([]string{"-c", "user.name=a", "-c", "user.email=a@example.com",
		"-c", "init.defaultBranch=main"}, args...)...)
	command.Dir = dir
	command.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_COMMITTER_DATE=2026-11-28T22:08:25Z")
	if out, err := command.CombinedOutput(); err != nil {
		t.Fatalf("git %v: %v\n%s", args, err, out)
	}
}

// The commit is that of the archive or of the clone, never that of whatever repository lies around.
func TestWhichCommitIsBuilt(t *testing.T) {
	top := t.TempDir()
	write := func(path, text string) {
		t.Helper()
		path = filepath.Join(top, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("cli/commit.txt", "$Format:%H %cI$\n")
	write("inside/cli/commit.txt", "$Format:%H %cI$\n")
	write("archive/cli/commit.txt", commit+" "+"2026-11-29T00:08:25+02:00\n")
	write("torn/cli/commit.txt", commit[:7]+"\n")
	refused := func(dir, why string) {
		t.Helper()
		if _, err := commitOf(filepath.Join(top, dir)); err == nil || !strings.Contains(err.Error(), why) {
			t.Errorf("%q was taken for a source: %v", dir, err)
		}
	}
	refused("", "neither a clone nor")
	gitIn(t, top, "init", "-q")
	gitIn(t, top, "add", "cli")
	gitIn(t, top, "commit", "-qm", "first")
	refused("inside", "neither a clone nor")
	refused("torn", "does not name a commit")
	at, _ := time.Parse(time.RFC3339, day)
	r, err := commitOf(filepath.Join(top, "archive"))
	if err != nil || r.commit != commit || !r.date.Equal(at) || r.dirty {
		t.Errorf("an archive: %+v, %v", r, err)
	}
	r, err = commitOf(top)
	if err != nil || len(r.commit) != 40 || !r.date.Equal(at) || !r.dirty {
		t.Errorf("a clone with more files in it: %+v, %v", r, err)
	}
	gitIn(t, top, "add", ".")
	gitIn(t, top, "commit", "-qm", "second")
	if os.Getuid() == 0 { // git refuses what belongs to others
		if err := os.Chown(top, 12345, 12345); err != nil {
			t.Fatal(err)
		}
		if err := os.Chown(filepath.Join(top, ".git"), 12345, 12345); err != nil {
			t.Fatal(err)
		}
	}
	if r, err = commitOf(top); err != nil || r.dirty {
		t.Errorf("a clone: %+v, %v", r, err)
	}
}

// CHANGELOG.md in Debian's form: an entry a change, lines of at most 80 columns, the newest first.
func TestTheChangelogInDebiansForm(t *testing.T) {
	changes, err := parseChanges("# Changelog\n\n## 0.2.0 (unreleased)\n\nMore.\n\n- One that goes on\n  here.\n- `two`\n\n" +
		"## 0.1.0 (2026-11-01)\n\n- " + strings.Repeat("word ", 40) + "\n")
	if err != nil {
		t.Fatal(err)
	}
	b := &builder{top: "../..", changes: changes, release: release{version: "0.2.0", commit: commit,
		date: time.Date(2026, 11, 28, 22, 8, 25, 0, time.UTC)}}
	text, err := b.debianChangelog()
	if err != nil {
		t.Fatal(err)
	}
	want := "orderly (0.2.0~20261128220825.22ceb6e) unstable; urgency=medium\n\n  * More.\n  * One that goes on here.\n  * `two`\n\n" +
		" -- Orderly maintainers <maintainers@orderly.example>  Sat, 28 Nov 2026 22:08:25 +0000\n\n" +
		"orderly (0.1.0) unstable; urgency=medium\n\n  * word "
	if !strings.HasPrefix(string(text), want) || !strings.Contains(string(text), ">  Sun, 01 Nov 2026 00:00:00 +0000\n") {
		t.Errorf("%s\nwant %s", text, want)
	}
	for line := range strings.SplitSeq(string(text), "\n") {
		if len(line) > 80 && !strings.HasPrefix(line, " -- ") {
			t.Errorf("a line of %d columns: %s", len(line), line)
		}
	}
}
