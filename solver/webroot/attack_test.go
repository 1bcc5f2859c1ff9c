package webroot_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"orderly/failure"
	"orderly/solver/webroot"
)

// attempt does everything a Writer can do to root, and returns the error of placing.
func attempt(root string) error {
	var w webroot.Writer
	p, err := place(root, "content")
	forged := webroot.Placement{Root: root, Token: token, Made: []string{".well-known", ".well-known/acme-challenge"}}
	_ = w.Place(forged, "content")
	_ = w.Check(root)
	if err == nil {
		_ = w.Remove(p)
	}
	_ = w.Remove(forged)
	return err
}

func TestNoLinkOfACustomerLeadsOut(t *testing.T) {
	for name, prepare := range map[string]func(g *ground) (root string){
		".well-known elsewhere": func(g *ground) string {
			g.link(g.outside, filepath.Join(g.root, ".well-known"), customer)
			return g.root
		},
		".well-known elsewhere, relatively": func(g *ground) string {
			g.link("../../outside", filepath.Join(g.root, ".well-known"), customer)
			return g.root
		},
		"acme-challenge elsewhere": func(g *ground) string {
			g.dir(filepath.Join(g.root, ".well-known"), customer, 0o755)
			g.link(g.outside, filepath.Join(g.root, ".well-known/acme-challenge"), customer)
			return g.root
		},
		"root's link in a directory of the customer": func(g *ground) string {
			g.link(g.outside, filepath.Join(g.root, ".well-known"), 0)
			return g.root
		},
		"through a link inside and out again": func(g *ground) string {
			g.link("a/..", filepath.Join(g.root, ".well-known"), customer)
			g.link(".", filepath.Join(g.root, "a"), customer)
			g.link("../../outside", filepath.Join(g.root, "acme-challenge"), customer)
			return g.root
		},
		"an absolute link that begins inside": func(g *ground) string {
			g.link(g.root+"/../../outside", filepath.Join(g.root, ".well-known"), customer)
			return g.root
		},
		"a path that only begins alike": func(g *ground) string {
			g.dir(g.root+"-of-another", 0, 0o755)
			g.link(g.root+"-of-another", filepath.Join(g.root, ".well-known"), customer)
			return g.root
		},
		"a link of root's that the customer chose": func(g *ground) string {
			dir := g.dir(filepath.Join(g.root, "roots"), 0, 0o755)
			g.link(g.outside, filepath.Join(dir, "choice"), 0)
			g.link("roots/choice", filepath.Join(g.root, ".well-known"), customer)
			return g.root
		},
		"the document root is a link of the customer": func(g *ground) string {
			return g.link(g.outside, filepath.Join(g.home, "www"), customer)
		},
		"the document root is a link of root's in the customer's home": func(g *ground) string {
			return g.link(g.outside, filepath.Join(g.home, "www"), 0)
		},
		"a parent of the document root is a link of the customer": func(g *ground) string {
			g.dir(filepath.Join(g.outside, "sub"), 0, 0o755)
			return filepath.Join(g.link(g.outside, filepath.Join(g.home, "www"), customer), "sub")
		},
		"root's link in a directory that all can write": func(g *ground) string {
			open := g.dir(filepath.Join(g.base, "open"), 0, 0o777)
			return g.link(g.outside, filepath.Join(open, "www"), 0)
		},
		"root's link in a directory that a group can write": func(g *ground) string {
			open := g.dir(filepath.Join(g.base, "open"), 0, 0o775)
			return g.link(g.outside, filepath.Join(open, "www"), 0)
		},
		"root's link in a sticky directory": func(g *ground) string {
			open := g.dir(filepath.Join(g.base, "open"), 0, 0o777)
			g.chmod(open, 0o777|os.ModeSticky)
			return g.link(g.outside, filepath.Join(open, "www"), 0)
		},
		"a good link to a bad one": func(g *ground) string {
			g.link(g.outside, filepath.Join(g.home, "www"), customer)
			return g.link(filepath.Join(g.home, "www"), filepath.Join(g.base, "good"), 0)
		},
		"root's directory moved by the customer": func(g *ground) string {
			return g.dir(filepath.Join(g.home, "backup"), 0, 0o755)
		},
		"below a directory moved by the customer": func(g *ground) string {
			moved := g.dir(filepath.Join(g.home, "moved"), customer, 0o755)
			return g.dir(filepath.Join(moved, "roots"), 0, 0o755)
		},
		"root's directory in a directory that all can write": func(g *ground) string {
			open := g.dir(filepath.Join(g.base, "open"), 0, 0o777)
			return g.dir(filepath.Join(open, "roots"), 0, 0o755)
		},
		"root's directory below a customer's in a sticky one": func(g *ground) string {
			open := g.dir(filepath.Join(g.base, "open"), 0, 0o777)
			g.chmod(open, 0o777|os.ModeSticky)
			return g.dir(filepath.Join(g.dir(filepath.Join(open, "his"), customer, 0o755), "roots"), 0, 0o755)
		},
		"root's directory in a sticky one moved by the customer": func(g *ground) string {
			moved := g.dir(filepath.Join(g.home, "moved"), 0, 0o777)
			g.chmod(moved, 0o777|os.ModeSticky)
			return g.dir(filepath.Join(moved, "roots"), 0, 0o755)
		},
		"a ring of links": func(g *ground) string {
			g.link("b", filepath.Join(g.root, ".well-known"), customer)
			g.link(".well-known", filepath.Join(g.root, "b"), customer)
			return g.root
		},
		"a link to itself below": func(g *ground) string {
			g.link(".well-known/"+strings.Repeat("./x/", 100), filepath.Join(g.root, ".well-known"), customer)
			return g.root
		},
	} {
		t.Run(name, func(t *testing.T) {
			g := newGround(t)
			root := prepare(g)
			unchanged := g.unchanged(g.base)
			wantClass(t, attempt(root), failure.WebrootUnsafe, root)
			_, err := new(webroot.Writer).Inspect(root)
			wantClass(t, err, failure.WebrootUnsafe, root)
			unchanged()
		})
	}
}

