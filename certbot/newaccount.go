package certbot

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"orderly/failure"
)

// The key of an account that is to be made is on disk before the CA hears of it: whoever lost it
// after a lost answer would have lost the account. It is P-256 unless the CA takes no such key.

// The algorithms of account keys that are made here, by their names in RFC 7518 §3.1; certbot can
// read all of them.
const (
	ES256 = "ES256"
	ES384 = "ES384"
	RS256 = "RS256"
)

// rsaAccountBits is certbot's.
const rsaAccountBits = 2048

func makeKey(algorithm string) (crypto.Signer, error) {
	switch algorithm {
	case ES256:
		return ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case ES384:
		return ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	case RS256:
		return rsa.GenerateKey(rand.Reader, rsaAccountBits)
	}
	return nil, fmt.Errorf("no account key is made for %s", algorithm)
}

func (s Accounts) pendingKey(path string) string {
	return filepath.Join(s.disk.Dirs.Config, "orderly", "new-accounts", path, "private_key.json")
}

// PendingKey returns the key for an account that is to be registered at a CA, making one (P-256) at
// the first call. It is durable before it is returned, so that after a lost answer to newAccount
// the same key asks again and no second account is made. Save removes it. Whoever registers
// holds a lock from before it looked for accounts until after Save; of two that do not, both
// get the same key.
func (s Accounts) PendingKey(server string) (crypto.Signer, error) {
	server, err := serverPath(server)
	if err != nil {
		return nil, err
	}
	path := s.pendingKey(server)
	key, err := readKey(path)
	if errors.Is(err, fs.ErrNotExist) {
		if err = s.makePendingKey(path, ES256); err == nil {
			key, err = readKey(path)
		}
	}
	if err == nil {
		sweepPending(filepath.Dir(path))
	}
	if err != nil {
		return nil, failure.Wrap(err, failure.Account, "Make the file readable and its directory writable.",
			"the key for a new account in %s cannot be used", path)
	}
	return key, nil
}

// AnotherPendingKey makes a key for another algorithm where the CA takes no account with the
// pending one, and returns it. No account can have come of the former, so it is gone.
func (s Accounts) AnotherPendingKey(server, algorithm string) (crypto.Signer, error) {
	path, err := serverPath(server)
	if err != nil {
		return nil, err
	}
	path = s.pendingKey(path)
	err = s.disk.do("remove refused key", func() error { return os.Remove(path) })
	if err == nil || errors.Is(err, fs.ErrNotExist) {
		err = s.makePendingKey(path, algorithm)
	}
	if err != nil {
		return nil, failure.Wrap(err, failure.Account, "Make its directory writable.",
			"another key for a new account cannot be kept in %s", path)
	}
	return readKey(path)
}

func (s Accounts) makePendingKey(path, algorithm string) error {
	key, err := makeKey(algorithm)
	if err != nil {
		return err
	}
	text, err := formatJWK(key)
	if err != nil {
		return err
	}
	dir := filepath.Dir(path)
	if err := makeDirs(s.disk.Dirs.Config, 0o755); err != nil {
		return err
	}
	if err := makeDirs(dir, 0o700); err != nil {
		return err
	}
	// The name is this process's own, and a link never replaces a file: two first runs at once end
	// with one key.
	temp := filepath.Join(dir, "."+rand.Text()+aside)
	defer os.Remove(temp)
	if err := s.disk.do("write pending key aside", func() error { return writeSynced(temp, text, 0o600, nil) }); err != nil {
		return err
	}
	return s.disk.do("link pending key", func() error {
		// Another process that has given its own key the name already may have swept this one away.
		if err := os.Link(temp, path); err != nil && !errors.Is(err, fs.ErrExist) && !exists(path) {
			return err
		}
		return syncDir(dir)
	})
}

func (s Accounts) removePendingKey(path string, saved crypto.Signer) error {
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if ours, err := formatJWK(saved); err != nil || !bytes.Equal(ours, text) {
		return err
	}
	return s.disk.do("remove pending key", func() error {
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return syncDir(filepath.Dir(path))
	})
}
