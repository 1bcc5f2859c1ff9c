package webroot_test

import (
	"context"
	"os"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	"orderly/failure"
	"orderly/solver/webroot"
)

func TestCheckNamesWhatIsInTheWay(t *testing.T) {
	for _, test := range []struct {
		name    string
		prepare func(g *ground) (root string, words []string)
		class   failure.Class
	}{
		{"missing", func(g *ground) (string, []string) {
			return g.home + "/gone", []string{g.home + "/gone does not exist"}
		}, failure.WebrootGone},
		{"a parent missing", func(g *ground) (string, []string) {
			return g.home + "/gone/htdocs", []string{g.home + "/gone/htdocs does not exist", "there is no " + g.home + "/gone"}
		}, failure.WebrootGone},
		{"root's link to nothing", func(g *ground) (string, []string) {
			return g.link("nothing", g.base+"/www", 0), []string{g.base + "/www does not exist", "there is no " + g.base + "/nothing"}
		}, failure.WebrootGone},
		{"a plain file", func(g *ground) (string, []string) {
			return g.file(g.home+"/file", "", customer), []string{g.home + "/file is a plain file"}
		}, failure.WebrootGone},
		{"a plain file above", func(g *ground) (string, []string) {
			return g.file(g.home+"/file", "", customer) + "/sub", []string{g.home + "/file is a plain file"}
		}, failure.WebrootGone},
		{".well-known is a plain file", func(g *ground) (string, []string) {
			return g.root, []string{g.file(g.root+"/.well-known", "", customer) + " is a plain file"}
		}, failure.WebrootLocked},
		{"acme-challenge is a plain file", func(g *ground) (string, []string) {
			g.dir(g.root+"/.well-known", customer, 0o755)
			return g.root, []string{g.file(g.root+"/.well-known/acme-challenge", "", customer) + " is a plain file"}
		}, failure.WebrootLocked},
		{".well-known links to nothing", func(g *ground) (string, []string) {
			g.link("nothing", g.root+"/.well-known", customer)
			return g.root, []string{g.root + "/nothing does not exist"}
		}, failure.WebrootLocked},
		{".well-known links to a file", func(g *ground) (string, []string) {
			g.file(g.root+"/file", "", customer)
			g.link("file", g.root+"/.well-known", customer)
			return g.root, []string{g.root + "/file is a plain file"}
		}, failure.WebrootLocked},
		{"escape sequences in a name", func(g *ground) (string, []string) {
			g.link("\x1b[31m", g.root+"/.well-known", customer)
			return g.root, []string{"/ [31m does not exist"}
		}, failure.WebrootLocked},
	} {
		t.Run(test.name, func(t *testing.T) {
			g := newGround(t)
			root, words := test.prepare(g)
			unchanged := g.unchanged(g.base)
			wantClass(t, g.w.Check(t.Context(), root), test.class, words...)
			_, err := g.w.Inspect(t.Context(), root)
			if test.class == failure.WebrootGone {
				wantClass(t, err, test.class, words...)
			} else if err != nil {
				t.Errorf("looking alone sees what only writing meets: %v", err)
			}
			unchanged()
		})
	}
}

func TestAProbeLooksLikeAKeyAuthorizationAndIsRemoved(t *testing.T) {
	g := newGround(t)
	unchanged := g.unchanged(g.base)
	probe, err := g.w.WriteProbe(t.Context(), g.root)
	g.must(err)
	if !regexp.MustCompile(`^orderly-[A-Za-z0-9_-]{35}$`).MatchString(probe.Token) {
		t.Errorf("token %q", probe.Token)
	}
	if len(probe.Content) != 43+1+43 {
		t.Errorf("content %q", probe.Content)
	}
	g.wantFile(probe.Path(), probe.Content)
	again, err := g.w.WriteProbe(t.Context(), g.root)
	g.must(err)
	if again.Token == probe.Token || again.Content == probe.Content {
		t.Error("two probes are alike")
	}
	g.must(g.w.Remove(t.Context(), again.Placement))
	g.must(g.w.Remove(t.Context(), probe.Placement))
	unchanged()
}

