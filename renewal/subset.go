package renewal

import (
	"context"
	"slices"
	"strings"

	"orderly/certbot"
	"orderly/ledger"
	"orderly/order"
	"orderly/order/drive"
	"orderly/preflight"
)

// obtain asks the engine for a certificate. Where the plan allows a subset, names that preflight refuses or the CA cannot
// validate are left out, and the others are asked for again (certbot's --allow-subset-of-names): each time at least one name
// less, so that it comes to an end. A refused name costs the CA nothing, a failed one what it always costs. Once names are
// left out, enough reports whether there is a certificate for the others already.
func (s *Server) obtain(ctx context.Context, e *drive.Engine, lineage string, names []string, current *certbot.Lineage,
	enough func(names []string) bool, plan func(context.Context) (*order.Plan, error)) (drive.Outcome, error) {
	defer func() { s.left = nil }()
	for {
		var made *order.Plan
		outcome, err := e.Obtain(ctx, lineage, names, func(ctx context.Context) (*order.Plan, error) {
			if s.left != nil && enough(names) {
				return nil, nil
			}
			p, err := plan(ctx)
			if p != nil && err == nil {
				made = p
				restrict(&p.Request, names)
			}
			return p, err
		})
		if err == nil || made == nil || !made.Request.AllowSubset {
			return outcome, err
		}
		bad := failed(outcome, held(current, made.Urgent))
		left := slices.DeleteFunc(slices.Clone(names), func(name string) bool { return slices.Contains(bad, strings.ToLower(name)) })
		if len(left) == 0 || len(left) == len(names) {
			return outcome, err
		}
		s.Report.Warn("%s cannot be validated and is left out: %v", strings.Join(bad, ", "), err)
		names, s.left = left, left
	}
}

// held are the names that a certificate in place has and that must not be lost to what may pass: a mount that is away, a web
// server that restarts. With little time left they may.
func held(current *certbot.Lineage, urgent bool) []string {
	if current == nil || urgent {
		return nil
	}
	return ledger.CanonicalNames(current.Certificate.Names)
}

// restrict leaves only some names in a request.
func restrict(r *ledger.Request, names []string) {
	out := func(name string) bool {
		return !slices.ContainsFunc(names, func(n string) bool { return strings.EqualFold(n, name) })
	}
	r.Names = slices.DeleteFunc(slices.Clone(r.Names), out)
	roots := map[string]string{}
	for name, root := range r.Webroots {
		if !out(name) {
			roots[name] = root
		}
	}
	r.Webroots = roots
}

// failed are the names to blame for an outcome, in lower case: those that the CA could not validate, or, where nothing was
// ordered, those that preflight refused, except for some that are kept. Any other trouble (a limit, a CA that is away) is no
// name's fault.
func failed(outcome drive.Outcome, kept []string) []string {
	var bad []string
	switch {
	case outcome.Order != nil && outcome.Order.State == ledger.Invalid:
		for _, a := range outcome.Order.Authorizations {
			if a.Status == "invalid" {
				bad = append(bad, strings.ToLower(a.FullName()))
			}
		}
	case outcome.Order == nil:
		for _, result := range outcome.Report.Results {
			if name := strings.ToLower(result.Name); result.Verdict == preflight.Refuse && name != "" && !slices.Contains(kept, name) {
				bad = append(bad, name)
			}
		}
	}
	slices.Sort(bad)
	return slices.Compact(bad)
}

// enough reports whether a decision's lineage has a certificate for just these names that is not due: otherwise a script that
// names a dead domain would get another certificate with every run.
func (s *Server) enough(w Wish, d Decision) func([]string) bool {
	return func(names []string) bool {
		if d.Current == nil || w.Renew || w.Choice.ChangesKeyType(d.Current) || s.host.Lineages.NeedsKey(d.Current) || s.Settings.Rehearsal ||
			ledger.NameKey(names) != ledger.NameKey(d.Current.Certificate.Names) {
			return false
		}
		at, err := s.dueAt(d.Current)
		return err == nil && s.Clock.Now().Before(at)
	}
}

// never is enough of no names: a renewal is made because it is due.
func never([]string) bool { return false }
