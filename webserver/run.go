package webserver

import (
	"bytes"
	"context"
	"os/exec"
	"syscall"
	"time"
)

// A web server that shows its configuration reads keys, resolves names and opens logs: any of that
// may hang.

const (
	// patience bounds one run of a program.
	patience = 10 * time.Second
	// lastBreath is how long a program that was told to end is waited for.
	lastBreath = 300 * time.Millisecond
	// mostOutput bounds what is read of a configuration: 1,500 sites have some 5 MB.
	mostOutput = 128 << 20
)

// limited keeps what is written to it up to a bound.
type limited struct{ bytes.Buffer }

// Write implements io.Writer. It never fails, so that the program ends by itself.
func (l *limited) Write(p []byte) (int, error) {
	l.Buffer.Write(p[:min(len(p), mostOutput-l.Len())])
	return len(p), nil
}

// run runs a program without a shell and with nothing of this process's environment.
func run(ctx context.Context, environ []string, program string, args ...string) (stdout, stderr string, err error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Env = append([]string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
		"LANG=C", "LC_ALL=C"}, environ...)
	cmd.Dir = "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = lastBreath
	var out, problems limited
	cmd.Stdout, cmd.Stderr = &out, &problems
	err = cmd.Run()
	if ctx.Err() != nil {
		err = context.Cause(ctx) // that it was killed is no word of its own
	}
	return out.String(), problems.String(), err
}
