package planted

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

const preface = `# Planted bugs

The simulator is tested by what it finds. Each of these bugs is planted into the code that it plays, alone, by a patch that
` + "`go build -overlay`" + ` lays over the tree; the code itself holds nothing of them (` + "`sim/planted`" + `). A bug counts as found when a
year of 50 lineages breaches an invariant. The seed is the first one, from 1 on, that does.

    go run ./sim/planted/hunt -bug phantom-forgotten     one bug, until a seed finds it, at most 1,000
    go run ./sim/planted/hunt -write                     all of them, and this page anew
    go test ./sim/planted/                               each bug from its seed on; without a bug nothing is found

| bug | what the code does with it | breaks | found by | seed |
|---|---|---|---|---|
`

// Page is docs/planted-bugs.md for what was measured.
func Page(finds map[string]Find) string {
	var out strings.Builder
	out.WriteString(preface)
	for _, b := range Bugs() {
		f := finds[b.Name]
		fmt.Fprintf(&out, "| `%s` | %s | %s | %s | %d |\n", b.Name, b.What, b.Breaks, f.Invariant, f.Seed)
	}
	return out.String()
}

// Write writes what was measured, and the page.
func Write(root string, finds map[string]Find) error {
	var lines strings.Builder
	for _, b := range Bugs() {
		fmt.Fprintln(&lines, b.Name, finds[b.Name].Seed, finds[b.Name].Invariant)
	}
	return errors.Join(
		os.WriteFile(filepath.Join(root, "sim/planted/measured.txt"), []byte(lines.String()), 0o644),
		os.WriteFile(filepath.Join(root, "docs/planted-bugs.md"), []byte(Page(finds)), 0o644))
}
