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
	"strconv"
)

// Year is what came of one simulated year.
type Year struct {
	Seed      uint64
	Invariant string // that was breached, "" for none
	Sentence  string // what was breached, for whom and when
}

// Finds runs a test of a program of tests with one bug switched on ("" for none), and reports whether it fails. dir is that
// of the tests' package.
func Finds(ctx context.Context, program, dir, test, bug string) (bool, []byte, error) {
	run := exec.CommandContext(ctx, program, "-test.run", "^"+test+"$")
	run.Dir = dir
	run.Env = append(os.Environ(), Variable+"="+bug)
	out, err := run.CombinedOutput()
	if _, failed := errors.AsType[*exec.ExitError](err); failed {
		return true, out, nil
	}
	return false, out, err
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
