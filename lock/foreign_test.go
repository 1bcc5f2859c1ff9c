package lock_test

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"orderly/lock"
)

func TestCertbotsLockIsSeenAndNotTaken(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, ".certbot.lock")
	ask := func(want int) {
		t.Helper()
		pid, held, _ := lock.Foreign(path)
		if pid != want || held != (want != 0) {
			t.Errorf("process %d, held %v; want %d", pid, held, want)
		}
	}
	ask(0)
	if _, err := os.Stat(path); !os.IsNotExist(err) {
		t.Error("asking made the file:", err)
	}
	running := start(t, certbot(dir, "keep"))
	ask(running.cmd.Process.Pid)
	must(t, running.cmd.Process.Kill())
	running.end()
	ask(0) // the file stays
	start(t, certbot(dir)).end()
	orderlies := start(t, process("shared", path))
	ask(0)
	orderlies.end()

	for name, put := range map[string]func(string) error{
		"link": func(at string) error { return os.Symlink("/etc/passwd", at) },
		"pipe": func(at string) error { return syscall.Mkfifo(at, 0o600) },
		"dir":  func(at string) error { return os.Mkdir(at, 0o700) },
	} {
		at := filepath.Join(dir, name)
		must(t, put(at))
		if _, held, _ := lock.Foreign(at); held {
			t.Errorf("a %s is held", name)
		}
	}
}
