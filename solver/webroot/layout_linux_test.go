package webroot_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"orderly/failure"
)

// layout is a document root as customers have them: what serves it, and as whom tokens are made there.
type layout struct {
	root, served string // served is the directory in which the web server looks for tokens
	owner        uint32
}

// layouts are those that certbot serves because root can follow every link.
func layouts() map[string]func(g *ground) layout {
	const tokens = "/.well-known/acme-challenge"
	return map[string]func(g *ground) layout{
		"current, a relative link of Deployer's": func(g *ground) layout {
			g.dir(g.dir(g.home+"/releases", customer, 0o755)+"/7", customer, 0o755)
			g.dir(g.home+"/releases/7/public", customer, 0o755)
			g.link("releases/7", g.home+"/current", customer)
			return layout{g.home + "/current/public", g.home + "/releases/7/public" + tokens, customer}
		},
		"current, an absolute link of Capistrano's": func(g *ground) layout {
			release := g.dir(g.dir(g.home+"/releases", customer, 0o755)+"/20261128", customer, 0o755)
			g.link(release, g.home+"/current", customer)
			return layout{g.home + "/current", release + tokens, customer}
		},
		"public_html is a link to www": func(g *ground) layout {
			www := g.dir(g.home+"/www", customer, 0o755)
			g.link("www", g.home+"/public_html", customer)
			return layout{g.home + "/public_html", www + tokens, customer}
		},
		"public_html is a link to a home on another disk": func(g *ground) layout {
			disk := g.dir(g.dir(g.base+"/disk2", 0, 0o755)+"/c", customer, 0o750)
			g.link(disk, g.home+"/public_html", customer)
			return layout{g.home + "/public_html", disk + tokens, customer}
		},
		".well-known is root's link to a shared directory": func(g *ground) layout {
			all := g.dir(g.base+"/letsencrypt", 0, 0o755)
			g.link(all, g.root+"/.well-known", 0)
			return layout{g.root, all + "/acme-challenge", 0}
		},
		".well-known is root's link in root's document root": func(g *ground) layout {
			all, www := g.dir(g.base+"/letsencrypt", 0, 0o755), g.dir(g.base+"/www", 0, 0o755)
			g.dir(all+"/acme-challenge", 0, 0o755)
			g.link("../letsencrypt", www+"/.well-known", 0)
			return layout{www, all + "/acme-challenge", 0}
		},
		".well-known is the customer's link to where he may write": func(g *ground) layout {
			all := g.dir(g.base+"/letsencrypt", 0, 0o777)
			g.chmod(all, 0o777|os.ModeSticky)
			g.link(all, g.root+"/.well-known", customer)
			return layout{g.root, all + "/acme-challenge", customer}
		},
		"acme-challenge is the customer's link into his home": func(g *ground) layout {
			g.dir(g.root+"/.well-known", customer, 0o755)
			g.dir(g.home+"/acme", customer, 0o700)
			g.link("../../acme", g.root+"/.well-known/acme-challenge", customer)
			return layout{g.root, g.home + "/acme", customer}
		},
		"acme-challenge is root's link": func(g *ground) layout {
			all := g.dir(g.base+"/letsencrypt", 0, 0o755)
			g.dir(g.root+"/.well-known", customer, 0o755)
			g.link(all, g.root+"/.well-known/acme-challenge", 0)
			return layout{g.root, all, 0}
		},
		"root made the document root in the customer's home": func(g *ground) layout {
			www := g.dir(g.home+"/www", 0, 0o755)
			return layout{www, www + tokens, 0}
		},
		"a set-group-ID tree that two customers write": func(g *ground) layout {
			group := g.dir(g.base+"/group", 0, 0o755)
			g.must(os.Chown(group, 0, shared))
			g.must(unix.Chmod(group, 0o2775))
			site := g.dir(group+"/site", neighbour, 0o755)
			g.must(os.Chown(site, neighbour, shared))
			g.must(unix.Chmod(site, 0o2775))
			g.link("site", group+"/current", customer)
			return layout{group + "/current", site + tokens, customer}
		},
		"a tree for a group, without links": func(g *ground) layout {
			site := g.dir(g.base+"/site", neighbour, 0o755)
			g.must(os.Chown(site, neighbour, shared))
			g.must(unix.Chmod(site, 0o2775))
			return layout{site, site + tokens, 0}
		},
		"a chain of five": func(g *ground) layout {
			g.link("current", g.home+"/public_html", customer)
			g.link(g.home+"/a", g.home+"/current", customer)
			g.link("../home/b", g.home+"/a", customer)
			g.link("./c", g.home+"/b", customer)
			g.link("htdocs", g.home+"/c", customer)
			return layout{g.home + "/public_html", g.root + tokens, customer}
		},
		"root's link to the customer's": func(g *ground) layout {
			g.link("htdocs", g.home+"/current", customer)
			g.link(g.home+"/current", g.base+"/site", 0)
			return layout{g.base + "/site", g.root + tokens, customer}
		},
		"the customer's link through root's": func(g *ground) layout {
			g.link(g.home, g.base+"/alias", 0)
			g.link(g.base+"/alias/htdocs", g.home+"/current", customer)
			return layout{g.home + "/current", g.root + tokens, customer}
		},
		"in a sticky directory": func(g *ground) layout {
			open := g.dir(g.base+"/tmp", 0, 0o777)
			g.chmod(open, 0o777|os.ModeSticky)
			site := g.dir(open+"/site", customer, 0o755)
			g.link("site", open+"/current", customer)
			return layout{open + "/current", site + tokens, customer}
		},
		"the customer's own directories, closed to others": func(g *ground) layout {
			deep := g.dir(g.dir(g.base+"/closed", customer, 0o700)+"/www", customer, 0o700)
			g.link("www", g.base+"/closed/current", customer)
			return layout{g.base + "/closed/current", deep + tokens, customer}
		},
		"below a directory that the customer may not enter": func(g *ground) layout {
			g.dir(g.dir(g.base+"/private", 0, 0o700)+"/www", customer, 0o755)
			g.link(".", g.base+"/private/www/current", customer)
			return layout{g.base + "/private/www/current", g.base + "/private/www" + tokens, customer}
		},
		"a name with blanks and quotes": func(g *ground) layout {
			odd := g.dir(g.home+"/it's mine $(id)", customer, 0o755)
			g.link("it's mine $(id)", g.home+"/current", customer)
			return layout{g.home + "/current", odd + tokens, customer}
		},
	}
}

