package cli

// certonly: what is asked for is refused here where the command line alone shows that it cannot be,
// before the ledger is opened; what is missing is asked for; the rest is package renewal's.

import (
	"context"
	"strings"

	"github.com/spf13/cobra"

	"orderly/cli/argparse"
	"orderly/failure"
	"orderly/host"
	"orderly/ledger"
	"orderly/renewal"
)

type certonly struct {
	places
	working
	roots
	hookFlags
	accountFlags
	proofFlags
	csrFlags
	webroot bool
	wish    renewal.Wish
}

func newCertonly(env Env, p *printer) *cobra.Command {
	f := &certonly{}
	c := &cobra.Command{
		Use:   "certonly --webroot -w DIR -d NAME [-d NAME …]",
		Short: "Obtain a certificate, or keep or renew the one there is",
		Long: "Obtain a certificate by http-01 through a document root (--webroot) or a web server of its own\n" +
			"(--standalone), or by commands of yours (--manual). A certificate for the same names is kept\n" +
			"until it is due. An order that an earlier run left is continued, not repeated.",
		Args: argparse.NoArguments,
		RunE: func(c *cobra.Command, _ []string) error { return f.execute(c.Context(), env, p) },
	}
	set := c.Flags()
	set.SortFlags = false
	f.roots.add(set)
	set.BoolVar(&f.webroot, "webroot", false, "prove the names through document roots (-w)")
	f.proofFlags.add(set, &f.wish.Proof)
	set.StringVar(&f.wish.CertName, "cert-name", "",
		"`name` of the certificate, its directory in live/")
	set.BoolVar(&f.wish.Expand, "expand", false,
		"put all names into the certificate that holds some of them")
	set.BoolVar(&f.wish.Renew, "force-renewal", false, "renew although it is not due")
	alias(set, "renew-by-default", "force-renewal")
	set.BoolVar(&f.wish.Keep, "keep-until-expiring", false,
		"keep a certificate for the same names until it is due, without a question")
	alias(set, "keep", "keep-until-expiring")
	alias(set, "reinstall", "keep-until-expiring")
	set.BoolVar(&f.wish.Duplicate, "duplicate", false,
		"make another lineage although one has the same names")
	set.BoolVar(&f.wish.NewNames, "renew-with-new-domains", false,
		"with --cert-name: change its names without a question")
	f.rehearsalFlags.add(set)
	f.csrFlags.add(set)
	addChoice(set, &f.wish.Choice)
	f.accountFlags.add(c, letsEncrypt)
	f.hookFlags.add(c, &f.wish.Hooks)
	f.working.add(set, env.Getenv)
	f.addAddresses(set)
	f.places.add(set)
	f.addForced(set)
	return c
}

func (f *certonly) execute(ctx context.Context, env Env, p *printer) error {
	p.quiet, p.json = f.quiet, f.json
	if d := f.talk(env, p); !f.provable() && d.open(false) {
		var err error
		if f.standalone, f.webroot, err = d.prover(ctx); err != nil {
			return err
		}
	}
	if err := f.check(env, p); err != nil {
		return err
	}
	return f.run(ctx, env, p, &f.working, "certonly",
		func(ctx context.Context, s *session) (int, error) {
			s.server.Settings.Installer = f.installer
			if err := f.roots.mustBeThere(ctx, s); err != nil {
				return 0, err
			}
			if err := f.converse(ctx, f.talk(env, p), s); err != nil {
				return 0, err
			}
			result, err := f.obtain(ctx, s, f.what())
			if err != nil {
				return 0, err
			}
			p.invalidNames(ctx, s, result)
			told := []renewal.Result{result}
			s.causes(ctx, told)
			return f.print(p, told[0])
		})
}

// what is the command as the ledger keeps it.
func (f *certonly) what() string {
	what := "certonly " + strings.Join(f.wish.Names, ",")
	if f.wish.CertName != "" && len(f.wish.Names) == 0 {
		what = "certonly --cert-name " + f.wish.CertName
	}
	if f.dryRun {
		what += " --dry-run"
	}
	return what
}

// provable reports whether it is said how the names are proven, or to be seen from the lineage.
func (f *certonly) provable() bool {
	return f.webroot || f.standalone || f.manual || len(f.paths) > 0 ||
		f.wish.Proof.WebrootFrom.Said() ||
		f.wish.CertName != ""
}

// converse asks for what the command line lacks, in certbot's order.
func (f *certonly) converse(ctx context.Context, d *dialogue, s *session) error {
	if err := f.introduce(ctx, d, s); err != nil {
		return err
	}
	f.wish.Account, f.wish.Registration, f.wish.Ask = f.account, f.registration, d.asks(ctx)
	if len(f.wish.Names) > 0 || f.wish.CertName != "" {
		return f.rooted(ctx, d, s)
	}
	if len(f.names) == 0 {
		var err error
		if f.names, err = d.names(ctx); err != nil {
			return err
		}
		f.settle()
	}
	if err := f.resolve(); err != nil {
		return err
	}
	return f.rooted(ctx, d, s)
}

