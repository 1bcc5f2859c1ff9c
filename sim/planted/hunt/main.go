// Command hunt plants bugs into the code that the simulator plays, one at a time, and plays seeds until an invariant is
// breached. It must never change the tree it builds from, except for the two files that -write is about.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"orderly/sim/planted"
)

func main() {
	bug := flag.String("bug", "", "only these `bugs`, separated by commas")
	seeds := flag.Int("seeds", 1000, "how many seeds are played, from 1 on, before a bug counts as not found")
	root := flag.String("root", ".", "the root of the tree")
	write := flag.Bool("write", false, "write what was measured into sim/planted/measured.txt and docs/planted-bugs.md")
	page := flag.Bool("page", false, "only write docs/planted-bugs.md anew, from what was measured before")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	var err error
	if *page {
		err = rewrite(*root)
	} else {
		err = hunt(ctx, *root, *bug, *seeds, *write)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func rewrite(root string) error {
	finds, err := planted.Measured()
	if err != nil {
		return err
	}
	return planted.Write(root, finds)
}

func hunt(ctx context.Context, root, bug string, most int, write bool) error {
	began := time.Now()
	names := chosen(bug)
	if len(names) == 0 {
		return fmt.Errorf("there is no bug %q", bug)
	}
	root, err := filepath.Abs(root)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "orderly-planted-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	program, err := planted.Build(ctx, root, dir, planted.Bugs())
	if err != nil {
		return err
	}
	finds, err := search(ctx, program, names, most)
	if err != nil {
		return err
	}
	fmt.Printf("%d of %d bugs found, %.1f s\n", len(finds), len(names), time.Since(began).Seconds())
	if len(finds) < len(names) {
		return fmt.Errorf("%d bugs were not found", len(names)-len(finds))
	}
	if write && bug == "" {
		return planted.Write(root, finds)
	}
	return nil
}

func chosen(bug string) []string {
	var names []string
	for _, b := range planted.Bugs() {
		if bug == "" || slices.Contains(strings.Split(bug, ","), b.Name) {
			names = append(names, b.Name)
		}
	}
	return names
}

func search(ctx context.Context, program string, names []string, most int) (map[string]planted.Find, error) {
	finds := map[string]planted.Find{}
	err := planted.Search(ctx, program, names, most, func(o planted.Outcome) {
		if o.Found == nil {
			fmt.Printf("%-32s not found in %d seeds, of which %d pass its places\n", o.Bug, most, o.Years)
			return
		}
		finds[o.Bug] = planted.Find{Seed: o.Found.Seed, Invariant: o.Found.Invariant}
		fmt.Printf("%-32s seed %-4d %s\n", o.Bug, o.Found.Seed, o.Found.Sentence)
	})
	return finds, err
}
