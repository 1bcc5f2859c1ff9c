package e2e_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"orderly/testca"
)

// prompts are the questions that a script waits for.
var prompts = regexp.MustCompile(`\(\w\)[\w ]+(?: \(recommended\))?/\(\w\)[\w ]+: |Select the appropriate number \[1-\d\]|\(Enter 'c' to\s+cancel\)`)

// answered runs a line of a script with answers, on a pipe or at a terminal, and returns its exit code and what was printed.
func (c customer) answered(line, answers string, terminal bool) (code int, text string) {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, c.path, strings.Fields(strings.NewReplacer("ROOT", c.root, "ETC", c.config).Replace(line))...)
	cmd.Env, cmd.Dir, cmd.WaitDelay = c.env, c.dir, time.Second
	var out output
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(answers), &out, &out
	if terminal {
		hear := c.terminal(cmd, answers)
		defer func() { text = hear() }()
	}
	var exit *exec.ExitError
	if err := cmd.Run(); err != nil && !errors.As(err, &exit) {
		c.t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), out.String()
}

// terminal gives a program a terminal at which the answers were typed. The function returned says what was shown at it.
func (c customer) terminal(cmd *exec.Cmd, answers string) func() string {
	c.t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		c.t.Fatal(err)
	}
	number := 0
	raw, err := master.SyscallConn()
	if err == nil {
		err = raw.Control(func(fd uintptr) {
			if err = unix.IoctlSetPointerInt(int(fd), unix.TIOCSPTLCK, 0); err == nil {
				number, err = unix.IoctlGetInt(int(fd), unix.TIOCGPTN)
			}
		})
	}
	if err != nil {
		c.t.Fatal(err)
	}
	slave, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		c.t.Fatal(err)
	}
	if _, err := master.WriteString(answers); err != nil {
		c.t.Fatal(err)
	}
	cmd.Stdin, cmd.Stdout, cmd.Stderr = slave, slave, slave
	var seen output
	done := make(chan struct{})
	go func() {
		defer close(done)
		buffer := make([]byte, 4096)
		for {
			n, err := master.Read(buffer)
			_, _ = seen.Write(buffer[:n])
			if err != nil {
				return // EIO: the last who held the terminal has gone
			}
		}
	}()
	return func() string {
		_ = slave.Close()
		<-done
		_ = master.Close()
		return strings.ReplaceAll(seen.String(), "\r\n", "\n")
	}
}

// Trial L10: answers on standard input and at a terminal do what they do with certbot.
func TestAnswersDoWhatTheyDoWithCertbot(t *testing.T) {
	t.Parallel()
	w := newWorld(t, testca.Config{})
	debian, ours := customers(w)
	const certonly = "certonly --webroot -w ROOT -d example.com"
	for _, v := range []struct {
		line, answers string
		terminal      bool
		issued        int // certificates more than before
	}{
		{certonly, "nobody\nadmin@example.com\nN\n", false, 0},
		{certonly, "admin@example.com\nY\nN\n", true, 1},
		{certonly + " -d www.example.com", "\nE\n", false, 1},
		{certonly + " -d www.example.com", "9\n1\n", false, 0},
		{certonly + " -d www.example.com --keep", "2\n", false, 0},
		{certonly + " -d www.example.com", "2\n", true, 1},
		{certonly + " -d www.example.com --key-type rsa", "U\n", false, 0},
		{certonly + " -d www.example.com --key-type rsa", "U\n", true, 1},
		{certonly + " --cert-name example.com", "K\nC\n", true, 0},
		{"certonly", "2\nother.example.com\nROOT\n", false, 1},
		{"delete", "9\nc\n", false, 0},
		{"update_account", "nobody\nc\n", false, 0},
		{"revoke --cert-name other.example.com", "n\n", false, 0},
		{"delete --cert-name other.example.com", "n\n", false, 0},
		{"unregister", "A\n", true, 0},
	} {
		t.Run(fmt.Sprintf("%s %q %v", v.line, v.answers, v.terminal), func(t *testing.T) {
			count := func() int { return len(w.ca.Truth().Issued) }
			before := count()
			answers := strings.ReplaceAll(v.answers, "ROOT", debian.root)
			theirs, said := debian.answered(v.line, answers, v.terminal)
			between := count()
			code, text := ours.answered(v.line, answers, v.terminal)
			asked, wanted := prompts.FindAllString(text, -1), prompts.FindAllString(said, -1)
			plain := func(all []string) string { return strings.Join(strings.Fields(strings.Join(all, "|")), " ") }
			if code != theirs || plain(asked) != plain(wanted) {
				t.Errorf("exit %d, asked %q:\n%s\ncertbot: exit %d, asked %q:\n%s", code, plain(asked), text, theirs, plain(wanted), said)
			}
			if between-before != v.issued || count()-between != v.issued {
				t.Errorf("%d certificates by certbot, %d by us, %d are right", between-before, count()-between, v.issued)
			}
		})
	}
}
