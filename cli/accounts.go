package cli

// register, show_account, update_account and unregister, in certbot's words. What they do at the CA
// is package renewal's business; here it is asked for and shown.

import (
	"context"
	"errors"
	"strings"

	"github.com/spf13/cobra"

	"orderly/account"
	"orderly/certbot"
	"orderly/cli/argparse"
	"orderly/failure"
	"orderly/renewal"
)

func newRegister(env Env, p *printer) *cobra.Command {
	f := &accountCommand{}
	c := &cobra.Command{
		Use:   "register --agree-tos (-m ADDRESS | --register-unsafely-without-email)",
		Short: "Make an account at a CA",
		Long: "Make an account. Its key is kept before the CA is asked, so that a run that dies has lost\n" +
			"nothing: the next one finds the account by the same key. Where the CA has an account for this\n" +
			"host already, none is made.",
		Args: argparse.NoArguments,
		RunE: func(c *cobra.Command, _ []string) error { return f.register(c.Context(), env, p) },
	}
	f.addTo(c)
	f.addForced(c.Flags())
	return c
}

func (f *accountCommand) register(ctx context.Context, env Env, p *printer) error {
	p.quiet, p.json = f.quiet, f.json
	if err := f.check(); err != nil {
		return err
	}
	if err := f.consistent(); err != nil {
		return err
	}
	return f.run(ctx, env, p, &f.working, "register",
		func(ctx context.Context, s *session) (int, error) {
			if err := s.server.Disk.Accounts().NoDuplicate(f.server); err != nil {
				return 0, err
			}
			if err := f.introduce(ctx, f.talk(env, p), s); err != nil {
				return 0, err
			}
			if _, err := s.server.ChooseAccount(f.server, "", f.registration); err != nil {
				return 0, err
			}
			if err := s.server.Begin(ctx, "register "+f.server, s.env.PID, nil); err != nil {
				return 0, err
			}
			a, err := s.server.Accounts().RegisterNew(ctx, f.server, f.registration)
			if err == nil && p.json {
				p.print(viewAccount(a))
			}
			return 0, err
		})
}

// accountView is an account as this host has it.
type accountView struct {
	Version int    `json:"version"`
	Server  string `json:"server"`
	ID      string `json:"id"`
	URL     string `json:"url"`
}

func viewAccount(a *certbot.Account) accountView { return accountView{1, a.Server, a.ID, a.URL} }

func newShowAccount(env Env, p *printer) *cobra.Command {
	f := &accountCommand{}
	c := &cobra.Command{
		Use:   "show_account",
		Short: "Show an account as the CA has it",
		Args:  argparse.NoArguments,
		RunE:  func(c *cobra.Command, _ []string) error { return f.show(c.Context(), env, p) },
	}
	f.addTo(c)
	return c
}

func (f *accountCommand) show(ctx context.Context, env Env, p *printer) error {
	p.quiet, p.json = f.quiet, f.json
	if err := f.check(); err != nil {
		return err
	}
	return f.run(ctx, env, p, &f.working, "show_account",
		func(ctx context.Context, s *session) (int, error) {
			a, err := f.begin(ctx, s, func(a *certbot.Account) string { return "show_account " + a.ID })
			if err != nil {
				return 0, err
			}
			details, err := s.server.Accounts().Show(ctx, a)
			if err != nil {
				return 0, err
			}
			printAccount(p, details)
			return 0, nil
		})
}

// printAccount prints as certbot does.
func printAccount(p *printer, d account.Details) {
	if p.json {
		p.print(struct {
			Version int `json:"version"`
			account.Details
		}{1, d})
		return
	}
	contact, emails := "contact", d.Emails()
	if len(emails) > 1 {
		contact = "contacts"
	}
	if len(emails) == 0 {
		emails = []string{"none"}
	}
	p.Say("Account details for server %s:\n  Account URL: %s\n  Account Thumbprint: %s\n"+
		"  Email %s: %s", d.Server, d.URL, d.Thumbprint, contact,
		strings.Join(emails, ", "))
}

type updateAccount struct {
	accountCommand
	changeKey bool
}

func newUpdateAccount(env Env, p *printer) *cobra.Command {
	f := &updateAccount{}
	c := &cobra.Command{
		Use:   "update_account (-m ADDRESS | --register-unsafely-without-email | --change-account-key)",
		Short: "Change an account's addresses, or its key",
		Long: "Change the addresses that the CA has for an account, or remove them. A CA may keep none:\n" +
			"Let's Encrypt forgets them.\n\n" +
			"With --change-account-key the account gets another key. certbot names accounts by their keys, so\n" +
			"its id changes, too: its directory, the ledger and the renewal files follow; scripts that name\n" +
			"it with --account must be changed. The new key is kept before the CA is asked, and a run that\n" +
			"dies is continued by the next one, whatever that is about.",
		Args: argparse.NoArguments,
		RunE: func(c *cobra.Command, _ []string) error { return f.execute(c.Context(), env, p) },
	}
	c.Flags().BoolVar(&f.changeKey, "change-account-key", false, "give the account another key")
	f.addTo(c)
	return c
}

