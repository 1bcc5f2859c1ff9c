package webroot_test

import (
	"os"
	"path/filepath"
	"runtime"
	"sync/atomic"
	"testing"

	"golang.org/x/sys/unix"
)

// TestSwappingLinksMeanwhileLeadsNowhere lets a customer exchange directories for links to root's ground as fast as he
// can while tokens are placed and removed.
func TestSwappingLinksMeanwhileLeadsNowhere(t *testing.T) {
	g := newGround(t)
	g.dir(filepath.Join(g.outside, "acme-challenge"), 0, 0o755)
	g.dir(filepath.Join(g.outside, "htdocs"), 0, 0o755)
	unchanged := g.unchanged(g.outside)
	wellKnown, aside := filepath.Join(g.root, ".well-known"), filepath.Join(g.root, "aside")
	challenge, gone := filepath.Join(wellKnown, "acme-challenge"), filepath.Join(g.root, "gone")
	var done atomic.Bool
	finished := make(chan struct{})
	go func() {
		defer close(finished)
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
		if _, err := unix.SetfsuidRetUid(customer); err != nil {
			t.Errorf("becoming the customer: %v", err)
			return
		}
		for !done.Load() {
			_ = os.Rename(wellKnown, aside)
			_ = os.Symlink(g.outside, wellKnown)
			_ = os.Remove(wellKnown)
			_ = os.Rename(aside, wellKnown)
			_ = os.Rename(challenge, gone)
			_ = os.Symlink(g.outside, challenge)
			_ = os.Remove(challenge)
			_ = os.Rename(gone, challenge)
			_ = os.Rename(g.root, g.root+"-away")
			_ = os.Symlink(g.outside, g.root)
			_ = os.Remove(g.root)
			_ = os.Rename(g.root+"-away", g.root)
			_ = os.Symlink(filepath.Join(g.outside, "secret"), filepath.Join(challenge, token))
		}
	}()
	forged := g.forged(g.root)
	succeeded := 0
	for range 2000 {
		if _, err := g.w.Place(t.Context(), forged, content); err == nil {
			succeeded++
		}
		_ = g.w.Remove(t.Context(), forged)
	}
	done.Store(true)
	<-finished
	unchanged()
	if succeeded == 0 {
		t.Error("the attack never let a token through, so nothing was attacked")
	}
}
