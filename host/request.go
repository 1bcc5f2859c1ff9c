package host

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"orderly/certbot"
	"orderly/failure"
	"orderly/ledger"
)

// A request is made of a renewal file and of what a command line says, whose word counts first.
// What it comes to is written into the renewal file again when the certificate is put in place.

// Let's Encrypt's directories.
const (
	Production = "https://acme-v02.api.letsencrypt.org/directory"
	Staging    = "https://acme-staging-v02.api.letsencrypt.org/directory"
)

// root is a name's document root.
func (s Said) root(l *certbot.Lineage, name string) (string, error) {
	if root := s.Webroots[name]; root != "" {
		return root, nil
	}
	if len(s.WebrootPaths) > 0 {
		return s.WebrootPaths[len(s.WebrootPaths)-1], nil
	}
	return l.Renewal.Webroot(name)
}

// FromFile makes the engine's request of a renewal file. What the file lacks is found here, before
// anything is ordered: one that lacks a document root is whole but for that.
func FromFile(l *certbot.Lineage, said Said) (Request, error) {
	if err := l.Orderable(); err != nil {
		return Request{}, err
	}
	all := said.above(l)
	r := Request{
		ledger.Request{Lineage: l.Name, Server: all.Server, LostKey: l.KeyLost != nil},
		Payload{Webroots: map[string]string{}, WebrootPaths: l.Renewal.Params.WebrootPath,
			Settings: l.Renewal.Text()},
	}
	if len(said.WebrootPaths) > 0 {
		r.WebrootPaths = said.WebrootPaths
	}
	if all.Proof.Solver.is == "" {
		return r, unsupported(l, "")
	}
	if err := said.prove(&r, l); err != nil {
		return r, err
	}
	rootless := said.fillRoots(&r, l)
	chosen := said.choose(&r, l)
	return r, cmp.Or(rootless, chosen)
}

// Complete completes a request that has its names and document roots: what is said counts before
// the renewal file of the lineage, which is nil for a new one.
func (s Said) Complete(r *Request, current *certbot.Lineage) error {
	if err := s.prove(r, current); err != nil {
		return err
	}
	return s.choose(r, current)
}

// Port is as much of a request as says which port it needs.
func (s Said) Port(current *certbot.Lineage) Request {
	r := Request{}
	if err := s.prove(&r, current); err != nil {
		return Request{} // the same error is met where the request is made
	}
	return r
}

func (s Said) prove(r *Request, current *certbot.Lineage) error {
	return s.above(current).Proof.complete(r, current)
}

func (s Said) choose(r *Request, current *certbot.Lineage) error {
	all := s.above(current)
	r.Hooks = Commands{Pre: all.Hooks.Pre.is, Post: all.Hooks.Post.is,
		Deploy: all.Hooks.Deploy.is}
	return s.Choice.complete(r, all.Choice, current)
}

// At says which CA and account renew a lineage.
func (s Said) At(p certbot.Params) (server, account string) { return s.at(saidBy(p)) }

// fillRoots names the lineage's names, each with its document root where one proves it. The error is
// that of the first that has none; the others are filled in all the same.
func (s Said) fillRoots(r *Request, l *certbot.Lineage) error {
	var rootless error
	for _, name := range l.Certificate.Names {
		name = strings.ToLower(name)
		r.Names = append(r.Names, name)
		if !usesRoots(*r) {
			continue
		}
		root, err := s.root(l, name)
		if failure.ClassOf(err) == failure.WebrootUnset && r.WebrootFrom != "" {
			continue // it is asked for
		}
		if err != nil {
			rootless = cmp.Or(rootless, err)
			continue
		}
		r.Webroots[name] = root
	}
	return rootless
}

// Params are a request's settings as the renewal file keeps them.
func Params(r Request) certbot.Params {
	p := certbot.Params{
		Account: r.Account, Server: r.Server, Authenticator: "webroot", WebrootPath: r.WebrootPaths,
		PreHook: r.Hooks.Pre, PostHook: r.Hooks.Post, DeployHook: r.Hooks.Deploy, Since: r.Settings,
	}
	chosen(r, &p)
	proven(r, &p)
	for _, name := range slices.Sorted(maps.Keys(r.Webroots)) {
		p.WebrootMap = append(p.WebrootMap, certbot.Webroot{Name: name, Path: r.Webroots[name]})
	}
	return p
}

// Changes are the settings that were said, of all that the request would bring about. What was not
// mentioned stays as it is, and a hook that was said to be nothing is taken away.
func (s Said) Changes(r Request) certbot.Params {
	p := certbot.Params{PreHook: s.Hooks.Pre.is, PostHook: s.Hooks.Post.is,
		DeployHook: s.Hooks.Deploy.is}
	for key, hook := range map[string]Value[string]{
		"pre_hook": s.Hooks.Pre, "post_hook": s.Hooks.Post, "renew_hook": s.Hooks.Deploy,
	} {
		if hook.said && hook.is == "" {
			p.Remove = append(p.Remove, key)
		}
	}
	if s.Choice != (Choice{}) {
		chosen(r, &p)
	}
	if s.Proof != (Proof{}) || len(s.Webroots)+len(s.WebrootPaths) > 0 {
		all := Params(r)
		p.WebrootPath, p.WebrootMap = all.WebrootPath, all.WebrootMap
		proven(r, &p)
		if r.Solver != ManualSolver {
			p.Remove = append(p.Remove, "manual_auth_hook", "manual_cleanup_hook")
		}
	}
	return p
}
