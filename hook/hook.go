// Package hook runs the shell commands that a person gave for moments of an issuance, as certbot does: by /bin/sh -c. It
// must never wait for one for ever, never let what it prints fill the memory, and never leave it running when told to end.
package hook

import (
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"syscall"
	"time"
)

// Patience bounds a hook: one that hangs would hold the lineage's lock for ever.
const Patience = 10 * time.Minute

// lastBreath is how long a hook that was told to end may take, before it is killed.
const lastBreath = 300 * time.Millisecond

// mostOutput is how much of a hook's output is kept, in bytes.
const mostOutput = 16 << 10

// Output keeps the beginning of what is written to it: a hook that never stops talking must not fill the memory.
type Output struct{ kept []byte }

// Write implements io.Writer. It never fails.
func (o *Output) Write(p []byte) (int, error) {
	o.kept = append(o.kept, p[:min(len(p), mostOutput-len(o.kept))]...)
	return len(p), nil
}

// String returns what was kept.
func (o *Output) String() string { return string(o.kept) }

// Run runs command in a process group of its own, with env beside this process's environment, and waits for it. The end of
// ctx, and Patience, end the whole group. An *exec.ExitError says that it ended with another code than 0, or by a signal.
func Run(ctx context.Context, command string, env []string, stdout, stderr io.Writer) error {
	ctx, cancel := context.WithTimeout(ctx, Patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, "/bin/sh", "-c", command)
	cmd.Env = append(os.Environ(), env...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM) }
	cmd.WaitDelay = lastBreath // a grandchild that keeps the pipe open must not keep us
	cmd.Stdout, cmd.Stderr = stdout, stderr
	err := cmd.Run()
	if ctx.Err() != nil && cmd.Process != nil {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // what the shell started may be deaf to SIGTERM
	}
	if errors.Is(err, exec.ErrWaitDelay) && ctx.Err() == nil {
		return nil // the hook itself ended well; what it started in the background speaks to nobody from now on
	}
	return err
}
