package main

import (
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// installing is a prefix below which files are put and taken away.
type installing struct {
	t        *testing.T
	top      string // of the source
	tree     string // what is installed
	dest     string
	settings []string // for make
}

// run is `make install` or `make uninstall` but for the building.
func (i *installing) run(what ...string) (string, error) {
	i.t.Helper()
	command := exec.CommandContext(i.t.Context(), "./packaging/install", what...)
	command.Dir = i.top
	command.Env = append(append(os.Environ(), "DESTDIR="+i.dest), i.settings...)
	out, err := command.CombinedOutput()
	return string(out), err
}

func (i *installing) must(what ...string) string {
	i.t.Helper()
	out, err := i.run(what...)
	if err != nil {
		i.t.Fatalf("%v: %v\n%s", what, err, out)
	}
	return out
}

// have lists what is there: directories with a slash at their end.
func (i *installing) have() []string {
	i.t.Helper()
	var all []string
	err := filepath.WalkDir(i.dest, func(path string, d fs.DirEntry, err error) error {
		if err != nil || path == i.dest {
			return err
		}
		name := strings.TrimPrefix(path, i.dest)
		if d.IsDir() {
			name += "/"
		}
		all = append(all, name)
		return nil
	})
	if err != nil {
		i.t.Fatal(err)
	}
	return all
}

func (i *installing) write(path, text string) {
	i.t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		i.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		i.t.Fatal(err)
	}
}

func (i *installing) says(path, want string) {
	i.t.Helper()
	text, err := os.ReadFile(filepath.Join(i.dest, path))
	if err != nil || !strings.Contains(string(text), want) {
		i.t.Errorf("%s does not say %q: %v\n%s", path, want, err, text)
	}
}

func newInstalling(t *testing.T) *installing {
	top, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	i := &installing{t: t, top: top, tree: t.TempDir(), dest: filepath.Join(t.TempDir(), "dest dir"),
		settings: []string{"PREFIX=/usr/local", "UNITDIR=/usr/local/lib/systemd/system", "CRONDIR=/etc/cron.d"}}
	i.write(filepath.Join(i.tree, "bin/orderly"), "program")
	if err := os.Chmod(filepath.Join(i.tree, "bin/orderly"), 0o755); err != nil {
		t.Fatal(err)
	}
	i.write(filepath.Join(i.tree, "share/man/man1/orderly.1"), "page")
	i.write(filepath.Join(i.tree, "share/man/man1/orderly-gone.1"), "page")
	i.write(filepath.Join(i.dest, "usr/local/share/man/man1/other.1"), "somebody else's")
	return i
}

// Uninstalling leaves what was there before, to the last directory; what is put says where it is.
func TestUninstallTakesAwayWhatInstallPut(t *testing.T) {
	i := newInstalling(t)
	before := i.have()
	if out, err := i.run("uninstall"); err == nil || !strings.Contains(out, "nothing was installed there") {
		t.Errorf("with nothing installed: %v, %s", err, out)
	}
	i.must("install", i.tree)
	for _, path := range []string{"/usr/local/bin/orderly", "/usr/local/share/man/man1/orderly.1", "/etc/cron.d/orderly",
		"/usr/local/lib/systemd/system/orderly-renew.service", "/usr/local/lib/systemd/system/orderly-renew.timer"} {
		info, err := os.Stat(filepath.Join(i.dest, path))
		want := os.FileMode(0o644)
		if strings.Contains(path, "/bin/") {
			want = 0o755
		}
		if err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: %v, %v", path, info, err)
		}
	}
	i.says("usr/local/lib/systemd/system/orderly-renew.service", "\nExecStart=/usr/local/bin/orderly renew")
	i.says("etc/cron.d/orderly", " /usr/local/bin/orderly renew")
	for _, name := range i.have() {
		if text, err := os.ReadFile(filepath.Join(i.dest, name)); err == nil && strings.Contains(string(text), "/usr/bin/orderly") {
			t.Errorf("%s speaks of /usr/bin/orderly", name)
		}
	}
	// A later version without one of the pages.
	if err := os.Remove(filepath.Join(i.tree, "share/man/man1/orderly-gone.1")); err != nil {
		t.Fatal(err)
	}
	i.write(filepath.Join(i.tree, "bin/orderly"), "the program's next version")
	i.must("install", i.tree)
	i.says("usr/local/bin/orderly", "next version")
	if slices.Contains(i.have(), "/usr/local/share/man/man1/orderly-gone.1") {
		t.Error("a page of the earlier version is left")
	}
	i.must("uninstall")
	if after := i.have(); !slices.Equal(before, after) {
		t.Errorf("left: %v, before: %v", after, before)
	}
}

