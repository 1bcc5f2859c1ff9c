package webroot_test

import (
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"

	"orderly/failure"
	"orderly/solver/webroot"
)

func TestPlaceLeavesModesAndOwnersAsCertbotAndRemoveLeavesNothing(t *testing.T) {
	g := newGround(t)
	unchanged := g.unchanged(g.root)
	defer syscall.Umask(syscall.Umask(0o077))
	p := g.placed(g.root, content)
	for _, dir := range []string{".well-known", ".well-known/acme-challenge"} {
		info, err := os.Stat(filepath.Join(g.root, dir))
		g.must(err)
		if uid, gid := g.owner(filepath.Join(g.root, dir)); info.Mode() != fs.ModeDir|0o755 || uid != customer || gid != customer {
			t.Errorf("%s: %v %d:%d, want 0755 and the customer's", dir, info.Mode(), uid, gid)
		}
	}
	g.wantFile(p.Path(), content)
	g.must(g.w.Remove(t.Context(), p))
	unchanged()
	g.must(g.w.Remove(t.Context(), p)) // nothing there is no error
}

func TestPlanChangesNothing(t *testing.T) {
	g := newGround(t)
	unchanged := g.unchanged(g.base)
	_, err := g.w.Plan(t.Context(), g.root, token)
	g.must(err)
	unchanged()
}

func TestExistingDirectoriesKeepOwnerAndModeAndStay(t *testing.T) {
	g := newGround(t)
	g.dir(filepath.Join(g.root, ".well-known"), 0, 0o711)
	g.dir(filepath.Join(g.root, ".well-known/acme-challenge"), 54321, 0o750)
	unchanged := g.unchanged(g.root)
	p := g.placed(g.root, content)
	if made := p.Spots[0].Made; len(made) != 0 {
		t.Errorf("Made = %v", made)
	}
	g.wantFile(p.Path(), content)
	g.must(g.w.Remove(t.Context(), p))
	unchanged()
}

func TestASetGroupIDBitIsInherited(t *testing.T) {
	g := newGround(t)
	g.must(syscall.Chmod(g.root, 0o2755))
	p := g.placed(g.root, content)
	info, err := os.Stat(filepath.Dir(p.Path()))
	g.must(err)
	if info.Mode() != fs.ModeDir|fs.ModeSetgid|0o755 {
		t.Errorf("mode %v", info.Mode())
	}
}

func TestRemoveKeepsWhatOthersPutThere(t *testing.T) {
	g := newGround(t)
	p := g.placed(g.root, content)
	other := g.file(filepath.Join(g.root, ".well-known/security.txt"), "mine", customer)
	g.must(g.w.Remove(t.Context(), p))
	if _, err := os.Stat(filepath.Join(g.root, ".well-known/acme-challenge")); !os.IsNotExist(err) {
		t.Errorf("the empty directory stayed: %v", err)
	}
	if _, err := os.Stat(other); err != nil {
		t.Error(err)
	}
}

func TestRemoveLeavesWhatIsNoPlainFile(t *testing.T) {
	for name, put := range map[string]func(g *ground, path string){
		"directory": func(g *ground, path string) { g.dir(path, customer, 0o755) },
		"link":      func(g *ground, path string) { g.link(filepath.Join(g.outside, "secret"), path, customer) },
		"pipe":      func(g *ground, path string) { g.must(syscall.Mkfifo(path, 0o666)) },
	} {
		t.Run(name, func(t *testing.T) {
			g := newGround(t)
			p := g.placed(g.root, content)
			g.must(os.Remove(p.Path()))
			put(g, p.Path())
			unchanged := g.unchanged(g.base)
			g.must(g.w.Remove(t.Context(), p))
			unchanged()
		})
	}
}

func TestRemoveWithoutADocumentRootIsNoError(t *testing.T) {
	g := newGround(t)
	p := g.placed(g.root, content)
	g.must(os.RemoveAll(g.root))
	g.must(g.w.Remove(t.Context(), p))
	g.file(g.root, "a plain file now", customer)
	g.must(g.w.Remove(t.Context(), p))
}

