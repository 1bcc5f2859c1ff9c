package certbot

import (
	"cmp"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"orderly/failure"
)

// What becomes of an account that is there: other contacts, its end. certbot shares one directory
// between two addresses of a CA, by links that must not dangle afterwards.

// Update writes an account's regr.json anew, as certbot's update_account does: an empty body
// (contacts are the CA's to keep) and the account's URL. Another URL than the file names replaces
// it, which certbot avoids for accounts of ACMEv1; what else the file held goes. The error is of
// class Account.
func (s Accounts) Update(a Account) error {
	regr := pythonJSON(pair{"body", "{}"}, pair{"uri", jsonString(a.URL)})
	path := filepath.Join(a.Dir, "regr.json")
	if old, err := os.ReadFile(path); err == nil && string(old) == string(regr) {
		return nil
	}
	f := newFile{path: path, data: regr, mode: 0o644}
	if info, err := os.Stat(path); err == nil {
		f.last = func(file *os.File) error { return file.Chmod(info.Mode().Perm()) }
	}
	err := s.disk.write(f)
	if err == nil {
		err = syncDir(a.Dir)
	}
	if err != nil {
		return failure.Wrap(err, failure.Account, "Make the directory writable.",
			"the account in %s cannot be written", a.Dir)
	}
	return nil
}

// Delete removes an account from the disk, as certbot's unregister does once the CA has deactivated
// it: its directory, the links by which ACMEv1 and ACMEv2 share it, and the CA's directory if no
// account is left there. Called again after a kill, it ends what is left. An account that is not
// there is an error of class Account in certbot's words.
func (s Accounts) Delete(server, id string) error {
	path, err := serverPath(server)
	if err != nil {
		return err
	}
	dir := filepath.Join(s.dir(path), id)
	if id == "" || !filepath.IsLocal(id) || filepath.Base(id) != id {
		return s.noSuchAccount(server, dir)
	}
	dirs := s.placesIn(path, id)
	if len(dirs) == 0 {
		return s.noSuchAccount(server, dir)
	}
	if err := s.deleteAccountDirs(dirs); err != nil {
		return failure.Wrap(err, failure.Account,
			"Remove the directory by hand: the CA does not know the account any more.",
			"the account in %s cannot be removed", dir)
	}
	return s.forgetServer(path)
}

// Places lists where something stands of an account.
func (s Accounts) Places(server, id string) []string {
	path, err := serverPath(server)
	if err != nil {
		return nil
	}
	return s.placesIn(path, id)
}

// placesIn lists where an account stands for a CA and for the one whose accounts it shares:
// directories and links.
func (s Accounts) placesIn(path, id string) []string {
	var dirs []string
	for _, p := range related(path) {
		dir := filepath.Join(s.dir(p), id)
		if _, err := os.Lstat(dir); err == nil {
			dirs = append(dirs, dir)
		}
	}
	return dirs
}

// related lists a CA's path and those that share its accounts, the newest first.
func related(path string) []string {
	for _, newer := range []string{"acme-v02.api.letsencrypt.org/directory", "acme-staging-v02.api.letsencrypt.org/directory"} {
		if path == newer || path == predecessor(newer) {
			return []string{newer, predecessor(newer)}
		}
	}
	return []string{path}
}

// deleteAccountDirs removes what leads to an account before the account. The key goes first of its
// files: without it neither certbot nor Accounts takes the rest for an account.
func (s Accounts) deleteAccountDirs(dirs []string) error {
	var real []string
	for _, dir := range dirs {
		to, err := filepath.EvalSymlinks(dir)
		if err == nil {
			real = append(real, to)
		}
		if info, err := os.Lstat(dir); err == nil && info.Mode()&fs.ModeSymlink != 0 {
			if err := s.disk.remove(dir); err != nil {
				return err
			}
		}
	}
	for _, dir := range real {
		if err := s.disk.remove(filepath.Join(dir, "private_key.json")); err != nil {
			return err
		}
		if err := s.disk.do("remove account", func() error { return os.RemoveAll(dir) }); err != nil {
			return err
		}
	}
	return nil
}

