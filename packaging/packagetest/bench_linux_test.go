package packagetest

// What every trial begins with: a Debian system that can run certbot and has neither it nor Orderly,
// and the packages to install there, each in two versions.

import (
	"crypto/md5"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// bench is what the trials have in common.
type bench struct {
	t     *testing.T
	place string   // memory
	debs  string   // packages, which every tree sees as /mnt
	base  []string // of every tree
	// packages are the files of each, as a tree sees them: the older one, and a newer one.
	packages map[string][2]string
	pristine *tree               // the base and nothing else
	both     []string            // the base with certbot and Orderly, once a trial has needed it
	alone    map[string]manifest // what a package leaves where no other is, once known
}

// later is put behind a version to make the newer one.
const later = "+later"

// newBench builds what the trials begin with.
func newBench(t *testing.T) *bench {
	t.Helper()
	b := &bench{t: t, place: t.TempDir(), packages: map[string][2]string{},
		alone: map[string]manifest{}}
	if err := unix.Mount("tmpfs", b.place, "tmpfs", 0, "mode=0755"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Unmount(b.place, unix.MNT_DETACH) })
	b.debs = filepath.Join(b.place, "debs")
	if err := os.Mkdir(b.debs, 0o755); err != nil {
		t.Fatal(err)
	}
	certbot := b.system()
	orderly, orderlyCertbot := ours(t)
	b.twice("certbot", certbot, func(dir string) {
		// A package's own configuration file that changes is what an upgrade handles with most care.
		b.change(filepath.Join(dir, "etc/cron.d/certbot"), func(s string) string { return s + "# later\n" })
	})
	b.twice("orderly", orderly, func(dir string) {
		b.change(filepath.Join(dir, "usr/bin/orderly"), func(s string) string { return s + "later" })
	})
	b.twice("orderly-certbot", orderlyCertbot, func(string) {})
	b.pristine = b.tree(t)
	return b
}

// tree makes a tree above the bench's base.
func (b *bench) tree(t *testing.T) *tree {
	t.Helper()
	return b.treeAbove(t, b.base)
}

// treeAbove makes a tree above another one's layers.
func (b *bench) treeAbove(t *testing.T, base []string) *tree {
	t.Helper()
	tr := newTree(t, b.place, base...)
	tr.mount(b.debs, "/mnt", "", unix.MS_BIND, "")
	return tr
}

// system makes the base, and returns the file of Debian's certbot, which is not part of it.
func (b *bench) system() (certbot string) {
	b.t.Helper()
	lower := os.Getenv("ORDERLY_PACKAGE_TREE")
	from := os.Getenv("ORDERLY_PACKAGE_DEBS")
	machine := lower == ""
	if machine {
		lower = "/"
	}
	tr := newTree(b.t, b.place, lower)
	if machine {
		certbot = b.repacked(tr, "certbot")
		tr.run("/usr/bin/dpkg", "--purge", "certbot")
		// Whoever tests may have these of his own.
		tr.sh("rm -rf /etc/letsencrypt /var/lib/letsencrypt /var/log/letsencrypt /usr/local/bin/*")
	} else {
		certbot = b.installed(tr, from)
	}
	// man-db's index is rebuilt with every package otherwise, which takes longer than all the rest.
	tr.sh("rm -f /var/lib/man-db/auto-update")
	b.base = tr.below()
	tr.end()
	return certbot
}

// installed installs what certbot needs, without network, and returns certbot's own package file.
func (b *bench) installed(tr *tree, from string) (certbot string) {
	b.t.Helper()
	for _, file := range tr.installAll(from, "certbot_") {
		certbot = file
	}
	return certbot
}

