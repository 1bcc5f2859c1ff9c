package webroot_test

import (
	"context"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"orderly/failure"
)

// Orders of one run share the helpers. While a file system keeps one of them waiting, the others wait, but
// what it owes is not held against them: their document roots answer as soon as they are asked.
func TestAFileSystemThatHangsIsNotHeldAgainstOthers(t *testing.T) {
	g := newGround(t)
	g.must(g.w.Check(t.Context(), g.root))
	g.w.Patience = 2 * time.Second
	fs := g.mountAbroad(g.dir(filepath.Join(g.home, "mnt"), customer, 0o755), 0, map[string]told{".": {}})
	fs.fallSilent()
	var all sync.WaitGroup
	hangs := func(name string) {
		_, err := g.w.Inspect(t.Context(), filepath.Join(fs.dir, name))
		if failure.ClassOf(err) != failure.WebrootLocked {
			t.Errorf("%s: %v", name, err)
		}
	}
	all.Go(func() { hangs("first") })
	<-fs.heard // the mount's own
	<-fs.heard
	for range 6 {
		all.Go(func() {
			if err := g.w.Check(t.Context(), g.root); err != nil {
				t.Errorf("a healthy document root: %v", err)
			}
		})
		all.Go(func() { hangs("next") })
	}
	all.Wait()
}

// Whose identity takes long to find (a directory service that does not answer) keeps nobody else waiting.
func TestAnIdentityThatTakesLongKeepsNobodyElse(t *testing.T) {
	g := newGround(t)
	g.must(g.w.Check(t.Context(), g.root))
	asked, answer := make(chan struct{}), make(chan struct{})
	g.w.Groups = func(context.Context, uint32) []int {
		close(asked)
		<-answer
		return []int{customer}
	}
	way := g.link(g.root, filepath.Join(g.home, "way"), customer)
	var all sync.WaitGroup
	all.Go(func() {
		if _, err := g.w.Inspect(t.Context(), way); err != nil {
			t.Errorf("whose identity took long: %v", err)
		}
	})
	<-asked
	served := make(chan error)
	go func() { served <- g.w.Check(t.Context(), g.root) }()
	select {
	case err := <-served:
		g.must(err)
	case <-time.After(time.Minute):
		t.Error("another one's document root waits for it")
	}
	close(answer)
	all.Wait()
}
