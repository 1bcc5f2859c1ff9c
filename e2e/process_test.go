package e2e_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// Whatever a process is denied, its user reads a sentence and no stack trace.
func TestALimitOfTheProcessIsASentence(t *testing.T) {
	t.Parallel()
	for _, limit := range []string{"ulimit -n 3", "ulimit -n 6", "ulimit -n 7", "ulimit -n 12", "ulimit -n 30", "ulimit -f 0", "exec <&-", "exec >&-", "exec <&- >&-", "TMPDIR=/nowhere"} {
		t.Run(limit, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			said, err := os.Create(filepath.Join(dir, "said"))
			if err != nil {
				t.Fatal(err)
			}
			defer said.Close()
			c := exec.Command("/bin/sh", "-c", limit+`; exec "$@"`, "sh", program, "renew", "--config-dir", dir+"/c", "--work-dir", dir+"/w", "--logs-dir", dir+"/l")
			c.Stderr = said
			_ = c.Run()
			text, err := os.ReadFile(said.Name())
			if err != nil {
				t.Fatal(err)
			}
			code := c.ProcessState.ExitCode()
			if strings.Contains(string(text), "goroutine ") || code != 0 && code != 1 || code == 1 && !strings.Contains(string(text), "remedy: ") && limit != "ulimit -f 0" {
				t.Errorf("exit %d: %s", code, text)
			}
		})
	}
}
