package cli

import (
	"context"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"orderly/cli/argparse"
	"orderly/failure"
	"orderly/host"
	"orderly/renewal"
)

type renew struct {
	places
	working
	hookFlags
	accountFlags
	proofFlags
	roots     roots
	round     renewal.Round
	immediate bool
}

func newRenew(env Env, p *printer) *cobra.Command {
	f := &renew{}
	c := &cobra.Command{
		Use:   "renew [--cert-name NAME]",
		Short: "Renew every certificate that is due",
		Long: "Renew the certificates that are due: a third of their lifetime is left (half of one below ten\n" +
			"days), or as renew_before_expiry in the renewal file says. Orders that earlier runs left are\n" +
			"finished first. A lineage that is broken, or in back-off, costs the CA no request.",
		Args: argparse.NoArguments,
		RunE: func(c *cobra.Command, _ []string) error { return f.execute(c.Context(), env, p) },
	}
	set := c.Flags()
	set.SortFlags = false
	set.StringVar(&f.round.CertName, "cert-name", "", "only the certificate of this `name`")
	set.BoolVar(&f.round.Renew, "force-renewal", false, "renew although nothing is due")
	alias(set, "renew-by-default", "force-renewal")
	f.roots.addPaths(set, "document root of all names from now on, in place of the renewal files' own")
	f.rehearsalFlags.add(set)
	addChoice(set, &f.round.Choice)
	f.proofFlags.add(set, &f.round.Proof)
	f.accountFlags.add(c, "")
	f.hookFlags.add(c, &f.round.Hooks)
	set.BoolVar(&f.immediate, "no-random-sleep-on-renew", env.Getenv("ORDERLY_NO_RANDOM_SLEEP") != "",
		"do not wait a random time, up to eight minutes, before the first renewal where nobody watches (ORDERLY_NO_RANDOM_SLEEP)")
	f.working.add(set, env.Getenv)
	f.places.add(set)
	return c
}

func (f *renew) execute(ctx context.Context, env Env, p *printer) error {
	p.quiet, p.json = f.quiet, f.json
	if err := f.accountFlags.check(); err != nil {
		return err
	}
	if err := f.hookFlags.check(f.round.Hooks, env.Getenv); err != nil {
		return err
	}
	if err := checkChoice(&f.round.Choice); err != nil {
		return err
	}
	if err := f.rehearsalFlags.choose(&f.accountFlags); err != nil {
		return err
	}
	if err := f.decide(&f.round.Proof, false, f.unchecked, env.Getenv); err != nil {
		return err
	}
	f.round.Server, f.round.Account, f.round.Registration = f.server, f.account, f.registration
	f.round.Progress = p.bar("Renewing")
	f.round.WebrootPaths, f.round.Webroots = f.roots.paths, f.roots.mapped
	if f.spreads(env) {
		f.round.Spread = renewal.Spread
	}
	f.round.Looking, f.round.Looked = p.processing, p.looked
	what := strings.TrimSpace("renew " + f.round.CertName)
	if f.dryRun {
		what += " --dry-run"
	}
	return f.run(ctx, env, p, &f.working, what, func(ctx context.Context, s *session) (int, error) {
		s.server.Settings.Installer = f.installer
		if err := f.roots.mustBeThere(ctx, s); err != nil {
			return 0, err
		}
		if err := s.server.Begin(ctx, what, s.env.PID, nil); err != nil {
			return 0, err
		}
		return f.work(ctx, p, s)
	})
}

// spreads reports whether the round begins with a random delay: where standard input is no terminal, as in certbot. Whoever
// names a certificate, forces or rehearses a renewal, or sets a deadline, waits for the result.
func (f *renew) spreads(env Env) bool {
	watched := f.round.CertName != "" || f.round.Renew || f.force || f.dryRun || f.deadline > 0
	return !f.immediate && !watched && !reads(env.Stdin)
}

