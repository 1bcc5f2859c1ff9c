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
func (g *ground) attempt(root string) error {
	ctx := g.t.Context()
	p, err := g.place(root, content)
	forged := g.forged(root)
	_, _ = g.w.Place(ctx, forged, content)
	_ = g.w.Check(ctx, root)
	if err == nil {
		_ = g.w.Remove(ctx, p)
	}
	_ = g.w.Remove(ctx, forged)
	return err
}

// forged is a placement as it was recorded when the document root was plain and empty.
func (g *ground) forged(root string) webroot.Placement {
	wellKnown := filepath.Join(root, ".well-known")
	challenge := filepath.Join(wellKnown, "acme-challenge")
	made := []webroot.Made{{Path: wellKnown}, {Path: challenge}}
	return webroot.Placement{Root: root, Token: token, Spots: []webroot.Spot{{Dir: challenge, Made: made}}}
}

// TestNoLinkOfACustomerGivesHimWhatHeHasNot lets a customer point from everywhere to what is root's and closed to him: what
// is done there is done with his rights, so that the kernel refuses it.
func TestNoLinkOfACustomerGivesHimWhatHeHasNot(t *testing.T) {
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
		"through a link inside and out again": func(g *ground) string {
			g.link("a/..", filepath.Join(g.root, ".well-known"), customer)
			g.link(".", filepath.Join(g.root, "a"), customer)
			g.link("../outside", filepath.Join(g.home, "acme-challenge"), customer)
			return g.root
		},
		"an absolute link that begins inside": func(g *ground) string {
			g.link(g.root+"/../../outside", filepath.Join(g.root, ".well-known"), customer)
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
		"a parent of the document root is a link of the customer": func(g *ground) string {
			g.dir(filepath.Join(g.outside, "sub"), 0, 0o755)
			return filepath.Join(g.link(g.outside, filepath.Join(g.home, "www"), customer), "sub")
		},
		"a good link to a bad one": func(g *ground) string {
			g.link(g.outside, filepath.Join(g.home, "www"), customer)
			return g.link(filepath.Join(g.home, "www"), filepath.Join(g.base, "good"), 0)
		},
		"a directory that he may not enter": func(g *ground) string {
			g.dir(filepath.Join(g.outside, "secrets"), 0, 0o700)
			return g.link(filepath.Join(g.outside, "secrets"), filepath.Join(g.home, "www"), customer)
		},
	} {
		t.Run(name, func(t *testing.T) {
			g := newGround(t)
			root := prepare(g)
			unchanged := g.unchanged(g.base)
			wantClass(t, g.attempt(root), failure.WebrootLocked, root, "the user 12345 may not")
			unchanged()
		})
	}
}

func TestAWalkThatHasNoEndOrTwoMastersIsRefused(t *testing.T) {
	for name, prepare := range map[string]func(g *ground) (root string){
		"a ring of links": func(g *ground) string {
			g.link("b", filepath.Join(g.root, ".well-known"), customer)
			g.link(".well-known", filepath.Join(g.root, "b"), customer)
			return g.root
		},
		"a link to itself below": func(g *ground) string {
			g.link(".well-known/"+strings.Repeat("./x/", 100), filepath.Join(g.root, ".well-known"), customer)
			return g.root
		},
		"a link of one customer to that of another": func(g *ground) string {
			other := g.dir(filepath.Join(g.base, "other"), neighbour, 0o755)
			g.dir(filepath.Join(other, "www"), neighbour, 0o777)
			g.link("www", filepath.Join(other, "current"), neighbour)
			return g.link(filepath.Join(other, "current"), filepath.Join(g.home, "www"), customer)
		},
		"a path that is not UTF-8": func(g *ground) string {
			return g.link("\xff", filepath.Join(g.home, "www"), customer)
		},
	} {
		t.Run(name, func(t *testing.T) {
			g := newGround(t)
			root := prepare(g)
			unchanged := g.unchanged(g.base)
			wantClass(t, g.attempt(root), failure.WebrootUnsafe, root)
			_, err := g.w.Inspect(t.Context(), root)
			wantClass(t, err, failure.WebrootUnsafe, root)
			unchanged()
		})
	}
}