// installAll installs the packages of a directory in the order that they need, but for those whose
// files begin with some words, which it returns.
func (tr *tree) installAll(from, but string) (left []string) {
	tr.t.Helper()
	found, err := filepath.Glob(filepath.Join(from, "*.deb"))
	if err != nil || len(found) == 0 {
		tr.t.Fatalf("no packages in %q: %v", from, err)
	}
	tr.mount(from, "/media", "", unix.MS_BIND|unix.MS_RDONLY, "")
	args := []string{"/usr/bin/apt-get", "install", "-q", "-y", "--no-install-recommends", "-o", "APT::Sandbox::User=root"}
	for _, file := range found {
		if name := filepath.Base(file); but != "" && strings.HasPrefix(name, but) {
			left = append(left, file)
		} else {
			args = append(args, "/media/"+name)
		}
	}
	tr.run(args...)
	return left
}

// repacked makes the package file of what is installed, as dpkg-repack does: without network there
// is no other.
func (b *bench) repacked(tr *tree, name string) string {
	b.t.Helper()
	tr.sh(`mkdir -p /tmp/p/DEBIAN
dpkg-query -L ` + name + ` | while read -r f; do [ -d "$f" ] || [ ! -e "$f" ] || echo "$f"; done |
	tar -C / -cf - -T - 2>/dev/null | tar -C /tmp/p -xf -
dpkg-query -s ` + name + ` | sed '/^Status:/d; /^Conffiles:/,/^[^ ]/{/^Conffiles:/d; /^ /d}' >/tmp/p/DEBIAN/control
for f in preinst postinst prerm postrm config templates conffiles triggers; do
	[ ! -e /var/lib/dpkg/info/` + name + `.$f ] || cp -p /var/lib/dpkg/info/` + name + `.$f /tmp/p/DEBIAN/$f
done`)
	return b.pack(tr.path("/tmp/p"), filepath.Join(b.debs, name+".deb"))
}

// pack makes a package file of an unpacked one.
func (b *bench) pack(dir, file string) string {
	b.t.Helper()
	var sums strings.Builder
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		name, _ := filepath.Rel(dir, path) // path begins with dir
		if err != nil || !d.Type().IsRegular() || strings.HasPrefix(name, "DEBIAN/") || strings.HasPrefix(name, "etc/") {
			return err
		}
		text, err := os.ReadFile(path)
		fmt.Fprintf(&sums, "%x  %s\n", md5.Sum(text), name)
		return err
	})
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "DEBIAN/md5sums"), []byte(sums.String()), 0o644)
	}
	if err != nil {
		b.t.Fatal(err)
	}
	b.dpkgDeb("--root-owner-group", "-Znone", "-b", dir, file)
	return file
}

func (b *bench) dpkgDeb(args ...string) {
	b.t.Helper()
	if out, err := exec.Command("/usr/bin/dpkg-deb", args...).CombinedOutput(); err != nil {
		b.t.Fatalf("dpkg-deb %s: %v\n%s", args, err, out)
	}
}

// twice takes a package file, and makes a newer version of it that differs by what change does.
func (b *bench) twice(name, file string, change func(dir string)) {
	b.t.Helper()
	b.packages[name] = [2]string{
		b.variant(name+"-0.deb", file, "", func(string) {}),
		b.variant(name+"-1.deb", file, later, change),
	}
}

// variant makes another package file of one, and returns how a tree sees it.
func (b *bench) variant(as, file, version string, change func(dir string)) string {
	b.t.Helper()
	dir := filepath.Join(b.t.TempDir(), "p")
	b.dpkgDeb("-R", file, dir)
	b.change(filepath.Join(dir, "DEBIAN/control"), func(s string) string {
		var lines []string
		for line := range strings.Lines(s) {
			if strings.HasPrefix(line, "Version: ") {
				line = strings.TrimSpace(line) + version + "\n"
			}
			lines = append(lines, line)
		}
		return strings.Join(lines, "")
	})
	change(dir)
	b.pack(dir, filepath.Join(b.debs, as))
	return "/mnt/" + as
}

// change rewrites a file that is there.
func (b *bench) change(path string, to func(string) string) {
	b.t.Helper()
	text, err := os.ReadFile(path)
	if err == nil {
		err = os.WriteFile(path, []byte(to(string(text))), 0) // it keeps its mode
	}
	if err != nil {
		b.t.Fatal(err)
	}
}