// rooted asks for document roots, and refuses names without one in certbot's words.
func (f *certonly) rooted(ctx context.Context, d *dialogue, s *session) error {
	p := f.wish.Proof
	if p.Solver.Is() == host.WebrootSolver && len(f.paths) == 0 && !p.WebrootFrom.Said() {
		if err := d.roots(ctx, s, &f.wish); err != nil {
			return err
		}
	}
	return f.unrooted()
}

// check refuses what can be refused without looking at anything but the command line.
func (f *certonly) check(env Env, p *printer) error {
	if err := f.consistent(); err != nil {
		return err
	}
	if err := f.prove(env); err != nil {
		return err
	}
	var err error
	if f.names, err = f.csrFlags.read(f.names, f.wish); err != nil {
		return err
	}
	if err := f.rehearsalFlags.choose(&f.accountFlags); err != nil {
		return err
	}
	d := f.talk(env, p)
	if len(f.names) == 0 && f.wish.CertName == "" && !d.open(false) {
		return failure.New(failure.Config, "Add -d NAME.", noNames)
	}
	if err := checkChoice(&f.wish.Choice); err != nil {
		return err
	}
	if strings.ContainsAny(f.wish.CertName, "/\x00") || strings.HasPrefix(f.wish.CertName, ".") {
		return failure.New(failure.Usage, "", "--cert-name %s: not a name for a directory",
			failure.Clean(f.wish.CertName))
	}
	if err := f.accountFlags.check(); err != nil {
		return err
	}
	if err := f.hookFlags.check(f.wish.Hooks, env.Getenv); err != nil {
		return err
	}
	if err := f.resolve(); err != nil || d.open(false) {
		return err // what is missing is asked for
	}
	return f.unrooted()
}

// prove decides how the names are proven. A document root alone says it as well.
func (f *certonly) prove(env Env) error {
	p := &f.wish.Proof
	rooted := (len(f.paths) > 0 || p.WebrootFrom.Said()) && !f.standalone && !f.manual
	if err := f.decide(p, f.webroot || rooted, f.unchecked, env.Getenv); err != nil {
		return err
	}
	return needs(*p)
}

// resolve turns the names as typed into those of the wish.
func (f *certonly) resolve() error {
	names, err := eachOnce(f.names, f.name)
	if err != nil {
		return err
	}
	byTyped := map[string]string{}
	for _, typed := range f.names {
		if byTyped[typed], err = f.name(typed); err != nil {
			return err
		}
	}
	f.wish.Names, f.wish.Webroots, f.wish.WebrootPaths = names, f.webroots(byTyped), f.paths
	f.wish.Server, f.wish.Account, f.wish.Registration = f.server, f.account, f.registration
	return suits(f.wish.Proof, names)
}

// unrooted refuses, in certbot's words, names without a document root.
func (f *certonly) unrooted() error {
	names := f.wish.Names
	if f.wish.Proof.Solver.Is() == host.WebrootSolver && len(f.paths) == 0 && len(names) > 0 &&
		len(f.wish.Webroots) < len(names) && !f.wish.Proof.WebrootFrom.Said() {
		return failure.New(failure.WebrootUnset,
			"Add -w DIR, the directory that the web server serves for these names.",
			"Missing command line flag or config entry for this setting:\nInput the webroot for %s:",
			names[0])
	}
	return nil
}

func (f *certonly) obtain(ctx context.Context, s *session, what string) (renewal.Result, error) {
	if err := s.server.Complete(&f.wish); err != nil {
		return renewal.Result{}, err
	}
	account, err := s.server.ChooseAccount(f.wish.Server, f.wish.Account, f.wish.Registration)
	if err != nil {
		return renewal.Result{}, err
	}
	var row *ledger.Account
	if account != nil {
		row = s.server.Accounts().Row(account)
	}
	if err := s.server.Begin(ctx, what, s.env.PID, row); err != nil {
		return renewal.Result{}, err
	}
	if err := s.server.Recover(ctx, f.lineage()); err != nil {
		return renewal.Result{}, err
	}
	s.server.Only()
	if f.der != nil {
		return s.server.ObtainCSR(ctx, f.wish, f.der, f.output), nil
	}
	return s.server.Obtain(ctx, f.wish), nil
}

// lineage is the certificate this command is probably about: its own unfinished order is not
// others' to finish.
func (f *certonly) lineage() string {
	if f.der != nil {
		return renewal.CSRLineage(f.der)
	}
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
		}{1, p.worded(r)})
		return code, nil
	}
	switch {
	case r.Outcome == renewal.Rehearsed:
		p.Say("The dry run was successful.")
	case r.Outcome == renewal.Issued && r.Output.Cert != "":
		p.Say("\nSuccessfully received certificate.\nCertificate is saved at:            %s\n"+
			"Intermediate CA chain is saved at:  %s\nFull certificate chain is saved at: %s\n"+
			"This certificate expires on %s.",
			r.Output.Cert, r.Output.Chain, r.Output.FullChain, r.Expires.UTC().Format("2006-01-02"))
	case r.Outcome == renewal.Issued:
		p.received(r)
	case r.Outcome == renewal.Kept:
		p.kept(r)
	default:
		return code, r.Err
	}
	return code, nil
}
