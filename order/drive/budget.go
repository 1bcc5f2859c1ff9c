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
func (n *newOrder) payOrder(ctx context.Context) error {
	worth, err := n.e.gate().Worth(ctx, n.o.Request)
	if err != nil {
		return err
	}
	n.worth = worth
	n.pay(limit.Spent(worth), !n.plan.Force)
	return nil
}

// payIssued takes what an issuance costs.
func (c *core) payIssued(ctx context.Context) {
	if worth, err := c.e.gate().Worth(context.WithoutCancel(ctx), c.o.Request); err == nil {
		c.pay(limit.Issued(worth), false) // a ledger that cannot be read fails the commit, and says why
	}
}

// pay takes a token from each bucket with the next commit. With ask the commit fails where there is
// none; without, what the CA has charged for is booked, whatever is left.
func (c *core) pay(buckets []limit.Bucket, ask bool) {
	now := c.e.clock.Now()
	for _, b := range buckets {
		l := c.e.known().Limits[b.Name]
		if l.Count == 0 {
			continue
		}
		c.spend(b, func(tat time.Time) (time.Time, error) {
			if spent := l.Spend(tat, now, 1); !spent.Allowed && ask {
				return tat, admit.Overdrawn(b, l, now.Add(spent.RetryIn))
			}
			return l.Take(tat, now, 1), nil
		})
	}
}

// spend changes what is left in a bucket, with the next commit.
func (c *core) spend(b limit.Bucket, change func(time.Time) (time.Time, error)) {
	c.unwritten.spends = append(c.unwritten.spends, c.e.gate().Spend(b, change))
}

// refund gives back what a newOrder cost that the CA has certainly refused.
func (n *newOrder) refund() {
	now := n.e.clock.Now()
	for _, b := range limit.Spent(n.worth) {
		l := n.e.known().Limits[b.Name]
		if l.Count > 0 {
			n.spend(b, func(tat time.Time) (time.Time, error) { return l.Refund(tat, now, 1), nil })
		}
	}
}

// correct sets the bucket that a 429 speaks of to what the CA says, where it is clear which one
// that is.
func (n *newOrder) correct(p *acme.Problem) {
	b := limit.Bucket{Name: limit.FromProblem(p.Detail.Arrived())}
	switch {
	case !p.HasRetryAfter:
		return
	case b.Name == limit.CertificatesPerFQDNSet:
		b.Key = ledger.NameKey(n.o.Names)
	case b.Name == limit.FailedAuthorizationsPerDomainPerAccount && len(n.o.Names) == 1:
		b.Key = n.o.Names[0]
	case b.Name != limit.NewOrdersPerAccount:
		return // of several names or domains it could be any; the hold on the set remains
	}
	l, now := n.e.known().Limits[b.Name], n.e.clock.Now()
	if l.Count > 0 {
		n.spend(b, func(time.Time) (time.Time, error) { return l.Corrected(now, p.RetryAfter), nil })
	}
}
