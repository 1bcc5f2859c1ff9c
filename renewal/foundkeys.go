package renewal

// Whose keys can ask about what was found: certbot's accounts, and those of other clients whose keys a
// person gave. The latter are kept beside the ledger for as long as an order of theirs is unfinished,
// so that it can be finished or given up whatever becomes of this run, and not a day longer.

import (
	"context"
	"errors"
	"net/url"
	"slices"

	"orderly/account"
	"orderly/certbot"
	"orderly/failure"
	"orderly/host"
	"orderly/ledger"
)

// holder is an account whose key this host has.
type holder struct {
	account certbot.Account
	given   bool // by a person, for what was found alone
}

// holders are all of them, each once.
func (s *founds) holders(ctx context.Context, q Inquiry, out *Checked) ([]*holder, error) {
	var all []*holder
	add := func(given bool, accounts ...certbot.Account) {
		for _, a := range accounts {
			same := func(h *holder) bool { return h.account.URL == a.URL }
			if !slices.ContainsFunc(all, same) {
				all = append(all, &holder{a, given})
			}
		}
	}
	servers, err := (&rebuilds{s.base, s.engines}).servers()
	if err != nil {
		return nil, err
	}
	for _, server := range servers {
		accounts, err := s.Disk.Accounts().At(server)
		if err != nil {
			return nil, err
		}
		add(false, accounts...)
	}
	for _, key := range q.Keys {
		found, err := s.asked(ctx, key, q.Server, servers, out)
		if err != nil {
			return nil, err
		}
		for _, a := range found {
			if err := s.keepAgain(ctx, &holder{a, true}); err != nil {
				return nil, err
			}
		}
		add(true, found...)
	}
	kept, err := s.Disk.GivenAccounts().All()
	add(true, kept...)
	return all, err
}

// asked asks the CAs that a key can be of for its accounts. A CA that cannot be asked does not keep the
// others.
func (s *founds) asked(ctx context.Context, key account.GivenKey, server string, known []string,
	out *Checked) ([]certbot.Account, error) {
	var found []certbot.Account
	servers := mayKnow(key, server, known)
	failed := len(out.Errs)
	for _, server := range servers {
		a, err := s.Accounts().Existing(ctx, server, key)
		switch {
		case ctx.Err() != nil:
			return nil, context.Cause(ctx)
		case err == nil:
			s.Report.Tell("The key in %s is that of the account %s.", key.File, a.URL)
			found = append(found, a)
		case !errors.Is(err, account.ErrNotKnown):
			out.Errs = append(out.Errs, err)
		}
	}
	if len(found) == 0 && len(out.Errs) == failed {
		out.Unknown[key.File] = servers
	}
	return found, nil
}

// mayKnow are the directories of the CAs that may know a key: the one that a person names, the one that
// the key's place names, or else those that certbot has accounts at, and Let's Encrypt's.
func mayKnow(key account.GivenKey, server string, known []string) []string {
	switch {
	case server != "":
		return []string{server}
	case key.Server != "":
		return []string{key.Server}
	}
	var servers []string
	for _, one := range slices.Concat([]string{host.Production, host.Staging}, known) {
		u, err := url.Parse(one)
		fits := err == nil && u.Host == key.Host || key.Host == "" && one != host.Staging
		if fits && !slices.Contains(servers, one) {
			servers = append(servers, one)
		}
	}
	return servers
}

// givenLock is held while a key that was given is kept for an order, or not kept any longer.
const givenLock = "given-accounts"

// keep keeps the account's key for an order that is about to be entered; done must be called when it
// is.
func (s *founds) keep(ctx context.Context, h *holder) (done func(), err error) {
	if !h.given {
		return func() {}, nil
	}
	unlock, err := s.host.Locks.Lock(ctx, givenLock)
	if err != nil {
		return nil, err
	}
	done = func() { _ = unlock() } // it cannot outlive the process
	if _, err := s.Disk.GivenAccounts().Save(h.account); err != nil {
		done()
		return nil, err
	}
	return done, nil
}

// keepAgain keeps the key of an account of which orders are unfinished: they may wait for it.
func (s *founds) keepAgain(ctx context.Context, h *holder) error {
	owed, err := s.owed(ctx, &h.account)
	if err != nil || !owed {
		return err
	}
	kept, err := s.keep(ctx, h)
	if err == nil {
		kept()
	}
	return err
}

// dropKeys throws keys away after orders have ended; what stands in the way is said, and keeps nothing.
func (s *engines) dropKeys(ctx context.Context) {
	if err := s.throwKeys(ctx); err != nil {
		s.Report.Warn("a key that was given could not be removed: %v", err)
	}
}

// throwKeys throws those of the keys that were given away of whose accounts no order is unfinished: no
// key is kept for longer than it is of use. Whoever gave one has it.
func (s *engines) throwKeys(ctx context.Context) error {
	given := s.Disk.GivenAccounts()
	kept, _ := given.All() // what cannot be read is said where it is wanted
	if len(kept) == 0 {
		return nil
	}
	unlock, free, err := s.host.Locks.TryLock(givenLock)
	if err != nil || !free {
		return err // whoever is at work on them will look after this
	}
	defer func() { _ = unlock() }()
	ctx = context.WithoutCancel(ctx)
	for _, a := range kept {
		owed, err := s.owed(ctx, &a)
		if err == nil && !owed {
			err = given.Delete(a.Server, a.ID)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// owed reports whether an order of an account is unfinished.
func (s *engines) owed(ctx context.Context, a *certbot.Account) (bool, error) {
	row, err := s.Ledger.Account(ctx, a.Server, a.URL)
	if errors.Is(err, ledger.ErrNone) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	open, err := s.Ledger.Orders(ctx,
		ledger.OrderFilter{Unsettled: true, AccountID: row.ID, Limit: 1})
	return len(open) > 0, err
}

// accountOf is the account of a row of the ledger, if its key is on this host: certbot's, or one that
// was given for what was found.
func (s *engines) accountOf(row *ledger.Account) (certbot.Account, error) {
	a, err := s.Disk.Accounts().Get(row.Server, row.KeyID)
	if err == nil && a.URL == row.URL {
		return a, nil
	}
	if given, ok := s.Disk.GivenAccounts().ByURL(row.Server, row.URL); ok {
		return given, nil
	}
	return a, err
}

// ofNoUse says what to do where a CA does not accept the account of what was found any more: nobody on
// this host can put another in its place.
func ofNoUse(o *ledger.Order, err error) error {
	if err == nil || !o.Request.NamesOnly || failure.ClassOf(err) != failure.Account {
		return err
	}
	return failure.Wrap(err, failure.Account, "What is pending of it expires. Leave it out here: "+
		failure.Do(failure.GiveUpHere, o.Request.Names[0])+".", "nothing can be done with order %d", o.ID)
}

// forgotten says what to do about an order whose account's key was given once and is not here any more.
func forgotten(o *ledger.Order, err error) error {
	if !o.Request.NamesOnly {
		return err
	}
	return failure.Wrap(err, failure.Account, "Give the key again: scan the logs with "+
		failure.Do(failure.GiveAccountKey, "FILE")+".", "the key of the account of order %d is gone", o.ID)
}
