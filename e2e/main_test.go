package e2e_test

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"
	"testing"
)

// program is the orderly that TestMain built. It is written once, before the first test.
var program string

// whole says that every cell of the matrix is to run, not a choice.
var whole = os.Getenv("ORDERLY_E2E") == "all"

// sliceOf is what is to run of a list of cells: all of it, or the ith of every n (ORDERLY_E2E_SLICE=i/n).
func sliceOf[T any](all []T) []T {
	var i, n int
	if _, err := fmt.Sscanf(os.Getenv("ORDERLY_E2E_SLICE"), "%d/%d", &i, &n); err != nil || n < 1 {
		return all
	}
	var some []T
	for at, one := range all {
		if at%n == i%n {
			some = append(some, one)
		}
	}
	return some
}

func TestMain(m *testing.M) {
	if order := os.Getenv(watchVariable); order != "" {
		if err := watchProgram(order, os.Args[1:]); err != nil {
			fmt.Fprintln(os.Stderr, "watching:", err)
			os.Exit(1)
		}
	}
	flag.Parse()
	// Whoever runs the tests may have had SIGHUP ignored (nohup), which a child would inherit: one that
	// is to die of it would live on. What is caught is a child's own again.
	if signal.Ignored(syscall.SIGHUP) {
		signal.Notify(make(chan os.Signal, 1), syscall.SIGHUP)
	}
	code, err := buildAndRun(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func buildAndRun(m *testing.M) (int, error) {
	// The tests wait for processes and clocks most of the time, so more of them than processors can run.
	given := false
	flag.Visit(func(f *flag.Flag) { given = given || f.Name == "test.parallel" })
	if !given {
		if err := flag.Set("test.parallel", "8"); err != nil {
			return 1, err
		}
	}
	if program = os.Getenv(apartVariable); program != "" {
		return m.Run(), nil
	}
	dir, err := os.MkdirTemp("", "orderly-e2e-")
	if err != nil {
		return 1, err
	}
	defer os.RemoveAll(dir)
	program = filepath.Join(dir, "orderly")
	build := exec.Command("go", "build", "-o", program, "orderly/cmd/orderly")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return 1, fmt.Errorf("building orderly: %w\n%s", err, out)
	}
	return m.Run(), nil
}