// TestWhatOthersCanRenameIsOnlyAddedTo goes through links and directories of root's that others could have put there: what
// is made is root's own, and what was there before stays, also if it bears the token's name.
func TestWhatOthersCanRenameIsOnlyAddedTo(t *testing.T) {
	for name, prepare := range map[string]func(g *ground) (root, real string){
		"root's link in a directory of the customer": func(g *ground) (string, string) {
			g.link(g.outside, filepath.Join(g.root, ".well-known"), 0)
			return g.root, g.outside + "/acme-challenge"
		},
		"the document root is root's link in the customer's home": func(g *ground) (string, string) {
			return g.link(g.outside, filepath.Join(g.home, "www"), 0), g.outside + "/.well-known/acme-challenge"
		},
		"root's link in a directory that all can write": func(g *ground) (string, string) {
			open := g.dir(filepath.Join(g.base, "open"), 0, 0o777)
			return g.link(g.outside, filepath.Join(open, "www"), 0), g.outside + "/.well-known/acme-challenge"
		},
		"root's link in a directory that a group can write": func(g *ground) (string, string) {
			open := g.dir(filepath.Join(g.base, "open"), 0, 0o775)
			return g.link(g.outside, filepath.Join(open, "www"), 0), g.outside + "/.well-known/acme-challenge"
		},
		"root's link in a sticky directory": func(g *ground) (string, string) {
			open := g.dir(filepath.Join(g.base, "open"), 0, 0o777)
			g.chmod(open, 0o777|os.ModeSticky)
			return g.link(g.outside, filepath.Join(open, "www"), 0), g.outside + "/.well-known/acme-challenge"
		},
		"root's directory in the customer's home": func(g *ground) (string, string) {
			root := g.dir(filepath.Join(g.home, "backup"), 0, 0o755)
			return root, root + "/.well-known/acme-challenge"
		},
		"below a directory moved by the customer": func(g *ground) (string, string) {
			moved := g.dir(filepath.Join(g.home, "moved"), customer, 0o755)
			root := g.dir(filepath.Join(moved, "roots"), 0, 0o755)
			return root, root + "/.well-known/acme-challenge"
		},
		"root's directory in a directory that all can write": func(g *ground) (string, string) {
			open := g.dir(filepath.Join(g.base, "open"), 0, 0o777)
			root := g.dir(filepath.Join(open, "roots"), 0, 0o755)
			return root, root + "/.well-known/acme-challenge"
		},
		"root's directory below a customer's in a sticky one": func(g *ground) (string, string) {
			open := g.dir(filepath.Join(g.base, "open"), 0, 0o777)
			g.chmod(open, 0o777|os.ModeSticky)
			root := g.dir(filepath.Join(g.dir(filepath.Join(open, "his"), customer, 0o755), "roots"), 0, 0o755)
			return root, root + "/.well-known/acme-challenge"
		},
		"another's directory below root's": func(g *ground) (string, string) {
			roots := g.dir(filepath.Join(g.home, "all"), 0, 0o755)
			root := g.dir(filepath.Join(roots, "his"), neighbour, 0o755)
			return root, root + "/.well-known/acme-challenge"
		},
	} {
		t.Run(name, func(t *testing.T) {
			g := newGround(t)
			root, real := prepare(g)
			unchanged := g.unchanged(g.base)
			p := g.placed(root, content)
			g.wantFile(filepath.Join(real, token), content)
			for dir := real; strings.Contains(dir, "acme-challenge") || strings.Contains(dir, ".well-known"); dir = filepath.Dir(dir) {
				if uid, gid := g.owner(dir); uid != 0 || gid != 0 {
					t.Errorf("%s was given to %d:%d", dir, uid, gid)
				}
			}
			g.must(g.w.Remove(t.Context(), p))
			unchanged()

			g.must(os.MkdirAll(real, 0o755))
			g.file(filepath.Join(real, token), "root's own", 0)
			unchanged = g.unchanged(g.base)
			_, err := g.place(root, content)
			wantClass(t, err, failure.WebrootLocked, filepath.Join(real, token))
			g.must(g.w.Remove(t.Context(), p))
			unchanged()
		})
	}
}

