package cli_test

// The log as a whole command writes it. How its files are kept is tested in package logfile.

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"orderly/testca"
)

// fullLog puts a log into a directory that is larger than it may be, as an earlier version left it.
func fullLog(t *testing.T, dir string) {
	t.Helper()
	path := filepath.Join(dir, "orderly.log")
	file, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err == nil {
		err = errors.Join(file.Truncate(9<<20), file.Close(), os.Chmod(path, 0o644))
	}
	if err != nil {
		t.Fatal(err)
	}
}

// filesIn are the files in a directory of logs, none of which others may read.
func filesIn(t *testing.T, dir string) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		names = append(names, e.Name())
		if info, err := e.Info(); err != nil || info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has mode %v, %v", e.Name(), info.Mode(), err)
		}
	}
	return names
}

// As many are kept as the command line or cli.ini says, of whatever command it is the word.
func TestAsManyLogsAreKeptAsIsSaid(t *testing.T) {
	t.Parallel()
	for said, want := range map[string]int{"": 3, "--max-log-backups 2": 2, "--max-log-backups= 02 ": 2,
		"--max-log-backups 0": 0, "max-log-backups = 1": 1, "max-log-backups = 0": 0, "--max-log-backups 99999999999999999999": 3} {
		dir := t.TempDir()
		logs := filepath.Join(dir, "l")
		files, flags := []string{}, []string(nil)
		switch {
		case strings.HasPrefix(said, "max"): // as Debian's
			files = append(files, dir+"/cli.ini")
			if err := os.WriteFile(files[0], []byte(said+"\n"), 0o644); err != nil {
				t.Fatal(err)
			}
		case strings.Contains(said, "="):
			flags = []string{said}
		default:
			flags = strings.Fields(said)
		}
		if err := os.Mkdir(logs, 0o700); err != nil {
			t.Fatal(err)
		}
		for range 3 {
			fullLog(t, logs)
			args := append(append([]string{"renew"}, flags...), "--config-dir", dir+"/c", "--work-dir", dir+"/w", "--logs-dir", logs)
			if code, text := say(t, files, args...); code != 0 {
				t.Fatalf("%q: exit %d, %s", said, code, text)
			}
		}
		wanted := []string{"orderly.log", "orderly.log.1", "orderly.log.2", "orderly.log.3"}[:want+1]
		if got := filesIn(t, logs); !slices.Equal(got, wanted) {
			t.Errorf("%q: %q", said, got)
		}
	}
	for said, sentence := range map[string]string{"-1": "value must be non-negative", "many": "not a whole number"} {
		if code, text := say(t, []string{}, "renew", "--max-log-backups="+said); code != 2 || !strings.Contains(text, sentence) {
			t.Errorf("%s: exit %d, %s", said, code, text)
		}
	}
}

// Whatever is wrong with the log, the certificate is had, and a person is told what is missing.
func TestNoCertificateFailsForItsLog(t *testing.T) {
	t.Parallel()
	w := newWorld(t, testca.Config{})
	for name, spoil := range map[string]func(h *host) error{
		"no directory": func(h *host) error {
			return errors.Join(os.MkdirAll(filepath.Dir(h.logs), 0o755), os.WriteFile(h.logs, nil, 0o644))
		},
		"no file":       func(h *host) error { return os.MkdirAll(filepath.Join(h.logs, "orderly.log"), 0o755) },
		"no such place": func(h *host) error { h.logs = "/proc/orderly"; return nil },
		"no room": func(h *host) error {
			return errors.Join(os.MkdirAll(h.logs, 0o755), os.Symlink("/dev/full", filepath.Join(h.logs, "orderly.log")))
		},
	} {
		h := w.host(strings.ReplaceAll(name, " ", "-"))
		if err := spoil(h); err != nil {
			t.Fatal(err)
		}
		domain := strings.ReplaceAll(name, " ", "-") + ".example.com"
		r := h.must(h.certonly(h.site(domain), domain)...)
		if !strings.Contains(r.stderr, "warning: the run goes on without a whole log: "+filepath.Join(h.logs, "orderly.log")+": ") ||
			strings.Contains(r.stderr, "Saving debug log") {
			t.Errorf("%s: %s", name, r)
		}
		if _, err := os.Stat(h.live(domain, "fullchain.pem")); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if n := len(w.ca.Truth().Orders); n != 4 {
		t.Errorf("%d orders of four", n)
	}
}
