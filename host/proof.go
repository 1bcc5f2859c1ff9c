package host

import (
	"strings"

	"orderly/certbot"
	"orderly/failure"
)

// How names are proven is said on the command line or in the renewal file, and kept there.

// Rootless reports whether it is said that no document root proves the names.
func (p Proof) Rootless() bool { return p.Solver.said && p.Solver.is != WebrootSolver }

// complete writes into a request how names are proven. current is nil for a new lineage.
func (p Proof) complete(r *Request, current *certbot.Lineage) error {
	r.Solver, r.Manual.Challenge = p.Solver.is, p.Challenges.is
	switch r.Solver {
	case "", WebrootSolver:
		r.Solver = "" // as orders have it that were made before there was a choice
		r.WebrootFrom = p.WebrootFrom.is
	case StandaloneSolver:
		r.Standalone = Standalone{Address: p.Address.is, Port: p.Port.is}
	case ManualSolver:
		r.Manual.Auth, r.Manual.Cleanup = p.Auth.is, p.Cleanup.is
	default:
		return unsupported(current, r.Solver)
	}
	if !usesRoots(*r) {
		r.Webroots, r.WebrootPaths = map[string]string{}, nil
	}
	if r.Solver == ManualSolver && r.Manual.Auth == "" {
		return failure.New(failure.RenewalFile,
			"Name the command that proves a name: "+failure.Do(failure.ProofHook, "COMMAND")+".",
			"An authentication script must be provided with %s when using the manual plugin non-interactively.",
			failure.Do(failure.ProofHook))
	}
	return nil
}

func unsupported(l *certbot.Lineage, authenticator string) error {
	if err := l.Renewal.Usable(l.Certificate.Names); authenticator == "" && err != nil {
		return err // in certbot's words, which scripts look for
	}
	// reconfigure keeps the CA and the account, which certonly would have to be told
	return failure.New(failure.RenewalFile,
		"Change it once: "+failure.Do(failure.NameRoot, l.Name)+".",
		"%s: the authenticator %q is not supported, only webroot, standalone and manual are",
		l.Renewal.Path, failure.Clean(authenticator))
}

// pluginSetting is a setting that a renewal file keeps for a plugin. An unquoted comma in it made a
// list of it.
func pluginSetting(p certbot.Params, key string) string {
	for _, setting := range p.Plugin {
		if setting.Key == key && setting.List != nil {
			return strings.Join(setting.List, ", ")
		}
		if setting.Key == key {
			return setting.Value
		}
	}
	return ""
}

// proven writes how a request proves its names into the settings of a renewal file.
func proven(r Request, p *certbot.Params) {
	if r.Manual.Challenge != "" {
		p.Challenges = strings.Split(r.Manual.Challenge, ",")
	}
	if usesRoots(r) {
		p.Authenticator, p.WebrootFrom = WebrootSolver, r.WebrootFrom
		return
	}
	p.Authenticator, p.WebrootPath, p.WebrootMap = r.Solver, nil, nil
	p.Remove = append(p.Remove, "webroot_path", "webroot_map")
	if r.Solver == StandaloneSolver {
		p.HTTP01Port, p.HTTP01Address = r.Standalone.Port, r.Standalone.Address
		return
	}
	p.Plugin = []certbot.Setting{{Key: "manual_auth_hook", Value: r.Manual.Auth}}
	if r.Manual.Cleanup != "" {
		p.Plugin = append(p.Plugin, certbot.Setting{Key: "manual_cleanup_hook",
			Value: r.Manual.Cleanup})
	}
}

// usesRoots reports whether document roots prove the names of a request.
func usesRoots(r Request) bool { return r.Solver == "" || r.Solver == WebrootSolver }

func isWildcard(name string) bool { return strings.HasPrefix(name, "*.") }

// Unprovable says why a renewal with a lineage's own settings could not prove its names, as far as
// the settings alone tell.
func Unprovable(l *certbot.Lineage) error {
	r, err := FromFile(l, Said{})
	if err != nil {
		return err
	}
	for _, name := range r.Names {
		if err := provable(r, name); err != nil {
			return err
		}
	}
	return nil
}
