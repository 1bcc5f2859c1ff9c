package webroot

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// running starts a helper beside a descriptor that its parent let be inherited, as cron and flock(1) do.
func running(t *testing.T) (h *helper, inherited string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "lock")
	fd, err := unix.Open(path, unix.O_CREAT|unix.O_RDWR, 0o600) // not closed on exec
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Close(fd) })
	h, err = start(t.Context(), "/proc/self/exe", identity{uid: 12345, other: true, groups: []int{12345, 34567}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(h.end)
	return h, path
}

func (h *helper) proc(name string) string {
	return fmt.Sprintf("/proc/%d/%s", h.process.Pid, name)
}

func TestAHelperIsTheUserToTheKernelAndRootsToTheUser(t *testing.T) {
	h, _ := running(t)
	tasks, err := filepath.Glob(h.proc("task/*/status"))
	if err != nil || len(tasks) == 0 {
		t.Fatal(tasks, err)
	}
	for _, task := range tasks {
		text, err := os.ReadFile(task)
		if err != nil {
			continue // a thread that has ended
		}
		for _, line := range []string{"Uid:\t0\t12345\t0\t12345\n", "Gid:\t0\t12345\t0\t12345\n", "Groups:\t12345 34567", "CapEff:\t0000000000000000\n"} {
			if !strings.Contains(string(text), line) {
				t.Errorf("%s has not %q:\n%s", task, line, text)
			}
		}
	}
	for _, attack := range []string{fmt.Sprintf("kill -9 %d", h.process.Pid), "cat " + h.proc("maps"), "ls " + h.proc("fd")} {
		cmd := exec.Command("/bin/sh", "-c", attack)
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 12345, Gid: 12345}}
		if out, err := cmd.CombinedOutput(); err == nil {
			t.Errorf("the customer may %s:\n%s", attack, out)
		}
	}
}

func TestAHelperHoldsNothing(t *testing.T) {
	t.Setenv("ORDERLY_SECRET", "x")
	h, inherited := running(t)
	if env, err := os.ReadFile(h.proc("environ")); err != nil || len(env) != 0 {
		t.Errorf("its environment: %q %v", env, err)
	}
	fds, err := os.ReadDir(h.proc("fd"))
	if err != nil {
		t.Fatal(err)
	}
	for _, fd := range fds {
		target, _ := os.Readlink(h.proc("fd/" + fd.Name()))
		known := target == "/dev/null" || strings.HasPrefix(target, "socket:") || strings.HasPrefix(target, "anon_inode:") || strings.HasPrefix(target, "/sys/fs/cgroup/") // the Go runtime's
		if target == inherited || !known {
			t.Errorf("it has %s open", target)
		}
	}
}

// A service manager signals all processes of a run at once; the run may need its helpers for a last time. They end with it.
func TestAHelperEndsWithTheRunAndNotBefore(t *testing.T) {
	h, _ := running(t)
	for _, s := range []os.Signal{syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP} {
		if err := h.process.Signal(s); err != nil {
			t.Fatal(err)
		}
	}
	q := question{Op: opPlan, Root: "/nowhere"}
	if r, _, err := h.ask(t.Context(), q, -1, waits{}); err != nil || r.Obstacle == nil || r.Obstacle.Kind != absent {
		t.Fatalf("%+v %v", r, err)
	}
	h.end()
	late, look := time.After(time.Minute), time.NewTicker(5*time.Millisecond)
	defer look.Stop()
	for h.process.Signal(syscall.Signal(0)) == nil {
		select {
		case <-look.C:
		case <-late:
			t.Fatal("it goes on")
		}
	}
}

func TestOnlyAHelpersArgumentMakesAHelper(t *testing.T) {
	for _, args := range [][]string{nil, {"orderly"}, {"orderly", "renew"}, {"orderly", "renew", helperFlag + "own"}, {"orderly", "--orderly-webroot-helper"}} {
		if _, ours := Helper(args); ours {
			t.Errorf("%q is taken for a helper", args)
		}
	}
	for _, bad := range []string{"", "0:0", "x:1", "5", "5:", "-1:5", "5:x", "4294967296:5"} {
		if who, err := parseIdentity(bad); err == nil {
			t.Errorf("%q is taken for %+v", bad, who)
		}
	}
}

func TestTheHostIsAskedForAUsersGroups(t *testing.T) {
	if who := lookUp(t.Context(), 1); who.argument() != "1:1" { // daemon, on every system
		t.Errorf("daemon is %s", who.argument())
	}
	if who := lookUp(t.Context(), 987654321); who.argument() != "987654321:65534" {
		t.Errorf("nobody's number is %s", who.argument())
	}
}

// A helper that somebody ended (a service manager, the kernel short of memory) is replaced.
func TestAHelperThatWasEndedIsReplaced(t *testing.T) {
	w, root := new(Writer), t.TempDir()
	t.Cleanup(w.Close)
	for range 3 {
		if err := w.Check(t.Context(), root); err != nil {
			t.Fatal(err)
		}
		if err := w.pool.teams[who{}].all[0].process.Kill(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestMoreCustomersThanHelpersAreServed(t *testing.T) {
	w := &Writer{Groups: func(context.Context, uint32) []int { return nil }}
	t.Cleanup(w.Close)
	base := t.TempDir()
	for _, dir := range []string{filepath.Dir(base), base} {
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for uid := 20000; uid < 20000+3*mostHelpers; uid++ {
		home, link := filepath.Join(base, fmt.Sprint(uid)), filepath.Join(base, fmt.Sprint("link", uid))
		err := errors.Join(os.Mkdir(home, 0o755), os.Chown(home, uid, uid), os.Symlink(home, link), os.Lchown(link, uid, uid))
		if err != nil {
			t.Fatal(err)
		}
		if err := w.Check(t.Context(), link); err != nil {
			t.Fatal(err)
		}
		if n := w.pool.count(); n > mostHelpers {
			t.Fatalf("%d helpers", n)
		}
	}
}

func TestADirectoryThatIsOlderIsNotJustMade(t *testing.T) {
	old := t.TempDir()
	fd, err := unix.Open(old, unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	if !bornSince(fd, unix.Timespec{}) {
		t.Error("it was made before 1970")
	}
	var st unix.Statx_t
	if err := unix.Statx(fd, "", unix.AT_EMPTY_PATH, unix.STATX_BTIME, &st); err != nil {
		t.Fatal(err)
	}
	known := st.Mask&unix.STATX_BTIME != 0
	if later := (unix.Timespec{Sec: st.Btime.Sec + 1}); known && bornSince(fd, later) {
		t.Error("an older directory is taken for a new one")
	}
}
