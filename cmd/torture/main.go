// Command torture runs the whole matrix of kills and faults against the real program and prints it: which request, or which
// local effect, met what, at which kind of CA, and what came between that run and the one after it; at the end the number of
// cells and of bad ones. What a cell demands is asked of the CA and of the disk by the tests themselves; this only runs and
// counts them. It must never call a cell good that did not run, nor one bad for which the machine was too slow.
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
	"strings"
	"syscall"
	"time"

	"golang.org/x/term"
)

func main() {
	var o options
	flag.BoolVar(&o.short, "short", false, "only the choice of cells that make test runs")
	flag.StringVar(&o.only, "only", "", "only the cells whose names match the `regexp`, which has no slash")
	flag.StringVar(&o.slice, "slice", "", "only every nth cell, from the ith on, as `i/n`; n runs make the whole")
	flag.IntVar(&o.parallel, "parallel", 20, "cells at once: they wait for most of their time")
	file := flag.String("json", "", "`file` for the matrix as JSON")
	flag.StringVar(&o.record, "record", "", "add what each cell does, request for request, to the `file`")
	flag.StringVar(&o.compare, "compare", "", "show which cells do something else than the `file` knows of them")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	started := time.Now()
	cells, seen, err := o.recorded(ctx)
	took := time.Since(started)
	if *file != "" {
		err = errors.Join(err, save(*file, cells, took))
	}
	troubles := report(os.Stdout, cells, o.part(), took)
	differ := 0
	if seen != nil {
		n, useErr := o.use(seen)
		differ, err = n, errors.Join(err, useErr)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "torture:", err)
	}
	if err != nil || troubles > 0 || differ > 0 || len(cells) == 0 {
		os.Exit(1)
	}
}

// options say which cells are run, and how many at once.
type options struct {
	short       bool
	only, slice string
	parallel    int

	record, compare string // files with sequences
	sequences       string // directory into which cells write theirs, "" for none
}

// part reports whether cells were left out on purpose.
func (o options) part() bool { return o.short || o.only != "" || o.slice != "" }

// recorded runs the cells; what they do is returned too, where it is to be recorded or compared.
func (o options) recorded(ctx context.Context) (cells []cell, seen *record, err error) {
	if o.record == "" && o.compare == "" {
		cells, err = o.run(ctx)
		return cells, nil, err
	}
	if o.sequences, err = os.MkdirTemp("", "orderly-sequences-"); err != nil {
		return nil, nil, err
	}
	defer os.RemoveAll(o.sequences)
	cells, err = o.run(ctx)
	seen, collectErr := collected(o.sequences)
	return cells, seen, errors.Join(err, collectErr)
}

// use adds what was seen to a record, or holds it against one, and returns how many cells differ.
func (o options) use(seen *record) (differ int, err error) {
	if o.compare != "" {
		known, err := load(o.compare)
		if err != nil {
			return 0, err
		}
		differ = known.compare(os.Stdout, seen)
	}
	if o.record == "" {
		return differ, nil
	}
	known, err := load(o.record)
	if err != nil {
		return differ, err
	}
	known.add(seen)
	return differ, known.save(o.record)
}

// run runs the tests whose sub-tests are cells. It has no time-out: a cell notices itself when nothing moves any more.
func (o options) run(ctx context.Context) ([]cell, error) {
	pattern := "^(" + strings.Join(tests(), "|") + ")$"
	if o.only != "" {
		pattern += "/" + o.only
	}
	c := exec.CommandContext(ctx, "go", "test", "-json", "-count=1", "-timeout=0", fmt.Sprint("-parallel=", o.parallel), "-run", pattern,
		"orderly/e2e")
	// Ended in the middle it shall still say what it was at; only one that does not end is killed.
	c.Cancel = func() error { return c.Process.Signal(os.Interrupt) }
	c.WaitDelay = 30 * time.Second
	c.Env = append(os.Environ(), "ORDERLY_E2E_SLICE="+o.slice, recordVariable+"="+o.sequences)
	if !o.short {
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
	cells, err := collect(out, os.Stderr, progress())
	if err := c.Wait(); err != nil {
		return cells, fmt.Errorf("go test: %w", err)
	}
	if left := missing(cells); len(left) > 0 && !o.part() {
		err = errors.Join(err, fmt.Errorf("no cell ran of %s", strings.Join(left, ", ")))
	}
	return cells, err
}

// progress shows how far things are, to a person who watches and to nobody else.
func progress() func(count) {
	if !term.IsTerminal(int(os.Stderr.Fd())) {
		return func(count) {}
	}
	last := time.Time{}
	return func(so count) {
		if time.Since(last) > 200*time.Millisecond || so.ended == so.known {
			last = time.Now()
			fmt.Fprintf(os.Stderr, "\r%d of %d cells, %d bad, %d hung \r", so.ended, so.known, so.of[bad], so.of[hung])
		}
	}
}

func save(file string, cells []cell, took time.Duration) error {
	text, err := json.MarshalIndent(struct {
		Version int     `json:"version"`
		Cells   int     `json:"cells"`
		Bad     int     `json:"bad"`
		Hung    int     `json:"hung"`
		NotRun  int     `json:"not_run"`
		Seconds float64 `json:"seconds"`
		Matrix  []cell  `json:"matrix"`
	}{1, len(cells), counted(cells, bad), counted(cells, hung), counted(cells, notRun), took.Seconds(), cells}, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(file, append(text, '\n'), 0o644)
}