// forgetServer removes the directory of a CA's accounts, and links to it, when the last account is
// gone.
func (s Accounts) forgetServer(path string) error {
	if there, _ := present(s.dir(path)); !there {
		path = predecessor(path)
	}
	entries, err := os.ReadDir(s.dir(path))
	if path == "" || err != nil || len(entries) > 0 {
		return nil
	}
	dir, err := filepath.EvalSymlinks(s.dir(path))
	if err != nil {
		return nil
	}
	for _, p := range related(path) {
		link := s.dir(p)
		if info, err := os.Lstat(link); err == nil && info.Mode()&fs.ModeSymlink != 0 && sameFile(link, dir) {
			if err := s.disk.remove(link); err != nil {
				return failure.Wrap(err, failure.Account, "Remove it by hand.",
					"the link %s cannot be removed", link)
			}
		}
	}
	if err := s.disk.removeEmpty(dir); err != nil {
		return failure.Wrap(err, failure.Account, "Remove it by hand.",
			"the directory %s cannot be removed", dir)
	}
	return nil
}

// noSuchAccount names what can take a missing account's place: those that the CA has on this host,
// or how to make one.
func (s Accounts) noSuchAccount(server, dir string) error {
	remedy := "There is none of this CA on this host. Make one: " +
		failure.Do(failure.Register, server) +
		", and name it with " + failure.Do(failure.OtherAccount) + "."
	accounts, err := s.At(server)
	var ids []string
	for _, a := range accounts {
		ids = append(ids, string(failure.Do(failure.OtherAccount, a.ID)))
	}
	if err != nil || len(ids) > 0 {
		remedy = "Name an account that is there: " +
			cmp.Or(failure.Remedy(strings.Join(ids, " or ")),
				failure.Do(failure.OtherAccount)+" with the name of its directory") + "."
	}
	return failure.New(failure.Account, remedy, "Account at %s does not exist", failure.Clean(dir))
}

// Require is Choose for commands that need an account to be there (unregister, update_account,
// show_account): without one the error, with ErrNoAccount in its chain, is what certbot says for
// them.
func (s Accounts) Require(server, id string) (Account, error) {
	accounts, err := s.At(server)
	if err == nil && len(accounts) == 0 {
		return Account{}, &missingAccount{server, s.servers()}
	}
	if err != nil {
		return Account{}, err
	}
	return s.Choose(server, id)
}

// missingAccount says in certbot's words that a CA has no account here.
type missingAccount struct {
	server string
	others []string // CAs that have one
}

// Error implements error. certbot's unregister says the same without the article.
func (m *missingAccount) Error() string {
	return "Could not find an existing account for server " + failure.Clean(m.server) + "."
}

// Unwrap makes the sentence one of class Account that ErrNoAccount is found in.
func (m *missingAccount) Unwrap() error {
	remedy := "Register one: " + failure.Do(failure.Register) + "."
	var named []string
	for _, server := range m.others {
		named = append(named, string(failure.Do(failure.OtherCA, server)))
	}
	if len(named) > 0 {
		remedy = "Name a CA that has an account on this host: " +
			failure.Remedy(strings.Join(named, " or ")) + "."
	}
	return failure.Wrap(ErrNoAccount, failure.Account, remedy, "")
}

// servers are the directory URLs of the CAs that have an account on this host, sorted. certbot keeps
// them without their scheme, which is https for every public CA.
func (s Accounts) servers() []string {
	root := s.dir("")
	var found []string
	filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.Name() != "regr.json" { // what cannot be read is no CA to name
			return nil
		}
		place, err := filepath.Rel(root, filepath.Dir(filepath.Dir(path)))
		if err != nil {
			return nil
		}
		server := "https://" + filepath.ToSlash(place)
		if accounts, err := s.At(server); err == nil && len(accounts) > 0 {
			found = append(found, server)
		}
		return nil
	})
	slices.Sort(found)
	return slices.Compact(found)
}

// NoDuplicate returns an error in certbot's words if the CA has an account here: register makes no
// second one.
func (s Accounts) NoDuplicate(server string) error {
	accounts, err := s.At(server)
	if err == nil && len(accounts) > 0 {
		err = failure.New(failure.Account, "Use the account that is there.",
			"There is an existing account; registration of a duplicate account with this command is currently unsupported.")
	}
	return err
}
