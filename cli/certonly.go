package cli

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"orderly/failure"
	"orderly/ledger"
	"orderly/renewal"
)

// letsEncrypt is certbot's default --server.
const letsEncrypt = "https://acme-v02.api.letsencrypt.org/directory"

// hookFlags are certbot's hooks.
type hookFlags struct{ ledger.Hooks }

func (f *hookFlags) add(c *cobra.Command) {
	c.Flags().StringVar(&f.Pre, "pre-hook", "", "shell `command` before the first order; kept in the renewal file")
	c.Flags().StringVar(&f.Post, "post-hook", "", "shell `command` afterwards, also when it failed; kept in the renewal file")
	c.Flags().StringVar(&f.Deploy, "deploy-hook", "", "shell `command` for each certificate put in place; kept in the renewal file")
	alias(c.Flags(), "renew-hook", "deploy-hook")
}

func (f *hookFlags) check(getenv func(string) string) error {
	for _, hook := range []struct{ kind, command string }{{"pre-hook", f.Pre}, {"post-hook", f.Post}, {"deploy-hook", f.Deploy}} {
		if err := renewal.CheckHook(hook.kind, hook.command, getenv); err != nil {
			return err
		}
	}
	return nil
}

// accountFlags say which account is used, or how one is made.
type accountFlags struct {
	server, account string
	registration    renewal.Registration
}

func (f *accountFlags) add(c *cobra.Command, server string) {
	c.Flags().StringVar(&f.server, "server", server, "directory `URL` of the CA")
	c.Flags().StringVar(&f.account, "account", "", "`id` of the account to use, where there are several")
	c.Flags().BoolVar(&f.registration.AgreeTOS, "agree-tos", false, "agree to the CA's terms of service when an account is made")
	c.Flags().StringVarP(&f.registration.Email, "email", "m", "", "`address` for an account that is made")
	c.Flags().BoolVar(&f.registration.NoEmail, "register-unsafely-without-email", false, "make the account without an address")
}

func (f *accountFlags) check() error {
	for address := range strings.SplitSeq(f.registration.Email, ",") {
		local, domain, ok := strings.Cut(strings.TrimSpace(address), "@")
		if address != "" && (!ok || local == "" || domain == "" || strings.ContainsAny(address, " \t\r\n?#<>\"")) {
			return failure.New(failure.Usage, "", "--email %s: not an address", failure.Clean(address))
		}
	}
	return nil
}

type certonly struct {
	places
	working
	roots
	hookFlags
	accountFlags
	webroot bool
	keep    bool
	wish    renewal.Wish
}

func newCertonly(env Env, p *printer) *cobra.Command {
	f := &certonly{}
	c := &cobra.Command{
		Use:   "certonly --webroot -w DIR -d NAME [-d NAME …]",
		Short: "Obtain a certificate, or keep or renew the one there is",
		Long: "Obtain a certificate by http-01 through a document root. A certificate for the same names is\n" +
			"kept until it is due. An order that an earlier run left is continued, not repeated.",
		Args: noArguments,
		RunE: func(c *cobra.Command, _ []string) error { return f.execute(c.Context(), env, p) },
	}
	set := c.Flags()
	set.SortFlags = false
	f.roots.add(set)
	set.BoolVar(&f.webroot, "webroot", false, "prove the names through document roots (-w)")
	set.StringVar(&f.wish.CertName, "cert-name", "", "`name` of the certificate, its directory in live/")
	set.BoolVar(&f.wish.Expand, "expand", false, "put all names into the certificate that holds some of them")
	set.BoolVar(&f.wish.Renew, "force-renewal", false, "renew although it is not due")
	alias(set, "renew-by-default", "force-renewal")
	set.BoolVar(&f.keep, "keep-until-expiring", false, "keep a certificate for the same names until it is due (this is what happens anyway)")
	alias(set, "keep", "keep-until-expiring")
	alias(set, "reinstall", "keep-until-expiring")
	set.StringVar(&f.wish.KeyType, "key-type", "", "`kind` of private key: ecdsa (the default for a new certificate) or rsa")
	f.accountFlags.add(c, letsEncrypt)
	f.hookFlags.add(c)
	f.working.add(set, env.Getenv)
	f.places.add(set)
	return c
}