func TestLinksThatAreSafeAreFollowed(t *testing.T) {
	for name, prepare := range map[string]func(g *ground) (root, real string, owner uint32){
		"a link that stays inside": func(g *ground) (string, string, uint32) {
			real := g.dir(filepath.Join(g.root, "challenges"), customer, 0o755)
			g.dir(filepath.Join(g.root, ".well-known"), customer, 0o755)
			g.link("../challenges", filepath.Join(g.root, ".well-known/acme-challenge"), customer)
			return g.root, real, customer
		},
		"an absolute link that stays inside": func(g *ground) (string, string, uint32) {
			real := g.dir(filepath.Join(g.root, "challenges"), customer, 0o755)
			g.dir(filepath.Join(g.root, ".well-known"), customer, 0o755)
			g.link(real, filepath.Join(g.root, ".well-known/acme-challenge"), customer)
			return g.root, real, customer
		},
		"root's link in root's document root": func(g *ground) (string, string, uint32) {
			root := g.dir(filepath.Join(g.base, "www"), 0, 0o755)
			real := g.dir(filepath.Join(g.base, "challenges"), 0, 0o755)
			g.dir(filepath.Join(root, ".well-known"), 0, 0o755)
			g.link("../../challenges", filepath.Join(root, ".well-known/acme-challenge"), 0)
			return root, real, 0
		},
		"the document root is root's link": func(g *ground) (string, string, uint32) {
			return g.link(g.root, filepath.Join(g.base, "www"), 0), filepath.Join(g.root, ".well-known/acme-challenge"), 0
		},
		"the document root is named by a path with dots": func(g *ground) (string, string, uint32) {
			return g.base + "/outside/.././home//htdocs/", filepath.Join(g.root, ".well-known/acme-challenge"), 0
		},
		"root's directory in a sticky one that all can write": func(g *ground) (string, string, uint32) {
			open := g.dir(filepath.Join(g.base, "open"), 0, 0o777)
			g.chmod(open, 0o777|os.ModeSticky)
			root := g.dir(filepath.Join(open, "roots"), 0, 0o755)
			return root, filepath.Join(root, ".well-known/acme-challenge"), 0
		},
		"a directory that all can write in one that all can write": func(g *ground) (string, string, uint32) {
			open := g.dir(filepath.Join(g.base, "open"), 0, 0o777)
			root := g.dir(filepath.Join(open, "too"), 0, 0o777)
			return root, filepath.Join(root, ".well-known/acme-challenge"), 0
		},
	} {
		t.Run(name, func(t *testing.T) {
			g := newGround(t)
			root, real, owner := prepare(g)
			unchanged := g.unchanged(g.base)
			p := g.placed(root, content)
			g.wantFileOf(filepath.Join(real, token), content, owner)
			g.must(g.w.Remove(t.Context(), p))
			g.must(g.w.Check(t.Context(), root))
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
		g.must(os.Lchown(filepath.Join(g.root, ".well-known"), customer, customer))
		if os.Symlink(second, filepath.Join(g.root, "acme-challenge")) == nil {
			g.must(os.Lchown(filepath.Join(g.root, "acme-challenge"), customer, customer))
		}
		unchanged := g.unchanged(g.base)
		_ = g.attempt(g.root)
		unchanged()
	})
}
