package account

import (
	"cmp"
	"context"
	"crypto"
	"errors"
	"net/http"
	"os"
	"slices"
	"strings"

	"orderly/acme"
	"orderly/certbot"
	"orderly/failure"
)

// An account is made with a key that is durable before newAccount is sent, so a lost answer is
// found again with the same key: newAccount with a known key answers with the account it has (RFC
// 8555 §7.3.1). Where the CA takes no such key, no account came of it, and one is asked for with a
// key as the CA wants it.

// Registration is what a command line says about making an account.
type Registration struct {
	AgreeTOS bool
	Email    string
	NoEmail  bool // --register-unsafely-without-email
	// External is the key by which the CA knows its customer, where it wants one (--eab-kid and
	// --eab-hmac-key); nil for none.
	External *acme.ExternalAccount
}

// Choose returns the account to use without making one, nil where there is none yet and r allows to
// make it.
func (k *Keeper) Choose(server, id string, r Registration) (*certbot.Account, error) {
	a, err := k.Disk.Accounts().Choose(server, id)
	switch {
	case err == nil:
		return &a, nil
	case !errors.Is(err, certbot.ErrNoAccount):
		return nil, err
	case !r.AgreeTOS || (r.Email == "" && !r.NoEmail):
		return nil, err
	}
	return nil, nil
}

// Terms is the URL of the terms that a CA wants to be agreed to, "" where it names none.
func (k *Keeper) Terms(ctx context.Context, server string) (string, error) {
	client, err := k.Clients.For(server)
	if err != nil {
		return "", err
	}
	d, err := client.Directory(ctx)
	if err != nil {
		return "", failure.Wrap(err, acme.Class(err), "", "no account could be made at %s", server)
	}
	return d.Meta.TermsOfService.String(), nil
}

// Register makes an account, unless another process was quicker.
func (k *Keeper) Register(ctx context.Context, server string,
	r Registration) (*certbot.Account, error) {
	unlock, err := k.Locks.Lock(ctx, "account:"+server)
	if err != nil {
		return nil, err
	}
	defer func() { _ = unlock() }()
	if a, err := k.Disk.Accounts().Choose(server, ""); err == nil {
		return &a, nil
	}
	return k.register(ctx, server, r)
}

// RegisterNew is Register for a person who asked for nothing but an account: one that is there
// already is an error, in certbot's words.
func (k *Keeper) RegisterNew(ctx context.Context, server string,
	r Registration) (*certbot.Account, error) {
	unlock, err := k.Locks.Lock(ctx, "account:"+server)
	if err != nil {
		return nil, err
	}
	defer func() { _ = unlock() }()
	if err := k.Disk.Accounts().NoDuplicate(server); err != nil {
		return nil, err
	}
	return k.register(ctx, server, r)
}

// register makes the account. The caller holds the lock of the server's accounts.
func (k *Keeper) register(ctx context.Context, server string,
	r Registration) (*certbot.Account, error) {
	client, err := k.Clients.For(server)
	if err != nil {
		return nil, err
	}
	if err := mayRegister(ctx, client, r); err != nil {
		return nil, err
	}
	signer, err := k.Disk.Accounts().PendingKey(server)
	if err != nil {
		return nil, err
	}
	var refused []string
	for {
		object, err := k.askFor(ctx, client, signer, r)
		if err == nil {
			return k.save(server, signer, object)
		}
		next := anotherAlgorithm(err, append(refused, algorithmOf(signer)))
		if next == "" {
			return nil, refusedAccount(server, err)
		}
		refused = append(refused, algorithmOf(signer))
		k.Report.Tell("The CA takes no account key for %s: asking with one for %s.",
			algorithmOf(signer), next)
		if signer, err = k.Disk.Accounts().AnotherPendingKey(server, next); err != nil {
			return nil, err
		}
	}
}

// mayRegister asks the CA's directory whether an account can be made with what is given, before
// anything is sent for it.
func mayRegister(ctx context.Context, client *acme.Client, r Registration) error {
	if r.External != nil {
		return nil
	}
	// What keeps the directory from being read keeps newAccount from being sent, which says so.
	if d, err := client.Directory(ctx); err == nil && d.Meta.ExternalAccountRequired {
		return failure.New(failure.Account, "The CA shows both to its customers.",
			"Server requires external account binding. Please use %s and %s.",
			failure.Do(failure.CustomerID), failure.Do(failure.CustomerKey))
	}
	return nil
}

