package doctor

// With which accounts certificates are renewed: each account is read once, however many certificates
// use it.

import (
	"cmp"
	"context"
	"errors"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"orderly/certbot"
	"orderly/failure"
)

func accountChecks() []Check {
	return []Check{
		{ID: "D11", Title: "The account is not there, or cannot be used", Host: lostAccounts},
		{ID: "D12", Title: "Several accounts, and none is named", Host: unnamedAccounts},
		{ID: "D13", Title: "The key of an account is open to others", Host: openAccounts},
	}
}

// holding is the account that some certificates are renewed with.
type holding struct{ server, id string }

// holdings are the accounts that are renewed with, and the lineages of each.
func (e *Exam) holdings() ([]holding, map[holding][]*Lineage) {
	users := map[holding][]*Lineage{}
	for _, x := range e.Lineages {
		if x.off() || x.Server == "" {
			continue
		}
		h := holding{x.Server, x.Account}
		users[h] = append(users[h], x)
	}
	all := slices.SortedFunc(maps.Keys(users), func(a, b holding) int {
		return cmp.Or(strings.Compare(a.server, b.server), strings.Compare(a.id, b.id))
	})
	return all, users
}

// lostAccounts tells of lineages whose account is not there, or cannot be read.
func lostAccounts(_ context.Context, e *Exam) ([]Finding, error) {
	var all []Finding
	accounts := e.Disk.Accounts()
	held, users := e.holdings()
	for _, h := range held {
		a, err := accounts.Choose(h.server, h.id)
		others, _ := accounts.At(h.server) // what is damaged is no other account
		switch {
		case errors.Is(err, fs.ErrPermission): // whoever may not read them knows nothing of them
			return append(all, Finding{ID: "D11", Class: failure.Config, Severity: Note,
				File:     filepath.Join(e.Disk.Dirs.Config, "accounts"),
				Sentence: failure.Words("the accounts of this host cannot be read: %v", err),
				Remedy:   "Run the command as root, or as a user who may read them."}), nil
		case err == nil && h.id != "" && a.ID != h.id:
			all = append(all, e.misnamed(a, h, users[h])...)
		case err != nil && (h.id != "" || len(others) < 2):
			all = append(all, e.withoutAccount(h, err, others, users[h])...)
		}
	}
	return all, nil
}

// withoutAccount is a finding for each lineage whose account is lost.
func (e *Exam) withoutAccount(h holding, err error, others []certbot.Account,
	users []*Lineage) []Finding {
	var all []Finding
	for _, x := range users {
		f := x.findsError("D11", err)
		f.Cause, f.Line, f.Since = h.server+" "+h.id, x.AccountLine, changed(x.Path)
		if len(others) == 1 && others[0].ID != h.id {
			f.Sentence += failure.Words("; the only other one there is %s", others[0].ID)
			f.Remedy = failure.Advise("Restore the account's directory, or write account = %s into %s.",
				others[0].ID, x.Path)
		}
		all = append(all, f)
	}
	return all
}

// misnamed tells of a directory that has another account's key: certbot refuses it.
func (e *Exam) misnamed(a certbot.Account, h holding, users []*Lineage) []Finding {
	f := users[0].notesThat("D11", failure.Advise("Rename the directory to %s, and write that name into "+
		"the renewal files.", a.ID),
		"the key in %s is that of account %s: certbot refuses it; Orderly does not (certificates: %d)",
		a.Dir, a.ID, len(users))
	f.Lineage, f.Class, f.File, f.Cause = "", failure.Account, a.Dir, h.server+" "+h.id
	return []Finding{f}
}

// unnamedAccounts tells of lineages that name no account where there are several.
func unnamedAccounts(_ context.Context, e *Exam) ([]Finding, error) {
	var all []Finding
	held, users := e.holdings()
	for _, h := range held {
		others, _ := e.Disk.Accounts().At(h.server) // what is damaged cannot be chosen
		if h.id != "" || len(others) < 2 {
			continue
		}
		var ids []string
		for _, a := range others {
			ids = append(ids, a.ID)
		}
		for _, x := range users[h] {
			f := x.finds("D12", failure.Account, failure.Advise(
				"Name one of them: write account = ID below [renewalparams] in %s.", x.Path),
				"no account is named, and there are several for %s: %s", h.server,
				strings.Join(ids, ", "))
			f.Since, f.Cause = changed(x.Path), h.server
			all = append(all, f)
		}
	}
	return all, nil
}

// openAccounts tells of accounts whose key others can read: who has it can order, and have every
// certificate of the account revoked.
func openAccounts(_ context.Context, e *Exam) ([]Finding, error) {
	var all []Finding
	top := filepath.Join(e.Disk.Dirs.Config, "accounts")
	err := filepath.WalkDir(top, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.Name() != "private_key.json" || !d.Type().IsRegular() {
			return nil // what cannot be entered from here is told where it is needed
		}
		info, err := d.Info()
		if err != nil {
			return nil
		}
		mode, dir := info.Mode().Perm(), filepath.Dir(path)
		if !(mode&0o007 != 0 && entered(dir, 0o001) || mode&0o070 != 0 && entered(dir, 0o011)) {
			return nil
		}
		all = append(all, Finding{ID: "D13", Class: failure.Config, Severity: Note, File: path,
			Sentence: failure.Words("the key of account %s is open to others (mode %04o)",
				filepath.Base(dir), mode),
			Remedy: "Close it: `" + failure.Shell("chmod", "go=", path) + "`."})
		return nil
	})
	return all, err
}
