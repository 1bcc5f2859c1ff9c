package host

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"orderly/failure"
	"orderly/ledger"
	"orderly/order"
	"orderly/preflight"
	"orderly/slot"
	"orderly/solver/webroot"
)

// Whatever can be known on this host is checked before anything is ordered: whether names can be
// proven the way that was asked for, whether the CA will find what is put there, whether the
// certificate can be put in place afterwards. What a solver would refuse is refused before the
// order whatever checks are skipped: the order would be made, and stay.

// Checks are what preflight looks at.
type Checks struct {
	Settings  Settings
	Agent     string
	Clock     order.Clock
	Log       *slog.Logger
	Voice     *Voice
	Writer    *webroot.Writer
	Ports     *Ports
	Roots     *Roots
	Installer *Installer
	Sights    *Sights

	hearing preflight.Hearing // of DNS servers
	took    atomic.Int64
}

// PreflightTook is how long this run spent on preflight, all certificates together.
func (c *Checks) PreflightTook() time.Duration { return time.Duration(c.took.Load()) }

// Preflight runs the checks for names, those of the lineage's directories included.
func (c *Checks) Preflight(ctx context.Context, r Request, names []string) preflight.Report {
	var sites []preflight.Site
	for _, name := range names {
		sites = append(sites, c.site(r, name))
	}
	first := append(c.checkSolver(ctx, r, names), c.dryRoots(ctx, r, names)...)
	var report preflight.Report
	// DNS servers and web servers may keep silent for as long as they are waited for
	slot.Slowly(ctx, func() { report = c.checker().Check(ctx, sites) })
	report.Results, report.Fingerprint = append(first, report.Results...), fingerprintOf(r,
		report.Fingerprint)
	c.took.Add(int64(report.Took))
	if !r.Rehearsal {
		c.Sights.take(report.Sights)
	}
	if extra := c.checkLineage(r); extra != nil {
		report.Results = append([]preflight.Result{*extra}, report.Results...)
	}
	for i, result := range report.Results {
		c.Roots.complete(r, &report.Results[i])
		c.Log.DebugContext(ctx, "preflight", "check", result.Check, "name", result.Name, "verdict",
			result.Verdict, "sentence", result.Sentence)
		if result.Verdict == preflight.Warn {
			c.Voice.In(ctx).WarnOnce("%s", failure.Remedy(result.Sentence))
		}
	}
	return report
}

func (c *Checks) checker() *preflight.Checker {
	return &preflight.Checker{
		Resolver: c.Settings.Resolver, Port: c.Settings.PreflightPort,
		Skip:  c.Settings.SkipPreflight,
		Allow: c.Settings.PreflightAllow, Fleet: c.Settings.Fleet, Memory: c.Sights, UserAgent: c.Agent, Writer: c.Writer, Now: c.Clock.Now,
		Hearing: &c.hearing, Tell: c.Voice.Tell,
	}
}

// LineageCheck is the name of the check that a certificate can be put in place.
const LineageCheck = "lineage"

// checkLineage finds what certbot finds only after the certificate was issued: directories in a new
// lineage's place, and directories that cannot be written.
func (c *Checks) checkLineage(r Request) *preflight.Result {
	if len(r.CSR) > 0 || r.NamesOnly || c.Settings.SkipPreflight[LineageCheck] {
		return nil
	}
	started := c.Clock.Now()
	result := &preflight.Result{Check: LineageCheck, Verdict: preflight.Pass, Local: true}
	if err := c.Installer.installable(r); err != nil {
		result.Verdict, result.Class = preflight.Refuse, failure.ClassOf(err)
		result.Sentence, result.Remedy = err.Error(), failure.RemedyOf(err)
	}
	result.Took = c.Clock.Now().Sub(started)
	return result
}

// Hopeless looks at what preflight finds without the network.
func (c *Checks) Hopeless(ctx context.Context, r Request) bool {
	if result := c.checkLineage(r); result != nil && result.Class != "" {
		return true
	}
	if hopelessProof(r) {
		return true
	}
	looked := map[string]bool{} // most names of a certificate have the same document root
	for _, name := range r.Names {
		if !usesRoots(r) {
			break
		}
		root := r.Webroots[name]
		if root == "" {
			return true
		}
		if looked[root] {
			continue
		}
		looked[root] = true
		if _, err := c.Writer.Inspect(ctx, root); err != nil {
			return true
		}
	}
	return false
}

// SolverCheck is the name of the check that names can be proven the way that was asked for.
const SolverCheck = "solver"

// checkSolver finds what can be known without the network of how names are proven: certbot finds it
// when the order is made. It is never skipped.
func (c *Checks) checkSolver(ctx context.Context, r Request,
	names []string) []preflight.Result {
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
	if r.Solver == StandaloneSolver {
		add(preflight.Port, "", c.Ports.listen(ctx, r.Lineage, r.Standalone))
	}
	return results
}

