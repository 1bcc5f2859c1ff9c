package drive

// An order that the CA made, and of which it did not say where it is (newOrder without a Location).
// It is certain all the same: sent again, newOrder would make a second one. What its body named is
// enough to go on with: the authorizations show how far it is, and finalize works by its own URL.
// Its address is learnt from the account's list, or from finalize.

import (
	"context"
	"errors"
	"net/url"
	"slices"
	"time"

	"orderly/acme"
	"orderly/failure"
	"orderly/ledger"
	"orderly/order"
)

// errSought ends a walk over the list: what was sought is found.
var errSought = errors.New("found")

// address takes up where the order is, once the CA says so. An address that is not the CA's own is
// none.
func (s *sight) address(place string) {
	there, err := url.Parse(place)
	here, bad := url.Parse(s.o.Finalize)
	if s.o.URL != "" || place == "" || err != nil || bad != nil || there.Host != here.Host {
		return
	}
	s.o.URL = place
	s.note("order found", "%s", failure.Clean(place))
}

// rowsOf are the rows of the ledger that an order of the CA's belongs to: those with its URL, and
// those without one that have its finalize URL.
func (n *newOrder) rowsOf(ctx context.Context, o acme.Order) ([]*ledger.Order, error) {
	var rows []*ledger.Order
	if o.URL != "" {
		found, err := n.e.store.Orders(ctx, ledger.OrderFilter{URL: o.URL})
		if err != nil {
			return nil, err
		}
		rows = found
	}
	set, err := n.e.store.Orders(ctx,
		ledger.OrderFilter{AccountID: n.o.AccountID, NameKey: ledger.NameKey(n.o.Names)})
	for _, row := range set {
		unaddressed := row.URL == "" || o.URL == ""
		if unaddressed && o.Finalize != "" && row.Finalize == o.Finalize {
			rows = append(rows, row)
		}
	}
	return rows, err
}

// lookUnaddressed is a look at an order of which only the authorizations can be asked for.
func (s *sight) lookUnaddressed(ctx context.Context, taken bool) error {
	// The order that names them is another client's where NamesOnly, and of no use here.
	if !s.sought && !s.o.Request.NamesOnly {
		s.sought = true
		s.seek(ctx)
	}
	if ctx.Err() != nil {
		return nil // the loop ends here: the walk was what a signal lets end
	}
	if s.o.URL != "" {
		return s.look(ctx, taken)
	}
	if open := order.Unfinished(s.o); len(open) > 0 {
		if err := s.show(ctx, open); err != nil || s.patience.troubles["authorization"] > 0 {
			return err
		}
	}
	s.looked = true
	now := s.caTime(s.dated) // with ours weeks ahead, one that has just been made would be over
	switch {
	case s.o.State != ledger.Valid && now.After(s.end()):
		s.expired(now, errors.New("nobody can ask for it, and its time is over"))
	case s.o.State == ledger.Processing || s.o.State == ledger.Valid && s.o.Certificate == "":
		s.o.State = ledger.Ready // finalize alone can tell, and takes the same CSR once more (rule 5)
		s.pause(acme.Reply{})
	case s.o.State == ledger.PendingState && allValid(s.o):
		s.note("order seen", "ready, as far as its authorizations show")
		s.o.State, s.o.CAStatus = ledger.Ready, "ready"
		s.progress()
	case s.o.State == ledger.PendingState && len(order.Unfinished(s.o)) == 0:
		s.died(acme.Order{Status: "invalid"})
	}
	return nil
}

// An order without a URL whose finalize is refused again and again, so long after it was made, was
// finalized by an earlier process that never heard the answer: nobody can find out more, and the
// certificate is lost. CAs that need a while to see what they have validated refuse it as well, for
// some seconds: six refusals in a row take half a minute.
const (
	lostAfter  = time.Hour
	lostDenied = 6
)

// loseUnaddressed ends such an order, lest it keeps its lineage from a certificate until it
// expires.
func (i *issuance) loseUnaddressed() {
	old := i.e.clock.Now().Sub(i.o.CreatedAt) > lostAfter
	if i.o.URL == "" && i.tried && i.denied >= lostDenied && old {
		i.o.State, i.o.Class = ledger.LostState, string(failure.AnswerLost)
		i.o.Sentence = "the CA may have issued for " + i.o.Lineage +
			", and neither said where nor answers finalize again"
	}
}

func allValid(o *ledger.Order) bool {
	return !slices.ContainsFunc(o.Authorizations, func(a *ledger.Authorization) bool {
		return a.Status != ledger.AuthorizationValid && a.Status != ledger.AuthorizationReplaced
	})
}

// seek looks into the account's list for the order's URL. What keeps it from there keeps the order
// from nothing.
func (s *sight) seek(ctx context.Context) {
	if s.e.unlisted() {
		return
	}
	rctx, cancel := outliving(ctx)
	defer cancel()
	if s.e.Account().OrdersURL == "" {
		object, err := s.e.acme().Fetch(rctx)
		if err != nil || object.Orders == "" {
			return
		}
		s.changeAccount(func(a *ledger.Account) { a.OrdersURL = object.Orders })
	}
	known := 0
	err := s.e.strays().eachUnknown(rctx, &known, func(o acme.Order) error {
		if o.Finalize != "" && o.Finalize == s.o.Finalize {
			s.address(o.URL)
			return errSought
		}
		return nil
	}, func(string, error) error { return nil })
	if err != nil && !errors.Is(err, errSought) {
		s.note("orders list walked", "in vain: %s", failure.Clean(err.Error()))
	}
}
