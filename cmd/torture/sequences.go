package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// What cells do can be kept in a file, and another version of the program be held against it: the requests that the CA saw,
// the commits between them and what the ledger was told (e2e, sequence_test.go). It shows what a change changes although every
// promise is kept before and after it. That a cell is good is judged elsewhere.

// recordVariable names the directory into which each cell writes its sequence.
const recordVariable = "ORDERLY_E2E_SEQUENCES"

// record holds, for each cell, every sequence that it was seen to have: where the machine's speed decides which of several
// it is, each of them is right.
type record struct {
	Version int                   `json:"version"`
	Cells   map[string][]sequence `json:"cells"`
}

// sequence is the steps of a cell, a line each.
type sequence string

func newRecord() *record { return &record{1, map[string][]sequence{}} }

// load reads a record; one that is not there yet is empty.
func load(file string) (*record, error) {
	r := newRecord()
	text, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return r, nil
	}
	if err == nil {
		err = json.Unmarshal(text, r)
	}
	if err == nil && r.Version != 1 {
		err = fmt.Errorf("version %d is not known here", r.Version)
	}
	if err != nil {
		return nil, fmt.Errorf("the record %s cannot be read: %w", file, err)
	}
	return r, nil
}

func (r *record) save(file string) error {
	text, err := json.MarshalIndent(r, "", " ")
	if err != nil {
		return err
	}
	if err := os.WriteFile(file+".new", append(text, '\n'), 0o644); err != nil {
		return err
	}
	return os.Rename(file+".new", file)
}

// add takes up what another record has seen.
func (r *record) add(seen *record) {
	for cell, list := range seen.Cells {
		for _, s := range list {
			if !slices.Contains(r.Cells[cell], s) {
				r.Cells[cell] = append(r.Cells[cell], s)
			}
		}
	}
}

// collected is what cells wrote into a directory.
func collected(dir string) (*record, error) {
	files, err := filepath.Glob(filepath.Join(dir, "*.json"))
	seen := newRecord()
	for _, file := range files {
		text, readErr := os.ReadFile(file)
		var one struct {
			Cell  string
			Steps []string
		}
		if err = errors.Join(err, readErr, json.Unmarshal(text, &one)); err != nil {
			return nil, err
		}
		seen.Cells[one.Cell] = []sequence{sequence(strings.Join(one.Steps, "\n"))}
	}
	return seen, err
}

// compare tells of every cell that did what it was never seen to do, and returns how many these are. A cell that only one of
// the two has is counted and no difference.
func (r *record) compare(w io.Writer, seen *record) int {
	differ, strange := 0, 0
	for _, cell := range slices.Sorted(maps.Keys(seen.Cells)) {
		known, now := r.Cells[cell], seen.Cells[cell][0]
		switch {
		case len(known) == 0:
			strange++
		case !slices.Contains(known, now):
			differ++
			_, _ = fmt.Fprintf(w, "\nDIFFERS %s\n%s", cell, difference(nearest(known, now), now))
		}
	}
	left := 0
	for cell := range r.Cells {
		if seen.Cells[cell] == nil {
			left++
		}
	}
	_, _ = fmt.Fprintf(w, "\n%d sequences compared, %d differ; %d cells were never recorded, %d recorded ones did not run or were bad\n",
		len(seen.Cells)-strange, differ, strange, left)
	return differ
}

// nearest is the one of some sequences that agrees longest with another.
func nearest(known []sequence, now sequence) sequence {
	return slices.MaxFunc(known, func(a, b sequence) int { return cmp.Compare(agreement(a, now), agreement(b, now)) })
}

// agreement is how many lines two sequences have in common from the beginning on.
func agreement(a, b sequence) int {
	as, bs := strings.Split(string(a), "\n"), strings.Split(string(b), "\n")
	n := 0
	for n < len(as) && n < len(bs) && as[n] == bs[n] {
		n++
	}
	return n
}

// Of a difference so many lines are shown before and after the first one.
const linesBefore, linesAfter = 6, 8

// difference shows where two sequences part.
func difference(was, is sequence) string {
	at := agreement(was, is)
	var out strings.Builder
	show := func(mark string, lines []string, from, to int) {
		for _, line := range lines[max(0, from):min(len(lines), to)] {
			fmt.Fprintf(&out, "%s %s\n", mark, line)
		}
	}
	before, now := strings.Split(string(was), "\n"), strings.Split(string(is), "\n")
	show(" ", before, at-linesBefore, at)
	show("-", before, at, at+linesAfter)
	show("+", now, at, at+linesAfter)
	return out.String()
}
