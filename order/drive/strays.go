package drive

// Orders that the CA shows and the ledger does not know stand here: those of a ledger that was
// lost, of another server with the same account, of a newOrder without an answer. They are read
// from the account's list within bounds, and recorded with all that the CA shows of them, since
// what is pending there is counted here.

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"orderly/acme"
	"orderly/failure"
	"orderly/ledger"
	"orderly/order"
	"orderly/outside"
)

// strays are the orders of an engine's account that no row of the ledger has.
type strays struct{ e *Engine }

func (e *Engine) strays() strays { return strays{e} }

// Bounds of a walk over the account's orders list.
const (
	mostPages  = 50
	mostReads  = 500
	mostListed = 50_000
)

// errEndless says that the list is too long to be searched to its end, so that it proves nothing.
var errEndless = errors.New("the account's list of orders is too long")

// eachUnknown calls back with every order of the account's list that the ledger does not have, page
// by page, the newest of a page first; for each that cannot be read, unread decides whether the
// walk goes on.
func (s strays) eachUnknown(ctx context.Context, known *int, found func(acme.Order) error,
	unread func(url string, err error) error) error {
	reads, listed, pages := 0, 0, map[string]bool{}
	for page, url := 0, s.e.Account().OrdersURL; url != ""; page++ {
		if page == mostPages {
			return fmt.Errorf("%w: more than %d pages", errEndless, mostPages)
		}
		if pages[url] {
			return fmt.Errorf("%w: it leads back to a page that it began with", errEndless)
		}
		pages[url] = true
		list, err := s.e.acme().Orders(ctx, url)
		if err != nil {
			return err
		}
		if listed += len(list.URLs); listed > mostListed {
			return fmt.Errorf("%w: more than %d", errEndless, mostListed)
		}
		unknown, err := s.unknown(ctx, list.URLs)
		if err != nil {
			return err
		}
		*known += len(list.URLs) - len(unknown)
		for _, candidate := range unknown {
			if reads++; reads > mostReads {
				return fmt.Errorf("%w: more than %d are unknown to the ledger", errEndless, mostReads)
			}
			o, err := s.e.acme().Order(ctx, candidate)
			if err == nil {
				err = found(o)
			} else {
				err = unread(candidate, err)
			}
			if err != nil {
				return err
			}
		}
		url = list.Next
	}
	return nil
}

// unknown picks the URLs that no order of the ledger has, the last first.
func (s strays) unknown(ctx context.Context, urls []string) ([]string, error) {
	var out []string
	for i := len(urls) - 1; i >= 0; i-- {
		rows, err := s.e.store.Orders(ctx, ledger.OrderFilter{URL: urls[i]})
		if err != nil {
			return nil, err
		}
		if len(rows) == 0 {
			out = append(out, urls[i])
		}
	}
	return out, nil
}

// unnamed stands for the names of an order of which the CA shows none.
const unnamed = "unnamed.invalid"

// lostOrder makes the row of an order that the CA shows and the ledger does not know.
func (s strays) lostOrder(found acme.Order) *ledger.Order {
	now := s.e.clock.Now()
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
		AccountID: s.e.Account().ID, Names: ledger.CanonicalNames(names), Profile: found.Profile,
		State: ledger.State(found.Status), CreatedAt: now, UpdatedAt: now, CreateSends: 2, URL: found.URL,
		Finalize: found.Finalize, CAStatus: found.Status, Certificate: found.Certificate,
		Expires: found.Expires, Replaces: found.Replaces,
	}
	for _, url := range found.Authorizations[:min(len(found.Authorizations), mostPerName*len(o.Names))] {
		o.Authorizations = append(o.Authorizations,
			&ledger.Authorization{URL: url, Status: ledger.AuthorizationPending})
	}
	return o
}

