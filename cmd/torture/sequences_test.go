package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// seenBy is a record of cells with one sequence each.
func seenBy(cells map[string]sequence) *record {
	r := newRecord()
	for cell, s := range cells {
		r.Cells[cell] = []sequence{s}
	}
	return r
}

func TestACellThatDoesSomethingElseIsShown(t *testing.T) {
	known := seenBy(map[string]sequence{"T/a": "run\nlook\nnewOrder\ncommits: 1", "T/b": "run", "T/gone": "run"})
	known.add(seenBy(map[string]sequence{"T/b": "run\nagain", "T/a": "run\nlook\nnewOrder\ncommits: 1"}))
	if len(known.Cells["T/a"]) != 1 || len(known.Cells["T/b"]) != 2 {
		t.Errorf("the record holds %v", known.Cells)
	}
	var out strings.Builder
	seen := seenBy(map[string]sequence{"T/a": "run\nnewOrder\ncommits: 1", "T/b": "run\nagain", "T/new": "run"})
	if n := known.compare(&out, seen); n != 1 {
		t.Errorf("%d cells differ", n)
	}
	for _, want := range []string{"DIFFERS T/a\n  run\n- look\n- newOrder\n- commits: 1\n+ newOrder\n+ commits: 1\n",
		"2 sequences compared, 1 differ; 1 cells were never recorded, 1 recorded ones did not run or were bad\n"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is not in\n%s", want, out.String())
		}
	}
	if n := known.compare(&out, seenBy(map[string]sequence{"T/a": "run\nlook\nnewOrder\ncommits: 1"})); n != 0 {
		t.Errorf("%d cells differ from what they were", n)
	}
}

func TestARecordIsReadAsItWasWritten(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "1.json"), []byte(`{"cell":"T/a","steps":["run","look"]}`), 0o600); err != nil {
		t.Fatal(err)
	}
	seen, err := collected(dir)
	if err != nil || len(seen.Cells) != 1 {
		t.Fatalf("%+v, %v", seen, err)
	}
	file := filepath.Join(dir, "record")
	if err := seen.save(file); err != nil {
		t.Fatal(err)
	}
	again, err := load(file)
	if err != nil || len(again.Cells["T/a"]) != 1 || again.Cells["T/a"][0] != "run\nlook" {
		t.Errorf("%+v, %v", again, err)
	}
	if none, err := load(filepath.Join(dir, "none")); err != nil || len(none.Cells) != 0 {
		t.Errorf("a record that is not there: %+v, %v", none, err)
	}
	if err := os.WriteFile(file, []byte(`{"version":2}`), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := load(file); err == nil {
		t.Error("a record of another version is read")
	}
}
