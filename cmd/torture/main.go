// Command torture runs the whole matrix of kills and faults against the real program and prints it: a row for each moment
// and fault, a column for each character of CA, and at the end the number of cells and of bad ones. What a cell demands is
// asked of the CA and of the disk by the tests themselves; this only runs and counts them. It must never call a cell good
// that did not run.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"
)

// tests are those whose sub-tests are cells.
const tests = "^(TestWhoeverIsKilledIsContinued|TestOneMishapCostsAtMostAnotherRun|TestALostNewOrderIsFoundInTheSameRun|" +
	"TestAnOrderTheCABrokeIsReplaced|TestAKillAtAnyTime|TestAKilledRenewalLeavesAGoodPair|TestAKillAtEverySystemCall|TestKilledUntilItIsDone)$"

// cell is one kill or fault and what came of it.
type cell struct {
	Test    string  `json:"test"`
	CA      string  `json:"ca"`
	Row     string  `json:"row"`
	Good    bool    `json:"good"`
	Seconds float64 `json:"seconds"`
	log     []string
}

func main() {
	whole := flag.Bool("whole", true, "every cell; otherwise the choice that make test runs")
	file := flag.String("json", "", "`file` for the matrix as JSON")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	started := time.Now()
	cells, err := run(ctx, *whole)
	if err == nil && *file != "" {
		err = save(*file, cells)
	}
	bad := report(os.Stdout, cells, time.Since(started))
	if err != nil {
		fmt.Fprintln(os.Stderr, "torture:", err)
	}
	if err != nil || bad > 0 || len(cells) == 0 {
		os.Exit(1)
	}
}

// event is a line of `go test -json`.
type event struct {
	Action  string
	Test    string
	Output  string
	Elapsed float64
}

func run(ctx context.Context, whole bool) ([]cell, error) {
	c := exec.CommandContext(ctx, "go", "test", "-json", "-count=1", "-timeout=60m", "-run", tests, "orderly/e2e")
	c.Env = os.Environ()
	if whole {
		c.Env = append(c.Env, "ORDERLY_E2E=all")
	}
	c.Stderr = os.Stderr
	out, err := c.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := c.Start(); err != nil {
		return nil, err
	}
	cells, readErr := collect(out)
	if err := c.Wait(); err != nil && ctx.Err() == nil {
		return cells, fmt.Errorf("go test: %w", err)
	}
	return cells, readErr
}

// collect makes a cell of every sub-test that ended.
func collect(from io.Reader) ([]cell, error) {
	var cells []cell
	logs := map[string][]string{}
	lines := bufio.NewScanner(from)
	lines.Buffer(nil, 1<<24)
	for lines.Scan() {
		var e event
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
			continue // what the compiler says stands on stderr
		}
		test, name, isCell := strings.Cut(e.Test, "/")
		switch e.Action {
		case "output":
			logs[e.Test] = append(logs[e.Test], e.Output)
		case "pass", "fail", "skip":
			if isCell {
				c := cell{Test: test, Good: e.Action == "pass", Seconds: e.Elapsed, log: logs[e.Test]}
				c.CA, c.Row = place(name)
				cells = append(cells, c)
			}
			delete(logs, e.Test)
		}
	}
	return cells, lines.Err()
}

// place takes a sub-test's name apart: the character of the CA, where it begins with one, and the rest.
func place(name string) (ca, row string) {
	name = strings.ReplaceAll(name, "_", " ")
	if head, rest, ok := strings.Cut(name, ", "); ok && strings.HasPrefix(head, "a") {
		return head, rest
	}
	return "-", name
}

func save(file string, cells []cell) error {
	text, err := json.MarshalIndent(struct {
		Version int    `json:"version"`
		Cells   []cell `json:"cells"`
	}{1, cells}, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(file, append(text, '\n'), 0o644)
}

// report prints the matrix and returns the number of bad cells.
func report(w io.Writer, cells []cell, took time.Duration) int {
	bad := 0
	for _, test := range unique(cells, func(c cell) string { return c.Test }) {
		of := slices.DeleteFunc(slices.Clone(cells), func(c cell) bool { return c.Test != test })
		matrix(w, test, of)
	}
	for _, c := range cells {
		if !c.Good {
			bad++
			_, _ = fmt.Fprintf(w, "\nBAD %s: %s, %s\n%s", c.Test, c.CA, c.Row, strings.Join(c.log, ""))
		}
	}
	_, _ = fmt.Fprintf(w, "\n%d cells, %d bad, %s\n", len(cells), bad, took.Round(time.Second))
	return bad
}

func matrix(w io.Writer, test string, cells []cell) {
	columns := unique(cells, func(c cell) string { return c.CA })
	rows := unique(cells, func(c cell) string { return c.Row })
	width := len(test)
	for _, row := range rows {
		width = max(width, len(row))
	}
	_, _ = fmt.Fprintf(w, "\n%-*s", width, test)
	for _, column := range columns {
		_, _ = fmt.Fprintf(w, "  %s", column)
	}
	_, _ = fmt.Fprintln(w)
	for _, row := range rows {
		line := fmt.Sprintf("%-*s", width, row)
		for _, column := range columns {
			line += fmt.Sprintf("  %-*s", len(column), verdict(cells, row, column))
		}
		_, _ = fmt.Fprintln(w, strings.TrimRight(line, " "))
	}
}

func verdict(cells []cell, row, column string) string {
	i := slices.IndexFunc(cells, func(c cell) bool { return c.Row == row && c.CA == column })
	switch {
	case i < 0:
		return ""
	case cells[i].Good:
		return "ok"
	}
	return "BAD"
}

func unique(cells []cell, of func(cell) string) []string {
	var all []string
	for _, c := range cells {
		if !slices.Contains(all, of(c)) {
			all = append(all, of(c))
		}
	}
	return all
}
