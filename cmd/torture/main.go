// Command torture runs the whole matrix of kills and faults against the real program and prints it: which request, or which
// local effect, met what, at which kind of CA, and what came between that run and the one after it; at the end the number of
// cells and of bad ones. What a cell demands is asked of the CA and of the disk by the tests themselves; this only runs and
// counts them. It must never call a cell good that did not run.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
	"time"

	"golang.org/x/term"
)

func main() {
	short := flag.Bool("short", false, "only the choice of cells that make test runs")
	file := flag.String("json", "", "`file` for the matrix as JSON")
	parallel := flag.Int("parallel", 20, "cells at once: they wait for most of their time")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	started := time.Now()
	cells, err := run(ctx, !*short, *parallel)
	took := time.Since(started)
	if *file != "" {
		err = errors.Join(err, save(*file, cells, took))
	}
	bad := report(os.Stdout, cells, took)
	if err != nil {
		fmt.Fprintln(os.Stderr, "torture:", err)
	}
	if err != nil || bad > 0 || len(cells) == 0 {
		os.Exit(1)
	}
}

// run runs the tests whose sub-tests are cells.
func run(ctx context.Context, whole bool, parallel int) ([]cell, error) {
	c := exec.CommandContext(ctx, "go", "test", "-json", "-count=1", "-timeout=60m", fmt.Sprint("-parallel=", parallel), "-run", tests,
		"orderly/e2e")
	c.Env = os.Environ()
	if whole {
		c.Env = append(c.Env, "ORDERLY_E2E=all")
	}
	c.Stderr = os.Stderr
	out, err := c.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := c.Start(); err != nil {
		return nil, err
	}
	cells, readErr := collect(out, os.Stderr, progress())
	if err := c.Wait(); err != nil {
		return cells, fmt.Errorf("go test: %w", err)
	}
	return cells, readErr
}

// progress shows how far things are, to a person who watches and to nobody else.
func progress() func(cells []cell) {
	if !term.IsTerminal(int(os.Stderr.Fd())) {
		return func([]cell) {}
	}
	bad, last := 0, time.Time{}
	return func(cells []cell) {
		if !cells[len(cells)-1].Good {
			bad++
		}
		if time.Since(last) > 200*time.Millisecond {
			last = time.Now()
			fmt.Fprintf(os.Stderr, "\r%d cells, %d bad \r", len(cells), bad)
		}
	}
}

func save(file string, cells []cell, took time.Duration) error {
	text, err := json.MarshalIndent(struct {
		Version int     `json:"version"`
		Cells   int     `json:"cells"`
		Bad     int     `json:"bad"`
		Seconds float64 `json:"seconds"`
		Matrix  []cell  `json:"matrix"`
	}{1, len(cells), countBad(cells), took.Seconds(), cells}, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(file, append(text, '\n'), 0o644)
}
