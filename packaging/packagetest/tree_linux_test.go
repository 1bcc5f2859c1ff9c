package packagetest

// A tree is a Debian system to throw away: an overlay whose changes are in memory, with what no
// overlay has mounted on top. What is below is read and never written. Layers that a trial has made
// can be put below another one, so that what all of them need is done once.

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// tree is a Debian system.
type tree struct {
	t    *testing.T
	root string   // where it is mounted
	own  string   // the directory of what it changed
	base []string // the directories below that, the uppermost first
	env  []string // of what is run in it
}

// newTree makes a tree above base, in place, a directory that is memory.
func newTree(t *testing.T, place string, base ...string) *tree {
	t.Helper()
	dir, err := os.MkdirTemp(place, "tree-")
	if err != nil {
		t.Fatal(err)
	}
	tr := &tree{t: t, root: filepath.Join(dir, "root"), own: filepath.Join(dir, "own"), base: base,
		env: []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root",
			"LC_ALL=C.UTF-8", "DEBIAN_FRONTEND=noninteractive", "DEBCONF_NONINTERACTIVE_SEEN=true"}}
	for _, d := range []string{tr.root, tr.own, filepath.Join(dir, "work")} {
		if err := os.Mkdir(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	options := fmt.Sprintf("lowerdir=%s,upperdir=%s,workdir=%s", strings.Join(base, ":"), tr.own,
		filepath.Join(dir, "work"))
	tr.mount("overlay", "/", "overlay", 0, options)
	tr.mount("proc", "/proc", "proc", 0, "")
	tr.mount("/dev", "/dev", "", unix.MS_BIND|unix.MS_REC, "")
	for _, d := range []string{"/run", "/tmp", "/var/tmp"} {
		tr.mount("tmpfs", d, "tmpfs", 0, "mode=1777")
	}
	return tr
}

// mount mounts something in the tree until the test ends.
func (tr *tree) mount(source, target, kind string, flags uintptr, data string) {
	tr.t.Helper()
	target = tr.path(target)
	if err := unix.Mount(source, target, kind, flags, data); err != nil {
		tr.t.Fatalf("mounting %s: %v", target, err)
	}
	tr.t.Cleanup(func() { _ = unix.Unmount(target, unix.MNT_DETACH) }) // or it has been
}

// end takes the tree away, with all that is mounted in it.
func (tr *tree) end() {
	tr.t.Helper()
	if err := unix.Unmount(tr.root, unix.MNT_DETACH); err != nil {
		tr.t.Fatal(err)
	}
}

// below is what a tree above this one is based on. The tree must change no more.
func (tr *tree) below() []string { return append([]string{tr.own}, tr.base...) }

// path is where a file of the tree is. Only links that lead nowhere absolute may be in it.
func (tr *tree) path(name string) string { return filepath.Join(tr.root, name) }

// command is a program of the tree's, which is killed with the test.
func (tr *tree) command(args ...string) *exec.Cmd {
	c := exec.Command(args[0], args[1:]...)
	c.Path, c.Dir, c.Env = args[0], "/", tr.env // found in the tree, not here
	c.Err = nil
	c.SysProcAttr = &syscall.SysProcAttr{Chroot: tr.root, Pdeathsig: syscall.SIGKILL}
	return c
}

// try runs a program of the tree's, named by its path, and returns all that it says.
func (tr *tree) try(args ...string) (string, error) {
	var said bytes.Buffer
	c := tr.command(args...)
	c.Stdout, c.Stderr = &said, &said
	err := c.Run()
	return said.String(), err
}

// run is try of what must end well.
func (tr *tree) run(args ...string) string {
	tr.t.Helper()
	said, err := tr.try(args...)
	if err != nil {
		tr.t.Fatalf("%s: %v\n%s", strings.Join(args, " "), err, said)
	}
	return said
}

// sh runs lines of shell, which must end well.
func (tr *tree) sh(script string) string {
	tr.t.Helper()
	return tr.run("/bin/sh", "-ec", script)
}

// write writes a file of the tree.
func (tr *tree) write(name, text string) {
	tr.t.Helper()
	path := tr.path(name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		tr.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		tr.t.Fatal(err)
	}
}

// read reads a file of the tree.
func (tr *tree) read(name string) string {
	tr.t.Helper()
	text, err := os.ReadFile(tr.path(name))
	if err != nil {
		tr.t.Fatal(err)
	}
	return string(text)
}
