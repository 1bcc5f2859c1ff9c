package cli

import (
	"context"
	"strings"

	"github.com/spf13/cobra"

	"orderly/failure"
	"orderly/renewal"
)

type renew struct {
	places
	working
	hookFlags
	accountFlags
	round renewal.Round
}

func newRenew(env Env, p *printer) *cobra.Command {
	f := &renew{}
	c := &cobra.Command{
		Use:   "renew [--cert-name NAME]",
		Short: "Renew every certificate that is due",
		Long: "Renew the certificates that are due: a third of their lifetime is left (half of one below ten\n" +
			"days), or as renew_before_expiry in the renewal file says. Orders that earlier runs left are\n" +
			"finished first. A lineage that is broken, or in back-off, costs the CA no request.",
		Args: noArguments,
		RunE: func(c *cobra.Command, _ []string) error { return f.execute(c.Context(), env, p) },
	}
	set := c.Flags()
	set.SortFlags = false
	set.StringVar(&f.round.CertName, "cert-name", "", "only the certificate of this `name`")
	set.BoolVar(&f.round.Renew, "force-renewal", false, "renew although nothing is due")
	alias(set, "renew-by-default", "force-renewal")
	f.accountFlags.add(c, "")
	f.hookFlags.add(c)
	f.working.add(set, env.Getenv)
	f.places.add(set)
	return c
}

func (f *renew) execute(ctx context.Context, env Env, p *printer) error {
	p.quiet, p.json = f.quiet, f.json
	if err := f.accountFlags.check(); err != nil {
		return err
	}
	if err := f.hookFlags.check(env.Getenv); err != nil {
		return err
	}
	f.round.Server, f.round.Account, f.round.Registration = f.server, f.account, f.registration
	f.round.Hooks, f.round.Progress = f.Hooks, p.bar("Renewing")
	what := strings.TrimSpace("renew " + f.round.CertName)
	return f.run(ctx, env, p, &f.working, what, func(ctx context.Context, s *session) (int, error) {
		if err := s.server.Begin(ctx, what, s.env.PID, nil); err != nil {
			return 0, err
		}
		return f.work(ctx, p, s)
	})
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
	summary(p, results)
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
	view := roundView{Version: 1, Results: results}
	if results == nil {
		view.Results = []renewal.Result{}
	}
	if err != nil {
		view.Class, view.Error, view.Remedy = failure.ClassOf(err), err.Error(), failure.RemedyOf(err)
	}
	p.print(view)
}

// summary tells in certbot's words what became of the lineages.
func summary(p *printer, results []renewal.Result) {
	by := map[string][]renewal.Result{}
	for _, r := range results {
		by[r.Outcome] = append(by[r.Outcome], r)
	}
	if kept := by[renewal.Kept]; len(kept) > 0 {
		p.Say("The following certificates are not due for renewal yet:")
		for _, r := range kept {
			p.Say("  %s expires on %s (skipped)", r.Path, r.Expires.UTC().Format("2006-01-02"))
		}
	}
	issued, failed := by[renewal.Issued], append(by[renewal.Failed], by[renewal.Stopped]...)
	switch {
	case len(issued)+len(failed) == 0:
		p.Say("No renewals were attempted.")
	case len(failed) == 0:
		p.Say("Congratulations, all renewals succeeded: ")
	case len(issued) > 0:
		p.Say("The following renewals succeeded:")
	}
	for _, r := range issued {
		p.Say("  %s (success)", r.Path)
	}
	complain(p, failed, by[renewal.Invalid], len(issued) == 0)
}

// complain prints on stderr what failed and what to do about each.
func complain(p *printer, failed, invalid []renewal.Result, all bool) {
	if len(failed) > 0 && all {
		p.fault("All renewals failed. The following certificates could not be renewed:")
	} else if len(failed) > 0 {
		p.fault("The following renewals failed:")
	}
	for _, r := range failed {
		word := "failure"
		if r.Outcome == renewal.Stopped {
			word = "stopped, and will be continued"
		}
		p.fault("  %s (%s)", describe(r), word)
		p.because(r)
	}
	if len(invalid) > 0 {
		p.fault("Additionally, the following renewal configurations were invalid: ")
	}
	for _, r := range invalid {
		p.fault("  %s (parsefail)", r.Path)
		p.because(r)
	}
	if len(failed)+len(invalid) > 0 {
		p.fault("%d renew failure(s), %d parse failure(s)", len(failed), len(invalid))
	}
}

// because prints why a lineage failed and what to do.
func (p *printer) because(r renewal.Result) {
	p.fault("    %s: %s", p.paint(red, string(r.Class)), r.Sentence)
	if r.Remedy != "" {
		p.fault("    %s%s", p.paint(bold, "remedy: "), r.Remedy)
	}
}
