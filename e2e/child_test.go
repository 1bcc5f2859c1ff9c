package e2e_test

import (
	"bytes"
	"context"
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
	mu      sync.Mutex
	hit     time.Time // when it was sent its first signal
	ended   time.Time
}

// result is how a program ended.
type result struct {
	code   int            // -1 if a signal ended it
	signal syscall.Signal // 0 if none did
	stdout string
	stderr string
	took   time.Duration
	// reaction is the time from the first signal to the end.
	reaction time.Duration
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

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

// spawn starts a program in the host's environment.
func (h *host) spawn(name string, args ...string) *child {
	h.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	c := &child{t: h.t, cmd: exec.CommandContext(ctx, name, args...), out: &output{}, err: &output{}, done: make(chan struct{})}
	c.cmd.Env, c.cmd.Dir, c.cmd.Stdout, c.cmd.Stderr = h.env, h.dir, c.out, c.err
	c.cmd.WaitDelay = time.Second
	// A group of its own, so that a hook's process dies with it at the end of the test.
	c.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	c.started = time.Now()
	if err := c.cmd.Start(); err != nil {
		cancel()
		h.t.Fatal(err)
	}
	go func() {
		defer cancel()
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
	if c.hit.IsZero() {
		c.hit = time.Now()
	}
	c.mu.Unlock()
	if err := c.cmd.Process.Signal(s); err != nil {
		c.t.Fatalf("%s: %v", filepath.Base(c.cmd.Path), err)
	}
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

// wait waits for the end of the program, which the time-out of spawn bounds.
func (c *child) wait() result {
	c.t.Helper()
	<-c.done
	r := result{code: c.cmd.ProcessState.ExitCode(), stdout: c.out.String(), stderr: c.err.String()}
	if status, ok := c.cmd.ProcessState.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		r.signal = status.Signal()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	r.took = c.ended.Sub(c.started)
	if !c.hit.IsZero() {
		r.reaction = c.ended.Sub(c.hit)
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
			t.Fatalf("waited %s in vain: %s", patience, what)
		}
	}
}
