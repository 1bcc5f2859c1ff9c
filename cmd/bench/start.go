package main

// What the program costs before it does anything: every cron job, hook and `--version` pays it. The
// measure is a Go program that prints a line, built here and run in turn with it, so that a machine
// whose speed drifts is the same for both.

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"time"
)

// mostOfStart is how many times a bare program's time `orderly --version` may take.
const mostOfStart = 2.5

const bareProgram = `package main

import "fmt"

func main() { fmt.Println("bare 0.1.0") }
`

// start compares `orderly --version` with the bare program, over so many pairs.
func start(ctx context.Context, orderly string, pairs int) (err error) {
	dir, err := os.MkdirTemp("", "orderly-bench-bare-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	bare, err := buildBare(ctx, dir)
	if err != nil {
		return err
	}
	if orderly, err = installed(orderly, filepath.Join(dir, "orderly")); err != nil {
		return err
	}
	var ours, its series
	for i := range pairs + 1 {
		one, err := timed(ctx, orderly, "--version")
		if err != nil {
			return err
		}
		other, err := timed(ctx, bare)
		if err != nil {
			return err
		}
		if i > 0 { // the first pair reads the programs from the disk
			ours, its = append(ours, one), append(its, other)
		}
	}
	fmt.Printf("\nbefore anything is done, %d pairs, medians   wall ms  CPU ms\n", pairs)
	ours.print("orderly --version")
	its.print("a Go program that prints a line")
	wall, cpu := ours.median(wallOf)/its.median(wallOf), ours.median(cpuOf)/its.median(cpuOf)
	fmt.Printf("%-41s %9.2f %7.2f   (at most %.1f)\n", "ratio", wall, cpu, mostOfStart)
	return nil
}

// buildBare builds the bare program as the product is built.
func buildBare(ctx context.Context, dir string) (path string, err error) {
	for name, text := range map[string]string{"main.go": bareProgram, "go.mod": "module bare\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			return "", err
		}
	}
	path = filepath.Join(dir, "built")
	c := exec.CommandContext(ctx, "go", "build", "-buildvcs=false", "-trimpath", "-ldflags", "-s -w",
		"-o", path, ".")
	c.Dir = dir
	c.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=", "GOWORK=off", "PWD="+dir)
	if out, err := c.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build of the bare program: %w\n%s", err, out)
	}
	return installed(path, filepath.Join(dir, "bare"))
}

// installed copies a program as an installation does. What the linker has just written lies in the
// page cache in single pages, which costs a large program a fifth of its start more than one that
// was copied or read from the disk.
func installed(from, to string) (string, error) {
	text, err := os.ReadFile(from)
	if err != nil {
		return "", err
	}
	return to, os.WriteFile(to, text, 0o700)
}

// timed runs one process and accounts for it.
func timed(ctx context.Context, program string, args ...string) (sample, error) {
	c := exec.CommandContext(ctx, program, args...)
	began := time.Now()
	if err := c.Run(); err != nil {
		return sample{}, fmt.Errorf("%s: %w", program, err)
	}
	return sample{wall: time.Since(began),
		cpu: c.ProcessState.UserTime() + c.ProcessState.SystemTime()}, nil
}

// series are the processes of one program.
type series []sample

func wallOf(s sample) time.Duration { return s.wall }
func cpuOf(s sample) time.Duration  { return s.cpu }

// median is a figure's median in milliseconds.
func (all series) median(of func(sample) time.Duration) float64 {
	var list []time.Duration
	for _, s := range all {
		list = append(list, of(s))
	}
	slices.Sort(list)
	return float64(list[len(list)/2].Microseconds()) / 1000
}

func (all series) print(what string) {
	fmt.Printf("%-41s %9.2f %7.2f\n", what, all.median(wallOf), all.median(cpuOf))
}