func TestLinksThatAreSafeAreFollowed(t *testing.T) {
	for name, prepare := range map[string]func(g *ground) (root, real string){
		"a link that stays inside": func(g *ground) (string, string) {
			real := g.dir(filepath.Join(g.root, "challenges"), customer, 0o755)
			g.dir(filepath.Join(g.root, ".well-known"), customer, 0o755)
			g.link("../challenges", filepath.Join(g.root, ".well-known/acme-challenge"), customer)
			return g.root, real
		},
		"an absolute link that stays inside": func(g *ground) (string, string) {
			real := g.dir(filepath.Join(g.root, "challenges"), customer, 0o755)
			g.dir(filepath.Join(g.root, ".well-known"), customer, 0o755)
			g.link(real, filepath.Join(g.root, ".well-known/acme-challenge"), customer)
			return g.root, real
		},
		"root's link in root's document root": func(g *ground) (string, string) {
			root := g.dir(filepath.Join(g.base, "www"), 0, 0o755)
			real := g.dir(filepath.Join(g.base, "challenges"), 0, 0o755)
			g.dir(filepath.Join(root, ".well-known"), 0, 0o755)
			g.link("../../challenges", filepath.Join(root, ".well-known/acme-challenge"), 0)
			return root, real
		},
		"root's link in root's directory of a customer's document root": func(g *ground) (string, string) {
			real := g.dir(filepath.Join(g.base, "challenges"), 0, 0o755)
			g.dir(filepath.Join(g.root, ".well-known"), 0, 0o755)
			g.link(real, filepath.Join(g.root, ".well-known/acme-challenge"), 0)
			return g.root, real
		},
		"the document root is root's link": func(g *ground) (string, string) {
			return g.link(g.root, filepath.Join(g.base, "www"), 0), filepath.Join(g.root, ".well-known/acme-challenge")
		},
		"the document root is named by a path with dots": func(g *ground) (string, string) {
			return g.base + "/outside/.././home//htdocs/", filepath.Join(g.root, ".well-known/acme-challenge")
		},
		"root's directory in a sticky one that all can write": func(g *ground) (string, string) {
			open := g.dir(filepath.Join(g.base, "open"), 0, 0o777)
			g.chmod(open, 0o777|os.ModeSticky)
			root := g.dir(filepath.Join(open, "roots"), 0, 0o755)
			return root, filepath.Join(root, ".well-known/acme-challenge")
		},
		"a directory that all can write in one that all can write": func(g *ground) (string, string) {
			open := g.dir(filepath.Join(g.base, "open"), 0, 0o777)
			root := g.dir(filepath.Join(open, "too"), 0, 0o777)
			return root, filepath.Join(root, ".well-known/acme-challenge")
		},
	} {
		t.Run(name, func(t *testing.T) {
			g := newGround(t)
			root, real := prepare(g)
			unchanged := g.unchanged(g.base)
			p := g.placed(root, "content")
			g.wantFile(filepath.Join(real, token), "content")
			g.must(new(webroot.Writer).Remove(p))
			g.must(new(webroot.Writer).Check(root))
			unchanged()
		})
	}
}

func FuzzALinkNeverLeadsOut(f *testing.F) {
	for _, seed := range []string{"../../outside", "/etc", ".", "..", "x/../..", "", "//", "a\x00", strings.Repeat("../", 90), "acme-challenge"} {
		f.Add(seed, seed)
	}
	f.Fuzz(func(t *testing.T, first, second string) {
		g := newGround(t)
		if os.Symlink(first, filepath.Join(g.root, ".well-known")) != nil {
			return // no target a file system could hold
		}
		_ = os.Symlink(second, filepath.Join(g.root, "acme-challenge"))
		unchanged := g.unchanged(g.outside)
		_ = attempt(g.root)
		unchanged()
		entries, err := os.ReadDir(g.home)
		g.must(err)
		if len(entries) != 1 {
			t.Errorf("something was made beside the document root: %v", entries)
		}
	})
}
