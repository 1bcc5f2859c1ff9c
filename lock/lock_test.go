package lock_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"orderly/lock"
)

// TestMain is also the program that holds a lock in another process: LOCK_TEST names what it does with its arguments
// (path, key). It prints a line once it holds the lock and keeps it until its input ends.
func TestMain(m *testing.M) {
	switch os.Getenv("LOCK_TEST") {
	case "exclusive":
		f, err := lock.Open(os.Args[1])
		if err == nil {
			_, err = f.Lock(context.Background(), os.Args[2])
		}
		hold(f, err)
	case "try":
		f, err := lock.Open(os.Args[1])
		ok := false
		if err == nil {
			_, ok, err = f.TryLock(os.Args[2])
		}
		fmt.Println(ok, err)
	case "shared":
		s, err := lock.Telling(context.Background(), os.Args[1], false, nil)
		hold(s, err)
	default:
		os.Exit(m.Run())
	}
}

// hold keeps the lock's owner from the garbage collector, which would close its descriptor.
func hold(owner io.Closer, err error) {
	fmt.Println("held", err)
	io.Copy(io.Discard, os.Stdin)
	owner.Close()
}

// other is another process that holds a lock.
type other struct {
	cmd   *exec.Cmd
	stdin io.WriteCloser
}

// start runs cmd and waits until it says that it holds its lock.
func start(t *testing.T, cmd *exec.Cmd) *other {
	t.Helper()
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	must(t, err)
	stdout, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	o := &other{cmd, stdin}
	t.Cleanup(o.end)
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil || line != "held <nil>\n" {
		t.Fatalf("the other process says %q, %v", line, err)
	}
	return o
}

func (o *other) end() {
	o.stdin.Close()
	o.cmd.Wait()
}

func process(mode string, args ...string) *exec.Cmd {
	cmd := exec.Command(os.Args[0], args...)
	cmd.Env = append(os.Environ(), "LOCK_TEST="+mode)
	return cmd
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func open(t *testing.T) (*lock.File, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "locks")
	f, err := lock.Open(path)
	must(t, err)
	t.Cleanup(func() { f.Close() })
	return f, path
}

func soon(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Millisecond)
	t.Cleanup(cancel)
	return ctx
}

func TestAKilledProcessLeavesNothingLocked(t *testing.T) {
	f, path := open(t)
	o := start(t, process("exclusive", path, "a"))
	if held, err := f.Held("a"); err != nil || !held {
		t.Fatalf("Held = %v, %v", held, err)
	}
	if held, err := f.Held("b"); err != nil || held {
		t.Fatalf("another key: Held = %v, %v", held, err)
	}
	if _, ok, err := f.TryLock("a"); ok || err != nil {
		t.Fatalf("TryLock = %v, %v", ok, err)
	}
	if _, err := f.Lock(soon(t), "a"); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("Lock = %v", err)
	}
	result := make(chan error, 1)
	go func() { _, err := f.Lock(t.Context(), "a"); result <- err }()
	must(t, o.cmd.Process.Kill())
	must(t, <-result)
	if _, err := os.Stat(path); err != nil {
		t.Error("the lock file is gone:", err)
	}
}

func TestUnlockingOneKeyKeepsTheOthers(t *testing.T) {
	f, path := open(t)
	unlockA, err := f.Lock(t.Context(), "a")
	must(t, err)
	unlockB, ok, err := f.TryLock("b")
	if !ok || err != nil {
		t.Fatal(ok, err)
	}
	must(t, unlockA())
	must(t, unlockA())
	try := func(key, want string) {
		t.Helper()
		if out, err := process("try", path, key).Output(); err != nil || string(out) != want+" <nil>\n" {
			t.Errorf("another process tries %s: %q, %v; want %s", key, out, err, want)
		}
	}
	try("a", "true")
	try("b", "false")
	must(t, unlockB())
	try("b", "true")
}

func TestGoroutinesExcludeEachOther(t *testing.T) {
	f, _ := open(t)
	var inside, most, done int
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() {
			unlock, err := f.Lock(t.Context(), "a")
			if err != nil {
				t.Error(err)
				return
			}
			inside++ // unguarded on purpose: the race detector would see two holders
			most = max(most, inside)
			inside--
			done++
			if err := unlock(); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if most != 1 || done != 50 {
		t.Errorf("%d at once, %d in all", most, done)
	}
	unlock, err := f.Lock(t.Context(), "a")
	must(t, err)
	if _, ok, err := f.TryLock("a"); ok || err != nil {
		t.Errorf("TryLock of a key held by a goroutine: %v, %v", ok, err)
	}
	if _, err := f.Lock(soon(t), "a"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Lock of a key held by a goroutine: %v", err)
	}
	must(t, unlock())
}

func TestALockFileIsPrivateAndNeedsItsDirectory(t *testing.T) {
	_, path := open(t)
	info, err := os.Stat(path)
	must(t, err)
	if info.Mode() != 0o600 {
		t.Errorf("mode %v", info.Mode())
	}
	if _, err := lock.Open(filepath.Join(path, "below-a-file")); err == nil {
		t.Error("no error for a path that cannot be opened")
	}
	if _, err := lock.Telling(t.Context(), filepath.Join(path, "below-a-file"), false, nil); err == nil {
		t.Error("no error for a path that cannot be opened")
	}
}

func TestAClosedFileLocksNothing(t *testing.T) {
	f, _ := open(t)
	must(t, f.Close())
	if _, err := f.Lock(t.Context(), "a"); err == nil {
		t.Errorf("Lock = %v", err)
	}
	if _, _, err := f.TryLock("a"); err == nil {
		t.Errorf("TryLock = %v", err)
	}
	if _, err := f.Held("a"); err == nil {
		t.Errorf("Held = %v", err)
	}
}
