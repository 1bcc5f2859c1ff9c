package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"time"

	"orderly/testca"
)

// A CA that is to be renewed at is a process of its own, so that what it costs is not counted as
// Orderly's; what it holds afterwards is asked of its own store.

// pace is how a CA goes about its work.
type pace struct {
	name string
	// answer passes before it does anything about a request, validation before it looks.
	answer, validation time.Duration
	wall               float64 // how many times shorter many at once must be
}

// authority is a running testca.
type authority struct {
	process *exec.Cmd
	said    map[string]string // where what is
}

// startAuthority starts the program testca.
func startAuthority(ctx context.Context, program string, sites int, p pace) (*authority, error) {
	c := exec.CommandContext(ctx, program, "--http-port", fmt.Sprint(sites),
		"--validation-delay", p.validation.String())
	c.Cancel = func() error { return c.Process.Signal(os.Interrupt) }
	c.WaitDelay = 10 * time.Second
	c.Stderr = os.Stderr
	out, err := c.StdoutPipe()
	if err == nil {
		err = c.Start()
	}
	if err != nil {
		return nil, fmt.Errorf("the CA: %w", err)
	}
	a := &authority{process: c, said: map[string]string{}}
	lines := bufio.NewScanner(out)
	for len(a.said) < 5 && lines.Scan() {
		key, value, _ := strings.Cut(lines.Text(), "=")
		a.said[key] = value
	}
	if a.said["control"] == "" {
		return nil, errors.Join(fmt.Errorf("%s did not say where it is", program), a.close())
	}
	return a, nil
}

func (a *authority) close() error {
	if err := a.process.Process.Signal(os.Interrupt); err != nil {
		return errors.Join(err, a.process.Wait())
	}
	return a.process.Wait()
}

// slow makes every answer from now on as slow as the pace says.
func (a *authority) slow(p pace) error {
	if p.answer == 0 {
		return nil
	}
	fault := fmt.Sprintf(`{"action": "delay", "delay": %q}`, p.answer)
	answer, err := http.Post(a.said["control"]+"/faults", "application/json",
		strings.NewReader(fault))
	if err != nil {
		return fmt.Errorf("the CA: %w", err)
	}
	defer func() { _ = answer.Body.Close() }() // it is not read
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("the CA refuses to be slow: %s", answer.Status)
	}
	return nil
}

// truth is what the CA holds.
func (a *authority) truth() (t testca.Truth, err error) {
	answer, err := http.Get(a.said["control"] + "/truth")
	if err != nil {
		return t, fmt.Errorf("the CA: %w", err)
	}
	defer func() { _ = answer.Body.Close() }() // it was read to its end
	text, err := io.ReadAll(answer.Body)
	if err == nil {
		err = json.Unmarshal(text, &t)
	}
	return t, err
}
