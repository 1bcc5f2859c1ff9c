package admit

import (
	"context"
	"time"

	"orderly/failure"
	"orderly/ledger"
	"orderly/limit"
	"orderly/order"
)

// renewedWithin is how long ago a set may have been issued for its next order to be a renewal (Boulder).
const renewedWithin = 120 * 24 * time.Hour

// Worth is what matters of a request to the limits. A set is a renewal only where this ledger saw it
// issued, for whatever lineage, or the certificate in place is of it and this account's, as
// certbot's are: what is not known counts against the budget.
func (g Gate) Worth(ctx context.Context, r ledger.Request) (limit.Order, error) {
	since := g.Clock.Now().Add(-renewedWithin)
	if r.InPlaceSince.After(since) {
		return limit.Order{Names: r.Names, Renewal: true}, nil
	}
	issued, err := g.Store.Issued(ctx, g.Account.ID, ledger.NameKey(r.Names), since)
	return limit.Order{Names: r.Names, Renewal: issued}, err
}

// afford finds out whether the budget has a token left in every bucket that newOrder is checked for (invariants I3, I6), and
// mends buckets that a clock which was ahead left too empty.
func (g Gate) afford(ctx context.Context, r ledger.Request) error {
	if g.nobody() {
		return nil // whoever has ordered nothing has all of it left
	}
	ca, now := g.CA, g.Clock.Now()
	if err := g.affordPending(ctx, ca, r); err != nil || len(ca.Limits) == 0 {
		return err
	}
	worth, err := g.Worth(ctx, r)
	if err != nil {
		return err
	}
	needed := append(limit.Spent(worth), limit.Checked(worth)...)
	kept, err := g.Store.BucketsOf(ctx, g.Account.ID, needed)
	if err != nil {
		return err
	}
	tats := map[limit.Bucket]time.Time{}
	for _, b := range kept {
		tats[limit.Bucket{Name: b.Name, Key: b.Key}] = b.TAT
	}
	var clamps []ledger.Spend
	var short error
	for _, b := range needed {
		l := ca.Limits[b.Name]
		tat, ahead := l.Clamp(tats[b], now)
		if ahead {
			clamps = append(clamps, g.Spend(b, func(tat time.Time) (time.Time, error) {
				tat, _ = l.Clamp(tat, now)
				return tat, nil
			}))
		}
		if d := l.Check(tat, now, 1); !d.Allowed && short == nil {
			short = Overdrawn(b, l, now.Add(d.RetryIn))
		}
	}
	if len(clamps) > 0 {
		if err := g.Store.Commit(ctx, &ledger.Change{Spends: clamps, Guards: order.GuardsOf(ctx)}); err != nil {
			return err
		}
	}
	return short
}

// Overdrawn says that a bucket has nothing left before a moment.
func Overdrawn(b limit.Bucket, l limit.Limit, until time.Time) error {
	of := ""
	if b.Key != "" {
		of = " of " + failure.Clean(b.Key)
	}
	remedy := "Wait for that date; the next run after it orders. " +
		failure.Do(failure.ShowLimits) + " shows every budget."
	if l.Of > 0 {
		remedy = "Wait for that date, or give this server a larger share in ca.toml beside the ledger. " +
			failure.Do(failure.ShowLimits) + " shows every budget."
	}
	until = WholeSecond(until)
	return failure.New(failure.RateLimited, remedy, "the budget %s%s (%s) has nothing left before %s", b.Name, of, l.Says(),
		until.Format(time.RFC3339)).Lasting(until)
}

// WholeSecond is the first whole second after a moment: one that has begun is not over, and who
// comes back at the second that was named must not come too early.
func WholeSecond(t time.Time) time.Time {
	return t.UTC().Truncate(time.Second).Add(time.Second)
}

// affordPending keeps the account below the number of pending authorizations that its CA allows, where it counts them. What may
// be pending unseen does not count here: the CA alone knows, and a lock-out by phantoms would last as long as they do (Crowded).
func (g Gate) affordPending(ctx context.Context, ca order.CA, r ledger.Request) error {
	if ca.CountsPending == 0 {
		return nil
	}
	open, ghosts, err := g.pending(ctx)
	if err != nil || open+len(r.Names) <= ca.CountsPending {
		return err
	}
	remedy := "Run " + failure.Do(failure.DrainPending) + "; " + failure.Do(failure.PriceRelease) +
		" says what it costs to give up what cannot be finished."
	if len(r.Names) > ca.CountsPending {
		remedy = "Split the names over several certificates."
	}
	return failure.New(failure.RateLimited, remedy, "%d authorizations are or may be pending (%d of them phantoms), %d more are wanted, and the CA allows %d",
		open+ghosts, ghosts, len(r.Names), ca.CountsPending)
}

// Crowded reports whether what may be pending unseen could fill the account, so that the CA must be seen to answer before more is
// asked of it.
func (g Gate) Crowded(ctx context.Context, names []string) (bool, error) {
	if g.nobody() || g.CA.CountsPending == 0 {
		return false, nil
	}
	open, ghosts, err := g.pending(ctx)
	return ghosts > 0 && open+ghosts+len(names) > g.CA.CountsPending, err
}

// pending counts the authorizations that are pending, and those of orders that may exist unseen.
func (g Gate) pending(ctx context.Context) (open, ghosts int, err error) {
	pending, err := g.Store.Pending(ctx, g.Clock.Now())
	for _, p := range pending {
		if p.State == ledger.Phantom || p.State == ledger.Creating {
			ghosts += max(1, len(p.Names))
		} else {
			open += max(1, len(p.Names))
		}
	}
	return open, ghosts, err
}

// Spend changes one bucket of the account with the commit it is part of.
func (g Gate) Spend(b limit.Bucket, next func(time.Time) (time.Time, error)) ledger.Spend {
	return ledger.Spend{AccountID: g.Account.ID, Name: b.Name, Key: b.Key, Next: next}
}
