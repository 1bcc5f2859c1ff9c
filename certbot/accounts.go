package certbot

import (
	"crypto"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"orderly/failure"
)

// At lie where certbot looks for them, so that either program goes on with what the other
// registered.

// ErrNoAccount is in the chain of Choose's error when there is no account yet, so that one
// may be registered.
var ErrNoAccount error = noAccount{}

// noAccount says so in certbot's words, capital letter and all: scripts look for them.
type noAccount struct{}

// Error implements error.
func (noAccount) Error() string {
	return "You should register before running non-interactively, or provide --agree-tos and --email <email_address> flags."
}

// Get is an ACME account that is on disk.
type Account struct {
	Server  string // the CA's directory URL
	ID      string // certbot's name for it: 32 hexadecimal digits made from the public key
	Dir     string // where it is kept
	URL     string // the account's URL at the CA
	Key     crypto.Signer
	Created time.Time // UTC
	Host    string    // on which it was made
}

// Label is how certbot names an account in a choice (Account.slug).
func (a Account) Label() string {
	return fmt.Sprintf("%s@%s (%.4s)", a.Host, a.Created.UTC().Format(time.RFC3339), a.ID)
}

// predecessor names the ACMEv1 directories whose accounts certbot reuses (LE_REUSE_SERVERS in its
// constants.py).
func predecessor(serverPath string) string {
	switch serverPath {
	case "acme-v02.api.letsencrypt.org/directory":
		return "acme-v01.api.letsencrypt.org/directory"
	case "acme-staging-v02.api.letsencrypt.org/directory":
		return "acme-staging.api.letsencrypt.org/directory"
	}
	return ""
}

// serverPath is a CA's place below accounts/: host, port if there is one, and path of its directory
// URL.
func serverPath(server string) (string, error) {
	u, err := url.Parse(server)
	if err != nil || u.Host == "" || !filepath.IsLocal(filepath.Join(u.Host, u.Path)) {
		return "", failure.New(failure.Usage, "Give the CA's directory URL, as in "+
			failure.Do(failure.OtherCA, "https://acme-v02.api.letsencrypt.org/directory")+".",
			"%q is not the URL of an ACME server", failure.Clean(server))
	}
	return filepath.Join(u.Host, u.Path), nil
}

// Accounts are the accounts of one configuration directory, beside its lineages.
type Accounts struct {
	disk *Store
	root string // below the configuration directory
}

// Accounts returns the accounts that lie on the disk.
func (s *Store) Accounts() Accounts { return Accounts{s, "accounts"} }

func (s Accounts) dir(path string) string {
	return filepath.Join(s.disk.Dirs.Config, s.root, path)
}

// At lists the usable accounts of a CA, sorted by id. Directories that lack one of the three
// files are passed over, as certbot does: a killed run left them before the account was in place.
// What is damaged is an error, of class Account, only if nothing else is usable: taken for nothing,
// it would let a second account be registered.
func (s Accounts) At(server string) ([]Account, error) {
	path, err := serverPath(server)
	if err != nil {
		return nil, err
	}
	var damaged error
	for ; path != ""; path = predecessor(path) {
		accounts, err := s.accountsIn(s.dir(path), server)
		if len(accounts) > 0 {
			return accounts, nil
		}
		damaged = errors.Join(damaged, err)
	}
	return nil, damaged
}

func (s Accounts) accountsIn(dir, server string) (accounts []Account, damaged error) {
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, damagedAccount(err, dir)
	}
	for _, e := range entries {
		a, err := readAccount(filepath.Join(dir, e.Name()), server)
		switch {
		case err == nil:
			accounts = append(accounts, a)
		case !errors.Is(err, fs.ErrNotExist) && damaged == nil:
			damaged = damagedAccount(err, filepath.Join(dir, e.Name()))
		}
	}
	return accounts, damaged
}

func damagedAccount(err error, dir string) error {
	if errors.Is(err, fs.ErrPermission) {
		return failure.Wrap(err, failure.Account,
			"Run the command as root, or as a user who may read it.",
			"the account in %s cannot be read", dir)
	}
	return failure.Wrap(err, failure.Account,
		"Restore the directory from a backup, or remove it if the account is no longer wanted.",
		"the account in %s cannot be read", dir)
}

// readAccount reads an account's directory. The error is fs.ErrNotExist if one of its files is
// missing, or if dir is something else than a directory.
func readAccount(dir, server string) (Account, error) {
	a := Account{Server: server, Dir: dir}
	info, err := os.Stat(dir)
	if errors.Is(err, fs.ErrPermission) {
		return a, err // which says nothing about what is there
	}
	if err != nil || !info.IsDir() {
		return a, fs.ErrNotExist
	}
	var regr struct {
		URI string `json:"uri"`
	}
	var meta struct {
		Created time.Time `json:"creation_dt"`
		Host    string    `json:"creation_host"`
		Server  string    `json:"server"` // of a given account alone
	}
	if err := readJSON(filepath.Join(dir, "regr.json"), &regr); err != nil {
		return a, err
	}
	if err := readJSON(filepath.Join(dir, "meta.json"), &meta); err != nil {
		return a, err
	}
	a.URL, a.Created, a.Host = regr.URI, meta.Created, meta.Host
	if meta.Server != "" {
		a.Server = meta.Server
	}
	if a.URL == "" {
		return a, fmt.Errorf("%s has no uri", filepath.Join(dir, "regr.json"))
	}
	if a.Key, err = readKey(filepath.Join(dir, "private_key.json")); err != nil {
		return a, err
	}
	a.ID, err = AccountID(a.Key)
	return a, err
}

