package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

// inDir does something in a directory, which is removed afterwards unless it was named.
func (b bench) inDir(name string, do func(dir string) error) error {
	if b.dir != "" {
		dir := filepath.Join(b.dir, name)
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
		return do(dir)
	}
	dir, err := os.MkdirTemp("", "orderly-bench-")
	if err != nil {
		return err
	}
	return errors.Join(do(dir), os.RemoveAll(dir))
}

// places are the flags for a host.
func places(dir string) []string {
	return []string{"--config-dir", filepath.Join(dir, "etc"), "--work-dir", filepath.Join(dir, "lib"),
		"--logs-dir", filepath.Join(dir, "log")}
}

func join(args []string) string { return strings.Join(args, " ") }

// row measures a command, once more than is told: the first fills the page cache.
func (b bench) row(ctx context.Context, out io.Writer, title string, args []string, promised target) error {
	var walls, cpus []float64
	memory := 0.0
	for i := range b.runs + 1 {
		wall, cpu, peak, err := b.run(ctx, args)
		if err != nil {
			return err
		}
		if i > 0 {
			walls, cpus, memory = append(walls, wall), append(cpus, cpu), max(memory, peak)
		}
	}
	slices.Sort(walls)
	slices.Sort(cpus)
	fmt.Fprintf(out, "%-58s %6.2f s %6.2f s %5.0f MB", title, walls[b.runs/2], cpus[b.runs/2], memory)
	if promised.wall > 0 {
		fmt.Fprintf(out, "   %.0f s", promised.wall)
	}
	if promised.memory > 0 {
		fmt.Fprintf(out, ", %.0f MB", promised.memory)
	}
	fmt.Fprintln(out)
	return nil
}

// run runs the program once. A report that fails is one that was made.
func (b bench) run(ctx context.Context, args []string) (wall, cpu, memory float64, err error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Minute)
	defer cancel()
	var said, problems bytes.Buffer
	c := exec.CommandContext(ctx, b.orderly, args...)
	c.Stdout, c.Stderr = &said, &problems
	began := time.Now()
	err = c.Run()
	wall = time.Since(began).Seconds()
	if exit, is := errors.AsType[*exec.ExitError](err); is && (exit.ExitCode() == 1 || exit.ExitCode() == 3) {
		err = nil
	}
	if err != nil || !made(said.String()) {
		return 0, 0, 0, fmt.Errorf("orderly %s made no report: %w\n%s", join(args), err, problems.Bytes())
	}
	if usage, ok := c.ProcessState.SysUsage().(*syscall.Rusage); ok {
		memory = float64(usage.Maxrss) / 1024 // Linux counts in KiB, FreeBSD as well
	}
	return wall, (c.ProcessState.UserTime() + c.ProcessState.SystemTime()).Seconds(), memory, nil
}

// made reports whether a report was made: each kind says how many certificates there are.
func made(said string) bool {
	return strings.Contains(said, " clean; findings: ") || strings.Contains(said, `"lineages":`) ||
		strings.Contains(said, "\norderly_certificates ")
}
