package e2e_test

import (
	"encoding/binary"
	"fmt"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"orderly/testca"
)

// hang mounts a FUSE file system on dir whose program reads what it is asked and never answers, as one does that waits for a
// server that is gone: whoever looks in cannot even be killed, until wake is called. That must be before what was started is
// waited for, so it is deferred, and no cleanup.
func hang(t *testing.T, dir string) (wake func()) {
	t.Helper()
	device, err := unix.Open("/dev/fuse", unix.O_RDWR|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		t.Fatal("opening /dev/fuse: ", err)
	}
	end, ended := make(chan struct{}), make(chan struct{})
	options := fmt.Sprintf("fd=%d,rootmode=40000,user_id=0,group_id=0,allow_other", device)
	if err := unix.Mount("hung", dir, "fuse", 0, options); err != nil {
		t.Fatal("mounting a FUSE file system: ", err)
	}
	go func() {
		defer close(ended)
		serveNobody(device, end)
	}()
	return func() {
		close(end)
		<-ended
		_ = unix.Close(device) // the kernel gives up the connection, and whoever waits gets an error
		_ = unix.Unmount(dir, unix.MNT_DETACH)
	}
}

// serveNobody answers the first request of the kernel, without which it would hold back all others where they can still be
// interrupted, and none of those that follow.
func serveNobody(device int, end <-chan struct{}) {
	const fuseInit, header, body = 26, 16, 64
	request := make([]byte, 1<<20)
	for {
		select {
		case <-end:
			return
		default:
		}
		if n, err := unix.Poll([]unix.PollFd{{Fd: int32(device), Events: unix.POLLIN}}, 50); n == 0 || err != nil {
			continue
		}
		n, err := unix.Read(device, request)
		if err != nil && err != unix.EAGAIN && err != unix.EINTR {
			return
		}
		if n < header || binary.NativeEndian.Uint32(request[4:]) != fuseInit {
			continue
		}
		reply := make([]byte, header+body)
		for at, value := range map[int]uint32{0: header + body, header: 7, header + 4: 31, header + 20: 4096} { // length, version, max_write
			binary.NativeEndian.PutUint32(reply[at:], value)
		}
		copy(reply[8:header], request[8:16]) // which request it answers
		_, _ = unix.Write(device, reply)
	}
}

// One document root on a file system that hangs: the others are renewed, it is named, and a signal is obeyed.
func TestAHangingFileSystemHoldsUpNobody(t *testing.T) {
	t.Parallel()
	if !apart(t) {
		return
	}
	w := newWorld(t, testca.Config{})
	h := w.host("one")
	names := []string{"hung.example.com"}
	for i := range 10 {
		names = append(names, fmt.Sprintf("site%d.example.com", i))
	}
	h.lineages(names...)
	defer hang(t, filepath.Join(w.dir, "sites", names[0]))()

	c := h.start("renew", "--force-renewal", "--cert-name", names[0])
	until(t, "it says what it waits for", func() bool { return strings.Contains(c.err.String(), "sites/"+names[0]) })
	c.signal(syscall.SIGTERM)
	endedInTime(t, c.wait(), syscall.SIGTERM)
	r := h.orderly("renew", "--force-renewal")
	if r.code != 1 || !strings.Contains(r.stderr, names[0]) || !strings.Contains(r.stderr, "sites/"+names[0]) {
		t.Errorf("%s", r)
	}
	orders := map[string]int{}
	truth := w.ca.Truth()
	for _, o := range truth.Orders {
		orders[nameSet(o.Names)]++
	}
	for i, name := range names {
		if want := min(i, 1) + 1; orders[name] != want {
			t.Errorf("%s: %d orders, not %d", name, orders[name], want)
		}
	}
	if truth.Pending() != 0 {
		t.Errorf("%d authorizations are pending", truth.Pending())
	}
}