// dryRoots asks the writer what it would do for each name whose document root no other check has
// looked at, as was asked for. What the solver will refuse is refused before the order, whatever is
// skipped: the order would be made, and stay.
func (c *Checks) dryRoots(ctx context.Context, r Request,
	names []string) []preflight.Result {
	var results []preflight.Result
	if !usesRoots(r) || !c.Settings.SkipPreflight[preflight.Webroot] &&
		!c.Settings.SkipPreflight[preflight.Writable] {
		return nil
	}
	for _, name := range names {
		root := r.Webroots[strings.ToLower(name)]
		if isWildcard(name) {
			continue // which checkSolver refuses
		}
		err := unsetWebroot(r.Lineage, name)
		if root != "" {
			_, err = c.Writer.Plan(ctx, root, webroot.NewProbe().Token)
		}
		if err != nil && failure.ClassOf(err) != failure.Stopped {
			results = append(results, preflight.Result{Check: SolverCheck, Name: name,
				Verdict: preflight.Refuse, Local: true,
				Class: failure.ClassOf(err), Sentence: name + ": " + err.Error(),
				Remedy: failure.Remedy(strings.ReplaceAll(
					string(failure.RemedyOf(err)), "NAME", name))})
		}
	}
	return results
}

// provable says why a name cannot be proven the way that was asked for.
func provable(r Request, name string) error {
	if r.NamesOnly && usesRoots(r) && r.Webroots[strings.ToLower(name)] == "" && !isWildcard(name) {
		return failure.New(failure.WebrootUnset, "Write where it is served from into its renewal file, or give it up: "+
			failure.Do(failure.GiveUp, name)+"; or let it expire.",
			"no renewal file of this host says where %s is served from, so that nothing here can prove it",
			failure.Clean(name))
	}
	if ChallengeType(r, isWildcard(name)) != "" {
		return nil
	}
	if isWildcard(name) {
		return failure.New(failure.Config,
			"List the names, or prove it by DNS: "+failure.Do(failure.ProveByDNS, "COMMAND")+".",
			"%s is a wildcard, which only a DNS record can prove (dns-01)", failure.Clean(name))
	}
	return failure.New(failure.Config,
		"Change "+failure.Do(failure.ProveBy)+", or `pref_challs` in the renewal file.",
		"None of the preferred challenges are supported by the selected plugin: %s, for %s",
		failure.Clean(r.Manual.Challenge), failure.Clean(name))
}

// checkManual says whether the manual hooks can be run.
func checkManual(r Request) error {
	if r.Solver != ManualSolver {
		return nil
	}
	if err := CheckHook("manual-auth-hook", r.Manual.Auth, os.Getenv); err != nil {
		return err
	}
	return CheckHook("manual-cleanup-hook", r.Manual.Cleanup, os.Getenv)
}

// hopelessProof reports whether it is certain, before any hook runs, that names cannot be proven.
func hopelessProof(r Request) bool {
	return checkManual(r) != nil || slices.ContainsFunc(r.Names,
		func(name string) bool { return provable(r, name) != nil })
}

// site is what preflight looks at for a name.
func (c *Checks) site(r Request, name string) preflight.Site {
	site := preflight.Site{Name: name}
	switch {
	case ChallengeType(r, isWildcard(name)) == ledger.DNS01:
		site.Elsewhere, site.Record = "a DNS record that a hook makes",
			"_acme-challenge."+strings.TrimPrefix(name, "*.")
	case r.Solver == ManualSolver:
		site.Elsewhere = "a hook"
	case r.Solver == StandaloneSolver:
		site.Serve = func(probe webroot.Probe) (func(), error) {
			return c.Ports.serve(r.Lineage, probe)
		}
	case isWildcard(name):
		site.Elsewhere = "nothing here"
	default:
		site.Root = r.Webroots[strings.ToLower(name)]
	}
	return site
}

// programState tells one state of the file that a hook's command names by its path from another: a
// person who mends the program has changed something.
func programState(command string) string {
	word, _, _ := strings.Cut(strings.TrimSpace(command), " ")
	if !strings.Contains(word, "/") {
		return ""
	}
	info, err := os.Stat(word)
	if err != nil {
		return ""
	}
	return fmt.Sprint(info.Size(), info.ModTime().UnixNano())
}

// fingerprintOf adds to what preflight saw how names are proven, since a change of that can make
// the difference.
func fingerprintOf(r Request, seen string) string {
	if usesRoots(r) {
		return seen
	}
	sum := sha256.Sum256(fmt.Appendf(nil, "%s %s %+v %+v %s", seen, r.Solver, r.Standalone,
		r.Manual, programState(r.Manual.Auth)))
	return hex.EncodeToString(sum[:16])
}
