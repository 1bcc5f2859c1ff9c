package admit

import (
	"context"
	"fmt"
	"math"
	"slices"
	"time"

	"orderly/failure"
	"orderly/ledger"
	"orderly/order"
	"orderly/preflight"
)

// mostChargesPerHour is how many failures the CA may charge for one name within an hour before Orderly waits of itself.
// Boulder allows five (FailedAuthorizationsPerDomainPerAccount); other clients of the account may need the rest.
const mostChargesPerHour = 3

// networkPatience is how long refusals on network grounds alone, which can be wrong, hold an order back.
const networkPatience = 24 * time.Hour

// evidence is what admit decides by.
type evidence struct {
	now      time.Time
	plan     order.Plan
	standing ledger.Standing
	holds    []ledger.Hold
	renewal  bool            // the CA counts the order as one; known where there is a hold
	charges  []ledger.Charge // of the last hour
	report   preflight.Report
	seen     []string // fingerprints of all reports
}

// refused returns the error of a preflight that forbids the order, and whether it lets this attempt through in spite of a
// refusal on network grounds.
func (v evidence) refused() (err error, through bool) {
	bad := v.report.Refusal()
	if bad == nil {
		return nil, false
	}
	err = Refused(v.plan.Request, bad)
	if bad.Local || !bad.Class.Network() {
		return err, false
	}
	if v.plan.Force {
		return nil, true
	}
	long := !v.standing.RefusedSince.IsZero() && v.now.Sub(v.standing.RefusedSince) >= networkPatience
	rested := v.now.Sub(v.standing.LetThroughAt) >= 24*time.Hour
	if (long || v.plan.Urgent) && rested {
		return nil, true
	}
	return err, false
}

// overcharged returns the error of a name that the CA charged too many failures for of late.
func (v evidence) overcharged() error {
	charges := map[string][]ledger.Charge{}
	for _, c := range v.charges {
		charges[c.Name] = append(charges[c.Name], c)
	}
	for name, list := range charges {
		if n := len(list); n >= mostChargesPerHour {
			until := list[n-mostChargesPerHour].At.Add(time.Hour)
			remedy := failure.Kept(v.standing.Remedy)
			if remedy == "" {
				remedy = "Mend what keeps the CA from validating the name, then run the command again after that."
			}
			last := ""
			if v.standing.Sentence != "" {
				last = ". Last time: " + v.standing.Sentence
			}
			return failure.New(failure.BackOff, remedy+" "+failure.Do(failure.Insist)+" tries at once.",
				"the CA charged %d failures for %s within the last hour; the next attempt is after %s%s", n, name,
				until.UTC().Format(time.RFC3339), last).Lasting(until)
		}
	}
	return nil
}

// backedOff returns the error of a back-off that still holds. It is lifted when what failed has changed and preflight
// passes; a person may insist.
func (v evidence) backedOff() error {
	if v.plan.Force {
		return nil
	}
	if err := v.overcharged(); err != nil {
		return err
	}
	if !v.now.Before(v.standing.NextAt) {
		return nil
	}
	changed := v.changed()
	if changed && v.report.Refusal() == nil {
		return nil
	}
	return v.resting()
}

func inARow(n int) string {
	if n == 1 {
		return "once"
	}
	return fmt.Sprintf("%d times in a row", n)
}

// Admit decides whether a new order may be made (invariant I3), and records why not.
func (g Gate) Admit(ctx context.Context, p order.Plan) (preflight.Report, error) {
	v, err := g.evidence(ctx, p)
	if err != nil {
		return v.report, err
	}
	if err := order.Uncovered(p.Request, g.CA); err != nil {
		return v.report, g.refuse(ctx, v, err)
	}
	if err := g.asked(ctx, v); err != nil {
		if class := failure.ClassOf(err); class == failure.RateLimited || class == failure.Paused {
			err = g.refuse(ctx, v, err)
		}
		return v.report, err
	}
	refusal, through := g.inspect(ctx, &v)
	if ctx.Err() == nil && v.mayBegin(refusal) && g.begin(ctx, p.Request) {
		g.untilOpen(ctx, func() *preflight.Result {
			refusal, through = g.inspect(ctx, &v)
			return v.report.Refusal()
		})
	}
	if ctx.Err() != nil {
		return v.report, failure.Wrap(order.Interruption(ctx), failure.Stopped, "Run the same command again.",
			"%s was stopped before anything was ordered", p.Request.Subject())
	}
	if refusal != nil {
		return v.report, g.refuse(ctx, v, refusal)
	}
	v.report.Fingerprint = allSeen(v.seen...)
	if through {
		v.standing.LetThroughAt = v.now
		v.standing.Lineage = p.Request.Lineage
		return v.report, g.Store.Commit(ctx, &ledger.Change{Standings: []ledger.Standing{v.standing}, Guards: order.GuardsOf(ctx)})
	}
	return v.report, nil
}

