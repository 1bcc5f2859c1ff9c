package hook_test

import (
	"context"
	"errors"
	"os/exec"
	"strings"
	"testing"
	"time"

	"orderly/hook"
)

func TestAHookHasItsEnvironmentAndItsOutputsApart(t *testing.T) {
	t.Setenv("INHERITED", "from us")
	var out, bad hook.Output
	err := hook.Run(t.Context(), `echo "$INHERITED, $GIVEN"; echo trouble >&2; exit 3`, []string{"GIVEN=and more"}, &out, &bad)
	exit, ok := errors.AsType[*exec.ExitError](err)
	if !ok || exit.ExitCode() != 3 || out.Printed().Arrived() != "from us, and more\n" || bad.Printed().Arrived() != "trouble\n" {
		t.Errorf("%v, %q, %q", err, out.Printed().Arrived(), bad.Printed().Arrived())
	}
}

func TestAHookThatDoesNotStopTalkingFillsNoMemory(t *testing.T) {
	var out hook.Output
	if err := hook.Run(t.Context(), "head -c 3000000 /dev/zero", nil, &out, &out); err != nil {
		t.Fatal(err)
	}
	if n := len(out.Printed().Arrived()); n == 0 || n > 64<<10 {
		t.Errorf("%d bytes are kept", n)
	}
}

// A hook that starts a server in the background keeps our pipes open: it has ended all the same, and well.
func TestWhatAHookStartsInTheBackgroundIsNotWaitedFor(t *testing.T) {
	var out hook.Output
	began := time.Now()
	if err := hook.Run(t.Context(), "sleep 60 & echo $!", nil, &out, &out); err != nil {
		t.Error(err)
	}
	if took := time.Since(began); took > 20*time.Second {
		t.Errorf("it was waited for %s", took)
	}
	if err := exec.Command("kill", strings.TrimSpace(out.Printed().Arrived())).Run(); err != nil {
		t.Errorf("what it started does not run any more: %v", err)
	}
}

func TestTheEndOfTheContextEndsAHookAndItsChildren(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	reader := &waiter{first: cancel}
	began := time.Now()
	err := hook.Run(ctx, "sleep 60 & echo $!; wait", nil, reader, reader)
	if err == nil || time.Since(began) > 20*time.Second {
		t.Errorf("%v after %s", err, time.Since(began))
	}
	child := strings.TrimSpace(reader.text)
	if exec.Command("kill", "-0", child).Run() == nil {
		// It was told to end and may be about to: only one that is alive for good would keep a person's shell busy.
		if state, err := exec.Command("ps", "-o", "state=", "-p", child).Output(); err == nil && strings.HasPrefix(string(state), "S") {
			t.Errorf("process %s goes on: %s", child, state)
		}
	}
}

// waiter calls back when the first text comes.
type waiter struct {
	first context.CancelFunc
	text  string
}

// Write implements io.Writer.
func (w *waiter) Write(p []byte) (int, error) {
	w.text += string(p)
	w.first()
	return len(p), nil
}