func TestALeftoverIsMadeAnewAndNeverWrittenInto(t *testing.T) {
	for name, put := range map[string]func(g *ground, path string){
		"foreign file": func(g *ground, path string) { g.file(path, "old", customer) },
		"own file":     func(g *ground, path string) { g.file(path, "old", 0) },
		"link":         func(g *ground, path string) { g.link(filepath.Join(g.outside, "secret"), path, customer) },
		"hard link":    func(g *ground, path string) { g.must(os.Link(filepath.Join(g.outside, "secret"), path)) },
		"pipe":         func(g *ground, path string) { g.must(syscall.Mkfifo(path, 0o666)) },
		"device":       func(g *ground, path string) { g.must(syscall.Mknod(path, syscall.S_IFCHR|0o666, 1<<8|3)) },
	} {
		t.Run(name, func(t *testing.T) {
			g := newGround(t)
			g.dir(filepath.Join(g.root, ".well-known"), customer, 0o755)
			dir := g.dir(filepath.Join(g.root, ".well-known/acme-challenge"), customer, 0o755)
			put(g, filepath.Join(dir, token))
			unchanged := g.unchanged(g.outside)
			p := g.placed(g.root, content)
			g.wantFile(p.Path(), content)
			unchanged()
		})
	}
}

func TestAFileWithTheContentStaysForTheCAThatFetchesIt(t *testing.T) {
	g := newGround(t)
	p := g.placed(g.root, content)
	unchanged := g.unchanged(g.root)
	g.again(p, content)
	unchanged()
}

func TestASecondNameOfAFileWithTheContentIsCut(t *testing.T) {
	g := newGround(t)
	p := g.placed(g.root, content)
	other := filepath.Join(g.home, "other")
	g.must(os.Link(p.Path(), other))
	g.again(p, content)
	a, err := os.Stat(p.Path())
	g.must(err)
	b, err := os.Stat(other)
	g.must(err)
	if os.SameFile(a, b) {
		t.Error("the token shares its file with another name")
	}
}

func TestADirectoryInTheTokensPlaceIsNamed(t *testing.T) {
	g := newGround(t)
	p := g.placed(g.root, content)
	g.must(os.Remove(p.Path()))
	g.dir(p.Path(), customer, 0o755)
	_, err := g.w.Place(t.Context(), p, content)
	wantClass(t, err, failure.WebrootLocked, p.Path(), "is a directory")
}

func TestADirectoryThatAKilledRunDidNotFinishIsMadeAnew(t *testing.T) {
	g := newGround(t)
	p, err := g.w.Plan(t.Context(), g.root, token)
	g.must(err)
	g.dir(filepath.Join(g.root, ".well-known"), 0, 0o700)
	g.again(p, content)
	for _, dir := range []string{".well-known", ".well-known/acme-challenge"} {
		info, err := os.Stat(filepath.Join(g.root, dir))
		g.must(err)
		if uid, _ := g.owner(filepath.Join(g.root, dir)); info.Mode().Perm() != 0o755 || uid != customer {
			t.Errorf("%s: %v of %d", dir, info.Mode(), uid)
		}
	}
}

func TestAStrangersDirectoryWithTheModeOfBirthIsNeverGivenAway(t *testing.T) {
	g := newGround(t)
	dir := g.dir(filepath.Join(g.root, ".well-known"), 0, 0o700)
	g.file(filepath.Join(dir, "roots"), "own", 0)
	g.placed(g.root, content)
	p := g.forged(g.root) // as if it had been missing when planned
	g.again(p, content)
	if uid, _ := g.owner(dir); uid != 0 {
		t.Error("a directory that was there before was given to the customer")
	}
}

func TestTokensThatAreNoFileNamesAreRefused(t *testing.T) {
	g := newGround(t)
	unchanged := g.unchanged(g.base)
	for _, bad := range []string{"", ".", "..", "../x", "a/b", "/etc/passwd", "a.b", "a\x00b", "a b", "ä", string(make([]byte, 300))} {
		_, err := g.w.Plan(t.Context(), g.root, bad)
		wantClass(t, err, failure.CAUnavailable)
		p := webroot.Placement{Root: g.root, Token: bad}
		if _, err := g.w.Place(t.Context(), p, "x"); err == nil || g.w.Remove(t.Context(), p) == nil {
			t.Errorf("token %q was obeyed", bad)
		}
	}
	unchanged()
}

