package ownfile_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"orderly/failure"
	"orderly/ownfile"
)

// alice is another user; these tests run as root, as Orderly does.
const alice = 65534

func must(t *testing.T, errs ...error) {
	t.Helper()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
}

// hers makes a directory of alice's and one of root's beside it, with a file that must not be touched.
func hers(t *testing.T) (dir, precious string) {
	t.Helper()
	top := t.TempDir()
	dir, precious = filepath.Join(top, "alice"), filepath.Join(top, "root", "precious")
	must(t, os.Mkdir(dir, 0o755), os.Mkdir(filepath.Dir(precious), 0o755), os.WriteFile(precious, []byte("as it was"), 0o600), os.Chown(dir, alice, alice))
	return dir, precious
}

func append1(path string) error {
	f, err := ownfile.Open(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	_, err = f.WriteString("more\n")
	return errors.Join(err, f.Close())
}

// Whatever another user puts on the way to a file of root's, or in its place, root's other files stay as they are.
func TestAnotherUsersLinksAreNotFollowed(t *testing.T) {
	t.Parallel()
	for name, trap := range map[string]func(t *testing.T, dir, precious string) (path string){
		"the file is a link": func(t *testing.T, dir, precious string) string {
			must(t, os.Symlink(precious, dir+"/log"), os.Lchown(dir+"/log", alice, alice))
			return dir + "/log"
		},
		"the file is a link to nothing yet": func(t *testing.T, dir, precious string) string {
			must(t, os.Symlink(filepath.Dir(precious)+"/new", dir+"/log"), os.Lchown(dir+"/log", alice, alice))
			return dir + "/log"
		},
		"a directory is a link": func(t *testing.T, dir, precious string) string {
			must(t, os.Symlink(filepath.Dir(precious), dir+"/logs"), os.Lchown(dir+"/logs", alice, alice))
			return dir + "/logs/precious"
		},
		"a link behind a link of root's": func(t *testing.T, dir, precious string) string {
			must(t, os.Symlink(filepath.Dir(precious), dir+"/logs"), os.Lchown(dir+"/logs", alice, alice), os.Symlink(dir+"/logs", filepath.Dir(dir)+"/way"))
			return filepath.Dir(dir) + "/way/precious"
		},
		"a second name of root's file": func(t *testing.T, dir, precious string) string {
			must(t, os.Link(precious, dir+"/log"))
			return dir + "/log"
		},
		"a pipe": func(t *testing.T, dir, _ string) string {
			must(t, syscall.Mkfifo(dir+"/log", 0o666), os.Chown(dir+"/log", alice, alice))
			return dir + "/log"
		},
		"her file in a directory of everyone's": func(t *testing.T, dir, _ string) string {
			public := filepath.Dir(dir) + "/public"
			must(t, os.Mkdir(public, 0o755), os.WriteFile(public+"/log", nil, 0o666), os.Chown(public+"/log", alice, alice))
			return public + "/log"
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir, precious := hers(t)
			path := trap(t, dir, precious)
			err := append1(path)
			if err == nil || !strings.Contains(name, "pipe") && failure.ClassOf(err) != failure.Config {
				t.Errorf("opened: %v", err)
			}
			if !strings.Contains(name, "name of") && !strings.Contains(name, "pipe") && !strings.Contains(name, "everyone") {
				must(t, ownfile.Replace(filepath.Dir(precious)+"/probe", nil, 0o600))
				if err := ownfile.Replace(path, []byte("x"), 0o644); strings.Contains(name, "directory") && err == nil {
					t.Error("replaced through the link")
				}
			}
			text, err := os.ReadFile(precious)
			if err != nil || string(text) != "as it was" {
				t.Errorf("%q, %v", text, err)
			}
			if _, err := os.Lstat(filepath.Dir(precious) + "/new"); err == nil {
				t.Error("a file was made where the link leads")
			}
		})
	}
}

// What administrators do: links of root's own, to directories and files, anywhere.
func TestRootsOwnLinksAreFollowed(t *testing.T) {
	t.Parallel()
	dir, precious := hers(t)
	top := filepath.Dir(dir)
	must(t, os.Symlink("alice", top+"/way"), os.Symlink("../root/precious", dir+"/log"), os.Symlink(top+"/way/./log", top+"/again"))
	for _, path := range []string{top + "/way/log", top + "/again", dir + "/fresh", top + "/way/../root/other"} {
		if err := append1(path); err != nil {
			t.Errorf("%s: %v", path, err)
		}
	}
	if text, _ := os.ReadFile(precious); string(text) != "as it wasmore\nmore\n" {
		t.Errorf("%q", text)
	}
	must(t, os.WriteFile(dir+"/hers", nil, 0o644), os.Chown(dir+"/hers", alice, alice))
	if err := append1(dir + "/hers"); err != nil { // she could have replaced it anyway
		t.Error(err)
	}
	must(t, ownfile.Rename(dir+"/fresh", "fresh.1"), ownfile.Replace(dir+"/fresh.1", []byte("whole"), 0o640))
	if text, _ := os.ReadFile(dir + "/fresh.1"); string(text) != "whole" {
		t.Errorf("%q", text)
	}
}

func TestAnotherUsersWordIsNotObeyed(t *testing.T) {
	t.Parallel()
	dir, precious := hers(t)
	must(t, os.WriteFile(dir+"/cli.ini", nil, 0o644))
	public := filepath.Join(filepath.Dir(precious), "public.ini")
	must(t, os.WriteFile(public, nil, 0o644), os.Chmod(public, 0o666))
	for path, obeyed := range map[string]bool{precious: true, dir + "/cli.ini": false, public: false, filepath.Dir(precious) + "/none": true} {
		if err := ownfile.Obeyable(path); (err == nil) != obeyed {
			t.Errorf("%s: %v", path, err)
		}
	}
	must(t, os.Chmod(filepath.Dir(precious), 0o777))
	if err := ownfile.Obeyable(precious); err == nil {
		t.Error("the directory is everyone's")
	}
	if err := ownfile.Private(filepath.Dir(precious)); err == nil {
		t.Error("secrets in a directory of everyone's")
	}
	if err := ownfile.Private(dir); err == nil {
		t.Error("secrets in her directory")
	}
}