// showAll asks for the authorizations of an order that is no run's, so that what is shown as
// pending is what the CA counts. It returns the tokens of the challenges. What the CA does not show
// counts as pending, until its time is over: one 404 proves nothing. Of an order that the CA has
// issued, or is about to issue, every one is valid.
func (s strays) showAll(ctx context.Context, o *ledger.Order) (tokens []string, err error) {
	for _, a := range o.Authorizations {
		if a.Final() {
			continue
		}
		reply, err := s.e.acme().Authorization(ctx, a.URL)
		switch {
		case gone(err):
			s.notShown(o, a, err)
			continue
		case foreign(err):
			continue
		case err != nil:
			return nil, err
		case unclearAuthorization(reply) != nil:
			continue
		}
		a.Name, a.Wildcard, a.Expires = reply.Name, reply.Wildcard, reply.Expires
		a.Status, a.SeenAt = reply.Status, s.e.clock.Now()
		for _, c := range reply.Challenges {
			tokens = append(tokens, c.Token)
		}
	}
	return tokens, nil
}

// notShown is what an authorization is taken for that the CA does not know.
func (s strays) notShown(o *ledger.Order, a *ledger.Authorization, err error) {
	if order.Closed(o.CAStatus) && o.CAStatus != "invalid" {
		a.Status = ledger.AuthorizationValid
		return
	}
	if a.Expires = cmp.Or(a.Expires, o.Expires); a.Expires.IsZero() {
		a.Expires = o.CreatedAt.Add(s.e.known().Lifetime(o.Profile))
	}
	now := s.e.clock.Now()
	if p, ok := errors.AsType[*acme.Problem](err); ok && !p.Reply.Date.IsZero() {
		now = p.Reply.Date
	}
	if now.After(a.Expires) {
		a.Status = "expired"
	}
}

// see records an order of the list that is not gone on with, but counted, shown, and taken up
// before a newOrder for its names.
func (s strays) see(ctx context.Context, o *ledger.Order, url string) error {
	o.State, o.SettledAt, o.Lineage = ledger.Seen, s.e.clock.Now(), ledger.SeenPrefix+o.Names[0]
	o.Sentence = "the account's list shows it, and nothing on this host knows it: another server's, perhaps"
	o.Request = ledger.Request{Lineage: o.Lineage, Names: o.Names,
		Server: s.e.Account().Server, Account: s.e.Account().KeyID}
	return s.enter(ctx, o, "found again", url)
}

// enter saves an order with an event that says why.
func (s strays) enter(ctx context.Context, o *ledger.Order, kind, detail string) error {
	row := s.e.Account()
	return s.e.store.Commit(context.WithoutCancel(ctx), &ledger.Change{Account: &row, Orders: []*ledger.Order{o},
		Events: []ledger.Event{{At: s.e.clock.Now(), RunID: s.e.run.ID, Of: o, Kind: kind, Detail: detail}}})
}

// lookAgain brings what is known of the orders that may be another server's up to date.
func (s strays) lookAgain(ctx context.Context) error {
	rows, err := s.e.store.Orders(ctx, ledger.OrderFilter{AccountID: s.e.Account().ID})
	if err != nil {
		return err
	}
	for _, o := range rows {
		if o.State != ledger.Seen || !o.Expires.IsZero() && o.Expires.Before(s.e.clock.Now()) {
			continue
		}
		reply, err := s.e.acme().Order(ctx, o.URL)
		if err != nil && !gone(err) {
			return err
		}
		if err == nil {
			o.CAStatus = reply.Status
		}
		if err == nil && !order.Closed(reply.Status) {
			if _, err := s.showAll(ctx, o); err != nil {
				return err
			}
			err = s.enter(ctx, o, "seen again", reply.Status)
		} else {
			err = s.forget(ctx, o)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// forget ends the row of an order in the state Seen that is open no more. While an authorization of
// it is, it stays and is counted.
func (s strays) forget(ctx context.Context, o *ledger.Order) error {
	if _, err := s.showAll(ctx, o); err != nil {
		return err
	}
	if len(order.Unfinished(o)) > 0 {
		return s.enter(ctx, o, "seen again", "it is open no more, and some of its authorizations are")
	}
	order.End(o, order.Action{Kind: order.Settle, State: ledger.ReleasedState, Class: failure.Released,
		Why: "it was another server's, which has brought it to its end"}, s.e.known(), s.e.clock.Now())
	return s.enter(ctx, o, "not ours", o.URL)
}