// askFor sends newAccount, and once more where its answer was lost.
func (k *Keeper) askFor(ctx context.Context, client *acme.Client, signer crypto.Signer,
	r Registration) (acme.AccountObject, error) {
	key, err := acme.NewKey(signer)
	if err != nil {
		return acme.AccountObject{}, err
	}
	var object acme.AccountObject
	wanted := acme.Registration{Contact: contacts(r.Email), TermsOfServiceAgreed: true,
		External: r.External}
	err = Again(ctx, k.Clock, func() error {
		var err error
		object, err = client.NewAccount(ctx, key, wanted)
		return err
	})
	return object, err
}

// algorithmOf is how a key signs, "" for one that no CA takes.
func algorithmOf(signer crypto.Signer) string {
	key, err := acme.NewKey(signer)
	if err != nil {
		return ""
	}
	return key.Algorithm()
}

// anotherAlgorithm is the one to ask with where the CA takes no key of those that were refused, ""
// where it said nothing of the sort or takes none that can be made here. A CA that refuses a key
// without saying what it takes is asked with the one that every CA knows (RFC 8555 §6.2 wants the
// list; not all give it).
func anotherAlgorithm(err error, refused []string) string {
	p, _ := errors.AsType[*acme.Problem](err)
	if !p.IsType("badSignatureAlgorithm") && !p.IsType("badPublicKey") {
		return ""
	}
	for _, algorithm := range []string{certbot.ES256, certbot.RS256, certbot.ES384} {
		taken := slices.Contains(p.Algorithms, algorithm) ||
			len(p.Algorithms) == 0 && algorithm == certbot.RS256
		if taken && !slices.Contains(refused, algorithm) {
			return algorithm
		}
	}
	return ""
}

// refusedAccount explains why no account was made.
func refusedAccount(server string, err error) error {
	class := acme.Class(err)
	remedy := cmp.Or(acme.Advice(server, err),
		"Run the same command again later; the same key is used.")
	if p, ok := errors.AsType[*acme.Problem](err); ok && class == failure.CARefused {
		remedy = registrationRemedy(p)
		if p.Status == http.StatusNotFound && !p.Document { // a web server's page, and no CA
			remedy = acme.WrongServer(server)
		}
	}
	return failure.Wrap(err, class, remedy, "no account could be made at %s", server)
}

// registrationRemedy is what to do where a CA makes no account, by its problem.
func registrationRemedy(p *acme.Problem) failure.Remedy {
	switch p.Type {
	case "invalidContact", "unsupportedContact":
		return "Give another address with " + failure.Do(failure.ContactAddress) + ", or none: " +
			failure.Do(failure.NoContact) + "."
	case "externalAccountRequired":
		return "Give the key by which this CA knows its customer: " +
			failure.Do(failure.CustomerID, "ID") + " " + failure.Do(failure.CustomerKey, "KEY") + "."
	case "unauthorized":
		return "Compare " + failure.Do(failure.CustomerID) + " and " +
			failure.Do(failure.CustomerKey) +
			" with what the CA shows."
	case "badSignatureAlgorithm", "badPublicKey":
		return "Ask another CA with " + failure.Do(failure.OtherCA) +
			": this one takes no account key " +
			"that can be made here (ES256, ES384, RS256)."
	case "userActionRequired":
		if p.Link != "" {
			return failure.Advise("Do what %s asks for, and run the same command again.", p.Link)
		}
	}
	return "Read the CA's words; the account's key is kept, and the next run asks with it again."
}

func (k *Keeper) save(server string, signer crypto.Signer,
	object acme.AccountObject) (*certbot.Account, error) {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	a, err := k.Disk.Accounts().Save(certbot.Account{Server: server, URL: object.URL, Key: signer,
		Created: k.Clock.Now(), Host: host})
	if err != nil {
		return nil, err
	}
	k.Report.Say("Account registered.")
	return &a, nil
}

func contacts(email string) []string {
	var list []string
	for address := range strings.SplitSeq(email, ",") {
		if address = strings.TrimSpace(address); address != "" {
			list = append(list, "mailto:"+address)
		}
	}
	return list
}
