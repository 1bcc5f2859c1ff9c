package certbot

import (
	"errors"
	"time"
)

// Accounts of other clients, whose keys a person gave so that what their logs name can be asked about
// and ended. They lie beside certbot's and never among them: with two accounts of one CA certbot -n
// refuses to work, and no command of ours may come to choose one of these for a certificate.

// givenAccounts is where they lie, in certbot's form.
const givenAccounts = "orderly/given-accounts"

// GivenAccounts returns the accounts whose keys were given to a scan. Nothing but the orders that were
// made of what it found is theirs.
func (s *Store) GivenAccounts() Accounts { return Accounts{s, givenAccounts} }

// All are the accounts of all CAs. What cannot be read is in the error, beside those that can be.
func (s Accounts) All() ([]Account, error) {
	var all []Account
	var damaged error
	for _, server := range s.servers() {
		accounts, err := s.At(server)
		all, damaged = append(all, accounts...), errors.Join(damaged, err)
	}
	return all, damaged
}

// ByURL finds a CA's account by its URL: the one that was given last, where its key was changed.
func (s Accounts) ByURL(server, url string) (Account, bool) {
	accounts, err := s.At(server)
	var found Account
	var newest time.Time
	for _, a := range accounts {
		if err == nil && a.URL == url && !a.Created.Before(newest) {
			found, newest = a, a.Created
		}
	}
	return found, found.Key != nil
}
