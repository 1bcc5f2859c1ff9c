package cli

// Dry runs and the staging server, by certbot's rules for which server and account are meant: an
// account of the production server means nothing at another one.

import (
	"github.com/spf13/pflag"

	"orderly/failure"
	"orderly/host"
)

// rehearsalFlags are certbot's flags for trying something out: a dry run, and the CA's staging
// server.
type rehearsalFlags struct {
	dryRun         bool
	staging        bool
	runDeployHooks bool
}

func (f *rehearsalFlags) add(set *pflag.FlagSet) {
	set.BoolVar(&f.dryRun, "dry-run", false,
		"rehearse at the staging server, or the one named by --server: nothing on disk changes, "+
			"nothing stays pending")
	set.BoolVar(&f.runDeployHooks, "run-deploy-hooks", false,
		"run the deploy hooks in a dry run, too")
	set.BoolVar(&f.staging, "staging", false,
		"use Let's Encrypt's staging server, whose certificates nobody trusts")
	alias(set, "test-cert", "staging")
}

// choose says which server and account are meant, by certbot's rules: a dry run without --server is
// made at the staging server; where that takes the place of the production server, an account of
// the latter means nothing.
func (f *rehearsalFlags) choose(a *accountFlags) error {
	if !f.dryRun && !f.staging {
		if f.runDeployHooks {
			return failure.New(failure.Usage, "Add --dry-run: without it they run anyway.",
				"--run-deploy-hooks means something only in a dry run")
		}
		return nil
	}
	plain := a.server == "" || a.server == host.Production
	switch {
	case plain:
		a.server, a.account = host.Staging, ""
	case f.staging && a.server != host.Staging:
		return failure.New(failure.Config, "Leave one of them out.",
			"--server value conflicts with --staging")
	}
	return nil
}

// addStaging adds what commands have that rehearse nothing.
func (f *rehearsalFlags) addStaging(set *pflag.FlagSet) {
	set.BoolVar(&f.staging, "staging", false, "use Let's Encrypt's staging server")
	alias(set, "test-cert", "staging")
}
