package cli

import (
	"bytes"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"testing"
)

// answered is what Answer says to a command line.
func answered(program string, args ...string) (code int, ok bool, stdout, stderr string) {
	var out, problems bytes.Buffer
	code, ok = Answer(Env{Program: program, Args: args, Getenv: os.Getenv, Stdout: &out,
		Stderr: &problems})
	return code, ok, out.String(), problems.String()
}

// What is answered before there are commands is what the commands would have answered.
func TestTheVersionIsTheSameEitherWay(t *testing.T) {
	for _, program := range []string{"orderly", "certbot", "/snap/bin/certbot3"} {
		code, ok, out, problems := answered(program, "--version")
		wantCode, want, wantProblems := run(t, program, "--version")
		if !ok || code != wantCode || out != want || problems != wantProblems || want == "" {
			t.Errorf("%s: %v, exit %d, %q, %q; by the commands %d, %q, %q", program, ok, code, out,
				problems, wantCode, want, wantProblems)
		}
	}
	for _, args := range [][]string{nil, {"renew"}, {"renew", "--version"}, {"--version", "--json"},
		{"--version", "renew"}, {"--versions"}, {"--version", "--version"}} {
		if code, ok, out, problems := answered("orderly", args...); ok || code != 0 || out+problems != "" {
			t.Errorf("%q was answered: exit %d, %q, %q", args, code, out, problems)
		}
	}
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		return // this system has none
	}
	defer func() { _ = full.Close() }()
	var problems bytes.Buffer
	code, ok := Answer(Env{Args: []string{"--version"}, Getenv: os.Getenv, Stdout: full, Stderr: &problems})
	if !ok || code != 1 || problems.Len() == 0 {
		t.Errorf("onto a full disk: %v, exit %d, %q", ok, code, problems.String())
	}
}

// The tree of commands takes a thousand allocations and more, a quarter of the time of
// `orderly --version`; allocations do not depend on the machine's speed.
func TestTheVersionMakesNoCommands(t *testing.T) {
	tree := testing.AllocsPerRun(3, func() {
		newRoot(Env{Getenv: os.Getenv, ConfigFiles: []string{}}, &printer{getenv: os.Getenv})
	})
	got := testing.AllocsPerRun(3, func() { answered("orderly", "--version") })
	if got > tree/5 {
		t.Errorf("--version takes %.0f allocations, the commands %.0f", got, tree)
	}
}

