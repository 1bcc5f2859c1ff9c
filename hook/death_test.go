package hook_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"testing"
	"time"

	"orderly/hook"
)

// hookOfAnother makes the test's own program run a hook, so that it can be killed while the hook runs.
const hookOfAnother = "ORDERLY_TEST_HOOK"

func TestMain(m *testing.M) {
	if command := os.Getenv(hookOfAnother); command != "" {
		if err := hook.Run(context.Background(), command, nil, io.Discard, io.Discard); err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// alive is a hook run by another process. Whatever holds the pipe is alive; its first line is read already.
func alive(t *testing.T, command string) (*exec.Cmd, *bufio.Reader) {
	t.Helper()
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = read.Close() })
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), hookOfAnother+"="+command)
	cmd.ExtraFiles = []*os.File{write} // descriptor 3 of the run and of all that it starts
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _, _ = cmd.Process.Wait() })
	_ = write.Close()
	if err := read.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	in := bufio.NewReader(read)
	if line, err := in.ReadString('\n'); line != "started\n" {
		t.Fatalf("%q, %v", line, err)
	}
	return cmd, in
}

// A killed run's hook ends with it, its children included, also one that is deaf to SIGTERM (trial P5): the next run begins
// it again, and it would run beside itself.
func TestAHookEndsWithARunThatIsKilled(t *testing.T) {
	for name, command := range map[string]string{
		"that sleeps":        "echo started >&3; exec sleep 600",
		"with a child":       "sleep 600 & echo started >&3; wait",
		"deaf, with a child": "trap '' TERM; sleep 600 & echo started >&3; while :; do wait; done",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cmd, in := alive(t, command)
			if err := cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
			if left, err := io.ReadAll(in); err != nil {
				t.Errorf("something of it lives on: %q, %v", left, err)
			}
		})
	}
}
