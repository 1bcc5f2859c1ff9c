package webroot

import (
	"errors"
	"os"
	"os/signal"
	"runtime"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// The helper's side: what it lets go of before it works, and the loop in which it answers.

// helperFlag is the hidden argument. It begins as a flag does so that a program which does not know
// it refuses it: a test binary would run all its tests again.
const helperFlag = "--orderly-webroot-helper="

// socket is the descriptor that a helper inherits.
const socket = 3

// Helper makes the process a helper if it was started as one: it works until nobody asks any more,
// and ours is true. Every program that uses a Writer, test binaries among them, calls it before
// anything else with os.Args.
func Helper(args []string) (code int, ours bool) {
	if len(args) != 2 || !strings.HasPrefix(args[1], helperFlag) {
		return 0, false
	}
	if err := serve(strings.TrimPrefix(args[1], helperFlag)); err != nil {
		return 1, true
	}
	return 0, true
}

func serve(argument string) error {
	// The run decides when it needs its helper no more: a service manager signals all processes at
	// once.
	signal.Ignore(syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP, syscall.SIGPIPE)
	letGo()
	runtime.GOMAXPROCS(1) // it does one thing after the other; a second processor only looks for work
	unix.Umask(0)
	who, err := parseIdentity(argument)
	if err != nil {
		return err
	}
	if err := who.take(); err != nil {
		return send(socket, reply{Obstacle: &obstacle{Kind: barred, UID: who.uid, What: err.Error()}}, -1)
	}
	if err := send(socket, reply{}, -1); err != nil {
		return err
	}
	room := make([]byte, mostBytes)
	for {
		var q question
		fd, err := receive(socket, room, &q)
		if err != nil {
			return err // the run has ended
		}
		m := newMutter(func(at string) { _ = send(socket, reply{At: at}, -1) })
		h := hand{self: currentSelf(), guest: who.other, q: &q, tell: m.at}
		r, pass := h.answer(fd)
		m.end()
		err = send(socket, r, pass)
		h.close()
		if err != nil {
			return err
		}
	}
}

// letGo closes what this process was given beside its socket, locks of whoever started the run
// among it: a helper that hangs must hold nothing. What the Go runtime opened by itself is closed
// on exec, which nothing inherited is.
func letGo() {
	for _, fd := range inherited() {
		if flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); err == nil && flags&unix.FD_CLOEXEC == 0 {
			_ = unix.Close(fd)
		}
	}
}

// inherited are the descriptors above the socket that this process may have. Where the system does
// not list them all, those are tried that processes usually have.
func inherited() []int {
	const usual = 1024
	var list []int
	entries, err := os.ReadDir(descriptors)
	for _, e := range entries {
		if fd, err := strconv.Atoi(e.Name()); err == nil && fd > socket {
			list = append(list, fd)
		}
	}
	for fd := socket + 1; fd < usual && (err != nil || !descriptorsAll); fd++ {
		list = append(list, fd)
	}
	return list
}

func refusal(err error) reply {
	if o, ok := errors.AsType[*obstacle](err); ok {
		return reply{Obstacle: o}
	}
	return reply{Obstacle: &obstacle{Kind: denied, Path: "/", What: err.Error()}}
}
