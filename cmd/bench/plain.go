package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// What one certificate costs beside a client that keeps nothing: the ledger, the checks and what
// could be resumed. Both run in turn, so that a machine whose speed drifts is the same for both.

// mostOfPlain is how many times the plain client's CPU time a certonly may take.
const mostOfPlain = 2.0

// plain compares certonly for two names with the plain client, over so many pairs.
func (g *ground) plain(ctx context.Context, pairs int) error {
	program := filepath.Join(g.dir, "plain")
	build := exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags", "-s -w", "-o", program,
		"orderly/cmd/bench/plain")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("build of the plain client: %w\n%s", err, out)
	}
	if err := os.Mkdir(filepath.Join(g.dir, "kept"), 0o700); err != nil {
		return err
	}
	var ours, its series
	for i := range pairs + 1 {
		one, err := g.run(ctx, g.orderly, g.certonly("orderly", 2))
		if err != nil {
			return err
		}
		other, err := g.run(ctx, program, g.plainly(2))
		if err != nil {
			return err
		}
		if i > 0 { // the first of the plain client's makes its account
			ours, its = append(ours, one), append(its, other)
		}
	}
	fmt.Printf("\none certificate, %d pairs, medians        wall ms  CPU ms\n", pairs)
	ours.print("orderly certonly, 2 names")
	its.print("x/crypto/acme, no ledger, 2 names")
	fmt.Printf("%-41s %9s %7.2f   (at most %.1f)\n", "ratio", "", ours.median(cpuOf)/its.median(cpuOf),
		mostOfPlain)
	return nil
}

// plainly makes a site of so many names and the plain client's arguments for it.
func (g *ground) plainly(names int) []string {
	root, list := g.site(names)
	return append([]string{"-server", g.ca.DirectoryURL(), "-root", root,
		"-dir", filepath.Join(g.dir, "kept")}, list...)
}
