package drive

import (
	"cmp"
	"context"
	"time"

	"orderly/failure"
	"orderly/ledger"
	"orderly/order"
)

// stand changes the lineage's standing, with the next commit. What the order says of its end or of
// why it was left is in it.
func (c *core) stand(change func(*ledger.Standing)) {
	if c.unwritten.stood == nil {
		s, err := c.e.store.Standing(context.Background(), c.o.Lineage)
		if err != nil {
			return // the commit fails as well, and says so
		}
		c.unwritten.stood = &s
	}
	s := c.unwritten.stood
	s.Reason, s.At = c.o.Reason, c.e.clock.Now()
	if failure.Class(s.Class).Network() && s.RefusedSince.IsZero() {
		s.RefusedSince = s.At
	}
	change(s)
}

func asItStands(*ledger.Standing) {}

// fell books an end that must not be followed by another order at once, whatever the order died of:
// it begins or lengthens the back-off, which counts from the last deed of the order that died.
func (c *core) fell(since time.Time) {
	c.booked = true
	c.stand(func(s *ledger.Standing) {
		s.Failures++
		s.NextAt = since.Add(order.BackOff(s.Failures))
		s.Fingerprint = c.fingerprint
		s.RefusedSince = time.Time{}
		c.next = s.NextAt
	})
}

// fellFreely is fell for an order whose end is nobody's failure here (rule 6, rule 7): another one
// may follow, once. Where that comes to the same end, something is wrong that the next one would
// meet as well.
func (c *core) fellFreely(since time.Time) {
	c.stand(func(s *ledger.Standing) {
		s.NextAt = since.Add(order.BackOff(s.Failures))
		s.Failures++
		s.Fingerprint = cmp.Or(c.fingerprint, s.Fingerprint)
		c.next = s.NextAt
	})
}
