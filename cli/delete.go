package cli

// delete takes lineages from the disk. At a terminal it asks first, as certbot does, since nothing
// can bring them back.

import (
	"context"
	"strings"

	"github.com/spf13/cobra"

	"orderly/cli/argparse"
	"orderly/renewal"
)

type remove struct {
	places
	working
	names []string
}

func newDelete(env Env, p *printer) *cobra.Command {
	f := &remove{}
	c := &cobra.Command{
		Use:   "delete --cert-name NAME",
		Short: "Delete a certificate and all that belongs to it from this host",
		Long: "Delete a certificate's versions, links and renewal file. It is not revoked. What an earlier run\n" +
			"left of an order for it comes to nothing: the next run sees to it that no name stays pending at\n" +
			"the CA, and no certificate is made.",
		Args: argparse.NoArguments,
		RunE: func(c *cobra.Command, _ []string) error { return f.execute(c.Context(), env, p) },
	}
	c.Flags().StringArrayVar(&f.names, "cert-name", nil,
		"`name` of the certificate; repeat, or separate by commas")
	f.addDeadline(c.Flags())
	f.places.add(c.Flags())
	return c
}

func (f *remove) execute(ctx context.Context, env Env, p *printer) error {
	p.quiet, p.json = f.quiet, f.json
	what := "delete " + strings.Join(f.names, ",")
	return f.run(ctx, env, p, &f.working, what, func(ctx context.Context, s *session) (int, error) {
		names, err := f.choose(ctx, s, f.talk(env, p))
		if err != nil {
			return 0, err
		}
		yes, err := f.talk(env, p).confirm(ctx, f.question(names))
		if err != nil {
			return 0, err
		}
		if !yes {
			p.Say("Deletion of certificate(s) canceled.")
			return 0, nil
		}
		if err := s.server.Begin(ctx, what, s.env.PID, nil); err != nil {
			return 0, err
		}
		deleted := []string{}
		for _, name := range names {
			if err = s.server.Delete(ctx, name); err != nil {
				break
			}
			deleted = append(deleted, name)
		}
		if p.json && err == nil {
			p.print(struct {
				Version int      `json:"version"`
				Deleted []string `json:"deleted"`
			}{1, deleted})
		}
		return 0, err
	})
}

// choose are the certificates that the flags name, or that a person chooses.
func (f *remove) choose(ctx context.Context, s *session, d *dialogue) ([]string, error) {
	names, err := s.server.CertificateNames(ctx, f.names)
	if err != nil || len(names) > 0 {
		return names, err
	}
	return d.certificates(ctx, s, "Which certificate(s) would you like to delete?", true)
}

func (f *remove) question(names []string) renewal.Question {
	text := "The following certificate(s) are selected for deletion:\n\n  * " + strings.Join(names,
		"\n  * ") +
		"\n\nWARNING: Before continuing, ensure that the listed certificates are not being used by " +
		"any installed server software (e.g. Apache, nginx, mail servers). Deleting a certificate " +
		"that is still being used will cause the server software to stop working. See " +
		"https://certbot.org/deleting-certs for information on deleting certificates " +
		"safely.\n\nAre you sure you want to delete the above certificate(s)?"
	return renewal.Question{Text: text, Yes: "Yes", No: "No", AtTerminal: true}
}
