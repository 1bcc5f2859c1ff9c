package cli_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"orderly/cli"
)

// nobody is another user; Orderly runs as root, and so do these tests.
const nobody = 65534

func say(t *testing.T, files []string, args ...string) (int, string) {
	t.Helper()
	var out bytes.Buffer
	code := cli.Main(t.Context(), cli.Env{Program: "orderly", Args: args, ConfigFiles: files, Getenv: func(string) string { return "" },
		Stdin: strings.NewReader(""), Stdout: &out, Stderr: &out, PID: 1})
	return code, out.String()
}

func theirs(t *testing.T, paths ...string) {
	t.Helper()
	for _, path := range paths {
		if err := os.Lchown(path, nobody, nobody); err != nil {
			t.Fatal(err)
		}
	}
}

// sudo may keep HOME, and with it another user's cli.ini, which may name hooks.
func TestAnotherUsersConfigurationIsNotObeyed(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	home := filepath.Join(dir, "home")
	ini := filepath.Join(home, "cli.ini")
	if err := os.Mkdir(home, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(ini, []byte("config-dir = "+dir+"/c\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if code, said := say(t, []string{ini}, "certificates"); code != 0 {
		t.Errorf("root's own: %d %s", code, said)
	}
	theirs(t, home, ini)
	if code, said := say(t, []string{ini}, "certificates"); code != 1 || !strings.Contains(said, "is not obeyed") || !strings.Contains(said, "remedy: ") {
		t.Errorf("another user's: %d %s", code, said)
	}
	if code, said := say(t, []string{}, "certificates", "-c", ini); code != 0 {
		t.Errorf("named: %d %s", code, said)
	}
}

// A directory for the log or the locks in which others can write leads nowhere.
func TestLogAndLocksAreNotFollowedThroughAnotherUsersLinks(t *testing.T) {
	t.Parallel()
	for _, link := range []string{"l/orderly.log", "w/.certbot.lock", "l", "w"} {
		dir := t.TempDir()
		target := filepath.Join(dir, "target")
		path := filepath.Join(dir, "theirs", link)
		for _, made := range []string{filepath.Dir(path), target} {
			if err := os.MkdirAll(made, 0o755); err != nil {
				t.Fatal(err)
			}
		}
		to := target
		if strings.Contains(link, "/") {
			to += "/file"
		}
		if err := os.Symlink(to, path); err != nil {
			t.Fatal(err)
		}
		theirs(t, filepath.Join(dir, "theirs"), filepath.Dir(path), path)
		code, said := say(t, []string{}, "renew", "--config-dir", dir+"/c", "--work-dir", dir+"/theirs/w", "--logs-dir", dir+"/theirs/l")
		want, remedy := 1, "remedy: Remove it"
		if link[0] == 'l' { // no run fails for its log
			want, remedy = 0, "warning: the run goes on without a whole log: "
		}
		if code != want || !strings.Contains(said, "another user made") || !strings.Contains(said, remedy) ||
			!strings.Contains(said, "Remove it, or name another directory") {
			t.Errorf("%s: %d %s", link, code, said)
		}
		if left, err := os.ReadDir(target); err != nil || len(left) != 0 {
			t.Errorf("%s: something was written where the link leads: %v", link, left)
		}
	}
}
