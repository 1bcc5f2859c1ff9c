package webroot_test

import (
	"context"
	"path/filepath"
	"testing"
	"time"

	"orderly/failure"
	"orderly/solver/webroot"
)

// TestOnAForeignFileSystemItsUserActs lets file systems say what they like of owners. Who mounted one acts there; where that
// was root, the owner of the document root does.
func TestOnAForeignFileSystemItsUserActs(t *testing.T) {
	for name, test := range map[string]struct {
		mounter int
		says    map[string]told
		acts    uint32 // who asks for the directory in the end
	}{
		"mounted by a customer, who says it is root's":      {customer, map[string]told{".": {}, "www": {}}, customer},
		"mounted by a customer, who says it is another's":   {customer, map[string]told{".": {}, "www": {uid: neighbour}}, customer},
		"mounted by root, a customer's document root":       {0, map[string]told{".": {}, "www": {uid: neighbour}}, neighbour},
		"mounted by root, root's document root":             {0, map[string]told{".": {}, "www": {}}, 0},
		"mounted by root, reached by a customer's link":     {0, map[string]told{".": {}, "www": {uid: customer, target: "x"}, "x": {}}, customer},
		"mounted by root, reached by root's link inside it": {0, map[string]told{".": {}, "www": {target: "x"}, "x": {uid: neighbour}}, neighbour},
	} {
		t.Run(name, func(t *testing.T) {
			g := newGround(t)
			fs := g.mountAbroad(g.dir(filepath.Join(g.home, "mnt"), customer, 0o755), test.mounter, test.says)
			_, err := g.place(filepath.Join(fs.dir, "www"), content)
			wantClass(t, err, failure.WebrootLocked, fs.dir)
			access := fs.questions(fuseAccess)
			if len(access) == 0 || access[len(access)-1].uid != test.acts {
				t.Errorf("asked: %+v, want %d at last", access, test.acts)
			}
		})
	}
}

func TestAForeignFileSystemLeadsNowhereAsRoot(t *testing.T) {
	for name, says := range map[string]map[string]told{
		"the document root":  {".": {}, "www": {target: "../../outside"}},
		"absolutely":         {".": {}, "www": {target: "/etc"}},
		".well-known":        {".": {}, "www": {}, "www/.well-known": {target: "/etc"}},
		"through a customer": {".": {}, "www": {target: "../way"}},
	} {
		t.Run(name, func(t *testing.T) {
			g := newGround(t)
			fs := g.mountAbroad(g.dir(filepath.Join(g.home, "mnt"), customer, 0o755), 0, says)
			g.link(g.outside, filepath.Join(g.home, "way"), customer)
			unchanged := g.unchanged(g.outside)
			_, err := g.place(filepath.Join(fs.dir, "www"), content)
			wantClass(t, err, failure.WebrootUnsafe, "proves nothing")
			unchanged()
		})
	}
}

// TestAFileSystemThatHangsIsLeftAlone mounts one that reads questions and answers none: what waits for it cannot even be
// killed.
func TestAFileSystemThatHangsIsLeftAlone(t *testing.T) {
	for name, mounter := range map[string]int{"root's": 0, "a customer's": customer} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := newGround(t)
			g.must(g.w.Check(t.Context(), g.root))
			g.w.Patience = 2 * time.Second
			fs := g.mountAbroad(g.dir(filepath.Join(g.home, "mnt"), customer, 0o755), mounter, map[string]told{".": {}})
			fs.fallSilent()
			root := filepath.Join(fs.dir, "www")
			_, err := g.w.Inspect(t.Context(), root)
			wantClass(t, err, failure.WebrootLocked, root, "does not answer", fs.dir)
			before := len(fs.questions(0))
			if before == 0 {
				t.Fatal("it was not asked")
			}
			g.w.Patience = webroot.DefaultPatience
			_, err = g.w.Inspect(t.Context(), filepath.Join(fs.dir, "another"))
			wantClass(t, err, failure.WebrootLocked, "does not answer", fs.dir)
			if after := len(fs.questions(0)); after != before {
				t.Errorf("it was asked %d times more", after-before)
			}
			g.must(g.w.Check(t.Context(), g.root))
		})
	}
}

func TestTheEndOfTheRunIsNotHeldUpByAFileSystem(t *testing.T) {
	g := newGround(t)
	g.w.Patience = time.Hour
	fs := g.mountAbroad(g.dir(filepath.Join(g.home, "mnt"), customer, 0o755), 0, map[string]told{".": {}})
	fs.fallSilent()
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-fs.heard // the mount's own
		<-fs.heard
		cancel()
	}()
	_, err := g.w.Inspect(ctx, filepath.Join(fs.dir, "www"))
	if failure.ClassOf(err) != failure.Stopped {
		t.Errorf("%v", err)
	}
	g.w.Close()
}
