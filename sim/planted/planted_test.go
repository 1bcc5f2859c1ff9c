package planted_test

import (
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"orderly/sim/planted"
)

var seeds = flag.Uint64("seeds", 60, "by how many seeds, from 1 on, a bug is looked for that its own seed does not find")

func root(t *testing.T) string {
	t.Helper()
	dir, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// The years of the simulator are worth something only if they find what is wrong. A bug that its own seed does not find any
// more, since the engine does other things in that year, is looked for by others.
func TestEveryPlantedBugIsFoundAndNothingElse(t *testing.T) {
	program, err := planted.Build(t.Context(), root(t), t.TempDir(), planted.Bugs())
	if err != nil {
		t.Fatal(err)
	}
	t.Run("Found", func(t *testing.T) {
		for _, b := range planted.Bugs() {
			if b.Seed == 0 {
				continue
			}
			t.Run(b.Name, func(t *testing.T) {
				t.Parallel()
				years := []uint64{b.Seed}
				for seed := uint64(1); seed <= *seeds; seed++ {
					if seed != b.Seed {
						years = append(years, seed)
					}
				}
				played, err := planted.Play(t.Context(), program, b.Name, years)
				if err != nil {
					t.Fatal(err)
				}
				last := played[len(played)-1]
				if last.Invariant == "" {
					t.Fatalf("it is found by none of the seeds %d", years)
				}
				t.Logf("seed %d: %s", last.Seed, last.Sentence)
				if last.Seed != b.Seed {
					t.Logf("not by seed %d any more: the list should say %d", b.Seed, last.Seed)
				}
			})
		}
	})
	sound := []uint64{1, 2, 3}
	years, err := planted.Play(t.Context(), program, "", sound)
	if err != nil || len(years) != len(sound) || years[len(years)-1].Invariant != "" {
		t.Errorf("without a bug: %+v, %v", years, err)
	}
}

// Where a test is to find a bug, it fails with the bug and not without.
func TestEveryBugOfATestIsFoundByIt(t *testing.T) {
	programs, built := map[string]string{}, t.TempDir()
	for _, b := range planted.Bugs() {
		if b.Test == "" {
			continue
		}
		t.Run(b.Name, func(t *testing.T) {
			tested, test, _ := strings.Cut(b.Test, " ")
			dir := filepath.Join(root(t), tested)
			if programs[tested] == "" {
				program, err := planted.BuildTest(t.Context(), root(t), built, tested, planted.Bugs())
				if err != nil {
					t.Fatal(err)
				}
				programs[tested] = program
			}
			for bug, want := range map[string]bool{b.Name: true, "": false} {
				failed, out, err := planted.Finds(t.Context(), programs[tested], dir, test, bug)
				if err != nil || failed != want || !want && strings.Contains(string(out), "no tests to run") {
					t.Errorf("%s with the bug %q: it fails: %v, %v\n%s", test, bug, failed, err, out)
				}
			}
		})
	}
}

// A patch that asks for another name would be on with another bug, or never.
func TestEveryBugIsSwitchedOnByItsOwnName(t *testing.T) {
	asked := regexp.MustCompile(`planted\("([^"]*)"\)`)
	kebab := regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`)
	seen := map[string]bool{}
	for _, b := range planted.Bugs() {
		if !kebab.MatchString(b.Name) || seen[b.Name] || b.What == "" || b.Breaks == "" || (b.Seed == 0) == (b.Test == "") {
			t.Errorf("%q: a name is written so and stands once, and a bug says what it does and breaks, and its seed or test", b.Name)
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
	if _, err := planted.Lay(root(t), t.TempDir(), planted.Bugs()); err != nil {
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
