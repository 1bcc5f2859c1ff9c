package doctor

// D33: which certificate the web servers use, by their configuration and by what they serve now.

import (
	"context"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"orderly/certbot"
	"orderly/failure"
	"orderly/outside"
	"orderly/parts"
	"orderly/webserver"
)

// use is a host's certificate for a name of a lineage.
type use struct {
	*Lineage
	name   string
	host   *webserver.Host
	server *webserver.Server
	webserver.Certificate
}

// inUse are lineages whose certificate is not what is served.
func inUse(ctx context.Context, e *Exam) ([]Finding, error) {
	s := e.webSites(ctx)
	var g gathered
	var own []use
	e.uses(s, func(u use) {
		switch {
		case u.isLive():
			own = append(own, u)
		case u.inArchive():
			g.add(u.Place.String(), u.name, u.pinned())
		default:
			if f, ok := e.foreign(u); ok {
				g.add(u.Place.String(), u.name, f)
			}
		}
	})
	e.served(ctx, own, &g)
	return g.all, nil
}

// uses calls found with each certificate that a host has for a name of a lineage's.
func (e *Exam) uses(s *sites, found func(use)) {
	for _, x := range e.Lineages {
		if x.Err != nil {
			continue
		}
		for _, name := range x.Names {
			for _, server := range s.Servers {
				for _, h := range server.Named(name) {
					for _, c := range h.Certificates {
						if h.Exact(name) {
							found(use{x, name, h, server, c})
						}
					}
				}
			}
		}
	}
}

// isLive reports whether it is the lineage's own, where renewals change it.
func (u use) isLive() bool {
	p := u.Links
	return sameFile(u.File, p.FullChain) || sameFile(u.File, p.Cert)
}

// sameFile compares paths, the directories' links resolved: the last one is the renewals' to change.
func sameFile(a, b string) bool { return a == b || resolvedDir(a) == resolvedDir(b) }

func resolvedDir(file string) string {
	dir, err := filepath.EvalSymlinks(filepath.Dir(file))
	if err != nil {
		dir = filepath.Dir(file)
	}
	return filepath.Join(dir, filepath.Base(file))
}

// inArchive reports whether it is one version of the lineage's, which no renewal replaces.
func (u use) inArchive() bool {
	target, err := filepath.EvalSymlinks(u.Links.Cert)
	return err == nil && filepath.Dir(target) == filepath.Dir(resolvedDir(u.File))
}

// pinned is a host that uses a version, of which renewals make others.
func (u use) pinned() Finding {
	live := u.Links.FullChain
	script := fmt.Sprintf("s|%s[0-9]*[.]pem|%s|", pattern(filepath.Dir(u.File)+"/fullchain"), replacement(live))
	if u.Key != "" {
		script = fmt.Sprintf("s|%s[0-9]*[.]pem|%s|;s|%s[0-9]*[.]pem|%s|", pattern(filepath.Dir(u.File)+"/fullchain"), replacement(live),
			pattern(filepath.Dir(u.File)+"/privkey"), replacement(u.Links.Key))
	}
	f := u.finds("D33", failure.Config, inPlace(u.server, script, u.Place.File),
		"%s serves %s with %s, one version of the certificate, which no renewal replaces", u.host.Kind, u.name, u.File)
	f.File, f.Line, f.Since, f.HurtsAt = u.Place.File, u.Place.Line, touched(u.Place.File), u.ends()
	return f
}

