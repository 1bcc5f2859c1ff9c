package packagetest

// Debian's certbot and Orderly's packages are installed, upgraded, removed and purged in every order:
// what there is to do in each situation is done, until nothing is left that was not, and after each
// step everything is looked at. What is there may depend on the situation alone, never on the way.

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
)

// The states of a package, as dpkg calls them.
const (
	absent    = "not-installed"
	installed = "installed"
	removed   = "config-files"
)

// situation is the state of each package; ordered, so that it can be compared.
type situation [3]string

// packageNames are the packages of a situation.
func packageNames() [3]string { return [3]string{"certbot", "orderly", "orderly-certbot"} }

// step is something done to one package.
type step struct {
	does string // install, upgrade, remove, purge
	on   int    // which package
}

func (s step) String() string { return s.does + " " + packageNames()[s.on] }

// from says where a step leads; ok is false where dpkg would refuse it, or there is nothing to do.
func (s step) from(at situation) (to situation, ok bool) {
	to = at
	switch s.does {
	case "install":
		to[s.on] = installed
		ok = s.on != 2 || at[1] == installed
	case "upgrade":
		ok = at[s.on] == installed
	case "remove":
		to[s.on] = removed
		ok = at[s.on] == installed && (s.on != 1 || at[2] != installed)
	case "purge":
		to[s.on] = absent
		ok = at[s.on] != absent && (s.on != 1 || at[2] != installed)
	}
	return to, ok
}

// do does a step.
func (tr *tree) do(b *bench, s step) {
	tr.t.Helper()
	name := packageNames()[s.on]
	switch s.does {
	case "install":
		tr.run("/usr/bin/dpkg", "-i", b.packages[name][0])
	case "upgrade":
		tr.run("/usr/bin/dpkg", "-i", b.packages[name][1])
	case "remove":
		tr.run("/usr/bin/dpkg", "-r", name)
	case "purge":
		tr.run("/usr/bin/dpkg", "-P", name)
	}
}

// state is a package's state and version, by dpkg.
func (tr *tree) state(name string) (status, version string) {
	said, err := tr.try("/usr/bin/dpkg-query", "-W", "-f", "${db:Status-Status} ${Version}", name)
	if err != nil {
		return absent, ""
	}
	status, version, _ = strings.Cut(said, " ")
	return status, version
}

// walk does every step of some packages in every situation that they can be in.
type walk struct {
	b    *bench
	tr   *tree
	on   []int // the packages
	at   situation
	done map[string]bool
	way  []string // that was gone, for whoever looks for the reason of a failure
}

// steps are those that can be taken in a situation.
func (w *walk) steps(at situation) []step {
	var all []step
	for _, on := range w.on {
		for _, does := range []string{"install", "upgrade", "remove", "purge"} {
			if _, ok := (step{does, on}).from(at); ok {
				all = append(all, step{does, on})
			}
		}
	}
	return all
}

// next is the shortest way to a step that was not taken yet, with it; none if all were.
func (w *walk) next() []step {
	type place struct {
		at  situation
		way []step
	}
	seen := map[situation]bool{w.at: true}
	for queue := []place{{at: w.at}}; len(queue) > 0; queue = queue[1:] {
		here := queue[0]
		for _, s := range w.steps(here.at) {
			way := append(slices.Clone(here.way), s)
			if !w.done[fmt.Sprint(here.at, s)] {
				return way
			}
			if to, _ := s.from(here.at); !seen[to] {
				seen[to] = true
				queue = append(queue, place{to, way})
			}
		}
	}
	return nil
}

// all walks.
func (w *walk) all(t *testing.T) {
	for way := w.next(); way != nil; way = w.next() {
		for _, s := range way {
			w.done[fmt.Sprint(w.at, s)] = true
			w.at, _ = s.from(w.at)
			w.way = append(w.way, s.String())
			w.tr.do(w.b, s)
			w.look(t)
			if t.Failed() {
				t.Fatalf("after %s", strings.Join(w.way, ", "))
			}
		}
	}
	t.Logf("%d steps", len(w.way))
}

// look checks everything that can be seen of a situation.
func (w *walk) look(t *testing.T) {
	t.Helper()
	want := manifest{}
	verify := []string{"/usr/bin/dpkg", "-V"}
	for i, name := range packageNames() {
		status, version := w.tr.state(name)
		if status != w.at[i] {
			t.Errorf("%s is %s, and should be %s", name, status, w.at[i])
		}
		if status != absent {
			maps.Copy(want, w.leftBy(t, name, status, strings.HasSuffix(version, later)))
		}
		// Orderly itself is large, and no other package touches its files; dpkg -V looks for what is
		// diverted in the place that it has no more, and the manifest in the right one.
		if status == installed && (name == "orderly-certbot" || name == "certbot" && w.at[2] != installed) {
			verify = append(verify, name)
		}
	}
	if len(verify) > 2 {
		w.says(t, "", verify...)
	}
	w.says(t, "", "/usr/bin/dpkg", "--audit")
	diversions := ""
	if w.at[2] == installed {
		diversions = "diversion of /usr/bin/certbot to /usr/bin/certbot.distrib by orderly-certbot\n" +
			"diversion of /usr/share/man/man1/certbot.1.gz to /usr/share/man/man1/certbot.distrib.1.gz by orderly-certbot\n"
	}
	w.says(t, diversions, "/usr/bin/dpkg-divert", "--list", "*certbot*")
	if d := w.tr.manifest(w.b.pristine).difference(want); d != "" {
		t.Error(d)
	}
	w.oneRenews(t)
}

// says runs something that should say this.
func (w *walk) says(t *testing.T, want string, args ...string) {
	t.Helper()
	if said := w.tr.run(args...); said != want {
		t.Errorf("%s says %q, and should say %q", strings.Join(args, " "), said, want)
	}
}

// leftBy is what a package leaves in a state, learnt where it comes and goes alone; with Orderly in
// its place certbot's files are called otherwise.
func (w *walk) leftBy(t *testing.T, name, status string, newer bool) manifest {
	t.Helper()
	key := fmt.Sprint(name, status, newer)
	if w.b.alone[key] == nil {
		tr := w.b.tree(t)
		which := 0
		if newer {
			which = 1
		}
		tr.run("/usr/bin/dpkg", "-i", "--force-depends", w.b.packages[name][which])
		if status == removed {
			tr.run("/usr/bin/dpkg", "-r", name)
		}
		w.b.alone[key] = tr.manifest(w.b.pristine)
		tr.end()
	}
	if name != "certbot" || w.at[2] != installed {
		return w.b.alone[key]
	}
	return w.b.alone[key].renamed(map[string]string{"/usr/bin/certbot": "/usr/bin/certbot.distrib",
		"/usr/share/man/man1/certbot.1.gz": "/usr/share/man/man1/certbot.distrib.1.gz"})
}

// newWalk begins one with none of the packages.
func newWalk(t *testing.T, b *bench, on ...int) *walk {
	t.Helper()
	return &walk{b: b, tr: b.tree(t), on: on, done: map[string]bool{}, at: situation{absent, absent, absent}}
}

// everyOrder walks over the two packages where Orderly is installed, or over all three.
func everyOrder(t *testing.T, b *bench) {
	on := []int{0, 2}
	if os.Getenv("ORDERLY_PACKAGE_TREE") != "" {
		on = []int{0, 1, 2}
	}
	w := newWalk(t, b, on...)
	w.tr.do(b, step{"install", 1})
	w.at[1] = installed
	w.look(t)
	w.all(t)
}
