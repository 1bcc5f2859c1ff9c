package webroot_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"orderly/failure"
)

// follow executes what a remedy says, as root pastes it into a shell.
func (g *ground) follow(err error) {
	g.t.Helper()
	_, after, ok := strings.Cut(string(failure.RemedyOf(err)), "`")
	command, _, closed := strings.Cut(after, "`")
	if !ok || !closed {
		g.t.Fatalf("%v: no command in the remedy %q", err, failure.RemedyOf(err))
	}
	if out, err := exec.Command("/bin/sh", "-ec", command).CombinedOutput(); err != nil {
		g.t.Fatalf("%s: %v\n%s", command, err, out)
	}
}

// TestEachRemedyWorksAsItIsWritten breaks a document root in each way that has a remedy of its own, follows the remedy to
// the letter, and tries again.
func TestEachRemedyWorksAsItIsWritten(t *testing.T) {
	for name, spoil := range map[string]func(g *ground) (root string){
		"no document root":             func(g *ground) string { return g.home + "/gone" },
		"neither it nor what it is in": func(g *ground) string { return g.home + "/gone/too/it's mine" },
		"none in root's tree":          func(g *ground) string { return g.base + "/www/site" },
		"a plain file":                 func(g *ground) string { return g.file(g.home+"/www", "", customer) },
		"a plain file above":           func(g *ground) string { return g.file(g.home+"/www", "", customer) + "/site" },
		"root's link to nothing":       func(g *ground) string { return g.link("nothing", g.base+"/www", 0) },
		"a customer's link to nothing": func(g *ground) string { return g.link("releases/9", g.home+"/current", customer) },
		".well-known is a file": func(g *ground) string {
			g.file(g.root+"/.well-known", "", customer)
			return g.root
		},
		"acme-challenge is a file": func(g *ground) string {
			g.dir(g.root+"/.well-known", customer, 0o755)
			g.file(g.root+"/.well-known/acme-challenge", "", customer)
			return g.root
		},
		".well-known is a link to nothing": func(g *ground) string {
			g.link("../acme", g.root+"/.well-known", customer)
			return g.root
		},
		"he may not write where it leads": func(g *ground) string {
			g.link(g.outside, g.root+"/.well-known", customer)
			return g.root
		},
		"he may not write where tokens are": func(g *ground) string {
			g.dir(g.outside+"/acme-challenge", 0, 0o755)
			g.link(g.outside, g.root+"/.well-known", customer)
			return g.root
		},
		"he may not enter where it leads": func(g *ground) string {
			g.dir(g.outside+"/deep", 0, 0o700)
			g.dir(g.outside+"/deep/his", customer, 0o755)
			g.link(g.outside+"/deep/his", g.home+"/current", customer)
			return g.home + "/current"
		},
		"a second customer's link": func(g *ground) string {
			open := g.dir(g.base+"/open", 0, 0o777)
			g.link("site", open+"/next", neighbour)
			g.dir(open+"/site", customer, 0o755)
			return g.link(open+"/next", g.home+"/current", customer)
		},
		"an immutable directory": func(g *ground) string {
			g.must(exec.Command("chattr", "+i", g.root).Run())
			g.t.Cleanup(func() { _ = exec.Command("chattr", "-i", g.root).Run() })
			return g.root
		},
		"a file system mounted read-only": func(g *ground) string {
			at := g.dir(g.base+"/disk", 0, 0o755)
			g.must(unix.Mount("none", at, "tmpfs", 0, ""))
			g.t.Cleanup(func() { _ = unix.Unmount(at, unix.MNT_DETACH) })
			g.dir(at+"/www", customer, 0o755)
			g.must(unix.Mount("none", at, "tmpfs", unix.MS_REMOUNT|unix.MS_RDONLY, ""))
			return at + "/www"
		},
		"a file system that does not answer": func(g *ground) string {
			at := g.dir(g.home+"/mnt", customer, 0o755)
			g.dir(at+"/www", customer, 0o755) // what is there when nothing is mounted
			g.must(g.w.Check(g.t.Context(), g.root))
			g.w.Patience = time.Second
			g.mountAbroad(at, 0, map[string]told{".": {}}).fallSilent()
			return at + "/www"
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := newGround(t)
			root := spoil(g)
			err := g.w.Check(t.Context(), root)
			if err == nil {
				t.Fatal("nothing was wrong")
			}
			g.follow(err)
			g.w = newWriter(t) // the next run
			if again := g.w.Check(t.Context(), root); again != nil {
				t.Errorf("after %q: %v", failure.RemedyOf(err), again)
			}
		})
	}
}

func TestTheRemedyForATakenTokensPlaceWorks(t *testing.T) {
	g := newGround(t)
	www := g.dir(g.home+"/www", 0, 0o755)
	g.must(os.MkdirAll(www+"/.well-known/acme-challenge", 0o755))
	g.file(filepath.Join(www, ".well-known/acme-challenge", token), "root's own", 0)
	_, err := g.place(www, content)
	wantClass(t, err, failure.WebrootLocked, token)
	g.follow(err)
	g.placed(www, content)
}
