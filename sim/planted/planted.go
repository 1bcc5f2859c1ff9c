// Package planted tries the simulator itself: it plants bugs into the code that package sim plays, one at a time, and expects
// an invariant to be breached. A simulator that finds nothing may be right about the code or blind; this tells which.
//
// The bugs are never part of the code: they are patches, laid over it by `go build -overlay`. A patch whose place is not
// found exactly once is an error that names the bug, so that a bug can never be lost unseen when the code changes. There is
// about one for each rule of DESIGN.md §4 and each invariant of §6: more of them would try the same places again.
//
//	go test ./sim/planted -run TestEveryBugFitsTheCode       whether the patches fit the code; the work of a moment
//	go test ./sim/planted -run 'Found/phantom' -seeds 200   a bug alone, by up to 200 seeds
//
// What no simulated CA does, a test of the engine must find.
package planted

import "slices"

// Variable is the environment variable that names the one bug that is switched on in a program with bugs.
const Variable = "ORDERLY_PLANTED"

// Bug is a mistake that somebody could make.
type Bug struct {
	Name    string  // by which it is switched on
	What    string  // what the code does with it
	Breaks  string  // the rule of DESIGN.md §4 or the invariant of §6 that it breaks
	Seed    uint64  // of a year of which it is known that it finds the bug, or 0
	Test    string  // the package and the name of a test that does, where no year is to
	Patches []Patch // all of them are needed for it
}

// Patch replaces a text that stands once in a file of the tree. What replaces it must do what it did unless the bug is on.
type Patch struct {
	File     string // from the root of the tree
	Old, New string
}

// Bugs lists every bug.
func Bugs() []Bug {
	return slices.Concat(requests(), lost(), takeovers(), challenges(), certificates(), endings(), restraints(), budgets(),
		oddities(), commits(), crowds())
}

// on makes the patch of a bug in one file.
func on(file, before, after string) Patch { return Patch{File: file, Old: before, New: after} }
