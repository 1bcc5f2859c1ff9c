// Command bench-scan prints what `orderly pending scan` costs: a month of many servers, made from
// the samples, and its megabytes a second, wall and CPU time and memory.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
	"time"

	"orderly/scan/month"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "bench-scan:", err)
		stop()
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	orderly := flag.String("orderly", "bin/orderly", "the program")
	samples := flag.String("samples", "scan/testdata/logs", "directory of the samples")
	servers := flag.Int("servers", 1500, "how many servers")
	dir := flag.String("dir", "", "where the logs are made and left (default: a temporary directory)")
	flag.Parse()
	all, err := month.Load(*samples)
	if err != nil {
		return err
	}
	if *dir == "" {
		if *dir, err = os.MkdirTemp("", "bench-scan-"); err != nil {
			return err
		}
		defer func() { _ = os.RemoveAll(*dir) }()
	}
	made, err := month.Make(*dir, all, 0, *servers)
	if err != nil {
		return err
	}
	fmt.Printf("%d servers, %d files, %d MB packed, %d MB plain, %d open\n", made.Servers, made.Files,
		made.Packed>>20, made.Plain>>20, made.Open)
	return measure(ctx, *orderly, *dir, made)
}

// measure runs the program and prints what it cost.
func measure(ctx context.Context, orderly, dir string, made month.Made) error {
	out, err := os.CreateTemp("", "bench-scan-")
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(out.Name()); _ = out.Close() }()
	c := exec.CommandContext(ctx, orderly, "pending", "scan", "--json", "--server-from",
		"(web[0-9]+)/", "--now", month.End().Format(time.RFC3339), dir)
	c.Stdout, c.Stderr = out, os.Stderr
	began := time.Now()
	if err := c.Run(); err != nil {
		return err
	}
	took := time.Since(began)
	used := c.ProcessState.SysUsage().(*syscall.Rusage)
	cpu := c.ProcessState.UserTime() + c.ProcessState.SystemTime()
	fmt.Printf("wall %.1f s, CPU %.1f s, %d MB resident at most\n", took.Seconds(), cpu.Seconds(),
		used.Maxrss>>10)
	fmt.Printf("%.0f MB/s of plain log a second of CPU, %.0f MB/s of packed log on the clock\n",
		float64(made.Plain)/1e6/cpu.Seconds(), float64(made.Packed)/1e6/took.Seconds())
	return judge(out.Name(), made)
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
	fmt.Printf("%d found open\n", len(found.Open))
	if len(found.Open) != made.Open {
		return fmt.Errorf("%d are open", made.Open)
	}
	return nil
}
