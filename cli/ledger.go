package cli

import (
	"context"

	"github.com/spf13/cobra"
)

func newLedger(env Env, p *printer) *cobra.Command {
	c := &cobra.Command{Use: "ledger", Short: "Look after the ledger itself", Args: noArguments,
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() }}
	f := &places{}
	adopt := &cobra.Command{
		Use:   "adopt",
		Short: "Take over a ledger that another host wrote",
		Long: "Take over a ledger that was copied or restored from another host, when this host has taken its\n" +
			"place. Every unfinished order in it is looked at before anything is sent for it.",
		Args: noArguments,
		RunE: func(c *cobra.Command, _ []string) error { return f.adopt(c.Context(), env, p) },
	}
	f.add(adopt.Flags())
	c.AddCommand(adopt)
	return c
}

func (f *places) adopt(ctx context.Context, env Env, p *printer) error {
	s, err := f.begin(env, p)
	if err != nil {
		return err
	}
	err = s.openLedger(ctx, true)
	if err != nil {
		return err
	}
	p.Say("The ledger in %s is this host's now.", s.ledgerDir())
	if p.json {
		p.print(struct {
			Version int    `json:"version"`
			Ledger  string `json:"ledger"`
		}{1, s.ledgerDir()})
	}
	return s.close()
}
