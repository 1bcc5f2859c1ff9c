package drive

import (
	"cmp"
	"context"
	"time"

	"orderly/acme"
	"orderly/failure"
	"orderly/ledger"
	"orderly/order"
	"orderly/outside"
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
	// Keep, where a key and a CSR for these names lie beside the ledger, makes them those of the order, which has an id then.
	Keep func(o *ledger.Order) (key, csr ledger.FileRef, err error)
}

// Rebuild takes open orders from the account's `orders` list (RFC 8555 §7.1.2.1) into a ledger that lost them. claim says
// what is known on this host of an order and the tokens of its authorizations.
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
	if err := e.lookAgain(ctx); err != nil {
		return out, e.listTrouble(err)
	}
	err = e.eachUnknown(ctx, &out.Known, func(found acme.Order) error {
		return e.takeIn(ctx, found, claim, &out)
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
func (e *Engine) takeIn(ctx context.Context, found acme.Order, claim func(Lost) Claim, out *Rebuilt) error {
	closed := order.Closed(found.Status)
	odd := !closed && found.Status != "pending" && found.Status != "ready"
	if found.Status == "invalid" {
		return nil
	}
	o := e.lostOrder(found)
	if closed {
		o.Authorizations = nil // they are valid, and there may be very many such orders
	}
	tokens, err := e.showAll(ctx, o)
	if err != nil {
		return err
	}
	c := claim(Lost{Names: o.Names, Tokens: tokens, Open: len(order.Unfinished(o)) > 0})
	switch {
	case closed && c.Keep == nil: // whoever has the key has the certificate
		return nil
	case !c.Mine || odd: // what its status means nobody here knows, so that it cannot be gone on with
		out.Seen = append(out.Seen, o)
		return e.see(ctx, o, found.URL)
	}
	o.Lineage, o.Request = c.Request.Lineage, c.Request
	out.Orders = append(out.Orders, o)
	if err := e.enter(ctx, o, "found again", found.URL); err != nil || c.Keep == nil {
		return err
	}
	key, csr, err := c.Keep(o)
	if err != nil {
		return err
	}
	o.Key, o.CSR = key, csr
	return e.enter(ctx, o, "key found again", csr.SHA256)
}

// see records an order of the list that is not gone on with, but counted, shown, and taken up before a newOrder for its names.
func (e *Engine) see(ctx context.Context, o *ledger.Order, url string) error {
	o.State, o.SettledAt, o.Lineage = ledger.Seen, e.clock.Now(), ledger.SeenPrefix+o.Names[0]
	o.Sentence = "the account's list shows it, and nothing on this host knows it: another server's, perhaps"
	o.Request = ledger.Request{Lineage: o.Lineage, Names: o.Names, Server: e.Account().Server, Account: e.Account().KeyID}
	return e.enter(ctx, o, "found again", url)
}

// enter saves an order with an event that says why.
func (e *Engine) enter(ctx context.Context, o *ledger.Order, kind, detail string) error {
	row := e.Account()
	return e.store.Commit(context.WithoutCancel(ctx), &ledger.Change{Account: &row, Orders: []*ledger.Order{o},
		Events: []ledger.Event{{At: e.clock.Now(), RunID: e.run.ID, Of: o, Kind: kind, Detail: detail}}})
}

// unnamed stands for the names of an order of which the CA shows none.
const unnamed = "unnamed.invalid"

// lostOrder makes the row of an order that the CA shows and the ledger does not know.
func (e *Engine) lostOrder(found acme.Order) *ledger.Order {
	now := e.clock.Now()
	var names []string
	for _, name := range found.Names {
		if _, ok := outside.Name(name); ok { // what is no name stands in no ledger
			names = append(names, name)
		}
	}
	if len(names) == 0 {
		names = []string{unnamed}
	}
	o := &ledger.Order{
		AccountID: e.Account().ID, Names: ledger.CanonicalNames(names), Profile: found.Profile,
		State: ledger.State(found.Status), CreatedAt: now, UpdatedAt: now, CreateSends: 2, URL: found.URL,
		Finalize: found.Finalize, CAStatus: found.Status, Certificate: found.Certificate, Expires: found.Expires, Replaces: found.Replaces,
	}
	for _, url := range found.Authorizations[:min(len(found.Authorizations), mostPerName*len(o.Names))] {
		o.Authorizations = append(o.Authorizations, &ledger.Authorization{URL: url, Status: ledger.AuthorizationPending})
	}
	return o
}

// showAll asks for the authorizations of an order that is no run's, so that what is shown as pending is what the CA counts. It
// returns the tokens of the challenges. What the CA does not show counts as pending.
func (e *Engine) showAll(ctx context.Context, o *ledger.Order) (tokens []string, err error) {
	for _, a := range o.Authorizations {
		if a.Final() {
			continue
		}
		reply, err := e.acme().Authorization(ctx, a.URL)
		switch {
		case gone(err):
			a.Status = "expired"
			continue
		case foreign(err):
			continue
		case err != nil:
			return nil, err
		case unclearAuthorization(reply) != nil:
			continue
		}
		a.Name, a.Wildcard, a.Expires, a.Status, a.SeenAt = reply.Name, reply.Wildcard, reply.Expires, reply.Status, e.clock.Now()
		for _, c := range reply.Challenges {
			tokens = append(tokens, c.Token)
		}
	}
	return tokens, nil
}

// lookAgain brings what is known of the orders that may be another server's up to date.
func (e *Engine) lookAgain(ctx context.Context) error {
	rows, err := e.store.Orders(ctx, ledger.OrderFilter{AccountID: e.Account().ID})
	if err != nil {
		return err
	}
	for _, o := range rows {
		if o.State != ledger.Seen || !o.Expires.IsZero() && o.Expires.Before(e.clock.Now()) {
			continue
		}
		reply, err := e.acme().Order(ctx, o.URL)
		if err != nil && !gone(err) {
			return err
		}
		if err == nil && !order.Closed(reply.Status) {
			if _, err := e.showAll(ctx, o); err != nil {
				return err
			}
			err = e.enter(ctx, o, "seen again", reply.Status)
		} else {
			err = e.forget(ctx, o)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// forget ends the row of an order in the state Seen that is open no more. An authorization of it may be, on a CA where one
// outlives its order.
func (e *Engine) forget(ctx context.Context, o *ledger.Order) error {
	if _, err := e.showAll(ctx, o); err != nil {
		return err
	}
	order.End(o, order.Action{Kind: order.Settle, State: ledger.ReleasedState, Class: failure.Released,
		Why: "it was another server's, which has brought it to its end"}, e.known(), e.clock.Now())
	return e.enter(ctx, o, "not ours", o.URL)
}

// takeSeen takes up an order for exactly the wanted names that was seen in the account's list, in newOrder's stead: with a
// second one the first would stay pending, and might be ours. It reports whether newOrder is to wait.
func (n *newOrder) takeSeen(ctx context.Context) (bool, error) {
	rows, err := n.e.store.Orders(ctx, ledger.OrderFilter{AccountID: n.o.AccountID, Lineage: ledger.SeenPrefix + n.o.Names[0]})
	if err != nil {
		return false, err
	}
	rctx, cancel := outliving(ctx)
	defer cancel()
	for _, o := range rows {
		if o.State != ledger.Seen || ledger.NameKey(o.Names) != ledger.NameKey(n.o.Names) {
			continue
		}
		reply, err := n.e.acme().Order(rctx, o.URL)
		switch {
		case err == nil && n.listing.ours(reply):
			return true, n.created(ctx, reply)
		case err == nil && !order.Closed(reply.Status): // of another profile, or nothing to go on with
		case err == nil || gone(err):
			if err := n.e.forget(rctx, o); err != nil {
				return true, n.trouble("authorization", err)
			}
		default:
			return true, n.trouble("order", err)
		}
	}
	return false, nil
}

func (e *Engine) listTrouble(err error) error {
	if failure.ClassOf(err) != failure.Internal {
		return err
	}
	return failure.Wrap(err, failure.CAUnavailable,
		cmp.Or(acme.Advice(e.Account().Server, err), "Run the command again later."), "the orders of account %s cannot be listed", e.Account().URL)
}
