package account

import (
	"context"
	"strings"

	"orderly/acme"
	"orderly/certbot"
	"orderly/failure"
	"orderly/ledger"
	"orderly/outside"
)

// What the CA knows of an account is shown from its own answer; contacts are kept nowhere else.

// Details is an account as its CA shows it.
type Details struct {
	Server     string         `json:"server"`
	ID         string         `json:"id"` // certbot's, the name of its directory
	URL        string         `json:"url"`
	Thumbprint string         `json:"thumbprint"` // of its key (RFC 7638)
	Status     string         `json:"status"`
	Contact    []outside.Text `json:"contact"` // as the CA holds them
}

// Emails are the addresses among the contacts.
func (d Details) Emails() []string {
	var emails []string
	for _, contact := range d.Contact {
		if address, ok := strings.CutPrefix(contact.Arrived(), "mailto:"); ok {
			emails = append(emails, failure.Clean(address))
		}
	}
	return emails
}

// Show asks the CA for an account.
func (k *Keeper) Show(ctx context.Context, a *certbot.Account) (Details, error) {
	speaker, key, err := k.Speaker(a)
	if err != nil {
		return Details{}, err
	}
	object, err := k.look(ctx, speaker)
	if err != nil {
		return Details{}, explain(err, "the account %s cannot be shown", a.URL)
	}
	return Details{Server: a.Server, ID: a.ID, URL: a.URL, Thumbprint: key.Thumbprint(),
		Status: object.Status, Contact: append([]outside.Text{}, object.Contact...)}, nil
}

// look asks the CA for an account.
func (k *Keeper) look(ctx context.Context,
	speaker *acme.Account) (object acme.AccountObject, err error) {
	err = Again(ctx, k.Clock, func() error {
		object, err = speaker.Fetch(ctx)
		return err
	})
	return object, err
}

// UpdateContact replaces an account's addresses, separated by commas; "" removes all. It reports
// whether the CA shows any afterwards: Let's Encrypt takes them and keeps none. Sent again after a
// lost answer it does no harm, so nothing about it is kept.
func (k *Keeper) UpdateContact(ctx context.Context, a *certbot.Account,
	email string) (kept bool, err error) {
	speaker, _, err := k.Speaker(a)
	if err != nil {
		return false, err
	}
	var object acme.AccountObject
	err = Again(ctx, k.Clock, func() error {
		object, err = speaker.Update(ctx, contacts(email))
		return err
	})
	if err != nil {
		return false, explain(err, "the account %s could not be updated", a.URL)
	}
	if err := k.Disk.Accounts().Update(*a); err != nil {
		return false, err
	}
	return len(object.Contact) > 0,
		k.Tasks.Note(ctx, ledger.Event{Kind: "account updated", Detail: a.URL})
}
