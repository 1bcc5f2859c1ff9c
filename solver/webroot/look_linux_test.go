package webroot_test

import (
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"orderly/failure"
	"orderly/solver/webroot"
)

// A look at a document root says what stands in it and how much room there is, and changes nothing;
// files of others, and what is no token, are none of ours.
func TestALookSaysWhatStandsThere(t *testing.T) {
	g := newGround(t)
	unchanged := g.unchanged(g.base)
	is, err := g.w.Look(t.Context(), g.root)
	g.must(err)
	if is.Err != nil || is.Identity.Path != g.root || len(is.Left) != 0 || is.Room.Size == 0 || is.Room.Bytes > is.Room.Size {
		t.Errorf("%+v", is)
	}
	unchanged()
	dir := g.dir(g.root+"/.well-known", 0, 0o755)
	dir = g.dir(dir+"/acme-challenge", 0, 0o755)
	for name, uid := range map[string]int{"ours": 0, "a-customers": customer} {
		g.file(filepath.Join(dir, name), name+".thumbprint", uid)
	}
	g.must(os.Link(g.file(filepath.Join(dir, "linked"), "linked.thumbprint", 0), filepath.Join(dir, "twice")))
	unchanged = g.unchanged(g.base)
	is, err = g.w.Look(t.Context(), g.root)
	g.must(err)
	if len(is.Left) != 1 || is.Left[0].Token != "ours" || is.Left[0].Thumbprint != "thumbprint" || is.Dir != dir {
		t.Errorf("%+v", is)
	}
	unchanged()
	g.must(g.w.Remove(t.Context(), is.Of(g.root, is.Left[0])))
	if _, err := os.Stat(filepath.Join(dir, "ours")); !os.IsNotExist(err) {
		t.Errorf("ours stands: %v", err)
	}
	if _, err := os.Stat(filepath.Join(dir, "a-customers")); err != nil {
		t.Error(err)
	}
}

// What is not there is told with since when, and what is in the way as being in the document root.
func TestALookSaysWhereTheWayEnds(t *testing.T) {
	g := newGround(t)
	went := time.Now().Add(-time.Hour).Truncate(time.Second)
	g.must(os.Chtimes(g.home, went, went))
	is, err := g.w.Look(t.Context(), filepath.Join(g.home, "gone/deeper"))
	g.must(err)
	if is.Absent != filepath.Join(g.home, "gone") || !is.Changed.Equal(went) || is.Reached || failure.ClassOf(is.Err) != failure.WebrootGone {
		t.Errorf("%+v", is)
	}
	g.file(g.root+"/.well-known", "", customer)
	if is, err = g.w.Look(t.Context(), g.root); err != nil || !is.Reached || failure.ClassOf(is.Err) != failure.WebrootLocked {
		t.Errorf("%+v, %v", is, err)
	}
}

// Many document roots on a file system that keeps silent cost its patience once, and what is elsewhere
// is looked at meanwhile.
func TestALookAtManyThatHangIsBounded(t *testing.T) {
	g := newGround(t)
	g.w.Patience = 2 * time.Second
	fs := g.mountAbroad(g.dir(filepath.Join(g.home, "mnt"), customer, 0o755), 0, map[string]told{".": {}})
	fs.fallSilent()
	var all sync.WaitGroup
	for i := range 30 {
		all.Go(func() {
			is, err := g.w.Look(t.Context(), filepath.Join(fs.dir, fmt.Sprint("site", i)))
			if err != nil || failure.ClassOf(is.Err) != failure.WebrootLocked || is.Identity != (webroot.Identity{}) {
				t.Errorf("%+v, %v", is, err)
			}
		})
	}
	is, err := g.w.Look(t.Context(), g.root)
	if err != nil || is.Err != nil {
		t.Errorf("elsewhere: %v, %v", is.Err, err)
	}
	all.Wait()
}
