package order

import (
	"context"
	"time"

	"orderly/acme"
	"orderly/failure"
	"orderly/ledger"
	"orderly/limit"
)

// known is what is known of the CA without asking it: everything once the directory was read, before that what its
// address tells.
func (e *Engine) known() CA {
	if e.CA.LongestValidation > 0 {
		return e.CA
	}
	return habits(e.Profiles.For(e.Account.Server, false), acme.Directory{})
}

// renewedWithin is how long ago a set may have been issued for its next order to be a renewal (Boulder).
const renewedWithin = 120 * 24 * time.Hour

// worth is what matters of a request to the limits. A set is a renewal only where this ledger saw it issued: what is not
// known counts against the budget.
func (e *Engine) worth(ctx context.Context, lineage string, names []string) (limit.Order, error) {
	o := limit.Order{Names: names}
	orders, err := e.Store.Orders(ctx, ledger.OrderFilter{AccountID: e.Account.ID, Lineage: lineage, Limit: 20})
	for _, old := range orders {
		same := ledger.NameKey(old.Names) == ledger.NameKey(names)
		if same && len(old.Chain) > 0 && e.Clock.Now().Sub(old.FinalizeSentAt) < renewedWithin {
			o.Renewal = true
		}
	}
	return o, err
}

// afford finds out whether the budget has a token left in every bucket that newOrder is checked for (invariants I3, I6), and
// mends buckets that a clock which was ahead left too empty.
func (e *Engine) afford(ctx context.Context, r ledger.Request) error {
	if e.nobody() {
		return nil // whoever has ordered nothing has all of it left
	}
	ca, now := e.known(), e.Clock.Now()
	if err := e.affordPending(ctx, ca, r); err != nil || len(ca.Limits) == 0 {
		return err
	}
	worth, err := e.worth(ctx, r.Lineage, r.Names)
	if err != nil {
		return err
	}
	kept, err := e.Store.Buckets(ctx, e.Account.ID)
	if err != nil {
		return err
	}
	tats := map[limit.Bucket]time.Time{}
	for _, b := range kept {
		tats[limit.Bucket{Name: b.Name, Key: b.Key}] = b.TAT
	}
	var clamps []ledger.Spend
	var short error
	for _, b := range append(limit.Spent(worth), limit.Checked(worth)...) {
		l := ca.Limits[b.Name]
		tat, ahead := l.Clamp(tats[b], now)
		if ahead {
			clamps = append(clamps, e.spend(b, func(tat time.Time) (time.Time, error) {
				tat, _ = l.Clamp(tat, now)
				return tat, nil
			}))
		}
		if d := l.Check(tat, now, 1); !d.Allowed && short == nil {
			short = overdrawn(b, l, now.Add(d.RetryIn))
		}
	}
	if len(clamps) > 0 {
		if err := e.Store.Commit(ctx, &ledger.Change{Spends: clamps}); err != nil {
			return err
		}
	}
	return short
}

func overdrawn(b limit.Bucket, l limit.Limit, until time.Time) error {
	of := ""
	if b.Key != "" {
		of = " of " + failure.Clean(b.Key)
	}
	remedy := "Wait for that date; the next run after it orders. `orderly limits` shows every budget."
	if l.Of > 0 {
		remedy = "Wait for that date, or give this server a larger share in ca.toml beside the ledger. `orderly limits` shows every budget."
	}
	return failure.New(failure.RateLimited, remedy, "the budget %s%s (%s) has nothing left before %s", b.Name, of, l.Says(),
		until.UTC().Truncate(time.Second).Add(time.Second).Format(time.RFC3339)) // a second that has begun is not over
}

// affordPending keeps the account below the number of pending authorizations that its CA allows, where it counts them.
func (e *Engine) affordPending(ctx context.Context, ca CA, r ledger.Request) error {
	if ca.CountsPending == 0 {
		return nil
	}
	open, ghosts := 0, 0
	pending, err := e.Store.Pending(ctx, e.Clock.Now())
	if err != nil {
		return err
	}
	for _, p := range pending {
		open += max(1, len(p.Names))
		if p.State == ledger.Phantom {
			ghosts += max(1, len(p.Names))
		}
	}
	if open+len(r.Names) <= ca.CountsPending {
		return nil
	}
	remedy := "Run `orderly pending drain`; `orderly pending release --all --dry-run` says what it costs to give up what cannot be finished."
	switch {
	case len(r.Names) > ca.CountsPending:
		remedy = "Split the names over several certificates."
	case open == ghosts:
		remedy = "`orderly pending` says until when the phantoms last; run it again after that, or order fewer names at once."
	}
	return failure.New(failure.RateLimited, remedy, "%d authorizations are or may be pending (%d of them phantoms), %d more are wanted, and the CA allows %d",
		open, ghosts, len(r.Names), ca.CountsPending)
}

func (e *Engine) spend(b limit.Bucket, next func(time.Time) (time.Time, error)) ledger.Spend {
	return ledger.Spend{AccountID: e.Account.ID, Name: b.Name, Key: b.Key, Next: next}
}

// pay takes a token from each bucket with the next commit. With ask the commit fails where there is none; without, what the
// CA has charged for is booked, whatever is left.
func (d *driver) pay(buckets []limit.Bucket, ask bool) {
	now := d.e.Clock.Now()
	for _, b := range buckets {
		l := d.e.CA.Limits[b.Name]
		if l.Count == 0 {
			continue
		}
		d.spends = append(d.spends, d.e.spend(b, func(tat time.Time) (time.Time, error) {
			if spent := l.Spend(tat, now, 1); !spent.Allowed && ask {
				return tat, overdrawn(b, l, now.Add(spent.RetryIn))
			}
			return l.Take(tat, now, 1), nil
		}))
	}
}

// payIssued takes what an issuance costs.
func (d *driver) payIssued(ctx context.Context) {
	if worth, err := d.e.worth(context.WithoutCancel(ctx), d.o.Lineage, d.o.Names); err == nil {
		d.pay(limit.Issued(worth), false) // a ledger that cannot be read fails the commit, and says why
	}
}

// payOrder takes what newOrder costs, with the commit of its intent: unknown counts as spent.
func (d *driver) payOrder(ctx context.Context) error {
	worth, err := d.e.worth(ctx, d.o.Lineage, d.o.Names)
	if err != nil {
		return err
	}
	d.worth = worth
	d.pay(limit.Spent(worth), !d.plan.Force)
	return nil
}

// refund gives back what a newOrder cost that the CA has certainly refused.
func (d *driver) refund() {
	now := d.e.Clock.Now()
	for _, b := range limit.Spent(d.worth) {
		l := d.e.CA.Limits[b.Name]
		if l.Count > 0 {
			d.spends = append(d.spends, d.e.spend(b, func(tat time.Time) (time.Time, error) { return l.Refund(tat, now, 1), nil }))
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
	l, now := d.e.CA.Limits[b.Name], d.e.Clock.Now()
	if l.Count > 0 {
		d.spends = append(d.spends, d.e.spend(b, func(time.Time) (time.Time, error) { return l.Corrected(now, p.RetryAfter), nil }))
	}
}
