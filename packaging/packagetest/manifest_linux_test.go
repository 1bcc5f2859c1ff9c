package packagetest

// What a tree has that the one it was made from has not. Two ways to the same packages must leave the
// same files.

import (
	"crypto/sha256"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// manifest says of each path that differs what is there.
type manifest map[string]string

// volatile reports whether a path is dpkg's own, or a log or cache: what the packages leave there is
// asked of dpkg.
func volatile(path string) bool {
	return slices.ContainsFunc([]string{"/var/lib/dpkg", "/var/log", "/var/cache"},
		func(dir string) bool { return path == dir || strings.HasPrefix(path, dir+"/") })
}

// manifest compares the tree with a pristine one, of the same base or of one further down.
func (tr *tree) manifest(pristine *tree) manifest {
	tr.t.Helper()
	m := manifest{}
	for _, layer := range tr.below()[:len(tr.below())-len(pristine.base)] {
		err := filepath.WalkDir(layer, func(path string, _ fs.DirEntry, err error) error {
			name := strings.TrimPrefix(path, layer)
			if err != nil || name == "" || volatile(name) {
				return err
			}
			if now := describe(tr.path(name)); now != describe(pristine.path(name)) {
				m[name] = now
			}
			return nil
		})
		if err != nil {
			tr.t.Fatal(err)
		}
	}
	return m
}

// describe says what is at a path.
func describe(path string) string {
	info, err := os.Lstat(path)
	switch {
	case err != nil:
		return "nothing"
	case info.Mode()&fs.ModeSymlink != 0:
		target, _ := os.Readlink(path) // it was there
		return "a link to " + target
	case info.Mode().IsRegular() && info.Size() > 1<<20:
		return fmt.Sprint(info.Mode(), info.Size(), info.ModTime()) // dpkg -V sums it up
	case info.Mode().IsRegular():
		text, _ := os.ReadFile(path) // as root, of memory
		return fmt.Sprintf("%s %x", info.Mode(), sha256.Sum256(text))
	}
	return info.Mode().String()
}

// renamed is a manifest with some paths called otherwise.
func (m manifest) renamed(names map[string]string) manifest {
	other := manifest{}
	for path, what := range m {
		if to, ok := names[path]; ok {
			path = to
		}
		other[path] = what
	}
	return other
}

// difference is what one has and the other has not, as lines.
func (m manifest) difference(want manifest) string {
	var b strings.Builder
	all := maps.Clone(m)
	maps.Copy(all, want)
	for _, path := range slices.Sorted(maps.Keys(all)) {
		if m[path] != want[path] {
			fmt.Fprintf(&b, "%s is %q, and should be %q\n", path, m[path], want[path])
		}
	}
	return b.String()
}
