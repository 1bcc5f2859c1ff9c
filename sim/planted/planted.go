// Package planted tries the simulator itself: it plants bugs into the code that package sim plays, one at a time, and expects
// an invariant to be breached. A simulator that finds nothing may be right about the code or blind; this tells which.
//
// The bugs are never part of the code: they are patches, laid over it by `go build -overlay`. A patch whose place is not
// found exactly once is an error that names the bug, so that a bug can never be lost unseen when the code changes.
package planted

import (
	_ "embed" // measured.txt
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Variable is the environment variable that names the one bug that is switched on in a program with bugs.
const Variable = "ORDERLY_PLANTED"

// Bug is a mistake that somebody could make.
type Bug struct {
	Name    string  // by which it is switched on
	What    string  // what the code does with it
	Breaks  string  // the rule of DESIGN.md §4 or the invariant of §6 that it breaks
	Patches []Patch // all of them are needed for it
}

// Patch replaces a text that stands once in a file of the tree. What replaces it must do what it did unless the bug is on.
type Patch struct {
	File     string // from the root of the tree
	Old, New string
}

// Bugs lists every bug.
func Bugs() []Bug {
	return slices.Concat(requests(), lost(), takeovers(), challenges(), certificates(), endings(), restraints(), budgets())
}

// on makes the patch of a bug in one file.
func on(file, before, after string) Patch { return Patch{File: file, Old: before, New: after} }

// Find is what was measured for a bug: the first seed from 1 on that finds it, and the invariant that was breached.
type Find struct {
	Seed      uint64
	Invariant string
}

//go:embed measured.txt
var measured string

// Measured returns what was measured when the list was last gone through from seed 1 on, by name of the bug.
func Measured() (map[string]Find, error) {
	finds := map[string]Find{}
	for line := range strings.Lines(measured) {
		words := strings.Fields(line)
		if len(words) < 3 {
			return nil, fmt.Errorf("measured.txt: %q is not a name, a seed and an invariant", line)
		}
		seed, err := strconv.ParseUint(words[1], 10, 64)
		if err != nil {
			return nil, fmt.Errorf("measured.txt: %q: %w", line, err)
		}
		finds[words[0]] = Find{seed, strings.Join(words[2:], " ")}
	}
	return finds, nil
}
