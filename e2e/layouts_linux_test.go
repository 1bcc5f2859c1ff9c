package e2e_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"orderly/testca"
)

// webServerGroup is the group of www-data on every Debian.
const webServerGroup = 33

// sharedUser is an account that every Debian has, the only member of a group of its own: "list".
const sharedUser = 38

// layouts are the ways in which customers' document roots are laid out, and which certbot serves as root.
func layouts() []layout {
	htdocs := func(p plot) string { return p.own("htdocs") }
	shared := func(p plot) string { return filepath.Join(p.base, "shared", filepath.Base(p.home)) }
	return []layout{
		{name: "plain", make: htdocs},
		{name: "capistrano", make: func(p plot) string { return p.releases(p.absolute, 2) },
			deploy: func(p plot) { p.relink(p.absolute(2), filepath.Join(p.home, "current"), p.user) }},
		{name: "deployer", make: func(p plot) string { return p.releases(relative, 2) },
			deploy: func(p plot) { p.relink(relative(2), filepath.Join(p.home, "current"), p.user) }},
		{name: "pruned", make: func(p plot) string { return p.releases(relative, 2) }, // the old release goes with the deployment
			deploy: func(p plot) {
				p.relink(relative(2), filepath.Join(p.home, "current"), p.user)
				p.must(os.RemoveAll(p.absolute(1)))
			}},
		{name: "moving", make: func(p plot) string { return p.releases(relative, 4) }},
		{name: "public-html", make: func(p plot) string { p.own("www"); return p.ownLink("www", "public_html") }},
		{name: "root-link", strangers: true, make: func(p plot) string { return p.link(htdocs(p), shared(p), 0) }},
		{name: "root-link-own-link", strangers: true, make: func(p plot) string {
			p.own("www")
			return p.link(p.ownLink("www", "public_html"), shared(p), 0)
		}},
		{name: "well-known-by-root", make: func(p plot) string {
			p.link(p.dir(shared(p), 0, 0, 0o755), filepath.Join(htdocs(p), ".well-known"), 0)
			return filepath.Join(p.home, "htdocs")
		}},
		{name: "well-known-own", make: func(p plot) string {
			htdocs(p)
			p.ownLink(p.own("acme"), "htdocs", ".well-known")
			return filepath.Join(p.home, "htdocs")
		}},
		{name: "well-known-foreign", refused: "may not write in", make: func(p plot) string {
			htdocs(p)
			p.ownLink(p.dir(shared(p), 0, 0, 0o755), "htdocs", ".well-known")
			return filepath.Join(p.home, "htdocs")
		}},
		{name: "challenge-by-root", make: func(p plot) string {
			p.link(p.dir(shared(p), 0, 0, 0o755), filepath.Join(p.dir(filepath.Join(htdocs(p), ".well-known"), 0, 0, 0o755), "acme-challenge"), 0)
			return filepath.Join(p.home, "htdocs")
		}},
		{name: "challenge-own", make: func(p plot) string {
			htdocs(p)
			p.own("htdocs", ".well-known")
			p.own("acme")
			p.ownLink("../../acme", "htdocs", ".well-known", "acme-challenge")
			return filepath.Join(p.home, "htdocs")
		}},
		{name: "root-made", make: func(p plot) string { return p.dir(filepath.Join(p.home, "htdocs"), 0, 0, 0o755) }},
		{name: "root-made-above", make: func(p plot) string {
			p.dir(filepath.Join(p.home, "sites"), 0, 0, 0o755)
			return p.own("sites", "htdocs")
		}},
		{name: "setgid", make: func(p plot) string {
			root := p.dir(filepath.Join(p.home, "htdocs"), p.user, sharedUser, 0o2775|os.ModeSetgid)
			p.dir(filepath.Join(root, ".well-known"), p.user+1000, sharedUser, 0o775|os.ModeSetgid)
			return root
		}},
		{name: "group", make: func(p plot) string { // a link of one customer into what another one lets his group write
			root := p.dir(filepath.Join(p.home, "htdocs"), p.user, sharedUser, 0o775|os.ModeSetgid)
			return p.link(root, shared(p), sharedUser)
		}, strangers: true},
		{name: "world-writable", make: func(p plot) string { return p.dir(filepath.Join(p.home, "htdocs"), p.user, p.user, 0o777) }},
		{name: "sticky", make: func(p plot) string { return p.dir(filepath.Join(p.home, "htdocs"), 0, 0, 0o777|os.ModeSticky) }},
		{name: "private-home", make: func(p plot) string {
			root := htdocs(p)
			p.must(os.Chmod(p.home, 0o711))
			return root
		}},
		{name: "chain", make: func(p plot) string {
			p.own("e")
			p.ownLink("e", "d")
			p.ownLink(filepath.Join(p.home, "d"), "c")
			p.ownLink("../"+filepath.Base(p.home)+"/c", "b")
			return p.ownLink("./b/", "a")
		}},
		{name: "upwards", make: func(p plot) string {
			htdocs(p)
			p.own("apps")
			return p.ownLink("../htdocs/.", "apps", "site")
		}},
		{name: "group-private", make: func(p plot) string { // nobody but the web server's group may look in
			p.must(os.Lchown(p.home, p.user, webServerGroup))
			p.must(os.Chmod(p.home, 0o710))
			for _, dir := range []string{"1", "1/public"} {
				p.dir(filepath.Join(p.home, dir), p.user, webServerGroup, 0o750|os.ModeSetgid)
			}
			p.ownLink("1", "current")
			return filepath.Join(p.home, "current", "public")
		}},
		{name: "read-only", make: func(p plot) string { // but for the challenges
			root := htdocs(p)
			p.own("htdocs", ".well-known")
			p.own("acme")
			p.ownLink("../../acme", "htdocs", ".well-known", "acme-challenge")
			mount(p.t, root, root, "", unix.MS_BIND, "")
			p.must(unix.Mount("", root, "", unix.MS_BIND|unix.MS_REMOUNT|unix.MS_RDONLY, ""))
			return root
		}},
		{name: "dots", make: func(p plot) string { htdocs(p); p.own("etc"); return p.home + "/etc/../htdocs/./" }},
		{name: "dangling", refused: "does not exist, though a link points there", make: func(p plot) string {
			htdocs(p)
			p.ownLink("../nowhere", "htdocs", ".well-known")
			return filepath.Join(p.home, "htdocs")
		}},
		{name: "two-users", refused: "is reached through links of two users", strangers: true, make: func(p plot) string {
			htdocs(p)
			other := p.link(filepath.Join(p.home, "htdocs"), shared(p), p.user+1000)
			return p.ownLink(other, "www")
		}},
		{name: "tmpfs", make: func(p plot) string {
			root := filepath.Join(p.home, "htdocs")
			mount(p.t, "tmpfs", root, "tmpfs", 0, fmt.Sprintf("mode=755,uid=%d,gid=%d,size=1m", p.user, p.user))
			return root
		}},
		{name: "bind", make: func(p plot) string {
			mount(p.t, htdocs(p), shared(p), "", unix.MS_BIND, "")
			return shared(p)
		}},
		{name: "bind-behind-a-link", make: func(p plot) string {
			htdocs(p)
			p.own("real")
			mount(p.t, filepath.Join(p.home, "real"), filepath.Join(p.home, "htdocs"), "", unix.MS_BIND, "")
			return p.ownLink("htdocs", "www")
		}},
	}
}

