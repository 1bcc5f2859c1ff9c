package renewal

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"

	"orderly/certbot"
	"orderly/failure"
	"orderly/ledger"
	"orderly/order"
	"orderly/preflight"
	"orderly/solver/webroot"
)

// solver adapts the webroot writer to the order engine: its placements are JSON in the ledger.
type solver struct{ writer *webroot.Writer }

func (s solver) plan(ctx context.Context, r ledger.Request, proof order.Proof, former string) (string, error) {
	root := r.Webroots[proof.Name]
	if root == "" {
		return "", unsetWebroot(r.Lineage, proof.Name)
	}
	p, err := s.writer.Plan(ctx, root, proof.Token)
	if err != nil {
		return "", err
	}
	if was, err := decode(former); err == nil && was.Token == p.Token {
		p = p.After(was.Placement)
	}
	text, err := json.Marshal(p)
	return string(text), err
}

// suits reports whether a placement, an earlier process's perhaps, is in the document root that r names.
func (s solver) suits(p webroot.Placement, r ledger.Request, name string) bool {
	root, err := filepath.Abs(r.Webroots[name])
	return err == nil && p.Root == root
}

func unsetWebroot(lineage, name string) error {
	return failure.New(failure.WebrootUnset,
		"Name it once: "+certonlyFor(lineage, []string{name})+", with -d and each of the other names.",
		"no document root is configured for %s", name)
}

// preflight runs the checks for names, those of the lineage's directories included.
func (s *Server) preflight(ctx context.Context, r ledger.Request, names []string) preflight.Report {
	var sites []preflight.Site
	for _, name := range names {
		sites = append(sites, s.site(r, name))
	}
	first := append(s.checkSolver(ctx, r, names), s.dryRoots(ctx, r, names)...)
	report := s.checker().Check(ctx, sites)
	report.Results, report.Fingerprint = append(first, report.Results...), fingerprintOf(r, report.Fingerprint)
	s.checking += report.Took
	if extra := s.checkLineage(r); extra != nil {
		report.Results = append([]preflight.Result{*extra}, report.Results...)
	}
	for i, result := range report.Results {
		s.complete(r, &report.Results[i])
		s.Log.Debug("preflight", "check", result.Check, "name", result.Name, "verdict", result.Verdict, "sentence", result.Sentence)
		if result.Verdict == preflight.Warn {
			s.warnOnce(result.Sentence)
		}
	}
	return report
}

// warnOnce warns of what a run may find more than once: the checks are made again after the pre-hooks.
func (s *Server) warnOnce(sentence string) {
	if s.warned[sentence] {
		return
	}
	if s.warned == nil {
		s.warned = map[string]bool{}
	}
	s.warned[sentence] = true
	s.Report.Warn("%s", sentence)
}

func (s *Server) checker() *preflight.Checker {
	return &preflight.Checker{
		Resolver: s.Settings.Resolver, Port: s.Settings.PreflightPort, Skip: s.Settings.SkipPreflight,
		Allow: s.Settings.PreflightAllow, UserAgent: s.Agent, Writer: s.Writer, Now: s.Clock.Now,
		Hearing: &s.hearing, Tell: s.Report.Tell,
	}
}

// LineageCheck is the name of the check that a certificate can be put in place.
const LineageCheck = "lineage"

// checkLineage finds what certbot finds only after the certificate was issued: directories in a new lineage's place, and
// directories that cannot be written.
func (s *Server) checkLineage(r ledger.Request) *preflight.Result {
	if len(r.CSR) > 0 || s.Settings.SkipPreflight[LineageCheck] {
		return nil
	}
	started := s.Clock.Now()
	result := &preflight.Result{Check: LineageCheck, Verdict: preflight.Pass, Local: true}
	if err := s.installable(r); err != nil {
		result.Verdict, result.Class = preflight.Refuse, failure.ClassOf(err)
		result.Sentence, result.Remedy = err.Error(), failure.RemedyOf(err)
	}
	result.Took = s.Clock.Now().Sub(started)
	return result
}

func (s *Server) installable(r ledger.Request) error {
	name, p := lineageOf(r.Lineage), params(r)
	if r.Rehearsal {
		p = certbot.Params{} // its server is another, and nothing is written
	}
	if r.New {
		if err := s.Disk.Free(name); err != nil {
			return err
		}
	}
	if s.writable[name] {
		return nil
	}
	err := certbot.Probe(s.KeyDir, name)
	if err == nil {
		err = s.Disk.Installable(name, p)
	}
	if s.writable == nil {
		s.writable = map[string]bool{}
	}
	s.writable[name] = err == nil
	return err
}