func TestATamperedPlacementIsRefused(t *testing.T) {
	g := newGround(t)
	empty := g.dir(filepath.Join(g.root, "empty"), customer, 0o755)
	wellKnown := g.dir(filepath.Join(g.root, ".well-known"), customer, 0o755)
	at := func(s webroot.Spot) webroot.Placement {
		return webroot.Placement{Root: g.root, Token: token, Spots: []webroot.Spot{s}}
	}
	for _, p := range []webroot.Placement{
		{Root: "relative", Token: token},
		{Root: g.root + "/../htdocs", Token: token},
		at(webroot.Spot{Dir: empty, Made: []webroot.Made{{Path: empty}}}),
		at(webroot.Spot{Dir: "relative"}),
		at(webroot.Spot{Dir: wellKnown, Made: []webroot.Made{{Path: wellKnown}}}),
		at(webroot.Spot{Dir: wellKnown + "/acme-challenge", Made: []webroot.Made{{Path: wellKnown + "/acme-challenge"}, {Path: wellKnown}}}),
		at(webroot.Spot{Dir: wellKnown + "/acme-challenge", Made: []webroot.Made{{Path: empty}, {Path: wellKnown + "/acme-challenge"}}}),
		at(webroot.Spot{Dir: empty, From: g.root + "/elsewhere"}),
	} {
		if err := g.w.Remove(t.Context(), p); failure.ClassOf(err) != failure.Internal {
			t.Errorf("%+v: %v", p, err)
		}
	}
	if _, err := os.Stat(empty); err != nil {
		t.Error(err)
	}
}

func TestAPlacementSurvivesJSON(t *testing.T) {
	g := newGround(t)
	p := g.placed(g.root, content)
	text, err := json.Marshal(p)
	g.must(err)
	var again webroot.Placement
	g.must(json.Unmarshal(text, &again))
	g.must(g.w.Remove(t.Context(), again))
	if entries, err := os.ReadDir(g.root); err != nil || len(entries) != 0 {
		t.Errorf("left: %v %v", entries, err)
	}
}

func TestManyAtOnceInOneDocumentRootLeaveNothing(t *testing.T) {
	g := newGround(t)
	run := func(work func(token string) error) {
		var all sync.WaitGroup
		for i := range 40 {
			all.Go(func() {
				if err := work(token[:42] + string(rune('A'+i%26)) + string(rune('a'+i/26))); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
	}
	for range 20 {
		run(func(token string) error { // each on its own, so that directories vanish under the others
			p, err := g.w.Plan(t.Context(), g.root, token)
			if err != nil {
				return err
			}
			p.Spots = g.forged(g.root).Spots
			p.Token = token
			if p, err = g.put(p, token); err != nil {
				return err
			}
			if got, err := os.ReadFile(p.Path()); err != nil || string(got) != token {
				t.Errorf("%q %v", got, err)
			}
			return g.w.Remove(t.Context(), p)
		})
	}
	if entries, err := os.ReadDir(g.root); err != nil || len(entries) != 0 {
		t.Errorf("left: %v %v", entries, err)
	}
}

func TestATokenStandsWhereItWasPutAndNowhereElse(t *testing.T) {
	g := newGround(t)
	if stands, err := g.w.Stands(t.Context(), g.root, token); err != nil || stands {
		t.Errorf("before: %v, %v", stands, err)
	}
	p := g.placed(g.root, content)
	if stands, err := g.w.Stands(t.Context(), g.root, token); err != nil || !stands {
		t.Errorf("placed: %v, %v", stands, err)
	}
	g.must(g.w.Remove(t.Context(), p))
	if stands, err := g.w.Stands(t.Context(), g.root, token); err != nil || stands {
		t.Errorf("removed: %v, %v", stands, err)
	}
	if stands, err := g.w.Stands(t.Context(), g.root, "../x"); err == nil || stands {
		t.Errorf("no token: %v, %v", stands, err)
	}
}
