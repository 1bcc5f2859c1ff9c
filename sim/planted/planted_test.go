package planted_test

import (
	"context"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"orderly/sim/planted"
)

var whole = flag.Bool("whole", false, "look for every bug from seed 1 on, instead of from the seed that found it")

// mostSeeds is within how many years each bug must be found.
const mostSeeds = 1000

func root(t *testing.T) string {
	t.Helper()
	dir, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// deadline ends a hunt soon enough for its results to be told.
func deadline(t *testing.T) context.Context {
	t.Helper()
	at, ok := t.Deadline()
	if !ok {
		return t.Context()
	}
	ctx, cancel := context.WithDeadline(t.Context(), at.Add(-5*time.Second))
	t.Cleanup(cancel)
	return ctx
}

func build(t *testing.T) string {
	t.Helper()
	program, err := planted.Build(t.Context(), root(t), t.TempDir(), planted.Bugs())
	if err != nil {
		t.Fatal(err)
	}
	return program
}

// The years of the simulator are worth something only if they find what is wrong.
func TestEveryPlantedBugIsFoundAndNothingElse(t *testing.T) {
	program, ctx := build(t), deadline(t)
	finds, err := planted.Measured()
	if err != nil {
		t.Fatal(err)
	}
	var names, left []string
	for _, b := range planted.Bugs() {
		names = append(names, b.Name)
	}
	told := func(o planted.Outcome) {
		switch {
		case o.Err != nil:
			t.Error(o.Err)
		case o.Found == nil:
			t.Errorf("%s is not found by %d seeds; %d of their years pass its places", o.Bug, mostSeeds, o.Years)
		default:
			t.Logf("%s: seed %d: %s", o.Bug, o.Found.Seed, o.Found.Sentence)
		}
	}
	if *whole {
		left = names
	} else {
		measured := func(bug string) []uint64 { return []uint64{max(1, finds[bug].Seed)} }
		planted.Hunt(ctx, program, names, measured, func(o planted.Outcome) {
			if o.Err == nil && o.Found == nil {
				t.Logf("%s: not by seed %d any more", o.Bug, finds[o.Bug].Seed)
				left = append(left, o.Bug)
				return
			}
			told(o)
		})
	}
	if err := planted.Search(ctx, program, left, mostSeeds, told); err != nil {
		t.Fatal(err)
	}
	sound := []uint64{1, 2, 3, 4, 5, 101, 102, 103}
	years, err := planted.Play(ctx, program, "", sound)
	if err != nil || len(years) != len(sound) || years[len(years)-1].Invariant != "" {
		t.Errorf("without a bug: %+v, %v", years, err)
	}
}

func TestThePageListsExactlyTheBugs(t *testing.T) {
	finds, err := planted.Measured()
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range planted.Bugs() {
		if f, ok := finds[b.Name]; !ok || f.Seed == 0 || f.Seed > mostSeeds {
			t.Errorf("%s was not measured: go run ./sim/planted/hunt -write", b.Name)
		}
	}
	if len(finds) != len(planted.Bugs()) {
		t.Errorf("%d bugs were measured, %d are in the list", len(finds), len(planted.Bugs()))
	}
	page, err := os.ReadFile(filepath.Join(root(t), "docs/planted-bugs.md"))
	if err != nil {
		t.Fatal(err)
	}
	if string(page) != planted.Page(finds) {
		t.Error("docs/planted-bugs.md is not of this list: go run ./sim/planted/hunt -write")
	}
}

// A patch that asks for another name would be on with another bug, or never.
func TestEveryBugIsSwitchedOnByItsOwnName(t *testing.T) {
	asked := regexp.MustCompile(`planted\("([^"]*)"\)`)
	kebab := regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`)
	seen := map[string]bool{}
	for _, b := range planted.Bugs() {
		if !kebab.MatchString(b.Name) || seen[b.Name] || b.What == "" || b.Breaks == "" {
			t.Errorf("%q: a name is written so and stands once, and a bug says what it does and breaks", b.Name)
		}
		seen[b.Name] = true
		on := false
		for _, p := range b.Patches {
			for _, m := range asked.FindAllStringSubmatch(p.New, -1) {
				on = true
				if m[1] != b.Name {
					t.Errorf("%s asks for %s", b.Name, m[1])
				}
			}
		}
		if !on {
			t.Errorf("%s is never switched on", b.Name)
		}
	}
	if len(seen) < 30 {
		t.Errorf("there are %d bugs", len(seen))
	}
}

// Whoever changes a line that a bug quotes learns of it at once, and not from the hunt.
func TestEveryBugFitsTheCode(t *testing.T) {
	if err := planted.Fit(root(t), planted.Bugs()); err != nil {
		t.Error(err)
	}
}

func TestABugWhosePlaceIsGoneIsNamed(t *testing.T) {
	tree := t.TempDir()
	if err := os.Mkdir(filepath.Join(tree, "order"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(tree, "order/next.go"), []byte("package order\n\n// one two one\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	bug := func(name, old string) planted.Bug {
		return planted.Bug{Name: name, Patches: []planted.Patch{{File: "order/next.go", Old: old, New: old}}}
	}
	for _, c := range []struct {
		what string
		bugs []planted.Bug
		want []string
	}{
		{"it is not there", []planted.Bug{bug("gone-away", "three")}, []string{"gone-away", "stands 0 times", "order/next.go"}},
		{"it is there twice", []planted.Bug{bug("there-twice", "one")}, []string{"there-twice", "stands 2 times"}},
		{"two in one place", []planted.Bug{bug("first-here", "two one"), bug("second-here", "two")}, []string{"first-here", "second-here", "the same text"}},
	} {
		_, err := planted.Build(t.Context(), tree, t.TempDir(), c.bugs)
		if err == nil {
			t.Errorf("%s: no error", c.what)
			continue
		}
		for _, word := range c.want {
			if !strings.Contains(err.Error(), word) {
				t.Errorf("%s: %v", c.what, err)
			}
		}
	}
}

func TestTheProductHoldsNothingOfIt(t *testing.T) {
	list := exec.CommandContext(t.Context(), "go", "list", "-deps", "./cmd/orderly")
	list.Dir = root(t)
	out, err := list.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if strings.Contains(string(out), "orderly/sim") || !strings.Contains(string(out), "orderly/order") {
		t.Errorf("cmd/orderly depends on the simulator:\n%s", out)
	}
}