// Whatever certbot serves as root under a real web server is obtained and renewed, at one order each, and nothing is left.
func TestLayoutsBehindNginx(t *testing.T) {
	t.Parallel()
	if apart(t) {
		testLayouts(t, layouts(), nginxOf)
	}
}

func TestLayoutsBehindApache(t *testing.T) {
	t.Parallel()
	if apart(t) {
		testLayouts(t, layouts(), apacheOf)
	}
}

func testLayouts(t *testing.T, all []layout, serve func(e *estate, dir string, port int) realServer) {
	e := newEstate(t, all)
	port := freePort(t)
	w := newWorld(t, testca.Config{HTTPPort: port})
	w.web.port = port
	h := w.host("one")
	serve(e, filepath.Join(w.dir, "web"), port).start(t)
	before := e.picture()
	h.obtainAll(e)
	e.unchanged(before, "once they were obtained")
	h.orderedEach(e, 1)
	for _, s := range e.sites {
		if s.deploy != nil {
			s.deploy(s.plot)
		}
	}
	before = e.picture()
	h.must("renew", "--force-renewal")
	e.unchanged(before, "once they were renewed")
	h.orderedEach(e, 2)
	for _, s := range e.sites {
		if s.name == "moving.example.com" {
			h.renewMoving(s)
			e.unchanged(before, "once one was renewed while it was deployed")
		}
	}
	h.tidyHome()
}

