package cli_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"orderly/cli"
	"orderly/testca"
)

// streamed runs a command whose stderr is a stream that systemd names as it is told, and gives its
// lines.
func (h *host) streamed(named func(stderr *os.File) string, args ...string) (code int, stdout string, lines []string) {
	h.t.Helper()
	from, to, err := os.Pipe()
	if err != nil {
		h.t.Fatal(err)
	}
	defer func() { _ = from.Close() }()
	read := make(chan []byte, 1)
	go func() {
		text, _ := io.ReadAll(from)
		read <- text
	}()
	var out bytes.Buffer
	env := h.call(args...)
	getenv := env.Getenv
	env.Getenv = func(name string) string {
		if name == "JOURNAL_STREAM" {
			return named(to)
		}
		return getenv(name)
	}
	env.Stdout, env.Stderr = &out, to
	code = cli.Main(h.t.Context(), env)
	if err := to.Close(); err != nil {
		h.t.Fatal(err)
	}
	return code, out.String(), strings.Split(strings.TrimSuffix(string(<-read), "\n"), "\n")
}

// itself is the stream's own name.
func itself(f *os.File) string {
	var stat syscall.Stat_t
	if err := syscall.Fstat(int(f.Fd()), &stat); err != nil {
		return err.Error()
	}
	return fmt.Sprintf("%d:%d", stat.Dev, stat.Ino)
}

// Under systemd every line on stderr says how urgent it is, also of a message of several lines and
// with --quiet; stdout, whatever stands on it, says nothing of the kind.
func TestTheJournalIsToldHowUrgentALineIs(t *testing.T) {
	t.Parallel()
	w := newWorld(t, testca.Config{})
	h := w.host("one")
	h.lineages("a.example.com", "b.example.com")
	if err := os.RemoveAll(w.site("b.example.com")); err != nil {
		t.Fatal(err)
	}
	command := []string{"renew", "--force-renewal", "--deploy-hook", "echo one; echo two; echo three >&2; echo four >&2; exit 3"}
	for flags, want := range map[string]map[string]string{
		"":       {"warning: Hook 'deploy-hook' reported": "<4>", " four": "<4>", "remedy: ": "<3>", "webroot-missing: ": "<3>"},
		"--json": {"warning: Hook 'deploy-hook' reported": "<4>", " four": "<4>"},
		"-q":     {"remedy: ": "<3>", "webroot-missing: ": "<3>"},
		"-v":     {"msg=settled": "<7>", "remedy: ": "<3>", " three": "<4>"},
	} {
		code, stdout, lines := h.streamed(itself, append(command, strings.Fields(flags)...)...)
		if code != 1 || strings.Contains(stdout, "<") && flags != "--json" || strings.HasPrefix(stdout, "<") {
			t.Errorf("%q: exit %d, %q", flags, code, stdout)
		}
		for _, line := range lines {
			if len(line) < 3 || line[0] != '<' || line[2] != '>' || !strings.Contains("3467", line[1:2]) {
				t.Errorf("%q: %q has no priority", flags, line)
			}
		}
		for text, prefix := range want {
			found := false
			for _, line := range lines {
				if strings.Contains(line, text) && !strings.Contains(line, "msg=\"") {
					found = true
					if !strings.HasPrefix(line, prefix) {
						t.Errorf("%q: %q is not %s", flags, line, prefix)
					}
				}
			}
			if !found {
				t.Errorf("%q: no %q in %q", flags, text, lines)
			}
		}
	}
	h.program = "certbot"
	if _, _, lines := h.streamed(itself, "certonly", "-n", "--cert-name", "b.example.com", "--force-renewal", "--webroot"); lines[0] != "<6>Saving debug log to "+filepath.Join(h.logs, "orderly.log") {
		t.Errorf("as certbot: %q", lines)
	}
}

// Where stderr is no longer what systemd gave, or never was, nobody reads priorities.
func TestNobodyElseIsToldHowUrgentALineIs(t *testing.T) {
	t.Parallel()
	h := newWorld(t, testca.Config{}).host("one")
	for name, named := range map[string]func(*os.File) string{
		"none":          func(*os.File) string { return "" },
		"another":       func(f *os.File) string { return itself(f) + "0" },
		"another's end": func(*os.File) string { return itself(os.Stdin) },
		"no stream":     func(*os.File) string { return ":" },
	} {
		code, _, lines := h.streamed(named, "certonly", "-n", "--webroot", "-w", "/nowhere", "-d", "a.example.com")
		if code != 1 || len(lines) == 0 || strings.HasPrefix(lines[0], "<") {
			t.Errorf("%s: exit %d, %q", name, code, lines)
		}
	}
	broken, to, err := os.Pipe()
	if err = errors.Join(err, broken.Close(), to.Close()); err != nil {
		t.Fatal(err)
	}
	env := h.call("renew", "--no-such-flag")
	env.Stdout, env.Stderr = io.Discard, to
	env.Getenv = func(string) string { return "1:2" }
	if code := cli.Main(t.Context(), env); code != 2 {
		t.Errorf("with a stderr that is closed: exit %d", code)
	}
}