// Still decides the same once more, right before newOrder: of many orders that were admitted together, one may have been told
// since that the CA wants a pause, or may have taken the room that it has for what is pending. The checks are not made again.
func (g Gate) Still(ctx context.Context, p order.Plan) error {
	if p.Force {
		return nil
	}
	v := evidence{now: g.Clock.Now(), plan: p}
	var err error
	if err = g.readHolds(ctx, &v); err != nil {
		return err
	}
	if err = v.held(); err == nil {
		err = g.affordPending(ctx, g.CA, p.Request)
	}
	if class := failure.ClassOf(err); class != failure.RateLimited && class != failure.Paused {
		return err
	}
	if v, read := g.evidence(ctx, p); read == nil {
		return g.refuse(ctx, v, err)
	}
	return err
}

func (g Gate) evidence(ctx context.Context, p order.Plan) (evidence, error) {
	v := evidence{now: g.Clock.Now(), plan: p}
	names := ledger.CanonicalNames(p.Request.Names)
	var err error
	if v.standing, err = g.Store.Standing(ctx, p.Request.Lineage); err != nil {
		return v, err
	}
	if most := v.now.Add(order.BackOff(math.MaxInt)); v.standing.NextAt.After(most) {
		v.standing.NextAt = most // written by a clock that was ahead
	}
	if g.nobody() {
		return v, nil
	}
	if err = g.readHolds(ctx, &v); err != nil {
		return v, err
	}
	v.charges, err = g.Store.Charges(ctx, g.Account.ID, names, v.now.Add(-time.Hour))
	v.charges = slices.DeleteFunc(v.charges, func(c ledger.Charge) bool {
		return c.At.After(v.now.Add(time.Hour)) // written by a clock that was ahead: it would hold until that time has come
	})
	return v, err
}

// refuse records why no order was made. It costs the CA nothing, so it never lengthens a back-off.
func (g Gate) refuse(ctx context.Context, v evidence, why error) error {
	s := v.standing
	class := failure.ClassOf(why)
	if class != failure.BackOff { // a back-off keeps the reason it stands for
		s.Reason = ledger.Because(class, failure.RemedyOf(why), why.Error())
	} else if len(v.seen) > 1 { // lest what is seen before Begin, and lifts nothing, makes every run begin
		s.Fingerprint = allSeen(append([]string{s.Fingerprint}, v.seen...)...)
	}
	s.At = v.now
	switch {
	case !class.Network():
		s.RefusedSince = time.Time{}
	case s.RefusedSince.IsZero():
		s.RefusedSince = v.now
	}
	event := ledger.Event{At: v.now, RunID: g.Run.ID, Lineage: v.plan.Request.Lineage, Kind: ledger.Refused,
		Detail: string(class) + ": " + failure.Clean(why.Error())}
	change := &ledger.Change{Standings: []ledger.Standing{s}, Events: []ledger.Event{event}, Guards: order.GuardsOf(ctx)}
	if err := g.Store.Commit(context.WithoutCancel(ctx), change); err != nil {
		return err
	}
	return why
}

// LetsThrough reports whether an order that exists is answered in spite of a refusal on network grounds, by the rule for new
// orders.
func (g Gate) LetsThrough(p order.Plan, s ledger.Standing, report preflight.Report) bool {
	_, through := evidence{now: g.Clock.Now(), plan: p, standing: s, report: report}.refused()
	return through
}

// HoldsBack returns the error of the back-off for a challenge of an order that exists and that failed before, by the rule for
// new orders: nil if it may be answered again.
func (g Gate) HoldsBack(p order.Plan, s ledger.Standing, report preflight.Report) error {
	return evidence{now: g.Clock.Now(), plan: p, standing: s, report: report}.backedOff()
}
