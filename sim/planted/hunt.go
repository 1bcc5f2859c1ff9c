package planted

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strconv"
	"sync"
)

// Year is what came of one simulated year.
type Year struct {
	Seed      uint64
	Invariant string   // that was breached, "" for none
	Sentence  string   // what was breached, for whom and when
	Asked     []string // the bugs whose places were passed
}

// Outcome is what came of the hunt for one bug.
type Outcome struct {
	Bug   string
	Found *Year // nil when no year found it
	Years int   // that were played with it
	Err   error // of the program
}

// Play plays the years of seeds, in this order, with one bug switched on ("" for none), until an invariant is breached. The
// last year of the answer is then the one that breached it.
func Play(ctx context.Context, program, bug string, seeds []uint64) ([]Year, error) {
	words := make([]string, len(seeds))
	for i, seed := range seeds {
		words[i] = strconv.FormatUint(seed, 10)
	}
	run := exec.CommandContext(ctx, program, words...)
	run.Env = append(os.Environ(), Variable+"="+bug)
	run.Stderr = os.Stderr
	content, err := run.Output()
	if err != nil {
		return nil, fmt.Errorf("with bug %q: %w", bug, err)
	}
	var years []Year
	for lines := json.NewDecoder(bytes.NewReader(content)); ; {
		var y Year
		switch err := lines.Decode(&y); {
		case errors.Is(err, io.EOF):
			return years, nil
		case err != nil:
			return nil, fmt.Errorf("with bug %q: %w", bug, err)
		}
		years = append(years, y)
	}
}

// Hunt plays seeds with each of some bugs, as many at once as there are processors, and calls back in this goroutine, in the
// order of the bugs.
func Hunt(ctx context.Context, program string, bugs []string, seeds func(bug string) []uint64, done func(Outcome)) {
	results := inParallel(bugs, func(bug string) Outcome {
		o := Outcome{Bug: bug}
		years, err := Play(ctx, program, bug, seeds(bug))
		o.Years, o.Err = len(years), err
		if n := len(years); n > 0 && years[n-1].Invariant != "" {
			o.Found = &years[n-1]
		}
		return o
	})
	for _, o := range results {
		done(o)
	}
}

// inParallel does something with each of a list, as much at once as there are processors.
func inParallel[T, R any](list []T, do func(T) R) []R {
	results := make([]R, len(list))
	turns := make(chan int)
	var group sync.WaitGroup
	for range runtime.NumCPU() {
		group.Go(func() {
			for i := range turns {
				results[i] = do(list[i])
			}
		})
	}
	for i := range list {
		turns <- i
	}
	close(turns)
	group.Wait()
	return results
}

// block is how many seeds Search looks at together.
const block = 40

// Search looks for the first seed, from 1 to most, that finds each of some bugs. It plays every year once without a bug,
// which must breach nothing, and then with those bugs alone whose places that year passes: with the others it would be the
// same year. It calls back in this goroutine with each bug that is found, and at the end with those that are not.
func Search(ctx context.Context, program string, bugs []string, most int, done func(Outcome)) error {
	played := map[string]int{}
	left := slices.Clone(bugs)
	for from := 1; from <= most && len(left) > 0; from += block {
		passed, err := pass(ctx, program, from, min(from+block-1, most))
		if err != nil {
			return err
		}
		var failed error
		Hunt(ctx, program, slices.Clone(left), func(bug string) []uint64 { return passed[bug] }, func(o Outcome) {
			played[o.Bug] += o.Years
			o.Years = played[o.Bug]
			failed = errors.Join(failed, o.Err)
			if o.Found != nil {
				left = slices.DeleteFunc(left, func(bug string) bool { return bug == o.Bug })
				done(o)
			}
		})
		if failed != nil {
			return failed
		}
	}
	for _, bug := range left {
		done(Outcome{Bug: bug, Years: played[bug]})
	}
	return nil
}

// pass plays years without a bug, and lists for each bug those that pass its places.
func pass(ctx context.Context, program string, from, to int) (map[string][]uint64, error) {
	var seeds []uint64
	for seed := from; seed <= to; seed++ {
		seeds = append(seeds, uint64(seed))
	}
	type some struct {
		years []Year
		err   error
	}
	results := inParallel(slices.Collect(slices.Chunk(seeds, 5)), func(seeds []uint64) some {
		years, err := Play(ctx, program, "", seeds)
		return some{years, err}
	})
	passed := map[string][]uint64{}
	for _, r := range results {
		if r.err != nil {
			return nil, r.err
		}
		for _, y := range r.years {
			if y.Invariant != "" {
				return nil, fmt.Errorf("without a bug, seed %d: %s", y.Seed, y.Sentence)
			}
			for _, bug := range y.Asked {
				passed[bug] = append(passed[bug], y.Seed)
			}
		}
	}
	return passed, nil
}
