package lock_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"orderly/lock"
)

// certbotLock takes certbot's lock of a directory with certbot's own code (Debian's package), as every verb does.
const certbotLock = `
import sys
from certbot import errors
from certbot._internal import lock
try:
    held = lock.lock_dir(sys.argv[1])
except errors.LockError as e:
    print(e, flush=True)
    sys.exit(1)
print("held <nil>", flush=True)
sys.stdin.read()
if len(sys.argv) == 2:
    held.release()
`

func certbot(dir string, args ...string) *exec.Cmd {
	return exec.Command("/usr/bin/python3", append([]string{"-c", certbotLock, dir}, args...)...)
}

func TestCertbotWaitsForNobodyWhileWeAreSharing(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, ".certbot.lock")
	ours, err := lock.Telling(t.Context(), path, false, nil)
	must(t, err)
	theirs := start(t, process("shared", path))
	refused := func() {
		t.Helper()
		out, err := certbot(dir).Output()
		if err == nil || string(out) != "Another instance of Certbot is already running.\n" {
			t.Errorf("certbot says %q, %v", out, err)
		}
	}
	refused()
	must(t, ours.Close())
	refused()
	theirs.end()
	if _, err := os.Stat(path); err != nil {
		t.Error("we unlinked certbot's lock file:", err)
	}
	start(t, certbot(dir)).end()
	if _, err := os.Stat(path); !os.IsNotExist(err) {
		t.Error("the test's certbot did not unlink the file:", err)
	}
}

func TestWeWaitForCertbotAndSeeItsFileUnlinked(t *testing.T) {
	for name, args := range map[string][]string{"unlinked at exit": nil, "left after a kill": {"keep"}} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, ".certbot.lock")
			running := start(t, certbot(dir, args...))
			if _, err := lock.Telling(soon(t), path, false, nil); !errors.Is(err, context.DeadlineExceeded) {
				t.Fatalf("Shared = %v", err)
			}
			var ours *lock.SharedLock
			result := make(chan error, 1)
			go func() {
				var err error
				ours, err = lock.Telling(t.Context(), path, false, nil)
				result <- err
			}()
			running.end()
			must(t, <-result)
			if out, err := certbot(dir).Output(); err == nil {
				t.Errorf("our lock is on an unlinked file: certbot says %q", out)
			}
			must(t, ours.Close())
		})
	}
}

func TestALockFileThatIsReplacedAgainAndAgainEndsInOneLock(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, ".certbot.lock")
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for {
			select {
			case <-stop:
				return
			default:
				os.Remove(path)
			}
		}
	}()
	for range 20 {
		s, err := lock.Telling(t.Context(), path, false, nil)
		must(t, err)
		must(t, s.Close())
	}
	close(stop)
	<-stopped
}

func TestALockForOneAloneWaitsForEveryOther(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, ".certbot.lock")
	theirs := start(t, process("shared", path))
	if _, err := lock.Telling(soon(t), path, true, nil); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("Exclusive beside a shared lock = %v", err)
	}
	theirs.end()
	ours, err := lock.Telling(t.Context(), path, true, nil)
	must(t, err)
	if out, err := certbot(dir).Output(); err == nil || string(out) != "Another instance of Certbot is already running.\n" {
		t.Errorf("certbot says %q, %v", out, err)
	}
	must(t, ours.Close())
}