func readJSON(path string, into any) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(text, into); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

func readKey(path string) (crypto.Signer, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	key, err := parseJWK(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return key, nil
}

// Get reads one account by its id. The error is of class Account, in certbot's words.
func (s Accounts) Get(server, id string) (Account, error) {
	path, err := serverPath(server)
	if err != nil {
		return Account{}, err
	}
	missing := filepath.Join(s.dir(path), id)
	if id == "" || strings.ContainsRune(id, filepath.Separator) || !filepath.IsLocal(id) {
		return Account{}, s.noSuchAccount(server, missing)
	}
	for ; path != ""; path = predecessor(path) {
		dir := filepath.Join(s.dir(path), id)
		a, err := readAccount(dir, server)
		if err == nil {
			return a, nil
		}
		info, statErr := os.Stat(dir)
		if errors.Is(err, fs.ErrPermission) || statErr == nil && info.IsDir() {
			return Account{}, damagedAccount(err, dir)
		}
	}
	return Account{}, s.noSuchAccount(server, missing)
}

// Choose finds the account to use as certbot does without asking: the one with the id, or,
// if id is "", the only one. Several and none are errors of class Account in certbot's words; none
// has ErrNoAccount in its chain.
func (s Accounts) Choose(server, id string) (Account, error) {
	if id != "" {
		return s.Get(server, id)
	}
	accounts, err := s.At(server)
	if err != nil {
		return Account{}, err
	}
	switch len(accounts) {
	case 1:
		return accounts[0], nil
	case 0:
		return Account{}, failure.Wrap(ErrNoAccount, failure.Account, "Register one: add "+failure.Do(failure.AgreeTerms)+
			" and "+failure.Do(failure.ContactAddress, "ADDRESS")+" or "+
			failure.Do(failure.NoContact)+".", "")
	}
	var labels []string
	for _, a := range accounts {
		labels = append(labels, pythonString(failure.Clean(a.Label())))
	}
	return Account{}, failure.New(failure.Account, "Name one of them with "+failure.Do(failure.OtherAccount)+".",
		"Missing command line flag or config entry for this setting:\nPlease choose an account\nChoices: [%s]", strings.Join(labels, ", "))
}

// pythonString is Python's repr of a string without control characters.
func pythonString(s string) string {
	s = strings.ReplaceAll(s, `\`, `\\`)
	if strings.Contains(s, "'") && !strings.Contains(s, `"`) {
		return `"` + s + `"`
	}
	return "'" + strings.ReplaceAll(s, "'", `\'`) + "'"
}

// Save writes a registered account (Server, URL, Key, Created and Host are given; the rest
// is filled in) in certbot's layout and removes the CA's pending key if it is this one. Called
// again, it finishes what was cut short. The private key is written last, so that neither certbot
// nor Accounts takes a half-written account for one.
func (s Accounts) Save(a Account) (Account, error) {
	path, err := serverPath(a.Server)
	if err != nil {
		return a, err
	}
	if a.ID, err = AccountID(a.Key); err != nil {
		return a, err
	}
	a.Dir = filepath.Join(s.dir(path), a.ID)
	if there, err := readAccount(a.Dir, a.Server); err == nil && there.URL == a.URL {
		a = there
	} else if err := s.save(a); err != nil {
		return a, failure.Wrap(err, failure.Account, "Make the directory writable, then run the same command again: the account's key is kept.", "the account cannot be saved in %s", a.Dir)
	}
	if s.root == givenAccounts {
		return a, nil // what is about to be registered is another matter
	}
	if err := s.removePendingKey(s.pendingKey(path), a.Key); err != nil {
		return a, failure.Wrap(err, failure.Account, "Remove the file.", "the account is in place, but its former key file %s cannot be removed", s.pendingKey(path))
	}
	return a, nil
}

func (s Accounts) save(a Account) error {
	key, err := formatJWK(a.Key)
	if err != nil {
		return err
	}
	if err := makeDirs(s.disk.Dirs.Config, 0o755); err != nil {
		return err
	}
	if err := s.disk.do("make account directory", func() error { return makeDirs(a.Dir, 0o700) }); err != nil {
		return err
	}
	created := a.Created.UTC().Truncate(time.Second).Format(time.RFC3339)
	meta := []pair{{"creation_dt", jsonString(created)}, {"creation_host", jsonString(a.Host)}}
	if s.root == givenAccounts { // a path does not tell how the URL is spelled, and orders go by it
		meta = append(meta, pair{"server", jsonString(a.Server)})
	}
	for _, f := range []newFile{
		{path: "meta.json", mode: 0o644, data: pythonJSON(meta...)},
		{path: "regr.json", mode: 0o644, data: pythonJSON(pair{"body", "{}"}, pair{"uri", jsonString(a.URL)})},
		{path: "private_key.json", mode: 0o400, data: key},
	} {
		f.path = filepath.Join(a.Dir, f.path)
		if err := s.disk.write(f); err != nil {
			return err
		}
	}
	return syncDir(a.Dir)
}
