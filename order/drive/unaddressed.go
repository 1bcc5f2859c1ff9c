package drive

// An order that the CA made, and of which it did not say where it is (newOrder without a Location). It is certain all the same:
// sent again, newOrder would make a second one. What its body named is enough to go on with: the authorizations show how far
// it is, and finalize works by its own URL. Its address is learnt from the account's list, or from finalize.

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

// address takes up where the order is, once the CA says so. An address that is not the CA's own is none.
func (d *driver) address(place string) {
	there, err := url.Parse(place)
	here, bad := url.Parse(d.o.Finalize)
	if d.o.URL != "" || place == "" || err != nil || bad != nil || there.Host != here.Host {
		return
	}
	d.o.URL = place
	d.note("order found", "%s", failure.Clean(place))
}

// rowsOf are the rows of the ledger that an order of the CA's belongs to: those with its URL, and those without one that have
// its finalize URL.
func (d *driver) rowsOf(ctx context.Context, o acme.Order) ([]*ledger.Order, error) {
	var rows []*ledger.Order
	if o.URL != "" {
		found, err := d.e.store.Orders(ctx, ledger.OrderFilter{URL: o.URL})
		if err != nil {
			return nil, err
		}
		rows = found
	}
	set, err := d.e.store.Orders(ctx, ledger.OrderFilter{AccountID: d.o.AccountID, NameKey: ledger.NameKey(d.o.Names)})
	for _, row := range set {
		unaddressed := row.URL == "" || o.URL == ""
		if unaddressed && o.Finalize != "" && row.Finalize == o.Finalize {
			rows = append(rows, row)
		}
	}
	return rows, err
}

// lookUnaddressed is a look at an order of which only the authorizations can be asked for.
func (d *driver) lookUnaddressed(ctx context.Context, taken bool) error {
	if !d.sought {
		d.sought = true
		d.seek(ctx)
	}
	if ctx.Err() != nil {
		return nil // the loop ends here: the walk was what a signal lets end
	}
	if d.o.URL != "" {
		return d.look(ctx, taken)
	}
	if open := order.Unfinished(d.o); len(open) > 0 {
		if err := d.show(ctx, open); err != nil || d.troubles["authorization"] > 0 {
			return err
		}
	}
	d.looked = true
	now := d.e.clock.Now()
	switch {
	case d.o.State != ledger.Valid && now.After(d.end()):
		d.expired(now, errors.New("nobody can ask for it, and its time is over"))
	case d.o.State == ledger.Processing || d.o.State == ledger.Valid && d.o.Certificate == "":
		d.o.State = ledger.Ready // finalize alone can tell, and takes the same CSR once more (rule 5)
		d.pause(acme.Reply{})
	case d.o.State == ledger.PendingState && allValid(d.o):
		d.note("order seen", "ready, as far as its authorizations show")
		d.o.State, d.o.CAStatus = ledger.Ready, "ready"
		d.progress()
	case d.o.State == ledger.PendingState && len(order.Unfinished(d.o)) == 0:
		d.died(acme.Order{Status: "invalid"})
	}
	return nil
}

// An order without a URL whose finalize is refused again and again, so long after it was made, was finalized by a process that
// never heard the answer: nobody can find out more, and the certificate is lost.
const (
	lostAfter  = time.Hour
	lostDenied = 3
)

// loseUnaddressed ends such an order, lest it keeps its lineage from a certificate until it expires.
func (d *driver) loseUnaddressed() {
	if d.o.URL == "" && d.denied >= lostDenied && d.e.clock.Now().Sub(d.o.CreatedAt) > lostAfter {
		d.o.State, d.o.Class = ledger.LostState, string(failure.AnswerLost)
		d.o.Sentence = "the CA may have issued for " + d.o.Lineage + ", and neither said where nor answers finalize again"
	}
}

func allValid(o *ledger.Order) bool {
	return !slices.ContainsFunc(o.Authorizations, func(a *ledger.Authorization) bool {
		return a.Status != ledger.AuthorizationValid && a.Status != ledger.AuthorizationReplaced
	})
}

// seek looks into the account's list for the order's URL. What keeps it from there keeps the order from nothing.
func (d *driver) seek(ctx context.Context) {
	if d.e.unlisted() {
		return
	}
	rctx, cancel := outliving(ctx)
	defer cancel()
	if d.e.Account().OrdersURL == "" {
		object, err := d.e.acme().Fetch(rctx)
		if err != nil || object.Orders == "" {
			return
		}
		d.changeAccount(func(a *ledger.Account) { a.OrdersURL = object.Orders })
	}
	known := 0
	err := d.e.eachUnknown(rctx, &known, func(o acme.Order) error {
		if o.Finalize != "" && o.Finalize == d.o.Finalize {
			d.address(o.URL)
			return errSought
		}
		return nil
	}, func(string, error) error { return nil })
	if err != nil && !errors.Is(err, errSought) {
		d.note("orders list walked", "in vain: %s", failure.Clean(err.Error()))
	}
}
