package cli_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"orderly/certbot/damage"
	"orderly/cli"
)

// bare takes the document root of a lineage away; nothing says what it was.
func bare(d damage.Dir) error {
	text, err := os.ReadFile(d.Conf())
	if err != nil {
		return err
	}
	before, _, _ := strings.Cut(string(text), "webroot_path")
	return os.WriteFile(d.Conf(), []byte(before+"server = "+d.Server+"\nkey_type = ecdsa\n"), 0o644)
}

// due makes a lineage whose renewal is due in so many days, or was.
func (c *clinic) due(name string, days int, harm func(damage.Dir) error) damage.Dir {
	c.t.Helper()
	return c.lineageOf(name, time.Duration(30+days)*24*time.Hour+time.Hour, harm)
}

// A plugin's first line, performance data, details and exit code.
func TestNagiosReadsWhatTheDoctorFound(t *testing.T) {
	first := regexp.MustCompile(`^DOCTOR (OK|WARNING|CRITICAL|UNKNOWN) - [^|\n]+( \| \w+=-?\d+s?(;\d*){0,3}( \w+=-?\d+s?(;\d*){0,3})*)?\n`)
	for _, one := range []struct {
		what string
		make func(*clinic)
		args []string
		code int
		says string
	}{
		{"healthy", func(c *clinic) { c.due("a.example", 30, nil) }, nil, 0, "OK - 1 certificate, nothing found | certificates=1;;;0 clean=1;;;0 fails=0;;0;0"},
		{"notes", func(c *clinic) { c.due("a.example", 30, mixed) }, nil, 1, "notes=1;0;;0"},
		{"will fail in a month", func(c *clinic) { c.due("a.example", 30, bare) }, nil, 1, "will_fail=1;0;;0"},
		{"will fail in five days", func(c *clinic) { c.due("a.example", 11, bare) }, nil, 2, "will_fail=1;0;;0"},
		{"fails", func(c *clinic) { c.due("a.example", -1, bare) }, nil, 2, "fails=1;;0;0"},
		{"no such certificate", func(c *clinic) { c.due("a.example", 5, nil) }, []string{"b.example"}, 3, "UNKNOWN - there is no certificate called b.example"},
		{"no such flag", func(c *clinic) { c.due("a.example", 5, nil) }, []string{"--nagois"}, 3, "UNKNOWN - "},
		{"two languages", func(c *clinic) { c.due("a.example", 5, nil) }, []string{"--json"}, 3, "UNKNOWN - "},
		{"no directory", func(c *clinic) { _ = os.RemoveAll(filepath.Join(c.dir, "etc")) }, nil, 3, "UNKNOWN - "},
	} {
		c := newClinic(t)
		one.make(c)
		code, out := c.doctor(append([]string{"--nagios"}, one.args...)...)
		if code != one.code || !strings.Contains(out, one.says) || !first.MatchString(out) || strings.Count(out, "|") > 1 {
			t.Errorf("%s: %d, %s", one.what, code, out)
		}
	}
}

// --new says what the last --new did not, and counts only that.
func TestTheDoctorTellsWhatIsNew(t *testing.T) {
	c := newClinic(t)
	c.due("a.example", 30, bare)
	if code, out := c.doctor("--new"); code != 1 || !strings.Contains(out, "first look with --new") || !strings.Contains(out, "a.example") {
		t.Errorf("first: %d, %s", code, out)
	}
	if code, out := c.doctor("--new"); code != 0 || !strings.Contains(out, "Compared with ") || !strings.Contains(out, "nothing new") {
		t.Errorf("second: %d, %s", code, out)
	}
	c.due("b.example", 30, mixed)
	if code, out := c.doctor("--new"); code != 3 || !strings.Contains(out, "b.example") || strings.Contains(out, "a.example") {
		t.Errorf("third: %d, %s", code, out)
	}
	if code, _ := c.doctor(); code != 1 {
		t.Errorf("all of it: %d", code)
	}
	if code, out := c.doctor("--new", "--json"); code != 0 || !strings.Contains(out, `"new_since": "`) {
		t.Errorf("as JSON: %d, %s", code, out)
	}
}

// However much is wrong, it is a few screens, and the last line says what mends most of it.
func TestADoctorsReportFitsAFewScreens(t *testing.T) {
	c := newClinic(t)
	for i := range 60 {
		c.due(fmt.Sprintf("site%d.example", i), 30, mixed)
	}
	c.due("bare.example", 30, bare)
	_, out := c.doctor()
	lines := strings.Split(strings.TrimSpace(out), "\n")
	if len(lines) > 40 || !strings.Contains(out, "  and 40 more: --json has all of them.") {
		t.Errorf("%d lines: %s", len(lines), out)
	}
	if last := lines[len(lines)-1]; !strings.HasPrefix(last, "`orderly doctor --fix -y --config-dir ") || !strings.HasSuffix(last, "` mends 60 of 61.") {
		t.Error(last)
	}
	if !strings.Contains(lines[0], "D4") {
		t.Errorf("what fails does not stand first: %s", lines[0])
	}
	column := regexp.MustCompile(`(?m)^  site\d+\.example +/`).FindAllString(out, -1)
	for _, c := range column {
		if len(c) != len(column[0]) {
			t.Errorf("not aligned: %q, %q", c, column[0])
		}
	}
}

// A shell offers the certificates, and the checks that --fix takes.
func TestTheDoctorIsCompleted(t *testing.T) {
	c := newClinic(t)
	c.due("a.example", 30, nil)
	for _, one := range []struct {
		words []string
		want  string
		never string
	}{{[]string{""}, "a.example\n", "D14"}, {[]string{"--fix="}, "D14\t", "D28"}} {
		env, out, _ := c.env(nil)
		env.Args = append([]string{"__complete", "doctor", "--config-dir", filepath.Join(c.dir, "etc")}, one.words...)
		if code := cli.Main(t.Context(), env); code != 0 || !strings.Contains(out.String(), one.want) || strings.Contains(out.String(), one.never) {
			t.Errorf("%q: %s", one.words, out)
		}
	}
}

// A step that a finding's sentence names is named as it is typed, for people and for programs.
func TestASentenceOfTheDoctorNamesFlagsInWords(t *testing.T) {
	c := newClinic(t)
	c.due("a.example", 30, func(d damage.Dir) error {
		text, err := os.ReadFile(d.Conf())
		if err != nil {
			return err
		}
		return os.WriteFile(d.Conf(), []byte(strings.Replace(string(text), "[renewalparams]\n", "[renewalparams]\nrenew_hook = reload-of-the-old-panel\n", 1)), 0o644)
	})
	for _, args := range [][]string{nil, {"--json"}} {
		if _, out := c.doctor(args...); !strings.Contains(out, "reload-of-the-old-panel") || strings.Contains(out, "unchecked-hooks") || !strings.Contains(out, "--disable-hook-validation") {
			t.Errorf("%q: %s", args, out)
		}
	}
}

// A look that is told to end says that, and promises nothing that it does not do.
func TestADoctorThatIsStoppedBeginsAnew(t *testing.T) {
	c := newClinic(t)
	c.due("a.example", 30, nil)
	ctx, stop := context.WithCancelCause(t.Context())
	stop(errors.New("SIGTERM"))
	env, _, problems := c.env(nil)
	code := cli.Main(ctx, env)
	if said := problems.String(); code != 75 || !strings.Contains(said, "nothing was changed") || strings.Contains(said, "goes on") {
		t.Errorf("%d, %s", code, said)
	}
}
