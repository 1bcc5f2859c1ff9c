package packagetest

// A tree is booted: the first process of namespaces of its own is the tree's systemd, with a control
// group of its own. What timers and services really do is seen only there.

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// patience bounds everything that is waited for here.
const patience = 2 * time.Minute

// booted is a tree in which systemd runs.
type booted struct {
	*tree
	pid  int    // of systemd
	said string // what it printed, for whoever looks for the reason of a failure
}

// boot starts a tree's systemd. The network stays that of the test; ok is false, with why, where a
// machine has no systemd, or gives no control groups.
func boot(tr *tree, place string) (b *booted, why error) {
	tr.t.Helper()
	groups := filepath.Join(place, "cgroup")
	if err := os.MkdirAll(groups, 0o755); err != nil {
		tr.t.Fatal(err)
	}
	if !tr.has("/lib/systemd/systemd") {
		return nil, fs.ErrNotExist
	}
	if err := unix.Mount("cgroup2", groups, "cgroup2", 0, ""); err != nil {
		return nil, err
	}
	tr.t.Cleanup(func() { _ = unix.Unmount(groups, unix.MNT_DETACH) })
	group, err := os.MkdirTemp(groups, "orderly-")
	if err != nil {
		return nil, err
	}
	b = &booted{tree: tr, said: filepath.Join(filepath.Dir(tr.root), "console")}
	console, err := os.Create(b.said)
	if err != nil {
		tr.t.Fatal(err)
	}
	c := exec.Command("/bin/sh", "-ec", `echo 0 >"$1/cgroup.procs"; exec unshare --cgroup /bin/sh -ec "$2" boot "$3"`,
		"boot", group, booting, tr.root)
	c.Stdout, c.Stderr = console, console
	c.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL,
		Cloneflags: syscall.CLONE_NEWNS | syscall.CLONE_NEWPID | syscall.CLONE_NEWUTS | syscall.CLONE_NEWIPC}
	if err := c.Start(); err != nil {
		tr.t.Fatal(err)
	}
	b.pid = c.Process.Pid
	tr.t.Cleanup(func() {
		_ = c.Process.Kill() // all others of its namespace end with it
		_ = c.Wait()
		_ = console.Close()
		removeGroups(group)
	})
	b.until("systemd is up", func() bool {
		said, _ := b.in("systemctl", "is-system-running") // an error while it starts
		return strings.HasPrefix(said, "running") || strings.HasPrefix(said, "degraded")
	})
	return b, nil
}

// booting is what the first process does before it is systemd: the tree becomes its root, and gets
// what a container's manager mounts.
const booting = `mount --make-rprivate /
cd "$1"
umount -l dev run tmp
mount -t proc proc proc
mount -t sysfs -o ro sysfs sys
mount -t cgroup2 cgroup2 sys/fs/cgroup
mount -t tmpfs -o mode=755 tmpfs run
mount -t tmpfs -o mode=1777 tmpfs tmp
mount -t tmpfs -o mode=755 tmpfs dev
for d in null zero full random urandom tty; do
	: >dev/$d
	mount --bind /dev/$d dev/$d
done
mkdir dev/pts dev/shm
mount -t devpts -o newinstance,ptmxmode=0666,mode=620,gid=5 devpts dev/pts
mount -t tmpfs -o mode=1777 tmpfs dev/shm
ln -s pts/ptmx dev/ptmx
ln -s /proc/self/fd dev/fd
echo 0123456789abcdef0123456789abcdef >etc/machine-id
pivot_root . .
umount -l .
exec env -i container=other PATH=/usr/sbin:/usr/bin:/sbin:/bin \
	/lib/systemd/systemd --log-target=console --unit=basic.target`

// removeGroups removes the control groups of what has ended.
func removeGroups(top string) {
	var all []string
	_ = filepath.WalkDir(top, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() {
			all = append(all, path)
		}
		return nil
	})
	for len(all) > 0 {
		_ = os.Remove(all[len(all)-1]) // the deepest first; what is left is empty, and of this kernel alone
		all = all[:len(all)-1]
	}
}

// command is one among the tree's processes, with cron's environment. Their root is named, too: in a
// chroot, the root of their mount namespace is the machine's.
func (b *booted) command(args ...string) *exec.Cmd {
	enter := []string{"-t", fmt.Sprint(b.pid), "-m", "-p", "-i", "-u", "-C", "-r", "-w", "--", "env", "-i"}
	return exec.Command("nsenter", append(append(enter, b.env...), args...)...)
}

// in runs a command among the tree's processes, and returns what it says.
func (b *booted) in(args ...string) (string, error) {
	var said bytes.Buffer
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	c := b.command(args...)
	c.Stdout, c.Stderr = &said, &said
	if err := c.Start(); err != nil {
		return "", err
	}
	stop := context.AfterFunc(ctx, func() { _ = c.Process.Kill() })
	defer stop()
	err := c.Wait()
	return said.String(), err
}

// must is in for what must end well.
func (b *booted) must(args ...string) string {
	b.t.Helper()
	said, err := b.in(args...)
	if err != nil {
		b.t.Fatalf("%s: %v\n%s\n%s", strings.Join(args, " "), err, said, b.journal())
	}
	return said
}

// shell runs lines of shell, which must end well.
func (b *booted) shell(script string) string {
	b.t.Helper()
	return b.must("/bin/sh", "-ec", script)
}

// until looks again and again: of a system that boots, and of units that end, nothing comes to us that
// could be waited for. What is wanted is wanted within minutes, so that no speed decides.
func (b *booted) until(what string, there func() bool) {
	b.t.Helper()
	for end := time.Now().Add(patience); !there(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			b.t.Fatalf("in %s it was never so that %s\n%s", patience, what, b.journal())
		}
	}
}

// journal is what there is to say of a failure.
func (b *booted) journal() string {
	said, _ := b.in("journalctl", "--no-pager", "-n", "60", "-u", "orderly-renew.service")
	console, err := os.Open(b.said)
	if err != nil {
		return said
	}
	defer console.Close()
	text, _ := io.ReadAll(io.LimitReader(console, 1<<20))
	return said + string(text[max(0, len(text)-4000):])
}

// property is one of the service's.
func (b *booted) property(name string) string {
	b.t.Helper()
	return strings.TrimSpace(b.must("systemctl", "show", "--value", "-p", name, "orderly-renew.service"))
}

// has reports whether there is a file, or a link of that name.
func (tr *tree) has(name string) bool {
	_, err := os.Lstat(tr.path(name))
	return err == nil
}

// units have systemd itself read the units where it cannot be booted.
func (tr *tree) units(t *testing.T) {
	t.Helper()
	said, err := tr.try("/usr/bin/systemd-analyze", "verify", "--man=no",
		"/usr/lib/systemd/system/orderly-renew.service", "/usr/lib/systemd/system/orderly-renew.timer")
	if err != nil || strings.Contains(said, "orderly-renew") {
		t.Errorf("systemd-analyze verify: %v\n%s", err, said)
	}
}
