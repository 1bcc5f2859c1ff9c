package e2e_test

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"orderly/e2e/namespace"
)

// apartVariable tells the test program that it runs in a mount namespace of its own, and where orderly is.
const apartVariable = "ORDERLY_E2E_APART"

// apart reports whether the test is in a mount namespace of its own; if not, the caller returns.
func apart(t *testing.T) bool {
	t.Helper()
	return apartWith(t, 0)
}

// apartWith is apart with more that is its own: with CLONE_NEWPID, /proc shows no process of another test.
func apartWith(t *testing.T, more uintptr) bool {
	t.Helper()
	return namespace.Own(t, apartVariable, program, more)
}

// mount mounts, and unmounts before the directory is removed.
func mount(t *testing.T, source, target, kind string, flags uintptr, data string) {
	t.Helper()
	if err := os.MkdirAll(target, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mount(source, target, kind, flags, data); err != nil {
		t.Fatalf("mounting %s: %v", target, err)
	}
	t.Cleanup(func() { _ = unix.Unmount(target, unix.MNT_DETACH) }) // the test may have done so before
}

// readOnly makes a directory a read-only file system, until the returned function is called.
func readOnly(t *testing.T, dir string) (writable func()) {
	t.Helper()
	mount(t, dir, dir, "", unix.MS_BIND, "")
	if err := unix.Mount("", dir, "", unix.MS_BIND|unix.MS_REMOUNT|unix.MS_RDONLY, ""); err != nil {
		t.Fatalf("making %s read-only: %v", dir, err)
	}
	return func() {
		if err := unix.Unmount(dir, 0); err != nil {
			t.Errorf("making %s writable again: %v", dir, err)
		}
	}
}

// A configuration directory that became read-only, as ext4 does after an error: every command says so and asks the CA for
// nothing; once it is writable again, the order that was left goes on.
func TestAReadOnlyFileSystemIsNamedAndLosesNothing(t *testing.T) {
	t.Parallel()
	if !apart(t) {
		return
	}
	for _, at := range []point{{}, {"new-order", 1, true}, {"authorization", 1, true}, {"challenge", 2, true}, {"finalize", 1, true}, {"certificate", 1, true}} {
		t.Run("after a kill "+at.String(), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, characters()[2].config)
			h := w.host("one")
			names := someNames(2)
			command := h.certonly(w.site(names...), names...)
			if at.kind == "" {
				h.write(filepath.Join(h.config, "empty"), "")
			} else {
				h.interrupt(at, syscall.SIGKILL, command...)
			}
			writable := readOnly(t, h.config)
			requests := w.requests("")
			commands := [][]string{command, {"renew"}, {"resume"}}
			if at.kind != "" {
				commands = append(commands, []string{"pending"}, []string{"runs"})
			}
			for _, args := range commands {
				h.complains(h.orderly(args...), h.config, "read-only file system")
			}
			if n := w.requests("") - requests; n != 0 {
				t.Errorf("%d requests were made", n)
			}
			writable()
			h.must(command...)
			h.kept(promise{names: names})
			if n := len(w.ca.Truth().Orders); n != 1 {
				t.Errorf("%d orders were made, not 1", n)
			}
		})
	}
}

// fill leaves not one byte on a file system, until the returned function is called.
func fill(t *testing.T, dir string) (makeRoom func()) {
	t.Helper()
	ballast, err := os.CreateTemp(dir, "ballast")
	if err != nil {
		t.Fatal(err)
	}
	defer ballast.Close()
	for size := 1 << 16; size > 0; {
		if _, err := ballast.Write(make([]byte, size)); err != nil {
			size /= 2
		}
	}
	return func() {
		if err := os.Remove(ballast.Name()); err != nil {
			t.Errorf("making room: %v", err)
		}
	}
}

// The disk runs full while the CA has a request. Whatever cannot be written down is found again, and nothing is sent that
// could not be written down before.
func TestAFullDiskIsNamedAndLosesNothing(t *testing.T) {
	t.Parallel()
	if !apart(t) {
		return
	}
	for _, ca := range []character{characters()[2], characters()[0]} {
		for _, at := range []point{{"new-account", 1, true}, {"new-order", 1, false}, {"new-order", 1, true}, {"authorization", 1, false},
			{"challenge", 1, false}, {"challenge", 2, true}, {"order", 1, false}, {"finalize", 1, true}, {"certificate", 1, true}} {
			t.Run(ca.name+", full "+at.String(), func(t *testing.T) {
				t.Parallel()
				fullDisk(t, ca, at)
			})
		}
	}
}

func fullDisk(t *testing.T, ca character, at point) {
	w := newWorld(t, ca.config)
	h := w.host("one")
	mount(t, "tmpfs", h.config, "tmpfs", 0, "size=2m")
	names := someNames(2)
	command := h.certonly(w.site(names...), names...)
	h.hold(at.kind, at.nth, at.after)
	run := h.start(command...)
	h.held(run)
	makeRoom := fill(t, h.config)
	w.ca.ClearFaults()
	w.ca.Release()
	h.complains(run.wait(), "no space left")
	until(t, "the CA ends its validations", func() bool { return !validating(w.ca.Truth()) })
	requests := w.ca.Truth().RequestsByKind
	makeMoreRoom := fill(t, h.config) // the ledger's log went with the run
	h.complains(h.orderly(command...), "no space left")
	for _, kind := range []string{"new-order", "challenge", "finalize"} {
		if n := w.requests(kind) - requests[kind]; n != 0 {
			t.Errorf("%d requests of the kind %s were made though nothing could be written down", n, kind)
		}
	}
	makeRoom()
	makeMoreRoom()
	h.must(command...)
	kept := promise{names: names}
	if at.kind == "new-order" && !ca.finds { // the answer could not be written down
		kept.phantom = isPhantom
	}
	h.kept(kept)
}