// What go build stamps, what a source archive brings, and what nobody knows.
func TestTheVersionNamesTheCommit(t *testing.T) {
	const commit, day = "22ceb6e137bd2ac887da70324607d719c541d3ae", "2026-11-28T22:08:25Z"
	stamped := func(version, changed string) *debug.BuildInfo {
		info := &debug.BuildInfo{Settings: []debug.BuildSetting{{Key: "vcs", Value: "git"},
			{Key: "vcs.revision", Value: commit}, {Key: "vcs.time", Value: day},
			{Key: "vcs.modified", Value: changed}}}
		info.Main.Version = version
		return info
	}
	for name, c := range map[string]struct {
		info     *debug.BuildInfo
		archived string
		want     string
	}{
		"a commit":                    {stamped("v0.0.0-20261128220825-22ceb6e137bd", "false"), commitText, unreleased + " (commit 22ceb6e137bd, 2026-11-28)"},
		"a commit after tags":         {stamped("v0.3.1-0.20261128220825-22ceb6e137bd", "false"), "", unreleased + " (commit 22ceb6e137bd, 2026-11-28)"},
		"a changed tree":              {stamped("v0.0.0-20261128220825-22ceb6e137bd+dirty", "true"), "", unreleased + " (commit 22ceb6e137bd with changes, 2026-11-28)"},
		"a tag":                       {stamped("v0.3.0", "false"), "", "0.3.0 (commit 22ceb6e137bd, 2026-11-28)"},
		"a candidate":                 {stamped("v0.3.0-rc.1", "false"), "", "0.3.0-rc.1 (commit 22ceb6e137bd, 2026-11-28)"},
		"no stamp":                    {&debug.BuildInfo{Main: debug.Module{Version: "(devel)"}}, "$Format:%H %cI$\n", unreleased},
		"nothing at all":              {nil, "", unreleased},
		"an archive":                  {nil, commit + " 2026-11-28T23:30:00-02:00\n", unreleased + " (commit 22ceb6e137bd, 2026-11-29)"},
		"a package of a changed tree": {nil, commit + " " + day + " changed\n", unreleased + " (commit 22ceb6e137bd with changes, 2026-11-28)"},
		"an archive in a packager's repository": {stamped("v9.9.9", "true"),
			"00112233445566778899aabbccddeeff00112233 2026-11-27T01:02:03+00:00", unreleased + " (commit 001122334455, 2026-11-27)"},
	} {
		if name == "a commit" && !strings.Contains(commitText, "$") {
			c.archived = "" // these tests run in a source archive
		}
		if got := originOf(c.info, c.archived).String(); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
	if text, err := os.ReadFile("../CHANGELOG.md"); err != nil || !strings.Contains(string(text), "\n## "+unreleased+" ") {
		t.Errorf("CHANGELOG.md knows no %s: %v", unreleased, err)
	}
}

// `git archive` writes the commit into what .gitattributes names. What is in it afterwards, or before,
// is read.
func TestASourceArchiveKnowsItsCommit(t *testing.T) {
	attributes, err := os.ReadFile("../.gitattributes")
	if err != nil || !strings.Contains(string(attributes), "cli/commit.txt export-subst\n") {
		t.Errorf(".gitattributes is %q, %v", attributes, err)
	}
	archived := originOf(nil, commitText).commit != ""
	if placeholders := commitText == "$Format:%H %cI$\n"; placeholders == archived {
		t.Errorf("commit.txt is %q", commitText)
	}
}

// Two builds of one commit make the same pages, whenever and wherever they are made.
func TestThePagesAreDatedByTheCommit(t *testing.T) {
	for name, c := range map[string]struct{ archived, epoch, want string }{
		"the commit's":                {"22ceb6e 2026-11-30T23:30:00-02:00", "", "2026-12-01"},
		"the packager's":              {"22ceb6e 2026-11-30T23:30:00-02:00", "1700000000", "2023-11-14"},
		"the packager's alone":        {"", "1700000000", "2023-11-14"},
		"nobody's":                    {"", "", ""},
		"the packager's is no number": {"22ceb6e 2026-11-30T23:30:00-02:00", "today", "2026-12-01"},
	} {
		got := pagesDate(originOf(nil, c.archived), func(string) string { return c.epoch })
		if got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
	epoch := func(key string) string { return map[string]string{"SOURCE_DATE_EPOCH": "1700000000"}[key] }
	var made [2]string
	for i := range made {
		dir := t.TempDir()
		t.Setenv("HOME", dir)
		var out bytes.Buffer
		if code := Main(t.Context(), Env{Program: "orderly", Args: []string{"man", dir}, ConfigFiles: []string{},
			Getenv: epoch, Stdout: &out, Stderr: &out}); code != 0 {
			t.Fatalf("exit %d, %s", code, out.String())
		}
		pages, err := filepath.Glob(filepath.Join(dir, "*.1"))
		if err != nil || len(pages) < 30 {
			t.Fatalf("%d pages, %v", len(pages), err)
		}
		for _, page := range pages {
			text, err := os.ReadFile(page)
			if err != nil || !strings.Contains(string(text), " 1 \"2023-11-14\" \"orderly "+Version()+"\"\n") {
				t.Errorf("%s: %v, %.80s", page, err, text)
			}
			made[i] += string(text)
		}
	}
	if made[0] != made[1] {
		t.Error("the second time the pages were others")
	}
}
