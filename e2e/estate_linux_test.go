package e2e_test

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// estate is a provider's server as root and its customers have made it: a home for each customer, and what is shared. Every
// user may look into it, as a web server's workers must.
type estate struct {
	t     *testing.T
	base  string
	sites []*site
}

// plot is a customer's piece of it.
type plot struct {
	*estate
	domain string // of the site
	home   string
	user   int // the customer, who needs no account
}

// site is what a layout made of a plot.
type site struct {
	plot
	layout
	root string // the document root, as Orderly and the web server are told
}

// layout is one way to lay out a document root.
type layout struct {
	name string
	// make lays it out and returns the document root.
	make func(p plot) string
	// deploy is what the customer does between two renewals; nil for nothing.
	deploy func(p plot)
	// refused is what is said where the layout cannot be served; empty where it can.
	refused string
	// strangers says that a link in it belongs to another user than what it leads to, so that an Apache that looks at owners
	// does not serve it.
	strangers bool
}

// newEstate lays out a site for each layout.
func newEstate(t *testing.T, layouts []layout) *estate {
	t.Helper()
	base, err := os.MkdirTemp("", "orderly-estate-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(base) })
	e := &estate{t: t, base: base}
	e.must(os.Chmod(base, 0o755))
	e.dir(filepath.Join(base, "home"), 0, 0, 0o755)
	e.dir(filepath.Join(base, "shared"), 0, 0, 0o755)
	for i, l := range layouts {
		e.add(l, firstCustomer+i)
	}
	return e
}

// firstCustomer is a user id that no account has.
const firstCustomer = 61001

func (e *estate) add(l layout, user int) *site {
	e.t.Helper()
	p := plot{estate: e, domain: l.name + ".example.com", user: user, home: filepath.Join(e.base, "home", l.name)}
	p.dir(p.home, user, user, 0o755)
	s := &site{plot: p, layout: l}
	s.root = l.make(p)
	e.sites = append(e.sites, s)
	return s
}

func (e *estate) must(err error) {
	e.t.Helper()
	if err != nil {
		e.t.Fatal(err)
	}
}

// dir makes a directory of a user and a group.
func (e *estate) dir(path string, user, group int, mode fs.FileMode) string {
	e.t.Helper()
	e.must(os.Mkdir(path, 0o700))
	e.must(os.Lchown(path, user, group))
	e.must(os.Chmod(path, mode))
	return path
}

func (e *estate) link(target, path string, user int) string {
	e.t.Helper()
	e.must(os.Symlink(target, path))
	e.must(os.Lchown(path, user, user))
	return path
}

// relink leads a link elsewhere in one instant, as deployment tools do.
func (e *estate) relink(target, path string, user int) {
	e.t.Helper()
	e.must(os.Rename(e.link(target, path+".next", user), path))
}

// own makes a directory of the customer's below his home.
func (p plot) own(path ...string) string {
	p.t.Helper()
	return p.dir(filepath.Join(append([]string{p.home}, path...)...), p.user, p.user, 0o755)
}

// ownLink makes a link of the customer's.
func (p plot) ownLink(target string, path ...string) string {
	p.t.Helper()
	return p.link(target, filepath.Join(append([]string{p.home}, path...)...), p.user)
}

// releases are directories that deployments made, with current leading to the first of them.
func (p plot) releases(target func(n int) string, count int) string {
	p.t.Helper()
	p.own("releases")
	for n := 1; n <= count; n++ {
		p.own("releases", fmt.Sprint(n))
		p.own("releases", fmt.Sprint(n), "public")
	}
	p.ownLink(target(1), "current")
	return filepath.Join(p.home, "current", "public")
}

func (p plot) absolute(n int) string { return filepath.Join(p.home, "releases", fmt.Sprint(n)) }

func relative(n int) string { return fmt.Sprintf("releases/%d", n) }

// picture describes everything in the estate: names, kinds, modes, owners, what links lead to and what files hold.
func (e *estate) picture() []string {
	e.t.Helper()
	var lines []string
	e.must(filepath.WalkDir(e.base, func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := os.Lstat(path)
		if err != nil {
			return err
		}
		st := info.Sys().(*syscall.Stat_t)
		line := fmt.Sprintf("%s %s %d:%d", strings.TrimPrefix(path, e.base), info.Mode(), st.Uid, st.Gid)
		switch {
		case info.Mode()&fs.ModeSymlink != 0:
			to, err := os.Readlink(path)
			line += " -> " + to
			e.must(err)
		case info.Mode().IsRegular():
			text, err := os.ReadFile(path)
			line += fmt.Sprintf(" %q", text)
			e.must(err)
		}
		lines = append(lines, line)
		return nil
	}))
	return lines
}

// tokens are the files of challenges that stand anywhere in it.
func (e *estate) tokens() []string {
	return slices.DeleteFunc(e.picture(), func(line string) bool { return !strings.Contains(line, "-rw-r--r--") })
}

// unchanged wants the estate to look as it did.
func (e *estate) unchanged(before []string, when string) {
	e.t.Helper()
	now := e.picture()
	for _, line := range now {
		if !slices.Contains(before, line) {
			e.t.Errorf("%s there is %s", when, line)
		}
	}
	for _, line := range before {
		if !slices.Contains(now, line) {
			e.t.Errorf("%s there is no more %s", when, line)
		}
	}
}

// roots are the document roots of the sites for which keep says so.
func (e *estate) roots(keep func(*site) bool) map[string]string {
	all := map[string]string{}
	for _, s := range e.sites {
		if keep(s) {
			all[s.domain] = s.root
		}
	}
	return all
}

// nginxOf serves the estate as nginx does.
func nginxOf(e *estate, dir string, port int) realServer {
	all := e.roots(func(*site) bool { return true })
	return nginxServer(dir, port, blocks(" server { listen 127.0.0.1:%d; server_name %s; root %s; }\n", port, all))
}

// apacheOf serves it as Apache does, which looks at the owners of links wherever the layout allows that.
func apacheOf(e *estate, dir string, port int) realServer {
	const host = "<VirtualHost 127.0.0.1:%d>\n ServerName %s\n DocumentRoot %s\n%s</VirtualHost>\n"
	strange := e.roots(func(s *site) bool { return s.strangers })
	careful := e.roots(func(s *site) bool { return !s.strangers })
	text := blocks(strings.Replace(host, "%s</V", "</V", 1), port, strange)
	owners := " <Directory />\n  Options -FollowSymLinks +SymLinksIfOwnerMatch\n </Directory>\n"
	return apacheServer(dir, port, text+blocks(strings.Replace(host, "%s</V", owners+"</V", 1), port, careful))
}