// obtainAll obtains a certificate for each site that can be served, all at once, and wants the others refused.
func (h *host) obtainAll(e *estate) {
	h.t.Helper()
	var children []*child
	for _, s := range e.sites {
		children = append(children, h.start(h.certonly(s.root, s.domain)...))
	}
	for i, s := range e.sites {
		r := children[i].wait()
		if want := map[bool]int{true: 0, false: 1}[s.refused == ""]; r.code != want || !strings.Contains(r.stderr, s.refused) {
			h.t.Errorf("%s: %s", s.domain, r)
		}
	}
}

// orderedEach wants so many orders for each site that is served, by the CA's count, as many certificates, none for the others
// and nothing pending.
func (h *host) orderedEach(e *estate, times int) {
	h.t.Helper()
	truth := h.ca.Truth()
	orders, issued := map[string]int{}, map[string]int{}
	for _, o := range truth.Orders {
		orders[nameSet(o.Names)]++
	}
	for _, c := range truth.Issued {
		issued[nameSet(c.Names)]++
	}
	for _, s := range e.sites {
		want := times
		if s.refused != "" {
			want = 0
		}
		if orders[s.domain] != want || issued[s.domain] != want {
			h.t.Errorf("%s: %d orders, %d certificates, not %d", s.domain, orders[s.domain], issued[s.domain], want)
		}
		if want > 0 {
			h.goodPair(s.domain, s.domain)
		}
	}
	if truth.Pending() != 0 || truth.ValidatedTwice() != 0 {
		h.t.Errorf("%d authorizations are pending, %d were validated twice", truth.Pending(), truth.ValidatedTwice())
	}
	noOrder(h)
}

// A run is killed while the CA has seen its token, and a customer deploys before the next one: it is taken away from where it
// was put.
func TestAKillLeavesNothingInAnyLayout(t *testing.T) {
	t.Parallel()
	if !apart(t) {
		return
	}
	some := []string{"plain", "deployer", "pruned", "well-known-by-root", "challenge-own", "root-made", "group", "tmpfs"}
	e := newEstate(t, slices.DeleteFunc(layouts(), func(l layout) bool { return !slices.Contains(some, l.name) }))
	w := newWorld(t, testca.Config{})
	h := w.host("one")
	for _, s := range e.sites {
		w.web.serve(s.domain, s.root)
		h.interrupt(point{"order", 1, false}, syscall.SIGKILL, h.certonly(s.root, s.domain)...)
		if tokens := len(e.tokens()); tokens == 0 {
			t.Errorf("%s: no token stood when the run was killed", s.name)
		}
		until(t, "the CA has validated "+s.domain, func() bool { return h.ca.Truth().Pending() == 0 })
		if s.deploy != nil {
			s.deploy(s.plot)
		}
		h.must("resume", "--longest-validation", "2s")
		if tokens := e.tokens(); len(tokens) > 0 {
			t.Errorf("%s: left behind %v", s.name, tokens)
		}
	}
	h.orderedEach(e, 1)
	h.tidyHome()
}

// renewMoving renews a site that is deployed twice meanwhile: after its document root was looked at, and after the CA has seen
// the token.
func (h *host) renewMoving(s *site) {
	h.t.Helper()
	current := filepath.Join(s.home, "current")
	h.hold("new-order", 1, false)
	c := h.start("renew", "--force-renewal", "--cert-name", s.domain)
	first := h.held(c)
	s.relink(relative(3), current, s.user)
	h.hold("order", 1, false)
	h.ca.Release(first.ID)
	second := h.held(c)
	until(h.t, "the CA has validated "+s.domain, func() bool { return h.ca.Truth().Pending() == 0 })
	s.relink(relative(4), current, s.user)
	h.ca.Release(second.ID)
	if r := c.wait(); r.code != 0 {
		h.t.Errorf("renewed while it was deployed: %s", r)
	}
	h.ca.ClearFaults()
	s.relink(relative(1), current, s.user)
}
