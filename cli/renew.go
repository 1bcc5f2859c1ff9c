package cli

// renew goes over all lineages: first what earlier runs left, then what is due. What became of each
// is told in certbot's words.

import (
	"context"
	"strings"

	"github.com/spf13/cobra"

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
		Long: "Renew the certificates that are due: when their CA suggests it (RFC 9773), otherwise when a\n" +
			"third of their lifetime is left (half of one below ten days), or as renew_before_expiry in the\n" +
			"renewal file says. Orders that earlier runs left are finished first. A lineage that is broken, or\n" +
			"in back-off, costs the CA no request. One with a pre-hook of its own, and one that is proven by\n" +
			"standalone or by hand (manual), is renewed by itself, after the others.",
		Args: argparse.NoArguments,
		RunE: func(c *cobra.Command, _ []string) error { return f.execute(c.Context(), env, p) },
	}
	set := c.Flags()
	set.SortFlags = false
	set.StringVar(&f.round.CertName, "cert-name", "", "only the certificate of this `name`")
	set.BoolVar(&f.round.Renew, "force-renewal", false, "renew although nothing is due")
	alias(set, "renew-by-default", "force-renewal")
	f.roots.addPaths(set,
		"document root of all names from now on, in place of the renewal files' own")
	f.rehearsalFlags.add(set)
	addChoice(set, &f.round.Choice)
	f.proofFlags.add(set, &f.round.Proof)
	f.accountFlags.add(c, "")
	f.hookFlags.add(c, &f.round.Hooks)
	set.BoolVar(&f.immediate, "no-random-sleep-on-renew",
		env.Getenv("ORDERLY_NO_RANDOM_SLEEP") != "",
		"do not wait a random time, up to eight minutes, before the first renewal where nobody "+
			"watches (ORDERLY_NO_RANDOM_SLEEP)")
	f.working.add(set, env.Getenv)
	f.addAddresses(set)
	f.working.addJobs(set)
	set.StringVar(&f.deployOnce, "deploy-hook-once", "", "shell `command` at the end, once for all "+
		"certificates that were put in place, beside their own deploy hooks: RENEWED_LINEAGE has all "+
		"their directories and RENEWED_DOMAINS all their names, with blanks between; kept nowhere")
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
	if !f.unchecked {
		if err := host.CheckHook("deploy-hook", f.deployOnce, env.Getenv); err != nil {
			return err
		}
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
	f.round.Progress = p.roundBar("Renewing")
	f.round.WebrootPaths, f.round.Webroots = f.roots.paths, f.roots.mapped
	if f.spreads(env) {
		f.round.Spread = renewal.Spread
	}
	f.round.Looking, f.round.Looked = p.processing, p.looked
	if f.jobs > 1 {
		f.round.Looking, f.round.Looked = p.whole(f.round.Looking, f.round.Looked)
	}
	what := strings.TrimSpace("renew " + f.round.CertName)
	if f.dryRun {
		what += " --dry-run"
	}
	f.unknownPlace(p)
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

// spreads reports whether the round begins with a random delay: where standard input is no
// terminal, as in certbot. Whoever names a certificate, forces or rehearses a renewal, or sets a
// deadline, waits for the result.
func (f *renew) spreads(env Env) bool {
	watched := f.round.CertName != "" || f.round.Renew || f.force || f.dryRun || f.deadline > 0
	return !f.immediate && !watched && !reads(env.Stdin)
}

func (f *renew) work(ctx context.Context, p *printer, s *session) (int, error) {
	var left []renewal.Result
	var err error
	if f.round.CertName == "" {
		left, err = s.server.ResumeOwn(ctx)
		p.endBar()
	} else {
		// what a dead run stopped must not stay so, whatever this run is about
		err = s.server.PayDebts(ctx)
	}
	var results []renewal.Result
	if err == nil {
		results, err = s.server.RenewAll(ctx, f.round)
		p.endBar()
	}
	results = merge(left, results, f.dryRun)
	if err != nil && len(results) == 0 && !p.json {
		return 0, err
	}
	missed := 0
	if err != nil {
		missed = s.server.Missed(f.round, results)
		err = stoppedRound(err, results, missed)
	}
	for _, r := range results {
		p.invalidNames(ctx, s, r)
	}
	causes := s.causes(ctx, results)
	if p.json {
		s.document = func() { printResults(p, results, causes, s.server.Broken(), missed, err) }
		return f.round.Exit(results, err), nil
	}
	p.Say("\n%s", frame)
	summary(p, results, f.dryRun, f.round.Hooks != host.Hooked{}, err == nil)
	p.Say(frame)
	count(p, results, missed)
	tally(p, results)
	p.byCause(causes)
	if err != nil {
		return 0, err
	}
	return f.round.Exit(results, nil), nil
}

// stoppedRound is the error of a round over many that was told to end, in place of that of the
// certificate that happened to be the first to hear of it.
func stoppedRound(err error, results []renewal.Result, missed int) error {
	if failure.ClassOf(err) != failure.Stopped || len(results) == 0 {
		return err
	}
	stopped := 0
	for _, r := range results {
		if r.Outcome == renewal.Stopped {
			stopped++
		}
	}
	switch {
	case stopped+missed == 0:
		return failure.New(failure.Stopped,
			"Run the same command again: a hook that was ended with the run is run again.",
			"the run was told to end when it had come to all certificates")
	case len(results)+missed < fewCauses:
		return err // that of the only one
	}
	return failure.New(failure.Stopped, "Run the same command again: it goes on where it stopped.",
		"the round was stopped: of %d certificates %d are to be continued, and %d were not reached",
		len(results)+missed, stopped, missed)
}

// merge puts what was resumed before what the round did, without naming a lineage twice: the
// round's word is the newer. That of a dry run is one about what another left.
func merge(left, round []renewal.Result, dry bool) []renewal.Result {
	same := func(l, r renewal.Result) bool {
		return l.Lineage == r.Lineage || dry && host.LineageOf(l.Lineage) == r.Lineage
	}
	var out []renewal.Result
	for _, r := range left {
		newer := false
		for _, n := range round {
			newer = newer || (same(r, n) && n.Outcome != renewal.Kept)
		}
		if !newer {
			out = append(out, r)
		}
	}
	for _, n := range round {
		issued := false
		for _, r := range left {
			issued = issued || (same(r, n) && r.Outcome == renewal.Issued &&
				n.Outcome == renewal.Kept)
		}
		if !issued {
			out = append(out, n)
		}
	}
	return out
}