// reads reports whether a person types what is read.
func reads(stdin io.Reader) bool {
	f, ok := stdin.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

func (f *renew) work(ctx context.Context, p *printer, s *session) (int, error) {
	var left []renewal.Result
	var err error
	if f.round.CertName == "" {
		left, err = s.server.ResumeAll(ctx)
	} else {
		err = s.server.PayDebts(ctx) // what a dead run stopped must not stay so, whatever this run is about
	}
	var results []renewal.Result
	if err == nil {
		results, err = s.server.RenewAll(ctx, f.round)
	}
	results = merge(left, results)
	if p.json {
		printResults(p, results, err)
		return renewal.Exit(results, err), nil
	}
	if err != nil && len(results) == 0 {
		return 0, err
	}
	for _, r := range results {
		p.invalidNames(ctx, s, r)
	}
	p.Say("\n%s", frame)
	summary(p, results, f.dryRun, f.round.Hooks != host.Hooked{})
	p.Say(frame)
	tally(p, results)
	if err != nil {
		return 0, err
	}
	return renewal.Exit(results, nil), nil
}

// merge puts what was resumed before what the round did, without naming a lineage twice: the round's word is the newer.
func merge(left, round []renewal.Result) []renewal.Result {
	var out []renewal.Result
	for _, r := range left {
		newer := false
		for _, n := range round {
			newer = newer || (n.Lineage == r.Lineage && n.Outcome != renewal.Kept)
		}
		if !newer {
			out = append(out, r)
		}
	}
	for _, n := range round {
		issued := false
		for _, r := range left {
			issued = issued || (n.Lineage == r.Lineage && r.Outcome == renewal.Issued && n.Outcome == renewal.Kept)
		}
		if !issued {
			out = append(out, n)
		}
	}
	return out
}

type roundView struct {
	Version int              `json:"version"`
	Results []renewal.Result `json:"results"`
	Class   failure.Class    `json:"class,omitempty"`
	Error   string           `json:"error,omitempty"`
	Remedy  string           `json:"remedy,omitempty"`
}

func printResults(p *printer, results []renewal.Result, err error) {
	for i := range results {
		results[i].Remedy = p.remedy(results[i].Remedy)
	}
	view := roundView{Version: 1, Results: results}
	if results == nil {
		view.Results = []renewal.Result{}
	}
	if err != nil {
		view.Class, view.Error, view.Remedy = failure.ClassOf(err), err.Error(), p.remedy(failure.RemedyOf(err))
	}
	p.print(view)
}

// summary tells in certbot's words what became of the lineages.
func summary(p *printer, results []renewal.Result, dry, hooks bool) {
	by := map[string][]renewal.Result{}
	for _, r := range results {
		by[r.Outcome] = append(by[r.Outcome], r)
	}
	if kept := by[renewal.Kept]; len(kept) > 0 {
		p.Say("The following certificates are not due for renewal yet:")
		for _, r := range kept {
			p.say("  %s expires on %s (skipped)", r.Path, r.Expires.UTC().Format("2006-01-02"))
		}
	}
	renewals := "renewals"
	if dry {
		renewals = "simulated renewals"
	}
	issued, failed := append(by[renewal.Issued], by[renewal.Rehearsed]...), slices.Concat(by[renewal.Failed], by[renewal.Locked], by[renewal.Stopped])
	switch {
	case len(issued)+len(failed) == 0:
		p.Say("No %s were attempted.", renewals)
		if hooks {
			p.Say("No hooks were run.")
		}
	case len(failed) == 0:
		p.Say("Congratulations, all %s succeeded: ", renewals)
	case len(issued) > 0:
		p.Say("The following %s succeeded:", renewals)
	}
	for _, r := range issued {
		p.Say("  %s (success)", r.Path)
		if r.Note != "" {
			p.Say("    %s%s", p.paint(yellow, "note: "), p.remedy(r.Note))
		}
	}
	complain(p, renewals, failed, by[renewal.Invalid], len(issued) == 0)
}

// complain prints on stderr what failed and what to do about each.
func complain(p *printer, renewals string, failed, invalid []renewal.Result, all bool) {
	if len(failed) > 0 && all && p.certbot {
		p.fault("All renewal attempts failed. The following certs could not be renewed:") // certbot before 1.10
	}
	if len(failed) > 0 && all {
		p.fault("All %s failed. The following certificates could not be renewed:", renewals)
	} else if len(failed) > 0 {
		p.fault("The following %s failed:", renewals)
	}
	for _, r := range failed {
		word := "failure"
		switch r.Outcome {
		case renewal.Stopped:
			word = "stopped, and will be continued"
		case renewal.Locked:
			word = "locked by another run"
		}
		p.fault("  %s (%s)", describe(r), word)
		p.because(r)
	}
	unusable(p, invalid)
}

// unusable lists the renewal files that cannot be used. certbot does so on stdout, after it has said why on stderr.
func unusable(p *printer, invalid []renewal.Result) {
	say, why := p.fault, p.because
	if p.certbot {
		say, why = p.Say, func(renewal.Result) {}
	}
	if len(invalid) > 0 {
		say("Additionally, the following renewal configurations were invalid: ")
	}
	for _, r := range invalid {
		say("  %s (parsefail)", r.Path)
		why(r)
	}
}

// tally is certbot's last word about a round that did not go well.
func tally(p *printer, results []renewal.Result) {
	failed, invalid := 0, 0
	for _, r := range results {
		switch r.Outcome {
		case renewal.Failed, renewal.Locked, renewal.Stopped:
			failed++
		case renewal.Invalid:
			invalid++
		}
	}
	if failed+invalid > 0 {
		p.fault("%d renew failure(s), %d parse failure(s)", failed, invalid)
	}
}

// because prints why a lineage failed and what to do.
func (p *printer) because(r renewal.Result) {
	p.fault("    %s: %s", p.paint(red, string(r.Class)), r.Sentence)
	if r.Remedy != "" {
		p.fault("    %s%s", p.paint(bold, "remedy: "), p.remedy(r.Remedy))
	}
}
