package renewal

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"

	"orderly/acme"
	"orderly/certbot"
	"orderly/failure"
	"orderly/ledger"
	"orderly/outside"
)

// AccountDetails is an account as its CA shows it.
type AccountDetails struct {
	Server     string         `json:"server"`
	ID         string         `json:"id"` // certbot's, the name of its directory
	URL        string         `json:"url"`
	Thumbprint string         `json:"thumbprint"` // of its key (RFC 7638)
	Status     string         `json:"status"`
	Contact    []outside.Text `json:"contact"` // as the CA holds them
}

// Emails are the addresses among the contacts.
func (d AccountDetails) Emails() []string {
	var emails []string
	for _, contact := range d.Contact {
		if address, ok := strings.CutPrefix(contact.Arrived(), "mailto:"); ok {
			emails = append(emails, failure.Clean(address))
		}
	}
	return emails
}

// mayRegister asks the CA's directory whether an account can be made with what is given, before anything is sent for it.
func (s *Server) mayRegister(ctx context.Context, server string, r Registration) error {
	client, err := s.client(server)
	if err != nil || r.External != nil {
		return err
	}
	// What keeps the directory from being read keeps newAccount from being sent, which says so.
	if d, err := client.Directory(ctx); err == nil && d.Meta.ExternalAccountRequired {
		return failure.New(failure.Account, "The CA shows both to its customers.",
			"Server requires external account binding. Please use --eab-kid and --eab-hmac-key.")
	}
	return nil
}

// Terms is the URL of the terms that a CA wants to be agreed to, "" where it names none.
func (s *Server) Terms(ctx context.Context, server string) (string, error) {
	client, err := s.client(server)
	if err != nil {
		return "", err
	}
	d, err := client.Directory(ctx)
	if err != nil {
		return "", failure.Wrap(err, classOf(err), "", "no account could be made at %s", server)
	}
	return d.Meta.TermsOfService.String(), nil
}

// RegisterNew is Register for a person who asked for nothing but an account: one that is there already is an error, in
// certbot's words.
func (s *Server) RegisterNew(ctx context.Context, server string, r Registration) (*certbot.Account, error) {
	unlock, err := s.lock(ctx, "account:"+server)
	if err != nil {
		return nil, err
	}
	defer func() { _ = unlock() }()
	if err := s.Disk.NoDuplicate(server); err != nil {
		return nil, err
	}
	return s.register(ctx, server, r)
}

// speaker signs requests with an account's key.
func (s *Server) speaker(a *certbot.Account) (*acme.Account, *acme.Key, error) {
	key, err := acme.NewKey(a.Key)
	if err != nil {
		return nil, nil, err
	}
	client, err := s.client(a.Server)
	if err != nil {
		return nil, nil, err
	}
	return client.Account(key, a.URL), key, nil
}

// ShowAccount asks the CA for an account.
func (s *Server) ShowAccount(ctx context.Context, a *certbot.Account) (AccountDetails, error) {
	speaker, key, err := s.speaker(a)
	if err != nil {
		return AccountDetails{}, err
	}
	object, err := speaker.Fetch(ctx)
	if err != nil {
		return AccountDetails{}, accountFailure(err, "the account %s cannot be shown", a.URL)
	}
	return AccountDetails{Server: a.Server, ID: a.ID, URL: a.URL, Thumbprint: key.Thumbprint(), Status: object.Status,
		Contact: append([]outside.Text{}, object.Contact...)}, nil
}

// UpdateContact replaces an account's addresses, separated by commas; "" removes all. It reports whether the CA shows any
// afterwards: Let's Encrypt takes them and keeps none. Sent again after a lost answer it does
// no harm, so nothing about it is kept.
func (s *Server) UpdateContact(ctx context.Context, a *certbot.Account, email string) (kept bool, err error) {
	speaker, _, err := s.speaker(a)
	if err != nil {
		return false, err
	}
	object, err := speaker.Update(ctx, contacts(email))
	if err != nil {
		return false, accountFailure(err, "the account %s could not be updated", a.URL)
	}
	if err := s.Disk.UpdateAccount(*a); err != nil {
		return false, err
	}
	return len(object.Contact) > 0, s.note(ctx, ledger.Event{Kind: "account updated", Detail: a.URL})
}

// note makes an event of this run durable, also when a signal came.
func (s *Server) note(ctx context.Context, e ledger.Event) error {
	e.At, e.RunID = s.Clock.Now(), s.run.ID
	return s.Ledger.Commit(context.WithoutCancel(ctx), &ledger.Change{Events: []ledger.Event{e}})
}

// accountFailure explains why a request about an account came to nothing.
func accountFailure(err error, format string, args ...any) error {
	class, remedy := classOf(err), cmp.Or(acme.Advice("the CA", err), "Run the same command again later.")
	switch {
	case unknownAccount(err):
		class, remedy = failure.Account, "If it is not wanted any more, `orderly unregister` removes it from this host."
	case class == failure.CARefused, class == failure.RateLimited:
		remedy = ""
	case isLost(err):
		class = failure.AnswerLost
	}
	return failure.Wrap(err, class, remedy, format, args...)
}

func isLost(err error) bool {
	_, ok := errors.AsType[*acme.Lost](err)
	return ok && !errors.Is(err, context.Canceled)
}

// unknownAccount reports whether the CA refuses a request because the account it is signed for is deactivated or unknown
// (RFC 8555 §7.3.6; accountDoesNotExist in §6.7).
func unknownAccount(err error) bool {
	if _, ok := errors.AsType[*acme.NotSent](err); ok {
		return false
	}
	p, ok := errors.AsType[*acme.Problem](err)
	return ok && p.Status < 500 && (p.IsType("unauthorized") || p.IsType("accountDoesNotExist"))
}

// undecided reports whether a request may have been obeyed although no answer says so.
func undecided(err error) bool {
	if _, ok := errors.AsType[*acme.NotSent](err); ok {
		return false
	}
	p, ok := errors.AsType[*acme.Problem](err)
	return !ok || p.Undecided()
}

// Heirs are the lineages whose renewal files name an account.
func (s *Server) Heirs(id string) ([]string, error) {
	names, err := s.Disk.Names()
	if err != nil {
		return nil, err
	}
	heirs := slices.DeleteFunc(names, func(name string) bool {
		if s.Disk.Ended() != nil {
			return true
		}
		r, _ := s.Disk.ReadRenewal(s.Disk.Dirs.Renewal(name))
		return r == nil || r.Params.Account != id
	})
	return heirs, s.Disk.Ended()
}
