package webroot

import (
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// TestOnlyADirectoryJustMadeIsGivenAway stands for a customer who puts another directory in the place of the one just made.
func TestOnlyADirectoryJustMadeIsGivenAway(t *testing.T) {
	for name, put := range map[string]func(dir string) error{
		"not empty":        func(dir string) error { return os.Mkdir(filepath.Join(dir, "x"), 0o700) },
		"another mode":     func(dir string) error { return os.Chmod(dir, 0o755) },
		"another's":        func(dir string) error { return os.Chown(dir, 54321, 54321) },
		"just as it was":   func(string) error { return nil },
		"set-group-ID too": func(dir string) error { return os.Chmod(dir, fs.ModeSetgid|0o700) },
	} {
		t.Run(name, func(t *testing.T) {
			if os.Geteuid() != 0 {
				t.Fatal("this test gives files away: run it as root")
			}
			root := t.TempDir()
			dir := filepath.Join(root, "d")
			if err := os.Mkdir(dir, 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.Chown(root, 12345, 12345); err != nil {
				t.Fatal(err)
			}
			if err := put(dir); err != nil {
				t.Fatal(err)
			}
			w := &walker{self: currentSelf(), tell: func(string) {}}
			if err := w.begin(); err != nil {
				t.Fatal(err)
			}
			defer w.close()
			if err := w.run(stepsOf(root)); err != nil {
				t.Fatal(err)
			}
			h := &hand{self: w.self, walk: w, site: &site{UID: 12345, GID: 12345}}
			fd, err := openAt(w.top().fd, "d", unix.O_RDONLY|unix.O_DIRECTORY, 0)
			if err != nil {
				t.Fatal(err)
			}
			defer unix.Close(fd)
			if err := h.adopt(fd); err != nil {
				t.Fatal(err)
			}
			e, err := statOf(fd)
			if err != nil {
				t.Fatal(err)
			}
			wantGiven := name == "just as it was" || name == "set-group-ID too"
			if given := e.uid == 12345; given != wantGiven {
				t.Errorf("given away: %v", given)
			}
		})
	}
}
