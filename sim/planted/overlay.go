package planted

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// player is the package of the program that is built with the bugs in it.
const player = "orderly/sim/planted/player"

// asking is the file that every package with bugs gets: it says which bug is on.
const asking = `package %s

import "orderly/sim/planted/active"

func planted(bug string) bool { return active.Is(bug) }
`

// Build builds the program with every bug of the list into dir and returns its path. root is the root of the tree, which
// stays as it is.
func Build(ctx context.Context, root, dir string, bugs []Bug) (string, error) {
	overlay, err := Lay(root, dir, bugs)
	if err != nil {
		return "", err
	}
	program := filepath.Join(dir, "player")
	build := exec.CommandContext(ctx, "go", "build", "-overlay", overlay, "-o", program, player)
	build.Dir = root
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("building the program with the bugs: %w\n%s", err, out)
	}
	return program, nil
}

// BuildTest builds the tests of a package with every bug of the list into dir, and returns the program's path.
func BuildTest(ctx context.Context, root, dir, tested string, bugs []Bug) (string, error) {
	overlay, err := Lay(root, dir, bugs)
	if err != nil {
		return "", err
	}
	program := filepath.Join(dir, path.Base(tested)+".test")
	build := exec.CommandContext(ctx, "go", "test", "-c", "-overlay", overlay, "-o", program, tested)
	build.Dir = root
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("building the tests of %s with the bugs: %w\n%s", tested, err, out)
	}
	return program, nil
}

// Lay writes the patched files into dir, and beside them the description of the overlay, whose path it returns.
func Lay(root, dir string, bugs []Bug) (string, error) {
	replace := map[string]string{}
	var errs []error
	for file, patches := range byFile(bugs) {
		text, err := os.ReadFile(filepath.Join(root, file))
		if err != nil {
			return "", err
		}
		patched, err := patch(file, string(text), patches)
		errs = append(errs, err)
		folder := path.Dir(file)
		for name, content := range map[string]string{file: patched, path.Join(folder, "planted.go"): fmt.Sprintf(asking, path.Base(folder))} {
			copied := filepath.Join(dir, strings.ReplaceAll(name, "/", "-"))
			errs = append(errs, os.WriteFile(copied, []byte(content), 0o600))
			replace[filepath.Join(root, name)] = copied
		}
	}
	overlay := filepath.Join(dir, "overlay.json")
	content, err := json.Marshal(map[string]any{"Replace": replace})
	errs = append(errs, err, os.WriteFile(overlay, content, 0o600))
	return overlay, errors.Join(errs...)
}

// place is a patch of a bug and where it belongs.
type place struct {
	Patch
	bug string
	at  int
}

func byFile(bugs []Bug) map[string][]place {
	files := map[string][]place{}
	for _, b := range bugs {
		for _, p := range b.Patches {
			files[p.File] = append(files[p.File], place{Patch: p, bug: b.Name})
		}
	}
	return files
}

// patch lays patches over a text. Each is looked for in the text as it was, so that no bug depends on another one.
func patch(file, text string, patches []place) (string, error) {
	var errs []error
	for i, p := range patches {
		if n := strings.Count(text, p.Old); n != 1 {
			errs = append(errs, fmt.Errorf("bug %s must be adapted to the code: what it changes stands %d times in %s:\n%s", p.bug, n, file, p.Old))
		}
		patches[i].at = strings.Index(text, p.Old)
	}
	if len(errs) > 0 {
		return "", errors.Join(errs...)
	}
	slices.SortFunc(patches, func(a, b place) int { return cmp.Compare(a.at, b.at) })
	var out strings.Builder
	done := 0
	for i, p := range patches {
		if p.at < done {
			return "", fmt.Errorf("bugs %s and %s change the same text of %s:\n%s", patches[i-1].bug, p.bug, file, p.Old)
		}
		out.WriteString(text[done:p.at])
		out.WriteString(p.New)
		done = p.at + len(p.Old)
	}
	out.WriteString(text[done:])
	return out.String(), nil
}
