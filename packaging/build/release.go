package main

// Which commit is built, and when it was made: every date in a package is that of its commit, since
// the time of the build would make each build another one.

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// release is what is built.
type release struct {
	version string // the program's own, such as 0.1.0
	commit  string // 40 digits
	date    time.Time
	out     string // the day that CHANGELOG.md gives the version, 2006-01-02; "" before
	dirty   bool   // the source is not the commit's
}

// commitFile is where `git archive` writes the commit that it packs (export-subst in .gitattributes),
// and what the program says its commit is.
const commitFile = "cli/commit.txt"

// commitOf tells the commit of the source in a directory: from the archive it came in, or from git.
func commitOf(top string) (release, error) {
	text, err := os.ReadFile(filepath.Join(top, commitFile))
	if err != nil {
		return release{}, err
	}
	if archived := strings.TrimSpace(string(text)); !strings.HasPrefix(archived, "$Format") {
		return parseCommit(archived)
	}
	if prefix, err := git(top, "rev-parse", "--show-prefix"); err != nil || prefix != "" {
		return release{}, errors.New("this is neither a clone nor what `git archive` packed: a package " +
			"names the commit it was made from. Clone the repository, with git installed")
	}
	told, err := git(top, "show", "-s", "--format=%H %cI", "HEAD")
	if err != nil {
		return release{}, err
	}
	r, err := parseCommit(told)
	if err != nil {
		return r, err
	}
	changed, err := git(top, "status", "--porcelain")
	r.dirty = changed != ""
	return r, err
}

// parseCommit takes apart what git says with %H %cI.
func parseCommit(told string) (release, error) {
	commit, date, _ := strings.Cut(told, " ")
	at, err := time.Parse(time.RFC3339, date)
	if err != nil || len(commit) != 40 {
		return release{}, fmt.Errorf("%s does not name a commit: %q", commitFile, told)
	}
	return release{commit: commit, date: at.UTC()}, nil
}

// packageVersion is the version of the packages. What is built before a version is out sorts before
// it, what is built of a later day's commit or of changed source behind it, and later commits behind
// earlier ones, so that dpkg and rpm see an upgrade, and packages of one version differ within its own
// day (UTC) at most. No tag is asked: a shallow clone has none, and would make other bytes.
func (r release) packageVersion() string {
	version, mark := r.version, "+"
	if r.out == "" {
		mark = "~"
	}
	if r.out == "" || r.dirty || r.date.Format(time.DateOnly) > r.out {
		version += mark + r.date.Format("20060102150405") + "." + r.commit[:7]
	}
	if r.dirty {
		version += ".dirty"
	}
	return version
}

// trusted has git answer, whoever owns the source: a clone that another user made, or that came in
// over a mount, is refused otherwise, and whoever runs its Makefile trusts it already.
var trusted = [...]string{"GIT_CONFIG_COUNT=1", "GIT_CONFIG_KEY_0=safe.directory",
	"GIT_CONFIG_VALUE_0=*", "GIT_OPTIONAL_LOCKS=0", "LC_ALL=C"}

// git asks git about the source.
func git(top string, args ...string) (string, error) {
	command := exec.Command("git", args...)
	command.Dir = top
	command.Env = append(os.Environ(), trusted[:]...)
	var problems strings.Builder
	command.Stderr = &problems
	out, err := command.Output()
	if err != nil {
		return "", fmt.Errorf("git %s: %w: %s", args[0], err, strings.TrimSpace(problems.String()))
	}
	return strings.TrimSpace(string(out)), nil
}
