package order

import (
	"context"
	"fmt"

	"orderly/acme"
	"orderly/failure"
	"orderly/ledger"
)

// Rebuilt is what Rebuild found.
type Rebuilt struct {
	Known  int             // orders of the account's list that the ledger has
	Orders []*ledger.Order // open ones that it had lost; they are in it now, and Resume goes on with them
	Others int             // open ones for names that no lineage here has: another server's of the account, most likely
	NoList bool            // the CA shows no list (Boulder): newOrder for the same names finds open orders again
}

// Rebuild takes open orders from the account's `orders` list (RFC 8555 §7.1.2.1) into a ledger that lost them. request says
// what is known on this host of a name set; false leaves the order to whoever else uses the account.
func (e *Engine) Rebuild(ctx context.Context, request func(names []string) (r ledger.Request, mine bool)) (Rebuilt, error) {
	var out Rebuilt
	d := newDriver(e, nil)
	object, err := e.ACME.Fetch(ctx)
	if err != nil {
		return out, d.listTrouble(err)
	}
	if object.Orders == "" {
		out.NoList = true
		return out, nil
	}
	e.Account.OrdersURL = object.Orders
	err = d.eachUnknown(ctx, &out.Known, func(found acme.Order) (bool, error) {
		if found.Status != "pending" && found.Status != "ready" {
			return false, nil
		}
		r, mine := request(found.Names)
		if !mine {
			out.Others++
			return false, nil
		}
		o := e.lostOrder(found, r)
		change := &ledger.Change{Account: e.Account, Orders: []*ledger.Order{o}, Events: []ledger.Event{{
			At: e.Clock.Now(), RunID: e.Run.ID, Of: o, Kind: "found again", Detail: found.URL}}}
		if err := e.Store.Commit(context.WithoutCancel(ctx), change); err != nil {
			return false, err
		}
		out.Orders = append(out.Orders, o)
		return false, nil
	})
	if err != nil {
		return out, d.listTrouble(err)
	}
	return out, nil
}

// lostOrder makes the row of an order that the CA shows and the ledger does not know.
func (e *Engine) lostOrder(found acme.Order, r ledger.Request) *ledger.Order {
	now := e.Clock.Now()
	o := &ledger.Order{
		AccountID: e.Account.ID, Lineage: r.Lineage, Names: ledger.CanonicalNames(found.Names), Profile: found.Profile,
		State: ledger.State(found.Status), Request: r, CreatedAt: now, UpdatedAt: now, CreateSends: 2, URL: found.URL,
		Finalize: found.Finalize, CAStatus: found.Status, Expires: found.Expires, Replaces: found.Replaces,
	}
	for _, url := range found.Authorizations {
		o.Authorizations = append(o.Authorizations, &ledger.Authorization{URL: url, Status: ledger.AuthorizationPending})
	}
	return o
}

func (d *driver) listTrouble(err error) error {
	if failure.ClassOf(err) != failure.Internal {
		return err
	}
	return failure.Wrap(err, failure.CAUnavailable, "Run the command again later.", "the orders of account %s cannot be listed", d.e.Account.URL)
}

// eachUnknown calls back with every order of the account's list that the ledger does not have, page by page, the newest of
// a page first, until the callback says that it has seen enough.
func (d *driver) eachUnknown(ctx context.Context, known *int, found func(acme.Order) (enough bool, err error)) error {
	reads := 0
	for page, url := 0, d.e.Account.OrdersURL; url != ""; page++ {
		if page == mostPages {
			return fmt.Errorf("%w: more than %d pages", errEndless, mostPages)
		}
		list, err := d.e.ACME.Orders(ctx, url)
		if err != nil {
			return err
		}
		unknown, err := d.unknown(ctx, list.URLs)
		if err != nil {
			return err
		}
		*known += len(list.URLs) - len(unknown)
		for _, candidate := range unknown {
			if reads++; reads > mostReads {
				return fmt.Errorf("%w: more than %d are unknown to the ledger", errEndless, mostReads)
			}
			o, err := d.e.ACME.Order(ctx, candidate)
			if gone(err) {
				continue
			}
			if err != nil {
				return err
			}
			if enough, err := found(o); enough || err != nil {
				return err
			}
		}
		url = list.Next
	}
	return nil
}

// unknown picks the URLs that no order of the ledger has, the last first.
func (d *driver) unknown(ctx context.Context, urls []string) ([]string, error) {
	var out []string
	for i := len(urls) - 1; i >= 0; i-- {
		rows, err := d.e.Store.Orders(ctx, ledger.OrderFilter{URL: urls[i]})
		if err != nil {
			return nil, err
		}
		if len(rows) == 0 {
			out = append(out, urls[i])
		}
	}
	return out, nil
}
