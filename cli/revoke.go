package cli

// revoke takes a certificate back, which nothing can undo: it must be named exactly, and what it
// was revoked for is checked before the CA is asked.

import (
	"context"
	"path/filepath"

	"github.com/spf13/cobra"

	"orderly/acme"
	"orderly/cli/argparse"
	"orderly/failure"
	"orderly/renewal"
)

type revoke struct {
	accountCommand
	certName, certPath, keyPath, reason string
	erase, keep                         bool
	serverGiven                         func() bool
}

func newRevoke(env Env, p *printer) *cobra.Command {
	f := &revoke{}
	c := &cobra.Command{
		Use:   "revoke (--cert-name NAME | --cert-path FILE)",
		Short: "Revoke a certificate, and delete it from this host",
		Long: "Revoke a certificate in the name of the account, or with its own private key (--key-path), and\n" +
			"delete it with its earlier and later versions, unless --no-delete-after-revoke is given. An\n" +
			"unfinished order of a certificate that is deleted is given up; of one that is kept it goes on,\n" +
			"since it is for another one. A certificate that was revoked before is no error.",
		Args: argparse.NoArguments,
		RunE: func(c *cobra.Command, _ []string) error { return f.execute(c.Context(), env, p) },
	}
	set := c.Flags()
	f.serverGiven = func() bool { return set.Changed("server") || f.staging }
	set.StringVar(&f.certName, "cert-name", "",
		"`name` of the certificate; its server and account are those of the renewal file")
	set.StringVar(&f.certPath, "cert-path", "", "`file` with the certificate")
	set.StringVar(&f.keyPath, "key-path", "",
		"`file` with the certificate's private key, to revoke without an account")
	set.StringVar(&f.reason, "reason", "unspecified",
		"`why`: unspecified, keycompromise, affiliationchanged, superseded, cessationofoperation")
	set.BoolVar(&f.erase, "delete-after-revoke", false,
		"delete the certificate's files afterwards (this is what happens anyway)")
	set.BoolVar(&f.keep, "no-delete-after-revoke", false, "keep the certificate's files")
	f.addTo(c)
	return c
}

func (f *revoke) execute(ctx context.Context, env Env, p *printer) error {
	p.quiet, p.json = f.quiet, f.json
	w, err := f.wish()
	if err != nil {
		return err
	}
	return f.run(ctx, env, p, &f.working, "revoke",
		func(ctx context.Context, s *session) (int, error) {
			if err := s.server.Begin(ctx, renewal.Revoking(w), s.env.PID, nil); err != nil {
				return 0, err
			}
			if w.Keep = f.keep; !f.erase && !f.keep && f.talk(env, p).open(false) {
				w.Ask = func() bool { return f.deletes(ctx, f.talk(env, p)) }
			}
			done, err := s.server.Revoke(ctx, w)
			if err != nil {
				return 0, err
			}
			if p.json {
				p.print(struct {
					Version int `json:"version"`
					renewal.Revoked
				}{1, done})
			}
			p.Say("%s", done.Congratulate())
			return 0, nil
		})
}

// deletes asks whether the files go, where the flags do not say it.
func (f *revoke) deletes(ctx context.Context, d *dialogue) bool {
	yes, err := d.confirm(ctx, renewal.Question{Yes: "Yes (recommended)", No: "No",
		Text: "Would you like to delete the certificate(s) you just revoked, along with all " +
			"earlier and later versions of the certificate?"})
	return yes && err == nil // a signal answers nothing
}

// wish is what the flags say. certbot names the flags' faults in these words.
func (f *revoke) wish() (renewal.Revocation, error) {
	w := renewal.Revocation{CertName: f.certName}
	var err error
	if err = f.check(); err != nil {
		return w, err
	}
	if w.Reason, err = acme.ParseReason(f.reason); err != nil {
		return w, err
	}
	switch {
	case (f.certName == "") == (f.certPath == ""):
		return w, failure.New(failure.Config, "`orderly certificates` lists names and paths.",
			"Error! Exactly one of --cert-path or --cert-name must be specified!")
	case f.erase && f.keep:
		return w, failure.New(failure.Usage, "",
			"--delete-after-revoke and --no-delete-after-revoke contradict each other")
	}
	w.Default, w.Account, w.KeyPath = letsEncrypt, f.account, f.keyPath
	if f.serverGiven() {
		w.Server = f.server
	}
	if f.certPath != "" {
		if w.CertPath, err = filepath.Abs(f.certPath); err != nil {
			return w, err
		}
	}
	if f.keyPath != "" {
		w.Key, err = renewal.ReadKey(f.keyPath)
	}
	return w, err
}
