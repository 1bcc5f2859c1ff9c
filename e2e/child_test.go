package e2e_test

import (
	"bytes"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"
)

// child is a program under way. It is killed when its test ends or its time is up.
type child struct {
	t       *testing.T
	cmd     *exec.Cmd
	out     *output
	err     *output
	done    chan struct{}
	started time.Time
	signs   func() string // what changes as long as it lives: of the CA, and of its own
	mu      sync.Mutex
	hit     time.Time // when it was sent its first signal
	ended   time.Time
	idle    time.Duration // since the first signal, neither working nor waiting for a processor or a disk
	hung    bool          // and killed for that
}

// result is how a program ended.
type result struct {
	code   int            // -1 if a signal ended it
	signal syscall.Signal // 0 if none did
	stdout string
	stderr string
	took   time.Duration
	// idle is the time from the first signal to the end that the program spent waiting for something of its own choice. It
	// does not grow while the program waits for a processor or a disk, so that a slow machine is no breach of a promise.
	idle time.Duration
}

func (r result) String() string {
	return fmt.Sprintf("exit %d, signal %d, after %s\nstdout: %s\nstderr: %s", r.code, r.signal, r.took, r.stdout, r.stderr)
}

// output collects what a program writes while others may read it.
type output struct {
	mu   sync.Mutex
	text bytes.Buffer
}

// Write implements io.Writer.
func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(p)
}

func (o *output) size() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Len()
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// spawn starts a program in the host's environment.
func (h *host) spawn(name string, args ...string) *child {
	h.t.Helper()
	c := &child{t: h.t, cmd: exec.Command(name, args...), out: &output{}, err: &output{}, done: make(chan struct{})}
	c.signs = func() string { return fmt.Sprint(len(h.ca.Truth().Requests), " ", c.out.size(), " ", c.err.size()) }
	c.cmd.Env, c.cmd.Dir, c.cmd.Stdout, c.cmd.Stderr = h.env, h.dir, c.out, c.err
	c.cmd.WaitDelay = time.Second
	// A group of its own, so that a hook's process dies with it at the end of the test.
	c.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	h.noteRun(name, args)
	c.started = time.Now()
	if err := c.cmd.Start(); err != nil {
		h.t.Fatal(err)
	}
	go c.watchOver()
	go func() {
		_ = c.cmd.Wait() // the state says how it ended
		c.mu.Lock()
		c.ended = time.Now()
		c.mu.Unlock()
		close(c.done)
	}()
	h.t.Cleanup(func() { c.kill() })
	return c
}

func (c *child) signal(s syscall.Signal) {
	c.t.Helper()
	c.mu.Lock()
	first := c.hit.IsZero()
	if first {
		c.hit = time.Now()
	}
	c.mu.Unlock()
	if first {
		go c.watchReaction()
	}
	if err := c.cmd.Process.Signal(s); err != nil {
		c.t.Fatalf("%s: %v", filepath.Base(c.cmd.Path), err)
	}
}

// expect says that the program is to end so long after it began, as if it were sent a signal then.
func (c *child) expect(after time.Duration) {
	time.AfterFunc(time.Until(c.started.Add(after)), func() {
		c.mu.Lock()
		c.hit = time.Now()
		c.mu.Unlock()
		c.watchReaction()
	})
}

// kill ends the program, if it still runs, and returns how it ended.
func (c *child) kill() result {
	select {
	case <-c.done:
	default:
		if err := c.cmd.Process.Kill(); err != nil && !errors.Is(err, syscall.ESRCH) {
			c.t.Log(err)
		}
	}
	return c.wait()
}

// wait waits for the end of the program, which watchOver sees to.
func (c *child) wait() result {
	c.t.Helper()
	<-c.done
	r := result{code: c.cmd.ProcessState.ExitCode(), stdout: c.out.String(), stderr: c.err.String()}
	if status, ok := c.cmd.ProcessState.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		r.signal = status.Signal()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	r.took, r.idle = c.ended.Sub(c.started), c.idle
	if c.hung {
		c.t.Attr("hung", filepath.Base(c.cmd.Path))
		c.t.Fatalf("hung: nothing moved for %s\n%s", stillness, r)
	}
	return r
}

// until waits for a condition that another process brings about.
func until(t *testing.T, what string, condition func() bool) {
	t.Helper()
	deadline := time.After(patience)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !condition() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Attr("hung", what)
			t.Fatalf("hung: waited %s in vain: %s", patience, what)
		}
	}
}