func TestAFailedProbeLeavesNothing(t *testing.T) {
	g := newGround(t)
	g.dir(g.root+"/.well-known", customer, 0o755)
	g.file(g.root+"/.well-known/acme-challenge", "", customer)
	unchanged := g.unchanged(g.root)
	_, err := g.w.WriteProbe(t.Context(), g.root)
	wantClass(t, err, failure.WebrootLocked)
	unchanged()
}

func TestOnlyOldProbesOfOurOwnAreRemoved(t *testing.T) {
	g := newGround(t)
	now := time.Now()
	name := func(last string) string { return "orderly-" + "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA" + last }
	g.dir(g.root+"/.well-known", customer, 0o755)
	dir := g.dir(g.root+"/.well-known/acme-challenge", customer, 0o755)
	put := func(name string, owner int, age time.Duration) string {
		path := g.file(filepath.Join(dir, name), "x", owner)
		g.must(os.Chtimes(path, now.Add(-age), now.Add(-age)))
		return path
	}
	stale := put(name("s"), 0, 61*time.Minute)
	keep := []string{
		put(name("y"), 0, 59*time.Minute),
		put(name("c"), customer, 2*time.Hour),
		put(token, 0, 2*time.Hour),
		put("orderly-notes", 0, 2*time.Hour),
		g.link(g.outside+"/secret", filepath.Join(dir, name("l")), 0),
	}
	n, err := g.w.RemoveStaleProbes(t.Context(), g.root, now)
	if err != nil || n != 1 {
		t.Errorf("removed %d, %v; want 1", n, err)
	}
	if _, err := os.Lstat(stale); !os.IsNotExist(err) {
		t.Errorf("the stale probe stayed: %v", err)
	}
	for _, path := range keep {
		if _, err := os.Lstat(path); err != nil {
			t.Error(err)
		}
	}
}

func TestStaleProbesOfRootsAreSafeFromACustomersLink(t *testing.T) {
	g := newGround(t)
	dir := g.dir(g.outside+"/acme-challenge", 0, 0o755)
	old := time.Now().Add(-2 * time.Hour)
	path := g.file(dir+"/orderly-AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", "x", 0)
	g.must(os.Chtimes(path, old, old))
	g.link(g.outside, g.root+"/.well-known", customer)
	unchanged := g.unchanged(g.outside)
	n, err := g.w.RemoveStaleProbes(t.Context(), g.root, time.Now())
	if n != 0 || err != nil {
		t.Errorf("%d removed, %v", n, err)
	}
	unchanged()
}

func TestNoProbesAnywhereIsNoError(t *testing.T) {
	g := newGround(t)
	if n, err := g.w.RemoveStaleProbes(t.Context(), g.root, time.Now()); n != 0 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
}

func TestIdentityTellsAReplacedDocumentRoot(t *testing.T) {
	g := newGround(t)
	www := g.link(g.root, g.base+"/www", 0)
	before, err := g.w.Inspect(t.Context(), www)
	g.must(err)
	if before.Path != g.root {
		t.Errorf("path %s, want links resolved: %s", before.Path, g.root)
	}
	g.must(os.Rename(g.root, g.root+"-old"))
	g.dir(g.root, customer, 0o755)
	after, err := g.w.Inspect(t.Context(), www)
	g.must(err)
	if before == after || before.Path != after.Path {
		t.Errorf("before %+v, after %+v", before, after)
	}
}

func BenchmarkCheck(b *testing.B) {
	root, w := b.TempDir(), new(webroot.Writer)
	defer w.Close()
	for b.Loop() {
		if err := w.Check(b.Context(), root); err != nil {
			b.Fatal(err)
		}
	}
}

// A run that is told to end while a probe is put there leaves none.
func TestAProbeOutlivesNoRunThatIsStopped(t *testing.T) {
	g := newGround(t)
	unchanged := g.unchanged(g.base)
	for range 12 {
		ctx, stop := context.WithCancel(t.Context())
		stopped := make(chan struct{})
		go func() {
			defer close(stopped)
			stop()
		}()
		probe, err := g.w.WriteProbe(ctx, g.root)
		<-stopped
		if err == nil {
			g.must(g.w.Remove(t.Context(), probe.Placement))
		}
	}
	unchanged()
}