func (f *certonly) execute(ctx context.Context, env Env, p *printer) error {
	p.quiet, p.json = f.quiet, f.json
	if err := f.check(env); err != nil {
		return err
	}
	what := "certonly " + strings.Join(f.wish.Names, ",")
	return f.run(ctx, env, p, &f.working, what, func(ctx context.Context, s *session) (int, error) {
		result, err := f.obtain(ctx, s, what)
		if err != nil {
			return 0, err
		}
		return f.print(p, result)
	})
}

// check refuses what can be refused without looking at anything but the command line.
func (f *certonly) check(env Env) error {
	if !f.webroot && len(f.paths) == 0 {
		return failure.New(failure.Usage, "Add --webroot -w DIR.", "no way to prove the names is given, and --webroot is the only one there is")
	}
	if len(f.names) == 0 {
		return failure.New(failure.Usage, "Add -d NAME.", "no name is given")
	}
	if f.wish.KeyType != "" && f.wish.KeyType != "ecdsa" && f.wish.KeyType != "rsa" {
		return failure.New(failure.Usage, "", "--key-type %s: only ecdsa and rsa are known", failure.Clean(f.wish.KeyType))
	}
	if strings.ContainsAny(f.wish.CertName, "/\x00") || strings.HasPrefix(f.wish.CertName, ".") {
		return failure.New(failure.Usage, "", "--cert-name %s: not a name for a directory", failure.Clean(f.wish.CertName))
	}
	if err := f.accountFlags.check(); err != nil {
		return err
	}
	if err := f.hookFlags.check(env.Getenv); err != nil {
		return err
	}
	return f.resolve()
}

// resolve turns the names as typed into those of the wish.
func (f *certonly) resolve() error {
	names, err := dnsNames(f.names)
	if err != nil {
		return err
	}
	byTyped := map[string]string{}
	for _, typed := range f.names {
		if byTyped[typed], err = dnsName(typed); err != nil {
			return err
		}
	}
	f.wish.Names, f.wish.Webroots, f.wish.WebrootPaths = names, f.webroots(byTyped), f.paths
	f.wish.Server, f.wish.Account, f.wish.Registration = f.server, f.account, f.registration
	f.wish.Hooks = f.Hooks
	if len(f.paths) == 0 {
		return failure.New(failure.WebrootUnset, "Add -w DIR, the directory that the web server serves for these names.",
			"Missing command line flag or config entry for this setting:\nInput the webroot for %s:", names[0])
	}
	return nil
}

func (f *certonly) obtain(ctx context.Context, s *session, what string) (renewal.Result, error) {
	account, err := s.server.ChooseAccount(f.wish.Server, f.wish.Account, f.wish.Registration)
	if err != nil {
		return renewal.Result{}, err
	}
	var row *ledger.Account
	if account != nil {
		row = s.server.Row(account)
	}
	if err := s.server.Begin(ctx, what, s.env.PID, row); err != nil {
		return renewal.Result{}, err
	}
	if err := s.server.Recover(ctx, f.lineage()); err != nil {
		return renewal.Result{}, err
	}
	s.server.Only()
	return s.server.Obtain(ctx, f.wish), nil
}

// lineage is the certificate this command is probably about: its own unfinished order is not others' to finish.
func (f *certonly) lineage() string {
	if f.wish.CertName != "" {
		return f.wish.CertName
	}
	return f.wish.Names[0]
}

func (f *certonly) print(p *printer, r renewal.Result) (int, error) {
	code := renewal.Exit([]renewal.Result{r}, nil)
	if p.json {
		p.print(struct {
			Version int `json:"version"`
			renewal.Result
		}{1, r})
		return code, nil
	}
	switch r.Outcome {
	case renewal.Issued:
		p.Say("\nSuccessfully received certificate.\nCertificate is saved at: %s\nKey is saved at:         %s\nThis certificate expires on %s.\nThese files will be updated when the certificate renews.",
			r.Path, r.Key, r.Expires.UTC().Format("2006-01-02"))
	case renewal.Kept:
		p.Say("Certificate not yet due for renewal; no action taken.\nIt expires on %s and is due from %s on: %s",
			r.Expires.UTC().Format("2006-01-02"), r.DueAt.UTC().Format("2006-01-02"), r.Path)
	default:
		return code, r.Err
	}
	return code, nil
}

// describe names a result for a summary line.
func describe(r renewal.Result) string {
	if r.Path != "" {
		return r.Path
	}
	return fmt.Sprintf("%s (order %d)", r.Lineage, r.Order)
}
