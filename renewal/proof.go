package renewal

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"slices"
	"strings"

	"orderly/certbot"
	"orderly/failure"
	"orderly/ledger"
	"orderly/preflight"
	"orderly/solver/webroot"
)

// Proof is what a command line says about how names are proven. What is zero is left to the renewal file.
type Proof struct {
	Solver     string // ledger.WebrootSolver, ledger.StandaloneSolver, ledger.ManualSolver
	Standalone ledger.Standalone
	Manual     ledger.Manual
	// WebrootFrom is whom to ask for the document root of each name: a shell command, or a path with {domain} in it.
	WebrootFrom string
}

// rootless reports whether the command line says that no document root proves the names.
func (p Proof) rootless() bool { return p.Solver != "" && p.Solver != ledger.WebrootSolver }

// apply completes a request: the command line's word counts before the renewal file's. current is nil for a new lineage.
func (p Proof) apply(r *ledger.Request, current *certbot.Lineage) error {
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

// applyFile is apply for a renewal, whose file has to say how names are proven if the command line does not.
func (p Proof) applyFile(r *ledger.Request, l *certbot.Lineage) error {
	if p.Solver == "" && l.Renewal.Params.Authenticator == "" {
		return unsupported(l, "")
	}
	return p.apply(r, l)
}

func unsupported(l *certbot.Lineage, authenticator string) error {
	if err := l.Renewal.Usable(l.Certificate.Names); authenticator == "" && err != nil {
		return err // in certbot's words, which scripts look for
	}
	return failure.New(failure.RenewalFile, // reconfigure keeps the CA and the account, which certonly would have to be told
		"Change it once: "+failure.Command("orderly", "reconfigure", "--cert-name", l.Name, "--webroot", "-w", "DIR")+".",
		"%s: the authenticator %q is not supported, only webroot, standalone and manual are", l.Renewal.Path, failure.Clean(authenticator))
}

// port is as much of a wish as says which port it needs.
func (w Wish) port(current *certbot.Lineage) ledger.Request {
	r := ledger.Request{}
	if err := w.Proof.apply(&r, current); err != nil {
		return ledger.Request{} // the same error is met where the request is made
	}
	return r
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

// SolverCheck is the name of the check that names can be proven the way that was asked for.
const SolverCheck = "solver"

// checkSolver finds what can be known without the network of how names are proven: certbot finds it when the order is made.
// It is never skipped.
func (s *Server) checkSolver(ctx context.Context, r ledger.Request, names []string) []preflight.Result {
	var results []preflight.Result
	add := func(check, name string, err error) {
		result := preflight.Result{Check: check, Name: name, Verdict: preflight.Pass, Local: true}
		if err != nil {
			result.Verdict, result.Class = preflight.Refuse, failure.ClassOf(err)
			result.Sentence, result.Remedy = err.Error(), failure.RemedyOf(err)
		}
		results = append(results, result)
	}
	for _, name := range names {
		if err := provable(r, name); err != nil {
			add(SolverCheck, name, err)
		}
	}
	add(SolverCheck, "", checkManual(r))
	if r.Solver == ledger.StandaloneSolver {
		add(preflight.Port, "", s.listen(ctx, r.Standalone))
	}
	return results
}

// dryRoots asks the writer what it would do for each name whose document root no other check has looked at, as was asked
// for. What the solver will refuse is refused before the order, whatever is skipped: the order would be made, and stay.
func (s *Server) dryRoots(ctx context.Context, r ledger.Request, names []string) []preflight.Result {
	var results []preflight.Result
	if !usesRoots(r) || !s.Settings.SkipPreflight[preflight.Webroot] && !s.Settings.SkipPreflight[preflight.Writable] {
		return nil
	}
	for _, name := range names {
		root := r.Webroots[strings.ToLower(name)]
		if isWildcard(name) {
			continue // which checkSolver refuses
		}
		err := unsetWebroot(r.Lineage, name)
		if root != "" {
			_, err = s.Writer.Plan(ctx, root, webroot.NewProbe().Token)
		}
		if err != nil && failure.ClassOf(err) != failure.Stopped {
			results = append(results, preflight.Result{Check: SolverCheck, Name: name, Verdict: preflight.Refuse, Local: true,
				Class: failure.ClassOf(err), Sentence: name + ": " + err.Error(), Remedy: strings.ReplaceAll(failure.RemedyOf(err), "NAME", name)})
		}
	}
	return results
}

// provable says why a name cannot be proven the way that was asked for.
func provable(r ledger.Request, name string) error {
	if r.ChallengeType(isWildcard(name)) != "" {
		return nil
	}
	if isWildcard(name) {
		return failure.New(failure.Config, "List the names, or prove it by DNS: --manual --preferred-challenges dns --manual-auth-hook COMMAND.",
			"%s is a wildcard, which only a DNS record can prove (dns-01)", failure.Clean(name))
	}
	return failure.New(failure.Config, "Change --preferred-challenges, or `pref_challs` in the renewal file.",
		"None of the preferred challenges are supported by the selected plugin: %s, for %s", failure.Clean(r.Manual.Challenge), failure.Clean(name))
}

// checkManual says whether the manual hooks can be run.
func checkManual(r ledger.Request) error {
	if r.Solver != ledger.ManualSolver {
		return nil
	}
	if err := CheckHook("manual-auth-hook", r.Manual.Auth, os.Getenv); err != nil {
		return err
	}
	return CheckHook("manual-cleanup-hook", r.Manual.Cleanup, os.Getenv)
}

// hopelessProof reports whether it is certain, before any hook runs, that names cannot be proven.
func hopelessProof(r ledger.Request) bool {
	return checkManual(r) != nil || slices.ContainsFunc(r.Names, func(name string) bool { return provable(r, name) != nil })
}

// site is what preflight looks at for a name.
func (s *Server) site(r ledger.Request, name string) preflight.Site {
	site := preflight.Site{Name: name}
	switch {
	case r.ChallengeType(isWildcard(name)) == ledger.DNS01:
		site.Elsewhere, site.Record = "a DNS record that a hook makes", "_acme-challenge."+strings.TrimPrefix(name, "*.")
	case r.Solver == ledger.ManualSolver:
		site.Elsewhere = "a hook"
	case r.Solver == ledger.StandaloneSolver:
		site.Serve = s.serveProbe
	case isWildcard(name):
		site.Elsewhere = "nothing here"
	default:
		site.Root = r.Webroots[strings.ToLower(name)]
	}
	return site
}

// fingerprintOf adds to what preflight saw how names are proven, since a change of that can make the difference.
func fingerprintOf(r ledger.Request, seen string) string {
	if usesRoots(r) {
		return seen
	}
	sum := sha256.Sum256(fmt.Appendf(nil, "%s %s %+v %+v", seen, r.Solver, r.Standalone, r.Manual))
	return hex.EncodeToString(sum[:16])
}

// certonlyFor is the command that gives a certificate another document root. DIR is for whoever reads it to fill in.
func certonlyFor(lineage string, names []string) string {
	words := []string{"orderly", "certonly", "--cert-name", lineage, "--webroot", "-w", "DIR"}
	for _, name := range names {
		words = append(words, "-d", name)
	}
	return failure.Command(words...)
}
