package certbot

import (
	"crypto"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"orderly/failure"
)

// While an account's key is changed either key may count at the CA. Both are kept here from before
// it is asked until the new one is in its place.

// KeyChange is an account's change to another key, under way. Its record holds the new key from
// before the CA is asked until the account's directory and every renewal file follow it: whoever
// lost it in between would have lost the account.
type KeyChange struct {
	Server, URL string
	From, To    string        // the account's id by its former and its new key
	Key         crypto.Signer // the new one
	Accepted    bool          // the CA knows the account by the new key
	Resumed     bool          // an earlier run began it, and may have sent it to the CA
}

// changeRecord is a KeyChange as it is kept, in CONFIG/orderly/key-changes/FROM.json.
type changeRecord struct {
	Server   string          `json:"server"`
	URL      string          `json:"uri"`
	From     string          `json:"from"`
	To       string          `json:"to"`
	Accepted bool            `json:"accepted"`
	Key      json.RawMessage `json:"key"`
}

func (s Accounts) keyChanges() string {
	return filepath.Join(s.disk.Dirs.Config, "orderly", "key-changes")
}

func (s Accounts) keyChange(from string) string {
	return filepath.Join(s.keyChanges(), from+".json")
}

// BeginKeyChange makes the new key for an account, for an algorithm, or returns the change that an
// earlier run began. It is durable when it returns.
func (s Accounts) BeginKeyChange(a Account, algorithm string) (*KeyChange, error) {
	changes, err := s.KeyChanges()
	if err != nil {
		return nil, err
	}
	for _, c := range changes {
		if c.From == a.ID || c.To == a.ID {
			return c, nil
		}
	}
	key, err := makeKey(algorithm)
	if err != nil {
		return nil, err
	}
	c := &KeyChange{Server: a.Server, URL: a.URL, From: a.ID, Key: key}
	if c.To, err = AccountID(key); err != nil {
		return nil, err
	}
	return c, s.writeKeyChange(c)
}

// AcceptKeyChange records that the CA knows the account by its new key.
func (s Accounts) AcceptKeyChange(c *KeyChange) error {
	c.Accepted = true
	return s.writeKeyChange(c)
}

func (s Accounts) writeKeyChange(c *KeyChange) error {
	err := makeDirs(s.keyChanges(), 0o700)
	if err == nil {
		err = s.writeKeyRecord(c)
	}
	if err != nil {
		return failure.Wrap(err, failure.Account, "Make the directory writable and make room.",
			"the new key of the account %s cannot be kept", c.From)
	}
	return nil
}

func (s Accounts) writeKeyRecord(c *KeyChange) error {
	key, err := formatJWK(c.Key)
	if err != nil {
		return err
	}
	text, err := json.Marshal(changeRecord{c.Server, c.URL, c.From, c.To, c.Accepted, key})
	if err != nil {
		return err
	}
	if err := s.disk.write(newFile{path: s.keyChange(c.From), data: text, mode: 0o600}); err != nil {
		return err
	}
	return syncDir(s.keyChanges())
}

// KeyChanges lists the changes that are not ended. None is what there is but for a moment, or after
// a killed run.
func (s Accounts) KeyChanges() ([]*KeyChange, error) {
	entries, err := os.ReadDir(s.keyChanges())
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, failure.Wrap(err, failure.Account, "Make the directory readable.", "account keys that are being changed cannot be looked up")
	}
	var changes []*KeyChange
	for _, e := range entries {
		if !strings.HasSuffix(e.Name(), ".json") {
			continue
		}
		c, err := readKeyChange(filepath.Join(s.keyChanges(), e.Name()))
		if err != nil {
			return changes, failure.Wrap(err, failure.Account, "Keep the file: it may hold the only key to the account. Restore it from a backup.",
				"the record of an account's change of key cannot be read")
		}
		changes = append(changes, c)
	}
	return changes, nil
}

func readKeyChange(path string) (*KeyChange, error) {
	var r changeRecord
	if err := readJSON(path, &r); err != nil {
		return nil, err
	}
	key, err := parseJWK(r.Key)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return &KeyChange{Server: r.Server, URL: r.URL, From: r.From, To: r.To, Key: key,
		Accepted: r.Accepted, Resumed: true}, nil
}

// InstallKey puts the new key into the account's directory and names the directory after it. The
// key comes first: from then on the account can be used again, also under its former id. Called
// again, it ends what was cut short.
func (s Accounts) InstallKey(c *KeyChange) (Account, error) {
	path, err := serverPath(c.Server)
	if err != nil {
		return Account{}, err
	}
	for ; path != ""; path = predecessor(path) {
		from, to := filepath.Join(s.dir(path), c.From), filepath.Join(s.dir(path), c.To)
		if there, _ := present(from); there {
			err = s.installKey(c, from, to)
		} else if there, _ = present(to); !there {
			continue
		}
		if err != nil {
			return Account{}, failure.Wrap(err, failure.Account, "Make the directory writable, then run any command of orderly: the new key is kept.",
				"the new key of the account cannot be put into %s", from)
		}
		a, err := readAccount(to, c.Server)
		if err != nil {
			return a, damagedAccount(err, to)
		}
		return a, nil
	}
	return Account{}, failure.New(failure.Account, failure.Remedy(fmt.Sprintf("Put the account's directory back; its new key is in %s.", s.keyChange(c.From))),
		"the account %s, whose key was changed, is gone from this host", c.From)
}

func (s Accounts) installKey(c *KeyChange, from, to string) error {
	text, err := formatJWK(c.Key)
	if err != nil {
		return err
	}
	if err := s.disk.write(newFile{path: filepath.Join(from, "private_key.json"), data: text, mode: 0o400}); err != nil {
		return err
	}
	if err := syncDir(from); err != nil {
		return err
	}
	return s.disk.do("rename account", func() error {
		if err := os.Rename(from, to); err != nil {
			return err
		}
		return syncDir(filepath.Dir(to))
	})
}

// EndKeyChange removes the record. It is called when everything follows the new key, or when it is
// certain that the CA was never asked to take it.
func (s Accounts) EndKeyChange(c *KeyChange) error {
	err := s.disk.remove(s.keyChange(c.From))
	if err == nil {
		err = s.disk.removeEmpty(s.keyChanges())
	}
	if err != nil {
		return failure.Wrap(err, failure.Account, "Remove the file.",
			"the record of the account's change of key cannot be removed")
	}
	return nil
}