// pattern is a text as sed searches for it, between bars.
func pattern(text string) string {
	return strings.NewReplacer(`\`, `\\`, ".", `\.`, "*", `\*`, "[", `\[`, "|", `\|`).Replace(text)
}

// ends is when the certificate in a host's file is over; that of the lineage where it cannot be read.
func (u use) ends() time.Time {
	if c := certificateIn(u.File); c != nil {
		return c.NotAfter
	}
	return u.NotAfter
}

// largestPEM bounds what is read of a file that a web server names.
const largestPEM = 1 << 20

func certificateIn(file string) *certbot.Certificate {
	info, err := os.Stat(file)
	if err != nil || !info.Mode().IsRegular() || info.Size() > largestPEM {
		return nil
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return nil
	}
	c, err := certbot.ParseCertificate(text)
	if err != nil {
		return nil
	}
	return c
}

// foreign is a host that uses a file that is none of the lineage's: a copy is in order as long as it
// is of the newest.
func (e *Exam) foreign(u use) (Finding, bool) {
	c := certificateIn(u.File)
	if c == nil || c.Serial == u.Serial || !c.NotAfter.After(e.At) && missing(u.File) || e.othersLive(u.File) {
		return Finding{}, false
	}
	f := u.finds("D33", failure.Config, failure.Advise("If the renewed one is meant, write %s (and %s for the "+
		"key) in %s, line %d. If not, nothing needs this certificate: %s.", u.Links.FullChain,
		u.Links.Key, u.Place.File, u.Place.Line, failure.Do(failure.Delete, u.Lineage.Name)),
		"%s serves %s with %s, which no renewal of this certificate replaces", u.host.Kind, u.name, u.File)
	f.File, f.Line, f.Since, f.HurtsAt = u.Place.File, u.Place.Line, touched(u.Place.File), c.NotAfter
	if c.NotAfter.After(u.NotAfter) || c.Issuer != e.issuer(u.Lineage) {
		f.Severity = Note // another CA's, or renewed by somebody else
	}
	return f, true
}

func (e *Exam) issuer(x *Lineage) (none outside.Text) {
	if c := certificateIn(x.Links.Cert); c != nil {
		return c.Issuer
	}
	return none
}

// othersLive reports whether a file is another lineage's, which is renewed as well.
func (e *Exam) othersLive(file string) bool {
	for _, all := range [][]*Lineage{e.Lineages, e.Others} {
		for _, x := range all {
			if x.Err == nil && (file == x.Links.FullChain || file == x.Links.Cert) {
				return true
			}
		}
	}
	return false
}

// askedAtOnce is how many hosts are asked at once for what they serve.
const askedAtOnce = 16

// served asks the hosts that use lineages' own files for what they have in memory.
func (e *Exam) served(ctx context.Context, own []use, g *gathered) {
	var all parts.Group
	var mu sync.Mutex
	room := make(chan struct{}, askedAtOnce)
	asked := map[*webserver.Host]bool{}
	for _, u := range own {
		if asked[u.host] || u.server.PID == 0 || ctx.Err() != nil {
			continue
		}
		asked[u.host] = true
		room <- struct{}{}
		all.Go(func() {
			defer func() { <-room }()
			leaf, err := webserver.Served(ctx, u.host, u.name)
			if err != nil || isSerial(leaf.SerialNumber, u.Serial) {
				return // that nothing answers there is said elsewhere
			}
			f := u.outdated(leaf.NotAfter, leaf.VerifyHostname(u.name) == nil)
			mu.Lock()
			defer mu.Unlock()
			g.add(u.host.Place.String(), u.name, f)
		})
	}
	all.Wait()
}

func isSerial(n *big.Int, text string) bool { return n.Text(16) == text }

// outdated is a host that has not read the certificate since it was renewed.
func (u use) outdated(ends time.Time, itsName bool) Finding {
	f := u.finds("D33", failure.Hook, u.reload(), "%s still serves an older certificate of %s: "+
		"it was not reloaded since %s", u.host.Kind, u.name, u.NotBefore.UTC().Format(time.DateOnly))
	if !itsName {
		f.Sentence = failure.Words("%s serves another certificate for %s than its configuration names",
			u.host.Kind, u.name)
	}
	f.File, f.Line, f.Since, f.HurtsAt = u.Place.File, u.Place.Line, u.NotBefore, ends
	return f
}

// reload says how the server is told, now and after each renewal.
func (u use) reload() failure.Remedy {
	if len(u.server.Reload) == 0 {
		return "Reload the web server."
	}
	command := reloading(u.server)
	now := failure.Remedy("Run `" + string(command) + "`.")
	if u.DeployHook != "" || len(u.server.Reload) > 1 { // a process has another number then
		return now
	}
	return fullstop(now, failure.Remedy("Have that done after each renewal: "+
		failure.Do(failure.SetDeployHook, u.Lineage.Name, string(command))+"."))
}
