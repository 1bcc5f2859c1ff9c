package account

import (
	"context"
	"crypto"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"orderly/acme"
	"orderly/certbot"
	"orderly/failure"
)

// Keys of other clients' accounts are found where these keep them, and their CA is asked which account
// each has there. None is made. Where a CA is comes from a person, or from where the client's own
// files lie; never from a log.

// GivenKey is the private key of an account that another client made.
type GivenKey struct {
	File string
	Key  crypto.Signer
	// Server is the CA's directory URL, where the place of the file tells it; Host is the CA's host
	// alone, where no more is told.
	Server, Host string
}

const (
	mostKeys    = 20     // in one directory
	mostEntries = 20_000 // that are looked at for them
	largestKey  = 64 << 10
)

// ReadKeys reads the key at a path, or those in another client's directory: certbot's, lego's, uacme's,
// acme.sh's, dehydrated's.
func ReadKeys(path string) ([]GivenKey, error) {
	whole, err := filepath.Abs(path)
	if err == nil {
		whole, err = filepath.EvalSymlinks(whole)
	}
	var info fs.FileInfo
	if err == nil {
		info, err = os.Stat(whole)
	}
	if err != nil {
		return nil, failure.Wrap(err, failure.Config, "", "there is no account key at %s", path)
	}
	files := []string{whole}
	if info.IsDir() {
		if files, err = keysBelow(whole); err != nil {
			return nil, err
		}
	}
	var keys []GivenKey
	for _, file := range files {
		key, err := readGiven(file)
		if err != nil {
			return nil, failure.Wrap(err, failure.Config, "Give the file of an account's private key.",
				"the account key in %s cannot be used", file)
		}
		keys = append(keys, key)
	}
	return keys, nil
}

// keysBelow finds the account keys in a client's directory.
func keysBelow(root string) ([]string, error) {
	var found []string
	seen := 0
	err := filepath.WalkDir(root, func(path string, e fs.DirEntry, err error) error {
		if seen++; seen > mostEntries || len(found) > mostKeys {
			return fs.SkipAll
		}
		if err == nil && !e.IsDir() && isAccountKey(root, path) {
			found = append(found, path)
		}
		return nil // what cannot be read is not found, which is said if nothing else is
	})
	switch {
	case err != nil:
		return nil, err
	case seen > mostEntries || len(found) > mostKeys:
		return nil, failure.New(failure.Config, "Give the key's file, or a smaller directory.",
			"%s holds too much to look for account keys in it", root)
	case len(found) == 0:
		return nil, failure.New(failure.Config, "Give the key's file.",
			"in %s lies no account key of certbot, lego, uacme, acme.sh or dehydrated", root)
	}
	return found, nil
}

// isAccountKey tells account keys from those of certificates, by where each client keeps them.
func isAccountKey(root, path string) bool {
	dir, base := filepath.Split(path)
	dir = filepath.Clean(dir)
	switch {
	case base == "private_key.json": // certbot; not what an account is yet to be made with
		return filepath.Base(filepath.Dir(dir)) != "new-accounts"
	case base == "account.key", base == "account_key.pem": // acme.sh, dehydrated
		return true
	case base == "key.pem": // uacme's private/key.pem; those of certificates lie deeper
		return filepath.Base(dir) == "private" && (dir == root || filepath.Dir(dir) == root)
	case filepath.Ext(base) == ".key" && filepath.Base(dir) == "keys": // lego
		_, err := os.Stat(filepath.Join(filepath.Dir(dir), "account.json"))
		return err == nil
	}
	return false
}

func readGiven(file string) (GivenKey, error) {
	text, err := readSmall(file)
	if err != nil {
		return GivenKey{}, err
	}
	key, err := certbot.ParseAccountKey(text)
	if err == nil {
		_, err = acme.NewKey(key)
	}
	given := GivenKey{File: file, Key: key}
	given.Server, given.Host = whereFrom(file)
	return given, err
}

// readSmall reads a file that is one, and small: a pipe must not stop us.
func readSmall(path string) ([]byte, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // read
	info, err := f.Stat()
	switch {
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular():
		return nil, errors.New("it is no regular file")
	case info.Size() > largestKey:
		return nil, errors.New("it is too large to be a key")
	}
	return io.ReadAll(io.LimitReader(f, largestKey))
}

// whereFrom tells the CA by the place of a key: certbot and acme.sh keep it below the directory URL
// without its scheme, lego beside the account's URL.
func whereFrom(file string) (server, host string) {
	parts := strings.Split(filepath.ToSlash(filepath.Dir(file)), "/")
	below := func(top string, less int) string {
		for i := len(parts) - 1; i >= 0; i-- {
			if parts[i] == top && i+1 < len(parts)-less {
				return "https://" + strings.Join(parts[i+1:len(parts)-less], "/")
			}
		}
		return ""
	}
	switch filepath.Base(file) {
	case "private_key.json":
		return below("accounts", 1), ""
	case "account.key":
		return below("ca", 0), ""
	}
	text, err := readSmall(filepath.Join(filepath.Dir(filepath.Dir(file)), "account.json"))
	if err != nil {
		return "", ""
	}
	var lego struct {
		Registration struct {
			URI string `json:"uri"`
		} `json:"registration"`
	}
	if json.Unmarshal(text, &lego) != nil {
		return "", ""
	}
	u, err := url.Parse(lego.Registration.URI)
	if err != nil {
		return "", ""
	}
	return "", u.Host
}

// ErrNotKnown is in the chain of Existing's error where the CA has no account with the key.
var ErrNotKnown = errors.New("the CA knows no account with this key")

// Existing asks a CA for the account that a key has there. None is made.
func (k *Keeper) Existing(ctx context.Context, server string, g GivenKey) (certbot.Account, error) {
	client, err := k.Clients.For(server)
	if err != nil {
		return certbot.Account{}, err
	}
	key, err := acme.NewKey(g.Key)
	if err != nil {
		return certbot.Account{}, err
	}
	var object acme.AccountObject
	err = Again(ctx, k.Clock, func() error {
		object, err = client.NewAccount(ctx, key, acme.Registration{OnlyReturnExisting: true})
		return err
	})
	if p, ok := errors.AsType[*acme.Problem](err); ok && p.IsType("accountDoesNotExist") {
		return certbot.Account{}, ErrNotKnown
	}
	if err != nil {
		return certbot.Account{}, explain(err, "%s was not asked for the account with the key in %s",
			server, g.File)
	}
	switch {
	case object.Reply.Status == http.StatusCreated:
		return certbot.Account{}, failure.New(failure.CARefused, "Tell the CA: RFC 8555 forbids it.",
			"%s has made the account %s although only an existing one was asked for; it is not used",
			server, object.URL)
	case object.Status != "" && object.Status != "valid":
		return certbot.Account{}, failure.New(failure.Account,
			"What is pending of it can be neither finished nor given up; it expires.",
			"the account %s is %s", object.URL, object.Status)
	}
	id, err := certbot.AccountID(g.Key)
	host, hostErr := os.Hostname()
	if hostErr != nil {
		host = "unknown"
	}
	return certbot.Account{Server: server, ID: id, URL: object.URL, Key: g.Key, Created: k.Clock.Now(),
		Host: host}, err
}
