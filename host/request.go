package host

import (
	"maps"
	"slices"
	"strings"

	"orderly/certbot"
	"orderly/failure"
	"orderly/ledger"
)

// A request is made of a renewal file and of what a command line says, whose word counts first. What it
// comes to is written into the renewal file again when the certificate is put in place.

// Let's Encrypt's directories.
const (
	Production = "https://acme-v02.api.letsencrypt.org/directory"
	Staging    = "https://acme-staging-v02.api.letsencrypt.org/directory"
)

// Said is what a command line says about the certificates that it is about. What is zero is left to each
// renewal file.
type Said struct {
	Server  string
	Account string // id
	Hooks   ledger.Hooks
	Choice  Choice
	Proof   Proof
	// Webroots and WebrootPaths take the place of the renewal files' own, as certbot's --webroot-map and -w do: of the latter
	// the last one is for every name that the former lacks.
	Webroots     map[string]string
	WebrootPaths []string
}

// At says which CA and account renew a lineage: the command line's word counts before the renewal file's, and a server
// on the command line makes the file's account meaningless (certbot's VAR_MODIFIERS).
func (s Said) At(p certbot.Params) (server, account string) {
	server, account = p.Server, p.Account
	if s.Server != "" {
		server, account = s.Server, ""
	}
	if s.Account != "" {
		account = s.Account
	}
	if server == "" {
		server = Production // certbot's default for --server
	}
	return server, account
}

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

// FromFile makes the engine's request of a renewal file. What the file lacks is found here, before anything is
// ordered.
func FromFile(l *certbot.Lineage, said Said) (ledger.Request, error) {
	p := l.Renewal.Params
	if err := l.Orderable(); err != nil {
		return ledger.Request{}, err
	}
	server, _ := said.At(p)
	r := ledger.Request{
		Lineage: l.Name, Server: server, Hooks: Inherit(said.Hooks, p), Webroots: map[string]string{}, WebrootPaths: p.WebrootPath,
		Settings: l.Renewal.Text(), LostKey: l.KeyLost != nil,
	}
	if len(said.WebrootPaths) > 0 {
		r.WebrootPaths = said.WebrootPaths
	}
	if err := said.Proof.applyFile(&r, l); err != nil {
		return r, err
	}
	if err := said.fillRoots(&r, l); err != nil {
		return r, err
	}
	return r, said.Choice.Apply(&r, l)
}

// fillRoots names the lineage's names, each with its document root where one proves it.
func (s Said) fillRoots(r *ledger.Request, l *certbot.Lineage) error {
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
			return err
		}
		r.Webroots[name] = root
	}
	return nil
}

// Inherit fills hooks that were not given from the renewal file.
func Inherit(h ledger.Hooks, p certbot.Params) ledger.Hooks {
	if h.Pre == "" {
		h.Pre = p.PreHook
	}
	if h.Post == "" {
		h.Post = p.PostHook
	}
	if h.Deploy == "" {
		h.Deploy = p.DeployHook
	}
	return h
}

// Params are a request's settings as the renewal file keeps them.
func Params(r ledger.Request) certbot.Params {
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

// Changes are the settings that were asked for, of all that the request would bring about. What was not mentioned stays as it is.
func (s Said) Changes(r ledger.Request, forget []string) certbot.Params {
	p := certbot.Params{PreHook: s.Hooks.Pre, PostHook: s.Hooks.Post, DeployHook: s.Hooks.Deploy, Remove: slices.Clone(forget)}
	if s.Choice != (Choice{}) {
		chosen(r, &p)
	}
	if s.Proof != (Proof{}) || len(s.Webroots)+len(s.WebrootPaths) > 0 {
		all := Params(r)
		p.WebrootPath, p.WebrootMap = all.WebrootPath, all.WebrootMap
		proven(r, &p)
		if r.Solver != ledger.ManualSolver {
			p.Remove = append(p.Remove, "manual_auth_hook", "manual_cleanup_hook")
		}
	}
	return p
}
