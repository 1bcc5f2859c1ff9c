package webroot_test

import (
	"context"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"orderly/failure"
)

// Orders of one run share the helpers. While a file system keeps one of them, nobody waits whose document
// root is elsewhere, however many ask about what hangs: the healthy ones are served while those are still
// waited for.
func TestAFileSystemThatHangsHoldsUpNobodyElse(t *testing.T) {
	g := newGround(t)
	g.must(g.w.Check(t.Context(), g.root))
	g.w.Patience = 10 * time.Minute
	ctx, end := context.WithCancel(t.Context())
	fs := g.mountAbroad(g.dir(filepath.Join(g.home, "mnt"), customer, 0o755), 0, map[string]told{".": {}})
	fs.fallSilent()
	var all sync.WaitGroup
	hangs := func(name string) {
		_, err := g.w.Inspect(ctx, filepath.Join(fs.dir, name))
		if failure.ClassOf(err) != failure.Stopped {
			t.Errorf("%s: %v", name, err)
		}
	}
	all.Go(func() { hangs("first") })
	<-fs.heard // the mount's own
	<-fs.heard
	var healthy sync.WaitGroup
	for range 20 {
		all.Go(func() { hangs("next") })
		healthy.Go(func() {
			if err := g.w.Check(t.Context(), g.root); err != nil {
				t.Errorf("a healthy document root: %v", err)
			}
		})
	}
	healthy.Wait() // with patience for what hangs that lasts far longer than a test
	end()
	all.Wait()
}

// What is known of a file system that keeps silent is known to all who waited for it: they hear so at once,
// and not after a patience of their own each.
func TestAFileSystemThatHangsIsWaitedForOnce(t *testing.T) {
	g := newGround(t)
	g.must(g.w.Check(t.Context(), g.root))
	g.w.Patience = 2 * time.Second
	fs := g.mountAbroad(g.dir(filepath.Join(g.home, "mnt"), customer, 0o755), 0, map[string]told{".": {}})
	fs.fallSilent()
	hangs := func(name string) {
		_, err := g.w.Inspect(t.Context(), filepath.Join(fs.dir, name))
		if failure.ClassOf(err) != failure.WebrootLocked {
			t.Errorf("%s: %v", name, err)
		}
	}
	var all sync.WaitGroup
	all.Go(func() { hangs("first") })
	<-fs.heard // the mount's own
	<-fs.heard
	for range 30 { // one after the other they would need a minute
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
