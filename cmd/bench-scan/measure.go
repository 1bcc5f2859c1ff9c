package main

// What one scan costs. Each kind is scanned for programs with the ledger and for people without it:
// what is kept in memory, and how it is printed, is another thing each time.

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"orderly/scan/month"
)

// maxResident is the promise: megabytes, whatever the size of the logs.
const maxResident = 100

func measureAll(ctx context.Context, orderly, dir string, made month.Made) error {
	var failed []error
	for _, args := range [][]string{{"--json"}, {"--no-ledger"}} {
		if err := measure(ctx, orderly, dir, args, made); err != nil {
			failed = append(failed, fmt.Errorf("with %v: %w", args, err))
		}
	}
	return errors.Join(failed...)
}

// measure runs the program and prints what it cost.
func measure(ctx context.Context, orderly, dir string, args []string, made month.Made) error {
	place, err := os.MkdirTemp("", "bench-scan-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(place) }()
	out, err := os.Create(filepath.Join(place, "out"))
	if err != nil {
		return err
	}
	defer func() { _ = out.Close() }()
	c := exec.CommandContext(ctx, orderly, append([]string{"pending", "scan", "--config-dir", place,
		"--work-dir", place, "--logs-dir", place, "--server-from", "(web[0-9]+)/", "--now",
		month.End().Format(time.RFC3339), dir}, args...)...)
	c.Stdout, c.Stderr = out, os.Stderr
	began := time.Now()
	if err := c.Run(); err != nil {
		return err
	}
	took := time.Since(began)
	resident := c.ProcessState.SysUsage().(*syscall.Rusage).Maxrss >> 10
	cpu := c.ProcessState.UserTime() + c.ProcessState.SystemTime()
	fmt.Printf("  %-20s wall %.1f s, CPU %.1f s, %d MB resident at most; plain %.0f MB/s a core, "+
		"on disk %.0f MB/s\n", strings.Join(args, " "), took.Seconds(), cpu.Seconds(), resident,
		float64(made.Plain)/1e6/cpu.Seconds(), float64(made.Packed)/1e6/took.Seconds())
	if resident >= maxResident {
		return fmt.Errorf("%d MB were resident", resident)
	}
	if len(args) > 0 && args[0] == "--json" {
		return judge(out.Name(), made)
	}
	return nil
}

// judge compares what was found with what is open.
func judge(path string, made month.Made) error {
	b, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	var found struct {
		Open []struct{} `json:"open"`
	}
	if err := json.Unmarshal(b, &found); err != nil {
		return err
	}
	if made.Open >= 0 && len(found.Open) != made.Open {
		return fmt.Errorf("%d found open, %d are", len(found.Open), made.Open)
	}
	return nil
}
