package drive

import (
	"cmp"
	"context"
	"time"

	"orderly/acme"
	"orderly/failure"
	"orderly/ledger"
	"orderly/order"
)

// Rebuilt is what Rebuild found.
type Rebuilt struct {
	Known  int             // orders of the account's list that the ledger has
	Orders []*ledger.Order // open ones that it had lost; they are in it now, and Resume goes on with them
	Seen   []*ledger.Order // open ones that nothing here knows: another server's of the account, perhaps
	NoList bool            // the CA shows no list (Boulder): newOrder for the same names finds open orders again
}

// Lost is an order that only the CA remembers.
type Lost struct {
	Names, Tokens []string
	Open          bool // something is left to prove
}

// Claim is what this host knows of an order that only the CA remembers.
type Claim struct {
	Mine    bool // a lineage, a key or a token on this host belongs to it; otherwise it may be another server's
	Request ledger.Request
	// Keep, where a key and a CSR for these names lie beside the ledger, makes them those of the
	// order, which has an id then.
	Keep func(o *ledger.Order) (key, csr ledger.FileRef, err error)
}

// Rebuild takes open orders from the account's `orders` list (RFC 8555 §7.1.2.1) into a ledger that
// lost them. claim says what is known on this host of an order and the tokens of its
// authorizations.
func (e *Engine) Rebuild(ctx context.Context, claim func(Lost) Claim) (Rebuilt, error) {
	var out Rebuilt
	object, err := e.acme().Fetch(ctx)
	if err != nil {
		return out, e.listTrouble(err)
	}
	if object.Orders == "" {
		out.NoList = true
		return out, nil
	}
	e.session.change(func(a *ledger.Account) { a.OrdersURL = object.Orders })
	if err := e.strays().lookAgain(ctx); err != nil {
		return out, e.listTrouble(err)
	}
	err = e.strays().eachUnknown(ctx, &out.Known, func(found acme.Order) error {
		return e.strays().takeIn(ctx, found, claim, &out)
	}, func(_ string, err error) error {
		if gone(err) {
			return nil
		}
		return err
	})
	if err != nil {
		return out, e.listTrouble(err)
	}
	if !e.Account().UnlistedAt.IsZero() { // the list is of use again
		e.session.change(func(a *ledger.Account) { a.UnlistedAt = time.Time{} })
		row := e.Account()
		return out, e.store.Commit(ctx, &ledger.Change{Account: &row})
	}
	return out, nil
}

// takeIn records an order of the list if it is open, or issued and its key is here.
func (s strays) takeIn(ctx context.Context, found acme.Order, claim func(Lost) Claim, out *Rebuilt) error {
	closed := order.Closed(found.Status)
	odd := !closed && found.Status != "pending" && found.Status != "ready"
	if found.Status == "invalid" {
		return nil
	}
	o := s.lostOrder(found)
	if closed && found.Certificate != "" {
		o.Authorizations = nil // they are valid, and there may be very many such orders
	}
	tokens, err := s.showAll(ctx, o)
	if err != nil {
		return err
	}
	if closed && len(order.Unfinished(o)) > 0 { // some CAs call so what waits to be proven
		closed, odd = false, true
	}
	c := claim(Lost{Names: o.Names, Tokens: tokens, Open: len(order.Unfinished(o)) > 0})
	switch {
	case closed && c.Keep == nil: // whoever has the key has the certificate
		return nil
	case !c.Mine || odd: // what its status means nobody here knows, so that it cannot be gone on with
		out.Seen = append(out.Seen, o)
		return s.see(ctx, o, found.URL)
	}
	o.Lineage, o.Request = c.Request.Lineage, c.Request
	out.Orders = append(out.Orders, o)
	if err := s.enter(ctx, o, "found again", found.URL); err != nil || c.Keep == nil {
		return err
	}
	key, csr, err := c.Keep(o)
	if err != nil {
		return err
	}
	o.Key, o.CSR = key, csr
	return s.enter(ctx, o, "key found again", csr.SHA256)
}

func (e *Engine) listTrouble(err error) error {
	if failure.ClassOf(err) != failure.Internal {
		return err
	}
	return failure.Wrap(err, failure.CAUnavailable,
		cmp.Or(acme.Advice(e.Account().Server, err), "Run the command again later."),
		"the orders of account %s cannot be listed", e.Account().URL)
}
