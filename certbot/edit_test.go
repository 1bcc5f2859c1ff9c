package certbot_test

import (
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"orderly/certbot"
	"orderly/certbot/damage"
)

// treeOf is what stands below a directory: kind, mode and content of each name.
func treeOf(t *testing.T, dir string) map[string]string {
	t.Helper()
	tree := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		content, _ := os.Readlink(path)
		if info.Mode().IsRegular() {
			text, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			content = string(text)
		}
		tree[path] = fmt.Sprintf("%v %s", info.Mode(), content)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return tree
}

// differing are the names that two trees do not have in common, or not alike.
func differing(before, after map[string]string) []string {
	names := map[string]bool{}
	for path, is := range before {
		names[path] = names[path] || after[path] != is
	}
	for path, is := range after {
		names[path] = names[path] || before[path] != is
	}
	maps.DeleteFunc(names, func(_ string, differs bool) bool { return !differs })
	return slices.Sorted(maps.Keys(names))
}

// What Repair does to a lineage is what was foreseen, name by name, whatever the damage.
func TestARepairIsForeseen(t *testing.T) {
	foreseen := 0
	for _, c := range damage.Cases() {
		t.Run(c.Name, func(t *testing.T) {
			s, dir := damagedDir(t)
			if err := c.Make(dir); err != nil {
				t.Fatal(err)
			}
			before := treeOf(t, dir.Config)
			edits, foreseeErr := s.Foresee(dir.Name)
			if changed := differing(before, treeOf(t, dir.Config)); len(changed) > 0 {
				t.Fatalf("looking changed %q", changed)
			}
			_, err := s.Repair(dir.Name)
			if (err == nil) != (foreseeErr == nil) {
				t.Fatalf("foreseen: %v, done: %v", foreseeErr, err)
			}
			var paths []string
			for _, e := range edits {
				paths = append(paths, e.Path)
				foreseen++
				is := treeOf(t, dir.Config)[e.Path]
				want := map[certbot.EditKind]string{certbot.Linked: "Lrwxrwxrwx " + e.After,
					certbot.Written: "-rw-r--r-- " + e.After, certbot.Removed: ""}[e.Kind]
				if is != want {
					t.Errorf("%s %s: is %q, foreseen %q", e.Kind, e.Path, is, want)
				}
			}
			slices.Sort(paths)
			if changed := differing(before, treeOf(t, dir.Config)); !slices.Equal(changed, paths) {
				t.Errorf("changed %q, foreseen %q", changed, paths)
			}
		})
	}
	if foreseen < 20 {
		t.Errorf("only %d edits were foreseen", foreseen)
	}
}