// wanted reports whether an order that an earlier run left is still wanted: its lineage was not deleted meanwhile, and was
// not given a newer certificate by certbot, by another account or at another CA.
func (s *Server) wanted(o *ledger.Order) bool {
	if o.Request.Rehearsal {
		return false // its names become valid, so that nothing stays pending; nobody needs its certificate
	}
	if len(o.Request.CSR) > 0 {
		return true // it belongs to no lineage
	}
	if _, err := os.Lstat(s.Disk.Dirs.Renewal(o.Lineage)); errors.Is(err, fs.ErrNotExist) {
		return o.Request.New
	}
	l, err := s.Disk.Open(o.Lineage)
	if err != nil {
		return true // a broken lineage is what a new certificate mends
	}
	if s.elsewhere(o) {
		return false
	}
	info, err := os.Stat(l.Renewal.Cert)
	return err != nil || !info.ModTime().After(o.CreatedAt)
}

// supersededBy says what has taken the place of a certificate since it was asked for, "" if nothing has: another one that
// certbot, another account or another CA put there, or nothing at all, where the lineage was deleted.
func (s *Server) supersededBy(o *ledger.Order, chain []byte) string {
	if _, err := os.Lstat(s.Disk.Dirs.Renewal(o.Lineage)); errors.Is(err, fs.ErrNotExist) && !o.Request.New {
		return fmt.Sprintf("%s was deleted meanwhile; the certificate of order %d is left aside", o.Lineage, o.ID)
	}
	l, err := s.Disk.Open(o.Lineage)
	if err != nil || o.FinalizeSentAt.IsZero() {
		return ""
	}
	ours, err := certbot.ParseCertificate(chain)
	if err != nil || ours.Serial == l.Certificate.Serial {
		return "" // it is in place: a killed run had come so far
	}
	info, err := os.Stat(l.Renewal.Cert)
	if err != nil || !info.ModTime().After(o.FinalizeSentAt) {
		return ""
	}
	return fmt.Sprintf("a newer certificate is in place for %s; the one of order %d is left aside", o.Lineage, o.ID)
}

// installer puts certificates where certbot keeps them.
type installer struct{ s *Server }

// Install implements order.Installer. The post-hooks are owed from here on at the latest: for an order that an earlier run
// left, no attempt of this run has owed them yet, and a server that is not reloaded goes on with the old certificate. For
// what is left aside none is.
func (i installer) Install(ctx context.Context, o *ledger.Order, privateKey, chain []byte) (order.Installation, error) {
	if o.Request.Rehearsal {
		return order.Installation{}, nil
	}
	if len(o.Request.CSR) > 0 {
		return i.write(o, chain)
	}
	if why := i.s.supersededBy(o, chain); why != "" {
		i.s.Report.Warn("%s", why)
		return order.Installation{Superseded: why}, nil
	}
	return order.Installation{}, i.place(ctx, o, privateKey, chain)
}

// write is Install for a certificate that belongs to no lineage.
func (i installer) write(o *ledger.Order, chain []byte) (order.Installation, error) {
	if path := renewedElsewhere(o, chain); path != "" {
		why := fmt.Sprintf("%s has another certificate for the same key by now; the one of order %d is left aside", path, o.ID)
		i.s.Report.Warn("%s", why)
		return order.Installation{Superseded: why}, nil
	}
	return order.Installation{}, write(o.Request.Output, chain)
}

func (i installer) place(ctx context.Context, o *ledger.Order, privateKey, chain []byte) error {
	post, err := i.s.withDirectory("post", o.Request.Hooks.Post)
	if err == nil {
		err = i.s.owe(context.WithoutCancel(ctx), post)
	}
	if err != nil {
		return err
	}
	done, err := i.s.Disk.Install(o.Lineage, certbot.Material{Key: privateKey, Chain: chain}, params(o.Request))
	for _, note := range done.Notes {
		i.s.warnOnce(note)
	}
	return err
}

// params are a request's settings as the renewal file keeps them.
func params(r ledger.Request) certbot.Params {
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

// Deploy implements order.Installer: directory hooks first, then the lineage's own (certbot ≥ 5.3). A rehearsal runs them
// only where that was said.
func (i installer) Deploy(ctx context.Context, o *ledger.Order) error {
	i.s.finish(o) // also one that was met on the way to another lineage
	if o.Request.Rehearsal && !i.s.Settings.RunDeployHooks || len(o.Request.CSR) > 0 {
		return nil
	}
	all, err := i.s.withDirectory("deploy", o.Request.Hooks.Deploy)
	if err != nil {
		return err
	}
	if len(all) > 0 {
		i.s.tellHooks(lineageOf(o.Lineage), o.Request.Names)
	}
	for _, command := range all {
		i.s.runHook(ctx, "deploy-hook", command, nil)
	}
	if ctx.Err() != nil && len(all) > 0 {
		return failure.Wrap(ctx.Err(), failure.Stopped, "Run `orderly resume`: the deploy hooks are run again.",
			"stopped while the deploy hooks of %s ran", o.Lineage)
	}
	return nil
}

// RunLock is the key of the lock that shows that a run is alive.
func RunLock(id int64) string { return fmt.Sprintf("run:%d", id) }

// Clock is the real clock.
type Clock struct{}

// Now implements order.Clock.
func (Clock) Now() time.Time { return time.Now() }

// Sleep implements order.Clock.
func (Clock) Sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(max(d, 0))
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-timer.C:
		return nil
	}
}
