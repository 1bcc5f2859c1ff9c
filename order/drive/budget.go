package drive

import (
	"context"
	"time"

	"orderly/acme"
	"orderly/ledger"
	"orderly/limit"
	"orderly/order/admit"
)

// payOrder takes what newOrder costs, with the commit of its intent: unknown counts as spent.
func (d *driver) payOrder(ctx context.Context) error {
	worth, err := d.e.gate().Worth(ctx, d.o.Names)
	if err != nil {
		return err
	}
	d.worth = worth
	d.pay(limit.Spent(worth), !d.plan.Force)
	return nil
}

// payIssued takes what an issuance costs.
func (d *driver) payIssued(ctx context.Context) {
	if worth, err := d.e.gate().Worth(context.WithoutCancel(ctx), d.o.Names); err == nil {
		d.pay(limit.Issued(worth), false) // a ledger that cannot be read fails the commit, and says why
	}
}

// pay takes a token from each bucket with the next commit. With ask the commit fails where there is none; without, what the
// CA has charged for is booked, whatever is left.
func (d *driver) pay(buckets []limit.Bucket, ask bool) {
	now := d.e.clock.Now()
	for _, b := range buckets {
		l := d.e.known().Limits[b.Name]
		if l.Count == 0 {
			continue
		}
		d.unwritten.spends = append(d.unwritten.spends, d.e.gate().Spend(b, func(tat time.Time) (time.Time, error) {
			if spent := l.Spend(tat, now, 1); !spent.Allowed && ask {
				return tat, admit.Overdrawn(b, l, now.Add(spent.RetryIn))
			}
			return l.Take(tat, now, 1), nil
		}))
	}
}

// refund gives back what a newOrder cost that the CA has certainly refused.
func (d *driver) refund() {
	now := d.e.clock.Now()
	for _, b := range limit.Spent(d.worth) {
		l := d.e.known().Limits[b.Name]
		if l.Count > 0 {
			d.unwritten.spends = append(d.unwritten.spends, d.e.gate().Spend(b, func(tat time.Time) (time.Time, error) { return l.Refund(tat, now, 1), nil }))
		}
	}
}

// correct sets the bucket that a 429 speaks of to what the CA says, where it is clear which one that is.
func (d *driver) correct(p *acme.Problem) {
	b := limit.Bucket{Name: limit.FromProblem(p.Detail.Arrived())}
	switch {
	case !p.HasRetryAfter:
		return
	case b.Name == limit.CertificatesPerFQDNSet:
		b.Key = ledger.NameKey(d.o.Names)
	case b.Name == limit.FailedAuthorizationsPerDomainPerAccount && len(d.o.Names) == 1:
		b.Key = d.o.Names[0]
	case b.Name != limit.NewOrdersPerAccount:
		return // of several names or domains it could be any; the hold on the set remains
	}
	l, now := d.e.known().Limits[b.Name], d.e.clock.Now()
	if l.Count > 0 {
		d.unwritten.spends = append(d.unwritten.spends, d.e.gate().Spend(b, func(time.Time) (time.Time, error) { return l.Corrected(now, p.RetryAfter), nil }))
	}
}
