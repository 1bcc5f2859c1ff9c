package admit

import (
	"context"
	"slices"
	"strings"
	"time"

	"orderly/failure"
	"orderly/ledger"
	"orderly/order"
	"orderly/preflight"
)

// begin does once what has to be done on this host before the CA looks. It reports whether anything was done now.
func (g Gate) begin(ctx context.Context, r ledger.Request) bool {
	return g.Host.Begin(ctx, r)
}

// mostOpenings is how often the checks are made, a second apart, while a port stays closed that Begin was to open: hooks
// return before what they started listens.
const mostOpenings = 4

// untilOpen makes the checks again after Begin, until nothing stands in an order's way that time alone may change.
func (g Gate) untilOpen(ctx context.Context, check func() *preflight.Result) {
	for i := range mostOpenings {
		bad := check()
		if bad == nil || bad.Class != failure.HTTPUnreached || i == mostOpenings-1 || ctx.Err() != nil {
			return
		}
		g.tell("Waiting a second for what the pre-hook started: %s", bad.Sentence)
		if g.Clock.Sleep(ctx, time.Second) != nil {
			return
		}
	}
}

// inspect makes the checks and judges them. through says that the order is let through in spite of a refusal.
func (g Gate) inspect(ctx context.Context, v *evidence) (refusal error, through bool) {
	v.report = g.Host.Preflight(ctx, v.plan.Request, v.plan.Request.Names)
	v.seen = append(v.seen, v.report.Fingerprint)
	refusal, through = v.refused()
	if refusal == nil || g.mayOpen(*v) {
		if held := v.backedOff(); held != nil {
			return held, through
		}
	}
	return refusal, through
}

// mayOpen reports whether nothing refuses an order but what Begin may change, and that is yet to be done.
func (g Gate) mayOpen(v evidence) bool {
	return g.Host.Begins(v.plan.Request) && !v.plan.Force && v.now.Before(v.standing.NextAt) && !v.changed() && !v.forbidden()
}

// forbidden reports whether something refuses an order that no hook changes.
func (v evidence) forbidden() bool {
	return slices.ContainsFunc(v.report.Results, func(r preflight.Result) bool { return closed(&r) })
}

// mayBegin reports whether what Begin does can lead to an order: nothing refuses one, or only what is fetched under the
// names, which Begin may be about to open. What is certain is decided before: a hook that stops a service must not run in
// vain.
func (v evidence) mayBegin(refusal error) bool {
	switch {
	case refusal == nil:
		return true
	case v.plan.Force: // no back-off holds
	case failure.ClassOf(refusal) == failure.BackOff || v.overcharged() != nil:
		return false
	case v.now.Before(v.standing.NextAt) && !v.changed():
		return false
	}
	return !v.forbidden()
}

// closed reports whether a result refuses a name on grounds that no hook changes.
func closed(r *preflight.Result) bool {
	return r.Verdict == preflight.Refuse && r.Check != preflight.HTTP && r.Check != preflight.Port
}

// changed reports whether something is different from all that was seen when the lineage failed. There are two of these
// where Begin changes what is served: what was seen before it and what was seen after it.
func (v evidence) changed() bool {
	return v.standing.Fingerprint != "" && !slices.Contains(strings.Split(v.standing.Fingerprint, apart), v.report.Fingerprint)
}

// apart stands between the fingerprints of a standing.
const apart = "\n"

// mostSeen bounds what is remembered of a failed lineage.
const mostSeen = 4

// allSeen joins fingerprints to what a standing keeps.
func allSeen(prints ...string) string {
	var all []string
	for print := range strings.SplitSeq(strings.Join(prints, apart), apart) {
		if print != "" && !slices.Contains(all, print) {
			all = append(all, print)
		}
	}
	return strings.Join(all[:min(len(all), mostSeen)], apart)
}

// RefusalOf returns the first refusal that concerns a name.
func RefusalOf(r preflight.Report, name string) *preflight.Result {
	for i, result := range r.Results {
		if result.Verdict == preflight.Refuse && (strings.EqualFold(result.Name, name) || result.Name == "") {
			return &r.Results[i]
		}
	}
	return nil
}

// Refused is a refusal of a check as the reason why r is not ordered.
func Refused(r ledger.Request, bad *preflight.Result) *failure.Error {
	return failure.New(bad.Class, order.RemedyFor(r, bad.Remedy), "%s", bad.Sentence)
}

// Examine makes the checks for an order that exists, before and, where there is hope for one of its names, after what has to
// be done before the CA looks. The report's fingerprint is that of both.
func (g Gate) Examine(ctx context.Context, r ledger.Request, names []string) preflight.Report {
	report := g.Host.Preflight(ctx, r, r.Names)
	hope := slices.ContainsFunc(names, func(name string) bool {
		bad := RefusalOf(report, name)
		return bad == nil || !closed(bad)
	})
	if ctx.Err() != nil || !hope || !g.begin(ctx, r) {
		return report
	}
	before := report.Fingerprint
	g.untilOpen(ctx, func() *preflight.Result {
		report = g.Host.Preflight(ctx, r, r.Names)
		return report.Refusal()
	})
	report.Fingerprint = allSeen(before, report.Fingerprint)
	return report
}
