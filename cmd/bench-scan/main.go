// Command bench-scan prints what `orderly pending scan` costs: a month of many servers, one log
// without an end, and very many small ones, all made from the samples; of each the megabytes a
// second, wall and CPU time, and memory.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

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

// sizes are how much is made.
type sizes struct {
	samples        string
	servers, small int
	huge           int64
}

// kinds are what is made, in this order.
var kinds = [...]struct {
	name string
	make func(dir string, all []month.Sample, s sizes) (month.Made, error)
}{
	{"month", func(dir string, all []month.Sample, s sizes) (month.Made, error) {
		return month.Make(dir, all, 0, s.servers)
	}},
	{"huge", func(dir string, all []month.Sample, s sizes) (month.Made, error) {
		return month.Huge(filepath.Join(dir, "letsencrypt.log"), all, s.huge)
	}},
	{"0.9", func(dir string, _ []month.Sample, s sizes) (month.Made, error) {
		return month.Repeat(filepath.Join(dir, "letsencrypt.log"),
			filepath.Join(s.samples, "v1-0.9.log"), s.huge/3)
	}},
	{"small", func(dir string, all []month.Sample, s sizes) (month.Made, error) {
		return month.Small(dir, all, s.small)
	}},
}

func run(ctx context.Context) error {
	var s sizes
	orderly := flag.String("orderly", "bin/orderly", "the program")
	flag.StringVar(&s.samples, "samples", "scan/testdata/logs", "directory of the samples")
	flag.IntVar(&s.servers, "servers", 1500, "how many servers the month is of")
	flag.Int64Var(&s.huge, "huge", 3<<30, "bytes of the one huge log")
	flag.IntVar(&s.small, "small", 100_000, "how many small logs")
	which := flag.String("kinds", "month,huge,0.9,small", "what is made and scanned")
	dir := flag.String("dir", "", "where logs are made and left (default: a temporary directory)")
	flag.Parse()
	all, err := month.Load(s.samples)
	if err != nil {
		return err
	}
	var failed []error
	for _, kind := range kinds {
		if !slices.Contains(strings.Split(*which, ","), kind.name) {
			continue
		}
		err := inDir(*dir, kind.name, func(at string) error {
			made, err := kind.make(at, all, s)
			if err != nil {
				return err
			}
			fmt.Printf("%s: %d files, %d MB on disk, %d MB plain\n", kind.name, made.Files,
				made.Packed>>20, made.Plain>>20)
			return measureAll(ctx, *orderly, at, made)
		})
		if err != nil {
			failed = append(failed, fmt.Errorf("%s: %w", kind.name, err))
		}
	}
	return errors.Join(failed...)
}

// inDir does something in a directory of a kind, which is removed afterwards unless it was named.
func inDir(dir, kind string, do func(string) error) error {
	if dir != "" {
		dir = filepath.Join(dir, kind)
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return err
		}
		return do(dir)
	}
	dir, err := os.MkdirTemp("", "bench-scan-")
	if err != nil {
		return err
	}
	return errors.Join(do(dir), os.RemoveAll(dir))
}
