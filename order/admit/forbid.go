package admit

import (
	"context"
	"time"

	"orderly/failure"
	"orderly/ledger"
	"orderly/order"
)

// What forbids an order without a look at the network: whoever answers for many servers must say no
// before anybody proves anything, and say until when.

// Forbids returns the error that an order for a plan would come to by what the ledger knows alone:
// a hold of the CA's, charges of the last hour, the back-off, the budget. It asks nobody, and
// records nothing of it: nil is no promise, since the checks of the names are yet to be made, and a
// back-off that it tells of is lifted by a change that they find.
func (g Gate) Forbids(ctx context.Context, p order.Plan) error {
	if err := order.Uncovered(p.Request, g.CA); err != nil || p.Force {
		return err
	}
	v, err := g.evidence(ctx, p)
	if err != nil {
		return err
	}
	if err := g.asked(ctx, v); err != nil {
		return err
	}
	if err := v.overcharged(); err != nil {
		return err
	}
	if v.now.Before(v.standing.NextAt) {
		return v.resting()
	}
	return nil
}

// asked returns the error for what the CA asks for, or would: a hold, or a budget that has nothing
// left.
func (g Gate) asked(ctx context.Context, v evidence) error {
	if v.plan.Force {
		return nil
	}
	if err := v.held(); err != nil {
		return err
	}
	return g.afford(ctx, v.plan.Request)
}

// Rests returns the error of the back-off for what an order that exists was refused by its CA, and
// may be again: no change that this host can see lifts it. nil once it is over, or where a person
// insists.
func (g Gate) Rests(p order.Plan, s ledger.Standing) error {
	v := evidence{now: g.Clock.Now(), plan: p, standing: s}
	if p.Force || !v.now.Before(s.NextAt) {
		return nil
	}
	return v.resting()
}

// resting is the error of the back-off. What failed is named by the sentence of that time, and
// mended as was said then.
func (v evidence) resting() error {
	remedy := failure.Kept(v.standing.Remedy)
	if remedy == "" {
		remedy = "Mend it and run the command again: a change lifts the back-off."
	}
	return failure.New(failure.BackOff, remedy+" "+failure.Do(failure.Insist)+" tries at once.",
		"%s failed %s and nothing has changed since; the next attempt is after %s. Last time: %s",
		v.plan.Request.Lineage, inARow(v.standing.Failures),
		v.standing.NextAt.UTC().Format(time.RFC3339), v.standing.Sentence).Lasting(v.standing.NextAt)
}
