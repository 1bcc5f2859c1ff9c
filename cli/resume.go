package cli

// resume finishes what earlier runs left, and orders nothing anew.

import (
	"context"
	"strings"

	"github.com/spf13/cobra"

	"orderly/cli/argparse"
	"orderly/ledger"
	"orderly/order/drive"
	"orderly/renewal"
)

type resume struct {
	places
	working
}

func newResume(env Env, p *printer) *cobra.Command {
	f := &resume{}
	c := &cobra.Command{
		Use:   "resume",
		Short: "Continue every order that an earlier run left, and pay the post-hooks it owed",
		Args:  argparse.NoArguments,
		RunE:  func(c *cobra.Command, _ []string) error { return f.execute(c.Context(), env, p) },
	}
	f.working.add(c.Flags(), env.Getenv)
	f.working.addJobs(c.Flags())
	f.places.add(c.Flags())
	return c
}

func (f *resume) execute(ctx context.Context, env Env, p *printer) error {
	p.quiet, p.json = f.quiet, f.json
	return f.run(ctx, env, p, &f.working, "resume", resumeAll(p, "resume"))
}

// resumeAll is the work of resume and of pending drain.
func resumeAll(p *printer, what string) func(context.Context, *session) (int, error) {
	return func(ctx context.Context, s *session) (int, error) {
		if err := s.server.Begin(ctx, what, s.env.PID, nil); err != nil {
			return 0, err
		}
		results, err := s.server.ResumeAll(ctx)
		p.endBar()
		causes := s.causes(ctx, results)
		if p.json {
			s.document = func() { printResults(p, results, causes, s.server.Broken(), 0, err) }
			return renewal.Exit(results, err), nil
		}
		printResumed(p, results)
		if err != nil {
			return 0, err
		}
		return renewal.Exit(results, nil), nil
	}
}

func printResumed(p *printer, results []renewal.Result) {
	if len(results) == 0 {
		p.Say("Nothing was left unfinished.")
	}
	proven := 0
	for _, r := range results {
		if strings.HasPrefix(r.Lineage, drive.FoundPrefix) && r.Outcome == string(ledger.Ready) {
			proven++
		}
		if r.Err != nil {
			p.fault("order %d for %s:", r.Order, lineageWords(r.Lineage))
			p.because(r)
			continue
		}
		p.Say("order %d for %s: %s", r.Order, lineageWords(r.Lineage), r.Outcome)
	}
	if proven > 0 {
		p.Say("%d name(s) that another client left open are valid at the CA now. No certificate was made of\n"+
			"them: that comes with the client's next renewal.", proven)
	}
}
