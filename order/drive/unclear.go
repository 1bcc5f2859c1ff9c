package drive

// What a CA shows may be no answer to what was asked: a status that RFC 8555 does not know, another
// order than the one that was made or asked for. It proves nothing. Taken for a dead order, one
// that is alive would be followed by another, and its authorizations would stay pending unknown;
// taken for ours, another order would lose its row. So it is met like an answer that did not come:
// asked for again, then left to a later run.

import (
	"context"
	"fmt"
	"strings"
	"time"

	"orderly/acme"
	"orderly/failure"
	"orderly/ledger"
	"orderly/order"
)

// unclear says why what the CA shows says nothing of the order; nil where it does.
func (s *sight) unclear(shown acme.Order) error {
	switch {
	case !order.Told(shown.Status):
		return fmt.Errorf("the CA shows the order as %s", failure.Clean(shown.Status))
	case order.Strangers(shown.Names, s.o.Names):
		return fmt.Errorf("the CA shows an order for %s", listed(shown.Names))
	}
	return nil
}

// unclearAuthorization is unclear for an authorization. One that counted as final would not be
// known to be pending any more.
func unclearAuthorization(shown acme.Authorization) error {
	if order.ToldOfAuthorization(shown.Status) {
		return nil
	}
	return fmt.Errorf("the CA shows the authorization as %s", failure.Clean(shown.Status))
}

// anothers says why the answer to newOrder cannot be the order that was asked for: it names none of
// its names, or has the URL of an order that this ledger made for others.
func (n *newOrder) anothers(ctx context.Context, url string, names []string) error {
	if order.Strangers(names, n.o.Names) {
		return fmt.Errorf("the CA answered with an order for %s", listed(names))
	}
	if url == "" {
		return nil
	}
	rows, err := n.e.store.Orders(ctx, ledger.OrderFilter{URL: url})
	if err != nil {
		return err
	}
	for _, row := range rows {
		if order.Strangers(row.Names, n.o.Names) || row.AccountID != n.o.AccountID {
			return fmt.Errorf("the CA answered with order %d, which is for %s", row.ID, listed(row.Names))
		}
	}
	return nil
}

// listed are names as a sentence has them.
func listed(names []string) string {
	const most = 5
	text := strings.Join(names[:min(len(names), most)], ", ")
	if len(names) > most {
		text += ", …"
	}
	return failure.Clean(text)
}

// endTold is when an order or an authorization expires, as far as the CA has told. One that the CA
// shows has not expired before: a moment that is over by the CA's own clock (1970, local time taken
// for UTC) is none. Believed, what is pending would be taken for expired, and another order would
// follow. One that nobody will see (9999) says as little: an order that is not shown any more would
// keep its lineage until then.
func (c *core) endTold(told, before time.Time, shown acme.Reply) time.Time {
	now := c.caTime(shown)
	if !told.After(now) || told.After(now.Add(longestLife)) {
		return before
	}
	if !told.After(c.e.clock.Now()) {
		return before // the two clocks are days apart, and what is pending would not be shown here
	}
	return told
}

// longestLife is longer than any authorization lives.
const longestLife = 5 * 366 * 24 * time.Hour
