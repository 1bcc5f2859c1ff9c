package deliver

// Programs of this host that pass a message on: sendmail, and whatever an operator wrote. They run
// as hooks do: in a group of their own, with a bound, and die with the run.

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os/exec"

	"orderly/failure"
	"orderly/hook"
)

// What sendmail's exit codes (sysexits.h) say of a letter itself: its text, its recipients, their
// host, the protocol. All others say something of this host, which may change.
const (
	exData     = 65
	exNoUser   = 67
	exNoHost   = 68
	exProtocol = 76
)

func (c *Channel) sendSendmail(ctx context.Context, l *Letter) receipt {
	text, err := c.mime(l)
	if err != nil {
		return rejected(trouble("", "the mail cannot be written: %v", err))
	}
	text = bytes.ReplaceAll(text, []byte("\r\n"), []byte("\n")) // as programs of this host have it
	return c.runs(ctx, "exec "+string(failure.Shell(c.Program, "-t", "-i")), nil, bytes.NewReader(text))
}

func (c *Channel) sendCommand(ctx context.Context, l *Letter) receipt {
	input := []byte(l.Subject + "\n\n" + l.Text)
	if c.Form == "json" {
		input = l.Document
	}
	env := []string{"ORDERLY_SUBJECT=" + l.Subject, "ORDERLY_CHANNEL=" + c.Name}
	return c.runs(ctx, c.Run, env, bytes.NewReader(input))
}

// runs gives a command something to read, and judges by how it ends.
func (c *Channel) runs(ctx context.Context, command string, env []string, input io.Reader) receipt {
	var said hook.Output
	err := hook.Fed(ctx, command, env, input, &said, &said)
	if err == nil {
		return receipt{}
	}
	printed := ""
	if !said.Printed().Empty() {
		printed = ": " + failure.Clean(said.Printed().Arrived())
	}
	exit, ok := errors.AsType[*exec.ExitError](err)
	if !ok || ctx.Err() != nil {
		return failed(trouble("", "%s: %s%s", c.program(), plainly(ctx, err), printed))
	}
	problem := trouble("", "%s ended with %s%s", c.program(), exit.ProcessState, printed)
	switch code := exit.ExitCode(); {
	case c.Kind == Sendmail &&
		(code == exData || code == exNoUser || code == exNoHost || code == exProtocol):
		return rejected(problem)
	case code == 126 || code == 127:
		return failed(trouble("", "%s cannot be run%s", c.program(), printed))
	}
	return failed(problem)
}

func (c *Channel) program() string {
	if c.Kind == Sendmail {
		return c.Program
	}
	return "the command"
}
