package cli_test

// The log as a whole command writes it. How its files are kept is tested in package logfile.

import (
	"encoding/json"
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

// told is what a log says of one certificate or order: what follows " msg=" in the lines that have a
// word, without their numbers.
func told(log, word string) string {
	var all strings.Builder
	for line := range strings.Lines(log) {
		if strings.Contains(line+" ", " "+word+" ") || strings.Contains(line, " "+word+"\n") {
			all.WriteString(line)
		}
	}
	return all.String()
}

// One certificate's whole story is found by its lineage, and an order's by its number: each step, each
// request, what a person was told, what failed and why, and what came of it. The URL of the order is
// there, and one line says which Orderly ran.
func TestTheLogTellsACertificatesWholeStory(t *testing.T) {
	t.Parallel()
	w := newWorld(t, testca.Config{})
	h := w.host("one")
	names := []string{"a.example.com", "b.example.com", "c.example.com"}
	h.must(h.certonly(h.site(names[0]), names[0])...)
	path := filepath.Join(h.logs, "orderly.log")
	story := []string{"msg=preflight ", "check=http ", "say: Requesting a certificate for a.example.com", "new-order intent", "kind=new-order ",
		"new-order answered", "kind=authorization ", "challenge intent", "kind=challenge ", "kind=finalize ", "certificate downloaded",
		"msg=installed ", "msg=settled ", "outcome=issued "}
	first := told(w.read(path), "lineage=a.example.com")
	for _, step := range story {
		if !strings.Contains(first, step) {
			t.Errorf("certonly: no %q in\n%s", step, first)
		}
	}
	h.lineages(names[1:]...)
	if err := os.RemoveAll(w.site(names[1])); err != nil {
		t.Fatal(err)
	}
	w.remove(path)
	h.orderly("renew", "--force-renewal", "--jobs", "3", "--deploy-hook", "echo done; exit 4")
	log := w.read(path)
	story[2] = "say: Renewing an existing certificate for c.example.com"
	story = append(story, "Running deploy-hook", "Hook 'deploy-hook' reported error code 4", "ran with output")
	third := told(log, "lineage=c.example.com")
	for _, step := range story {
		if !strings.Contains(third, step) {
			t.Errorf("renew: no %q in\n%s", step, third)
		}
	}
	second := told(log, "lineage=b.example.com")
	if !strings.Contains(second, "outcome=failed class=webroot-missing error=") || strings.Count(second, "level=ERROR") != 1 {
		t.Errorf("what failed: %s", second)
	}
	var id string
	for _, o := range w.ca.Truth().Orders {
		if line := told(log, "lineage=c.example.com"); o.URL != "" && strings.Contains(line, o.URL) {
			_, after, _ := strings.Cut(line, "new-order answered")
			_, after, _ = strings.Cut(after, " order=")
			id, _, _ = strings.Cut(after, " ")
		}
	}
	ofOrder := told(log, "order="+id)
	for _, step := range []string{"kind=new-order ", "new-order answered", "kind=authorization ", "kind=finalize ", "msg=settled "} {
		if id == "" || !strings.Contains(ofOrder, step) {
			t.Errorf("of order %q: no %q in\n%s", id, step, ofOrder)
		}
	}
	if strings.Contains(ofOrder, "a.example.com") || strings.Contains(log, " order=0 ") {
		t.Errorf("another's: %s", ofOrder)
	}
	if !strings.Contains(log, "run begins: renew\"") || !strings.Contains(log, "version=") || !strings.Contains(log, "run ended: failed") {
		t.Errorf("of the run: %.300s", log)
	}
}

// What is secret is in no line: keys, what a customer's key signs, what stands before @ in a URL, a
// hook's environment.
func TestNoSecretIsInTheLog(t *testing.T) {
	t.Parallel()
	const key, password = "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LXNlY3JldA", "pa55word"
	w := newWorld(t, testca.Config{ExternalAccountRequired: true, ExternalAccountKeys: map[string]string{"customer": key}})
	h := w.host("one")
	h.env["HTTP_PROXY"] = "http://user:" + password + "@127.0.0.1:1"
	h.env["MYSQL_PWD"] = password
	domain := "a.example.com"
	h.must(append(h.certonly(h.site(domain), domain), "-v", "--eab-kid", "customer", "--eab-hmac-key", key, "--deploy-hook", "true")...)
	h.must("renew", "--force-renewal", "-v")
	h.orderly("renew", "--force-renewal", "--server", "https://user:"+password+"@127.0.0.1:1/dir")
	w.ca.Inject(testca.Fault{Kind: "finalize", Nth: 1, Action: testca.Respond, Status: 500})
	h.orderly("renew", "--force-renewal", "-v")
	log := w.read(filepath.Join(h.logs, "orderly.log"))
	secrets := map[string]string{"the customer's key": key, "a password": password}
	err := filepath.WalkDir(h.config, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		switch {
		case err != nil:
			return err
		case strings.Contains(string(text), "PRIVATE KEY-----"):
			secrets[path] = strings.Split(string(text), "\n")[1]
		case filepath.Base(path) == "private_key.json":
			var jwk struct{ D string }
			if err := json.Unmarshal(text, &jwk); err != nil {
				return err
			}
			secrets[path] = jwk.D
		}
		return nil
	})
	if err != nil || len(secrets) < 4 || len(log) < 10_000 {
		t.Fatalf("%d secrets, %d bytes of log, %v", len(secrets), len(log), err)
	}
	for what, secret := range secrets {
		if len(secret) < 8 || strings.Contains(log, secret) {
			t.Errorf("%s is in the log, or is none: %.9q", what, secret)
		}
	}
}