func (f *updateAccount) execute(ctx context.Context, env Env, p *printer) error {
	p.quiet, p.json = f.quiet, f.json
	if err := f.check(); err != nil {
		return err
	}
	f.alone = f.changeKey
	return f.run(ctx, env, p, &f.working, "update_account",
		func(ctx context.Context, s *session) (int, error) {
			a, err := f.begin(ctx, s, func(a *certbot.Account) string { return "update_account " + a.ID })
			if err != nil {
				return 0, err
			}
			if f.registration.Email == "" && !f.registration.NoEmail && !f.changeKey {
				if f.registration.Email, err = f.talk(env, p).email(ctx, false); unanswered(err) != nil {
					return 0, err
				}
			}
			if a, err = f.update(ctx, p, s, a); err == nil && p.json {
				p.print(viewAccount(a))
			}
			return 0, err
		})
}

func (f *updateAccount) update(ctx context.Context, p *printer, s *session,
	a *certbot.Account) (*certbot.Account, error) {
	email, kept := f.registration.Email, false
	switch {
	case email != "" || f.registration.NoEmail:
		var err error
		if kept, err = s.server.Accounts().UpdateContact(ctx, a, email); err != nil {
			return a, err
		}
	case !f.changeKey:
		return a, failure.New(failure.Account,
			"Add -m ADDRESS, or --register-unsafely-without-email to remove the addresses.", "%s",
			certbot.ErrNoAccount)
	}
	if email != "" && !kept {
		p.Say("The CA took the request and keeps no addresses: it will send no mail to %s.", email)
	} else if email != "" {
		p.Say("Your e-mail address was updated to %s.", email)
	} else if f.registration.NoEmail {
		p.Say("Any contact information associated with this account has been removed.")
	}
	if !f.changeKey {
		return a, nil
	}
	changed, err := s.server.Accounts().ChangeKey(ctx, a)
	if err != nil {
		return a, err
	}
	if changed.ID == a.ID { // an earlier run had begun it
		p.Say("The key of the account %s was changed. Its id is now %s.", changed.URL, changed.ID)
		return changed, nil
	}
	p.Say("The key of the account %s was changed. Its id was %s and is now %s.", changed.URL, a.ID,
		changed.ID)
	return changed, nil
}

func newUnregister(env Env, p *printer) *cobra.Command {
	f := &accountCommand{}
	c := &cobra.Command{
		Use:   "unregister",
		Short: "Deactivate an account for ever, and remove it from this host",
		Long: "Deactivate an account at the CA, which nothing can undo, and remove it from this host. Orders\n" +
			"that earlier runs left are finished first, as far as they can be. Certificates stay valid.",
		Args: argparse.NoArguments,
		RunE: func(c *cobra.Command, _ []string) error { return f.unregister(c.Context(), env, p) },
	}
	c.Flags().SortFlags = false
	f.accountFlags.add(c, letsEncrypt)
	f.addStaging(c.Flags())
	f.working.add(c.Flags(), env.Getenv)
	f.places.add(c.Flags())
	return c
}

func (f *accountCommand) unregister(ctx context.Context, env Env, p *printer) error {
	p.quiet, p.json = f.quiet, f.json
	if err := f.check(); err != nil {
		return err
	}
	f.alone = true
	return f.run(ctx, env, p, &f.working, "unregister",
		func(ctx context.Context, s *session) (int, error) {
			a, err := f.begin(ctx, s, account.Unregistering)
			if errors.Is(err, certbot.ErrNoAccount) {
				return f.finishUnregister(ctx, p, s, err)
			}
			if err != nil {
				return 0, err
			}
			yes, err := f.talk(env, p).confirm(ctx,
				renewal.Question{Text: "Are you sure you would like to irrevocably deactivate your " +
					"account?",
					Yes: "Deactivate", No: "Abort", AtTerminal: true})
			if err != nil {
				return 0, err
			}
			if !yes {
				p.fault("Deactivation aborted.")
				return 1, nil
			}
			if err := s.server.Accounts().Unregister(ctx, a); err != nil {
				return 0, err
			}
			heirs, err := s.server.Accounts().Heirs(a.ID)
			if err != nil {
				return 0, err
			}
			f.unregistered(p, a, heirs)
			return 0, nil
		})
}

// finishUnregister ends what a run left that was killed when the account's key was gone already.
func (f *accountCommand) finishUnregister(ctx context.Context, p *printer, s *session,
	missing error) (int, error) {
	if !s.server.Begun() {
		if err := s.server.Begin(ctx, "unregister "+f.server, s.env.PID, nil); err != nil {
			return 0, err
		}
	}
	if !s.server.Accounts().FinishedUnregister(f.server) {
		// certbot's unregister says it without the article.
		remedy := failure.RemedyOf(missing)
		if strings.Contains(string(remedy), string(failure.Do(failure.Register))) {
			remedy = "Nothing is to be done: no CA has an account on this host."
		}
		return 0, failure.New(failure.Account, remedy,
			"Could not find existing account for server %s.", failure.Clean(f.server))
	}
	f.unregistered(p, &certbot.Account{Server: f.server}, nil)
	return 0, nil
}

func (f *accountCommand) unregistered(p *printer, a *certbot.Account, heirs []string) {
	if p.json {
		p.print(struct {
			accountView
			Certificates []string `json:"certificates"` // whose renewal files name it
		}{viewAccount(a), append([]string{}, heirs...)})
		return
	}
	p.Say("Account deactivated.")
	if len(heirs) > 0 {
		p.Warn("the renewal files of %s name this account; renew them once with --account ID of "+
			"another one", strings.Join(heirs, ", "))
	}
}