func TestEveryLayoutIsServedAndLeftAsItWas(t *testing.T) {
	for name, make := range layouts() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := newGround(t)
			g.inGroup(shared)
			l := make(g)
			unchanged := g.unchanged(g.base)
			p := g.placed(l.root, content)
			g.wantFileOf(filepath.Join(l.served, token), content, l.owner)
			g.again(p, content)
			g.must(g.w.Remove(t.Context(), p))
			unchanged()
			g.must(g.w.Check(t.Context(), l.root))
			unchanged()
		})
	}
}

// inGroup lets both customers be in one more group.
func (g *ground) inGroup(group int) {
	g.w.Groups = func(_ context.Context, uid uint32) []int { return []int{int(uid), group} }
}

// Between placing and removing, and between planning and placing, another release is deployed.
func TestWhatWasPlacedIsRemovedWhereverTheLinkLeads(t *testing.T) {
	g := newGround(t)
	releases := g.dir(g.home+"/releases", customer, 0o755)
	for _, n := range []string{"1", "2", "3"} {
		g.dir(releases+"/"+n, customer, 0o755)
	}
	current := g.home + "/current"
	deploy := func(n string) {
		g.link("releases/"+n, current+".new", customer)
		g.must(os.Rename(current+".new", current))
	}
	deploy("1")
	unchanged := g.unchanged(releases)
	p, err := g.w.Plan(t.Context(), current, token)
	g.must(err)
	deploy("2")
	p, err = g.put(p, content)
	g.must(err)
	g.wantFileOf(releases+"/2/.well-known/acme-challenge/"+token, content, customer)
	deploy("3")
	p, err = g.put(p, content)
	g.must(err)
	g.wantFileOf(releases+"/3/.well-known/acme-challenge/"+token, content, customer)
	deploy("1")
	g.must(g.w.Remove(t.Context(), p))
	unchanged()
}

func TestAMountIsCrossedAsAnyDirectory(t *testing.T) {
	g := newGround(t)
	mounted := g.dir(g.home+"/www", customer, 0o755)
	bindMount(t, g.root, mounted)
	g.link("www", g.home+"/current", customer)
	unchanged := g.unchanged(g.root)
	p := g.placed(g.home+"/current", content)
	g.wantFileOf(g.root+"/.well-known/acme-challenge/"+token, content, customer)
	g.must(g.w.Remove(t.Context(), p))
	unchanged()
	p = g.placed(mounted, content)
	g.wantFile(g.root+"/.well-known/acme-challenge/"+token, content)
	g.must(g.w.Remove(t.Context(), p))
	unchanged()
}

func TestWhoMayNotWriteIsToldWhichDirectoryAndWhatToDo(t *testing.T) {
	g := newGround(t)
	all := g.dir(g.base+"/letsencrypt", 0, 0o755)
	link := g.link(all, g.root+"/.well-known", customer)
	_, err := g.w.Plan(t.Context(), g.root, token)
	wantClass(t, err, failure.WebrootLocked, "the user 12345 may not write in "+all, link)
}
