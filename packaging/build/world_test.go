package main

// Packages are built here from copies of the source, as archives of a commit are unpacked: what is
// not committed is tried as well, and nothing depends on git.

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

const (
	commit = "22ceb6e137bd2ac887da70324607d719c541d3ae"
	day    = "2026-11-28T22:08:25Z"
)

// source copies the source into a directory.
func source(t *testing.T, to string) {
	t.Helper()
	top := filepath.Join("..", "..")
	err := filepath.WalkDir(top, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, err := filepath.Rel(top, path)
		if err != nil {
			return err
		}
		if name == ".git" || name == "bin" {
			if d.IsDir() {
				return filepath.SkipDir
			}
			return nil
		}
		if d.IsDir() {
			return os.MkdirAll(filepath.Join(to, name), 0o777)
		}
		info, err := d.Info()
		if err != nil || !info.Mode().IsRegular() {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(to, name), data, info.Mode().Perm())
	})
	if err == nil {
		err = os.WriteFile(filepath.Join(to, commitFile), []byte(commit+" "+day+"\n"), 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// asBuilder has the test program be the command, so that this is not compiled once more.
const asBuilder = "ORDERLY_TEST_BUILDS"

func TestMain(m *testing.M) {
	if os.Getenv(asBuilder) != "" {
		main()
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// built runs the command in a copy of the source, behind a line of shell, and returns the files that
// it made. It is a process of its own: the environment and the umask are its.
func built(t *testing.T, top, shell string, args ...string) map[string][]byte {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(t.TempDir(), "out")
	command := exec.CommandContext(t.Context(), "sh", append([]string{"-c", shell + `
		exec "$0" "$@"`, self, "-o", out}, args...)...)
	command.Env = append(os.Environ(), asBuilder+"=1")
	command.Dir = top
	if said, err := command.CombinedOutput(); err != nil {
		t.Fatalf("%s in %s: %v\n%s", args, top, err, said)
	}
	entries, err := os.ReadDir(out)
	if err != nil {
		t.Fatal(err)
	}
	files := map[string][]byte{}
	for _, e := range entries {
		if files[e.Name()], err = os.ReadFile(filepath.Join(out, e.Name())); err != nil && !e.IsDir() {
			t.Fatal(err)
		}
	}
	return files
}

// member is a file of a package.
type member struct {
	header *tar.Header
	data   []byte
}

// unpacked reads an archive.
func unpacked(t *testing.T, archive io.Reader) map[string]member {
	t.Helper()
	files := map[string]member{}
	for r := tar.NewReader(archive); ; {
		header, err := r.Next()
		if errors.Is(err, io.EOF) {
			return files
		}
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		files[strings.TrimPrefix(header.Name, ".")] = member{header, data}
	}
}

// insideDeb is what dpkg unpacks, and what it keeps for itself.
func insideDeb(t *testing.T, deb []byte) (files, control map[string]member) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "package.deb")
	if err := os.WriteFile(path, deb, 0o600); err != nil {
		t.Fatal(err)
	}
	var parts [2]map[string]member
	for i, part := range []string{"--fsys-tarfile", "--ctrl-tarfile"} {
		out, err := exec.CommandContext(t.Context(), "dpkg-deb", part, path).Output()
		if err != nil {
			t.Fatal(err)
		}
		parts[i] = unpacked(t, bytes.NewReader(out))
	}
	return parts[0], parts[1]
}

// gunzipped is what a document says, compressed as `gzip -9n` does.
func gunzipped(t *testing.T, name string, data []byte) string {
	t.Helper()
	r, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	text, err := io.ReadAll(r)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	if r.Name != "" || !r.ModTime.IsZero() || data[8] != 2 {
		t.Errorf("%s is compressed with a name (%q), a time (%v) or not the most (%d)", name, r.Name, r.ModTime, data[8])
	}
	return string(text)
}
