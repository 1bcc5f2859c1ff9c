// Package hook runs the shell commands that a person gave for moments of an issuance, as certbot
// does: by /bin/sh -c. It must never wait for one for ever, never let what it prints fill the
// memory, never leave it running when told to end, and never leave it running behind a run that was
// killed.
package hook

import (
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"syscall"
	"time"

	"orderly/outside"
)

// Patience bounds a hook: one that hangs would hold the lineage's lock for ever.
const Patience = 10 * time.Minute

// waiter is the environment variable that tells a hook, and what that runs, which process waits for
// it.
const waiter = "ORDERLY_HOOK_OF"

// Waiter is the process that waits for the hook in which this one runs, as its environment says; 0
// where it runs in none. Whoever waits for that process waits for ever.
func Waiter(getenv func(string) string) int {
	pid, err := strconv.Atoi(getenv(waiter))
	if err != nil {
		return 0
	}
	return pid
}

// lastBreath is how long a hook that was told to end may take, before it is killed.
const lastBreath = 300 * time.Millisecond

// mostOutput is how much of a hook's output is kept, in bytes.
const mostOutput = 16 << 10

// abandonAfter is how long a hook that was told to end, and then killed, is waited for. One that
// hangs in a file system that does not answer cannot be killed, and must not keep us.
const abandonAfter = 2 * lastBreath

// Output keeps the beginning of what is written to it: a hook that never stops talking must not
// fill the memory.
type Output struct {
	mu   sync.Mutex // a hook that was abandoned may still write
	kept []byte
}

// Write implements io.Writer. It never fails.
func (o *Output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.kept = append(o.kept, p[:min(len(p), mostOutput-len(o.kept))]...)
	return len(p), nil
}

// Printed returns what was kept.
func (o *Output) Printed() outside.Printed {
	o.mu.Lock()
	defer o.mu.Unlock()
	return outside.PrintedBy(string(o.kept))
}

// Run runs command in a process group of its own, with env beside this process's environment, and
// waits for it. The end of ctx, and Patience, end the whole group; so does the death of this
// process, whatever kills it: a hook that went on would be begun again beside itself. What wants to
// live longer leaves the group, as daemons do, or is started before the hook ends. An
// *exec.ExitError says that it ended with another code than 0, or by a signal.
func Run(ctx context.Context, command string, env []string, stdout, stderr io.Writer) error {
	return Fed(ctx, command, env, nil, stdout, stderr)
}

// Fed is Run with something to read on the command's standard input; one that does not read it, or
// not to its end, is none the worse for it.
func Fed(ctx context.Context, command string, env []string, stdin io.Reader,
	stdout, stderr io.Writer) error {
	ctx, cancel := context.WithTimeout(ctx, Patience)
	defer cancel()
	group, release := watch()
	defer release()
	cmd := exec.CommandContext(ctx, "/bin/sh", "-c", command)
	cmd.Env = append(append(os.Environ(), env...), waiter+"="+strconv.Itoa(os.Getpid()))
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pgid: group}
	cmd.Cancel = func() error { return syscall.Kill(-leader(group, cmd), syscall.SIGTERM) }
	cmd.WaitDelay = lastBreath // a grandchild that keeps the pipe open must not keep us
	cmd.Stdin, cmd.Stdout, cmd.Stderr = stdin, stdout, stderr
	if err := cmd.Start(); err != nil {
		return err
	}
	err := wait(ctx, cmd, group)
	if errors.Is(err, exec.ErrWaitDelay) && ctx.Err() == nil {
		// the hook itself ended well; what it started in the background speaks to nobody from now
		// on
		return nil
	}
	return err
}

// leader is the process group of a hook.
func leader(group int, cmd *exec.Cmd) int {
	if group == 0 {
		return cmd.Process.Pid
	}
	return group
}

// wait waits for a hook that was started, and kills its group once ctx has ended.
func wait(ctx context.Context, cmd *exec.Cmd, group int) error {
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	abandoned := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		// it may be deaf to SIGTERM
		time.AfterFunc(lastBreath, func() { _ = syscall.Kill(-leader(group, cmd), syscall.SIGKILL) })
		time.AfterFunc(abandonAfter, func() { close(abandoned) })
	})
	defer stop()
	select {
	case err := <-ended:
		if ctx.Err() != nil {
			// what the shell started may be deaf to SIGTERM
			_ = syscall.Kill(-leader(group, cmd), syscall.SIGKILL)
		}
		return err
	case <-abandoned:
		return context.Cause(ctx)
	}
}

// watcher ends its process group when its standard input is closed: when the process that holds the
// other end is dead. It is the shell's work, so that nothing of us is executed anew for it.
const watcher = `trap '' TERM; read -r never; kill -TERM 0; sleep 1; kill -KILL 0`

// watch starts a watcher and returns its process group, for the hook to join. A host on which that
// fails (0) has hooks that outlive a killed run, as they do under certbot; that is no reason not to
// run them.
func watch() (group int, release func()) {
	read, write, err := os.Pipe()
	if err != nil {
		return 0, func() {}
	}
	cmd := exec.Command("/bin/sh", "-c", watcher)
	cmd.Stdin, cmd.SysProcAttr = read, &syscall.SysProcAttr{Setpgid: true}
	err = cmd.Start()
	_ = read.Close() // the watcher has its own
	if err != nil {
		_ = write.Close()
		return 0, func() {}
	}
	return cmd.Process.Pid, func() {
		_ = cmd.Process.Kill() // before the pipe is closed: what the hook left running stays
		_ = cmd.Wait()         // it says only that it was killed
		_ = write.Close()
	}
}
