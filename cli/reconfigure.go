package cli

// reconfigure changes what a renewal file says. What it is told is what is changed; the rest of the
// file stays, and nothing changes before a rehearsal has shown that it works.

import (
	"context"

	"github.com/spf13/cobra"

	"orderly/cli/argparse"
	"orderly/failure"
	"orderly/host"
	"orderly/renewal"
)

type reconfigure struct {
	places
	working
	hookFlags
	accountFlags
	proofFlags
	roots   roots
	webroot bool
	domains []string
	wish    renewal.Reconfiguration
}

func newReconfigure(env Env, p *printer) *cobra.Command {
	f := &reconfigure{}
	c := &cobra.Command{
		Use:   "reconfigure --cert-name NAME",
		Short: "Change the settings with which a certificate is renewed",
		Long: "Change the settings in a certificate's renewal file. They are tried first: a renewal is rehearsed\n" +
			"with them, at the staging server for a certificate of Let's Encrypt's and otherwise at its own\n" +
			"server. Nothing is changed if that fails. A hook given as '' is taken away.",
		Args: argparse.NoArguments,
		RunE: func(c *cobra.Command, _ []string) error {
			f.forget(c)
			return f.execute(c.Context(), env, p)
		},
	}
	set := c.Flags()
	set.SortFlags = false
	set.StringVar(&f.wish.CertName, "cert-name", "", "`name` of the certificate")
	set.BoolVar(&f.webroot, "webroot", false, "prove the names through document roots")
	f.roots.addPaths(set, "document root of all names from now on")
	f.proofFlags.add(set, &f.wish.Proof)
	f.hookFlags.add(c, &f.wish.Hooks)
	addChoice(set, &f.wish.Choice)
	set.StringSliceVarP(&f.domains, "domain", "d", nil,
		"refused: the names of a certificate are changed with certonly")
	alias(set, "domains", "domain")
	_ = set.MarkHidden("domain")
	f.rehearsalFlags.add(set)
	f.accountFlags.add(c, "")
	f.working.add(set, env.Getenv)
	f.places.add(set)
	return c
}

// forget takes away the hooks that are given as nothing.
func (f *reconfigure) forget(c *cobra.Command) {
	for flag, hook := range map[string]*host.Value[string]{
		"pre-hook": &f.wish.Hooks.Pre, "post-hook": &f.wish.Hooks.Post,
		"deploy-hook": &f.wish.Hooks.Deploy,
	} {
		if c.Flags().Changed(flag) && !hook.Said() {
			*hook = host.Say("")
		}
	}
}

func (f *reconfigure) execute(ctx context.Context, env Env, p *printer) error {
	p.quiet, p.json = f.quiet, f.json
	if err := f.check(env); err != nil {
		return err
	}
	what := "reconfigure " + f.wish.CertName
	return f.run(ctx, env, p, &f.working, what, func(ctx context.Context, s *session) (int, error) {
		if f.wish.CertName == "" {
			names, err := f.talk(env, p).certificates(ctx, s,
				"Which certificate would you like to reconfigure?", false)
			if err != nil {
				return 0, err
			}
			f.wish.CertName = names[0]
			what += names[0]
		}
		if err := s.server.Begin(ctx, what, s.env.PID, nil); err != nil {
			return 0, err
		}
		s.server.Settings.Installer = f.installer
		if err := f.roots.mustBeThere(ctx, s); err != nil {
			return 0, err
		}
		done, err := s.server.Reconfigure(ctx, f.wish)
		if err != nil {
			return 0, err
		}
		f.print(p, done)
		return 0, nil
	})
}

// certbotsRefusal is what certbot's reconfigure says of -d.
const certbotsRefusal = "You have specified domains, but this function cannot be used to " +
	"modify the domains in a certificate. If you would like to do so, follow the instructions " +
	"at https://certbot.org/change-cert-domain. Otherwise, remove the domains from the " +
	"command to continue reconfiguring. You can specify which certificate you want on the " +
	"command line with flag --cert-name instead."

func (f *reconfigure) check(env Env) error {
	if len(f.domains) > 0 {
		return failure.New(failure.Config, "Use certonly --cert-name NAME -d …", certbotsRefusal)
	}
	if err := f.accountFlags.check(); err != nil {
		return err
	}
	if err := f.hookFlags.check(f.wish.Hooks, env.Getenv); err != nil {
		return err
	}
	if err := checkChoice(&f.wish.Choice); err != nil {
		return err
	}
	if f.staging {
		if f.server != "" && f.server != host.Staging {
			return failure.New(failure.Usage, "Leave one of them out.",
				"--server value conflicts with --staging")
		}
		f.server = host.Staging
	}
	p := &f.wish.Proof
	rooted := (len(f.roots.paths)+len(f.roots.mapped) > 0 || p.WebrootFrom.Said()) &&
		!f.standalone && !f.manual
	if err := f.decide(p, f.webroot || rooted, f.unchecked, env.Getenv); err != nil {
		return err
	}
	f.wish.Server, f.wish.Account, f.wish.Registration, f.wish.Only = f.server, f.account,
		f.registration, f.dryRun
	f.wish.Webroots, f.wish.WebrootPaths = f.roots.mapped, f.roots.paths
	return nil
}

func (f *reconfigure) print(p *printer, done renewal.Reconfigured) {
	if p.json {
		p.print(struct {
			Version int `json:"version"`
			renewal.Reconfigured
		}{1, done})
		return
	}
	switch {
	case f.dryRun:
		p.Say("The dry run was successful.")
	case done.Changed:
		p.Say("\nSuccessfully updated configuration.\nChanges will apply when the certificate renews.")
	default:
		p.Say("\nNo changes were made to the renewal configuration.")
	}
}
