package namespace

// A test is run again as a child: Go's threads are many by the time a test begins, and a namespace
// is a thread's. The child is killed with the one that waits for it, and with the first process of a
// pid namespace all others end; mounts and interfaces go with the last of them.

import (
	"os"
	"os/exec"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// Own reports whether the test is in a mount namespace of its own, with more that is its own: with
// CLONE_NEWPID, /proc shows no process of another test; with CLONE_NEWNET there is loopback and
// nothing else. If not, it runs the same test there, takes its result for its own, and the caller
// returns. The variable tells the test program that it is there; its value is the caller's. It needs
// the right to mount, which a container may deny even to root.
func Own(t *testing.T, variable, value string, more uintptr) bool {
	t.Helper()
	if os.Getenv(variable) != "" {
		settle(t, more)
		return true
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c := exec.Command(self, "-test.run=^"+t.Name()+"$", "-test.v")
	c.Env = append(os.Environ(), variable+"="+value)
	c.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS | more,
		Pdeathsig: syscall.SIGKILL}
	if os.Geteuid() != 0 {
		c.SysProcAttr.Cloneflags |= syscall.CLONE_NEWUSER
		c.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{HostID: os.Getuid(), Size: 1}}
		c.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{HostID: os.Getgid(), Size: 1}}
	}
	out, err := c.CombinedOutput()
	if err != nil {
		t.Errorf("in a mount namespace of its own: %v\n%s", err, out)
	}
	t.Logf("%s", out) // figures are printed there
	return false
}

// settle makes the namespaces usable.
func settle(t *testing.T, more uintptr) {
	t.Helper()
	if err := unix.Mount("", "/", "", unix.MS_PRIVATE|unix.MS_REC, ""); err != nil {
		t.Fatal("making mounts private: ", err)
	}
	if more&syscall.CLONE_NEWPID != 0 {
		if err := unix.Mount("proc", "/proc", "proc", 0, ""); err != nil {
			t.Fatal("mounting /proc: ", err)
		}
	}
	if more&syscall.CLONE_NEWNET != 0 {
		if err := loopback(); err != nil {
			t.Fatal("loopback: ", err)
		}
	}
}

// loopback sets the interface up, which a new network has down.
func loopback() error {
	socket, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(socket)
	lo, err := unix.NewIfreq("lo")
	if err != nil {
		return err
	}
	lo.SetUint16(unix.IFF_UP)
	return unix.IoctlIfreq(socket, unix.SIOCSIFFLAGS, lo)
}