// What an administrator wrote stands, when the next version is installed and when all is taken away.
func TestInstallKeepsWhatSomebodyChanged(t *testing.T) {
	i := newInstalling(t)
	i.write(filepath.Join(i.dest, "etc/cron.d/orderly"), "# mine before\n")
	if out := i.must("install", i.tree); !strings.Contains(out, "kept, since it was changed: /etc/cron.d/orderly") {
		t.Errorf("of a cron file that was there it said %q", out)
	}
	i.says("etc/cron.d/orderly", "# mine before")
	timer := "usr/local/lib/systemd/system/orderly-renew.timer"
	i.write(filepath.Join(i.dest, timer), "[Timer]\n# mine\n")
	i.write(filepath.Join(i.dest, "usr/local/bin/more"), "mine")
	for _, what := range [][]string{{"install", i.tree}, {"install", i.tree}, {"uninstall"}} {
		if out := i.must(what...); !strings.Contains(out, "kept, since it was changed: /"+timer) {
			t.Errorf("%s: of a timer that was changed it said %q", what[0], out)
		}
		i.says(timer, "# mine")
	}
	i.says("etc/cron.d/orderly", "# mine before")
	want := []string{"/etc/", "/etc/cron.d/", "/etc/cron.d/orderly", "/usr/", "/usr/local/", "/usr/local/bin/", "/usr/local/bin/more",
		"/usr/local/lib/", "/usr/local/lib/systemd/", "/usr/local/lib/systemd/system/", "/" + timer, "/usr/local/share/",
		"/usr/local/share/man/", "/usr/local/share/man/man1/", "/usr/local/share/man/man1/other.1"}
	if after := i.have(); !slices.Equal(after, want) {
		t.Errorf("left: %v", after)
	}
}

// Below a prefix of one's own neither systemd nor cron looks, which is said; a path that they would
// misread is refused before anything is written.
func TestInstallElsewhere(t *testing.T) {
	i := newInstalling(t)
	before := i.have()
	for _, prefix := range []string{"/opt/a b", "/opt/50%", "/opt/$x", "relative", ""} {
		i.settings = []string{"PREFIX=" + prefix, "UNITDIR=", "CRONDIR="}
		if out, err := i.run("install", i.tree); err == nil || !slices.Equal(i.have(), before) {
			t.Errorf("PREFIX=%s: %v, %s", prefix, err, out)
		}
	}
	i.settings = []string{"PREFIX=/home/me/.local", "UNITDIR=", "CRONDIR="}
	if out := i.must("install", i.tree); !strings.Contains(out, "Nothing renews by itself") {
		t.Errorf("%q", out)
	}
	i.says("home/me/.local/bin/orderly", "program")
	i.must("uninstall")
	if after := i.have(); !slices.Equal(before, after) {
		t.Errorf("left: %v", after)
	}
}

// A timer that a package has as well is not to be disabled when what was installed beside it goes.
func TestUninstallSpeaksOfNoTimerButItsOwn(t *testing.T) {
	i := newInstalling(t)
	i.write(filepath.Join(i.dest, "etc/systemd/system/timers.target.wants/orderly-renew.timer"), "enabled")
	const still = "systemctl disable --now orderly-renew.timer"
	i.must("install", i.tree)
	if out := i.must("uninstall"); !strings.Contains(out, still) {
		t.Errorf("of a timer that is left enabled without a unit: %q", out)
	}
	i.write(filepath.Join(i.dest, "usr/lib/systemd/system/orderly-renew.timer"), "the package's")
	i.must("install", i.tree)
	if out := i.must("uninstall"); strings.Contains(out, still) {
		t.Errorf("of the package's timer: %q", out)
	}
}

// What a package has is the package's: nothing of it is replaced, and none of it goes with what was
// installed beside it.
func TestWhatAPackageHasIsThePackages(t *testing.T) {
	i := newInstalling(t)
	root := t.TempDir()
	programs, owned := t.TempDir(), filepath.Join(t.TempDir(), "owned")
	i.write(owned, "")
	i.write(filepath.Join(programs, "dpkg-query"), "#!/bin/sh\nexec grep -qxF \"$2\" '"+owned+"'\n")
	if err := os.Chmod(filepath.Join(programs, "dpkg-query"), 0o755); err != nil {
		t.Fatal(err)
	}
	i.dest = ""
	cron := filepath.Join(root, "cron.d")
	i.settings = []string{"PREFIX=" + root, "UNITDIR=", "CRONDIR=" + cron,
		"PATH=" + programs + ":" + os.Getenv("PATH")}
	i.must("install", i.tree)
	i.write(owned, filepath.Join(cron, "orderly")+"\n") // dpkg kept it, as --force-confold says
	i.must("uninstall")
	if i.dest = root; !slices.Equal(i.have(), []string{"/cron.d/", "/cron.d/orderly"}) {
		t.Errorf("left are %q", i.have())
	}
	i.write(owned, filepath.Join(root, "bin/orderly")+"\n")
	i.dest = ""
	if out, err := i.run("install", i.tree); err == nil || !strings.Contains(out, "bin/orderly is a package's") {
		t.Errorf("a package's program was replaced: %v\n%s", err, out)
	}
}

// A prefix is the same one with a slash at its end: systemd and cron look there. A directory may have any name.
func TestASlashAtThePrefixsEnd(t *testing.T) {
	command := exec.CommandContext(t.Context(), "make", "-p", "uninstall", "PREFIX=/usr/local/", "DESTDIR=/nowhere/it's a")
	command.Dir = filepath.Join("..", "..")
	out, err := command.CombinedOutput()
	if err == nil || !strings.Contains(string(out), "there is no /nowhere/it's a/usr/local/share/orderly/installed") ||
		!strings.Contains(string(out), "UNITDIR := /usr/local/lib/systemd/system\n") {
		t.Errorf("%v\n%s", err, out)
	}
}
