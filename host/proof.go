package host

import (
	"strings"

	"orderly/certbot"
	"orderly/failure"
	"orderly/ledger"
)

// How names are proven is said on the command line or in the renewal file, and kept there.

// Proof is what a command line says about how names are proven. What is zero is left to the renewal file.
type Proof struct {
	Solver     string // ledger.WebrootSolver, ledger.StandaloneSolver, ledger.ManualSolver
	Standalone ledger.Standalone
	Manual     ledger.Manual
	// WebrootFrom is whom to ask for the document root of each name: a shell command, or a path with {domain} in it.
	WebrootFrom string
}

// Rootless reports whether the command line says that no document root proves the names.
func (p Proof) Rootless() bool { return p.Solver != "" && p.Solver != ledger.WebrootSolver }

// Apply completes a request: the command line's word counts before the renewal file's. current is nil for a new lineage.
func (p Proof) Apply(r *ledger.Request, current *certbot.Lineage) error {
	var file certbot.Params
	if current != nil {
		file = current.Renewal.Params
	}
	r.Solver = first(p.Solver, file.Authenticator)
	r.Manual.Challenge = first(p.Manual.Challenge, strings.Join(file.Challenges, ","))
	switch r.Solver {
	case "", ledger.WebrootSolver:
		r.Solver = "" // as orders have it that were made before there was a choice
		r.WebrootFrom = first(p.WebrootFrom, file.WebrootFrom)
	case ledger.StandaloneSolver:
		r.Standalone = ledger.Standalone{Address: first(p.Standalone.Address, file.HTTP01Address), Port: p.Standalone.Port}
		if r.Standalone.Port == 0 {
			r.Standalone.Port = file.HTTP01Port
		}
	case ledger.ManualSolver:
		r.Manual.Auth = first(p.Manual.Auth, pluginSetting(file, "manual_auth_hook"))
		r.Manual.Cleanup = first(p.Manual.Cleanup, pluginSetting(file, "manual_cleanup_hook"))
	default:
		return unsupported(current, r.Solver)
	}
	if !usesRoots(*r) {
		r.Webroots, r.WebrootPaths = map[string]string{}, nil
	}
	if r.Solver == ledger.ManualSolver && r.Manual.Auth == "" {
		return failure.New(failure.RenewalFile, "Name the command that proves a name: --manual-auth-hook COMMAND.",
			"An authentication script must be provided with --manual-auth-hook when using the manual plugin non-interactively.")
	}
	return nil
}

// applyFile is Apply for a renewal, whose file has to say how names are proven if the command line does not.
func (p Proof) applyFile(r *ledger.Request, l *certbot.Lineage) error {
	if p.Solver == "" && l.Renewal.Params.Authenticator == "" {
		return unsupported(l, "")
	}
	return p.Apply(r, l)
}

func unsupported(l *certbot.Lineage, authenticator string) error {
	if err := l.Renewal.Usable(l.Certificate.Names); authenticator == "" && err != nil {
		return err // in certbot's words, which scripts look for
	}
	return failure.New(failure.RenewalFile, // reconfigure keeps the CA and the account, which certonly would have to be told
		"Change it once: "+failure.Command("orderly", "reconfigure", "--cert-name", l.Name, "--webroot", "-w", "DIR")+".",
		"%s: the authenticator %q is not supported, only webroot, standalone and manual are", l.Renewal.Path, failure.Clean(authenticator))
}

// pluginSetting is a setting that a renewal file keeps for a plugin. An unquoted comma in it made a list of it.
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
func proven(r ledger.Request, p *certbot.Params) {
	if r.Manual.Challenge != "" {
		p.Challenges = strings.Split(r.Manual.Challenge, ",")
	}
	if usesRoots(r) {
		p.Authenticator, p.WebrootFrom = ledger.WebrootSolver, r.WebrootFrom
		return
	}
	p.Authenticator, p.WebrootPath, p.WebrootMap = r.Solver, nil, nil
	p.Remove = append(p.Remove, "webroot_path", "webroot_map")
	if r.Solver == ledger.StandaloneSolver {
		p.HTTP01Port, p.HTTP01Address = r.Standalone.Port, r.Standalone.Address
		return
	}
	p.Plugin = []certbot.Setting{{Key: "manual_auth_hook", Value: r.Manual.Auth}}
	if r.Manual.Cleanup != "" {
		p.Plugin = append(p.Plugin, certbot.Setting{Key: "manual_cleanup_hook", Value: r.Manual.Cleanup})
	}
}

// usesRoots reports whether document roots prove the names of a request.
func usesRoots(r ledger.Request) bool { return r.Solver == "" || r.Solver == ledger.WebrootSolver }

func isWildcard(name string) bool { return strings.HasPrefix(name, "*.") }

// certonlyFor is the command that gives a certificate another document root. DIR is for whoever reads it to fill in.
func certonlyFor(lineage string, names []string) string {
	words := []string{"orderly", "certonly", "--cert-name", lineage, "--webroot", "-w", "DIR"}
	for _, name := range names {
		words = append(words, "-d", name)
	}
	return failure.Command(words...)
}
