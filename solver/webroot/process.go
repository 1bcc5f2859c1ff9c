package webroot

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// A call into a dead file system cannot be ended, and what waits in it holds its locks. So the run
// never makes one: processes that hold nothing do, and are left behind where they hang.

// helper is a process that works on document roots for one identity. It answers one question after
// the other.
type helper struct {
	uid     uint32
	process *os.Process
	conn    *net.UnixConn
	room    []byte      // for an answer; of whoever asks
	gone    atomic.Bool // it is not to be asked any more
}

// errSilent says that a helper did not answer in time. at is where it was looking.
type errSilent struct{ at string }

func (e *errSilent) Error() string { return "no answer about " + e.at }

// errEnded says that a helper is not there any more.
var errEnded = errors.New("the helper process for document roots ended")

// start executes this program afresh. The new process has an empty environment, no terminal, a
// session of its own (an interrupt from the keyboard ends the run, which may need it for a last
// time), and no descriptor but its socket.
func start(ctx context.Context, program string, who identity) (*helper, error) {
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	ours, theirs := os.NewFile(uintptr(pair[0]), "helper"), os.NewFile(uintptr(pair[1]), "run")
	defer ours.Close()
	defer theirs.Close()
	conn, err := net.FileConn(ours)
	if err != nil {
		return nil, err
	}
	cmd := &exec.Cmd{
		Path: program, Args: []string{"orderly", helperFlag + who.argument()}, Env: []string{},
		Dir: "/", ExtraFiles: []*os.File{theirs}, SysProcAttr: &syscall.SysProcAttr{Setsid: true},
	}
	if err := cmd.Start(); err != nil {
		_ = conn.Close()
		return nil, fmt.Errorf("a helper process cannot be started: %w", err)
	}
	go func() { _ = cmd.Wait() }() // one that never ends is left to the init process
	h := &helper{uid: who.uid, process: cmd.Process, conn: conn.(*net.UnixConn),
		room: make([]byte, mostBytes)}
	var hello reply
	if _, err := h.hear(ctx, &hello, waits{}); err != nil {
		h.abandon()
		return nil, err
	}
	if hello.Obstacle != nil {
		h.end()
		return nil, hello.Obstacle
	}
	return h, nil
}

// end lets the process end by itself: it sees that nobody asks any more.
func (h *helper) end() {
	h.gone.Store(true)
	_ = h.conn.Close()
}

// abandon gives the process up. One that hangs in a file system's call cannot be ended; it holds
// nothing.
func (h *helper) abandon() {
	_ = h.process.Kill()
	h.end()
}

// ask puts a question, with a descriptor unless it is negative, and returns the answer with the one
// that came along, -1 for none. An error means that the helper is of no use any more.
func (h *helper) ask(ctx context.Context, q question, fd int,
	w waits) (reply, int, error) {
	text, err := encoded(q)
	if err != nil {
		return reply{}, -1, err
	}
	var rights []byte
	if fd >= 0 {
		rights = unix.UnixRights(fd)
	}
	if deadline, ok := ctx.Deadline(); ok {
		// it is empty: a single question is under way at a time
		_ = h.conn.SetWriteDeadline(deadline)
	}
	if _, _, err := h.conn.WriteMsgUnix(text, rights, nil); err != nil {
		return reply{}, -1, fmt.Errorf("%w: %w", errEnded, err)
	}
	var r reply
	got, err := h.hear(ctx, &r, w)
	return r, got, err
}

// waits is told where a helper is that takes its time; either may be nil.
type waits struct {
	at   func(place string) // whenever it says so
	late func(place string) // once, when a person is to be told
}

// patienceWithoutWord is how long something is waited for before a person is told.
const patienceWithoutWord = time.Second

// hear waits for an answer until ctx ends. Where the helper says what it is looking at, that is
// kept for the error.
func (h *helper) hear(ctx context.Context, r *reply, w waits) (int, error) {
	_ = h.conn.SetReadDeadline(time.Time{})
	stop := context.AfterFunc(ctx, func() { _ = h.conn.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()
	at := "nothing yet"
	places := make(chan string, 1)
	if w.late != nil {
		timer := time.AfterFunc(patienceWithoutWord, func() {
			select {
			case at := <-places:
				w.late(at)
			default:
			}
		})
		defer timer.Stop()
	}
	for {
		*r = reply{}
		fd, err := h.read(r)
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded):
			return -1, &errSilent{at: at}
		case err != nil:
			return -1, fmt.Errorf("%w: %w", errEnded, err)
		case r.At == "":
			return fd, nil
		}
		at = r.At
		select { // the newest place alone
		case <-places:
		default:
		}
		places <- at
		if w.at != nil {
			w.at(at)
		}
	}
}

func (h *helper) read(r *reply) (int, error) {
	rights := make([]byte, unix.CmsgSpace(4))
	n, size, _, _, err := h.conn.ReadMsgUnix(h.room, rights)
	if err == nil && n == 0 {
		err = io.EOF
	}
	if err != nil {
		return -1, err
	}
	return decoded(h.room[:n], rights[:size], r)
}
