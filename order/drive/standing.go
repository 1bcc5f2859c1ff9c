package drive

import (
	"cmp"
	"context"
	"time"

	"orderly/failure"
	"orderly/ledger"
	"orderly/order"
	"orderly/preflight"
)

// stand changes the lineage's standing, with the next commit. What the order says of its end or of why it was left is in it.
func (d *driver) stand(change func(*ledger.Standing)) {
	if d.unwritten.stood == nil {
		s, err := d.e.store.Standing(context.Background(), d.o.Lineage)
		if err != nil {
			return // the commit fails as well, and says so
		}
		d.unwritten.stood = &s
	}
	s := d.unwritten.stood
	s.Class, s.Sentence, s.Remedy, s.At = d.o.Class, d.o.Sentence, d.o.Remedy, d.e.clock.Now()
	if failure.Class(s.Class).Network() && s.RefusedSince.IsZero() {
		s.RefusedSince = s.At
	}
	change(s)
}

func asItStands(*ledger.Standing) {}

// fell books an end that must not be followed by another order at once, whatever the order died of: it begins or lengthens
// the back-off, which counts from the last deed of the order that died.
func (d *driver) fell(since time.Time) {
	d.booked = true
	d.stand(func(s *ledger.Standing) {
		s.Failures++
		s.NextAt = since.Add(order.BackOff(s.Failures))
		s.Fingerprint = d.fingerprint
		s.RefusedSince = time.Time{}
		d.next = s.NextAt
	})
}

// fellFreely is fell for an order whose end is nobody's failure here (rule 6, rule 7): another one may follow, once. Where
// that comes to the same end, something is wrong that the next one would meet as well.
func (d *driver) fellFreely(since time.Time) {
	d.stand(func(s *ledger.Standing) {
		s.NextAt = since.Add(order.BackOff(s.Failures))
		s.Failures++
		s.Fingerprint = cmp.Or(d.fingerprint, s.Fingerprint)
		d.next = s.NextAt
	})
}

// lastDeed is when something was last done for the order at the CA; that its certificate cannot be used is known only now.
func (d *driver) lastDeed() time.Time {
	last := d.o.CreatedAt
	if d.o.State == ledger.Invalid && order.MayBeIssued(d.o) {
		last = d.e.clock.Now()
	}
	for _, a := range d.o.Authorizations {
		if a.AnswerSentAt.After(last) {
			last = a.AnswerSentAt
		}
	}
	if d.o.FinalizeSentAt.After(last) {
		last = d.o.FinalizeSentAt
	}
	return last
}

// letThrough reports whether an order that exists is answered in spite of a refusal on network grounds, by the rule for new
// orders: otherwise one that a process left behind would wait until it expires, however little time the certificate has.
func (d *driver) letThrough(report preflight.Report) bool {
	s, err := d.e.store.Standing(context.Background(), d.o.Lineage)
	if err != nil {
		return false
	}
	through := d.e.gate().LetsThrough(d.plan, s, report)
	if through {
		d.stand(func(s *ledger.Standing) { s.LetThroughAt = d.e.clock.Now() })
	}
	return through
}

// lifted ends the pauses of the names of an order that the CA made in spite of them, because a person insisted.
func (d *driver) lifted(ctx context.Context) {
	holds, err := d.e.store.Holds(ctx, d.o.AccountID, d.e.clock.Now())
	if err != nil {
		return // the commit that follows fails as well, and says so
	}
	for _, h := range holds {
		if h.Until.IsZero() && order.Binds(h, d.o.Names) {
			h.Until = d.e.clock.Now()
			d.unwritten.holds = append(d.unwritten.holds, h)
		}
	}
}
