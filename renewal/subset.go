package renewal

import (
	"context"
	"slices"
	"strings"

	"orderly/ledger"
	"orderly/order"
	"orderly/preflight"
)

// obtain asks the engine for a certificate. Where the plan allows a subset, names that preflight refuses or the CA cannot
// validate are left out, and the others are asked for again (certbot's --allow-subset-of-names): each time at least one name
// less, so that it comes to an end. A refused name costs the CA nothing, a failed one what it always costs.
func (s *Server) obtain(ctx context.Context, e *order.Engine, lineage string, names []string,
	plan func(context.Context) (*order.Plan, error)) (order.Outcome, error) {
	for {
		allowed := false
		outcome, err := e.Obtain(ctx, lineage, names, func(ctx context.Context) (*order.Plan, error) {
			p, err := plan(ctx)
			if p != nil && err == nil {
				allowed = p.Request.AllowSubset
				restrict(&p.Request, names)
			}
			return p, err
		})
		if err == nil || !allowed {
			return outcome, err
		}
		bad := failed(outcome)
		left := slices.DeleteFunc(slices.Clone(names), func(name string) bool { return slices.Contains(bad, strings.ToLower(name)) })
		if len(left) == 0 || len(left) == len(names) {
			return outcome, err
		}
		s.Report.Warn("%s cannot be validated and is left out: %v", strings.Join(bad, ", "), err)
		names = left
	}
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

// failed are the names to blame for an outcome, in lower case: those that preflight refused, or else those that the CA could
// not validate.
func failed(outcome order.Outcome) []string {
	var bad []string
	for _, result := range outcome.Report.Results {
		if result.Verdict == preflight.Refuse && result.Name != "" {
			bad = append(bad, strings.ToLower(result.Name))
		}
	}
	if outcome.Order != nil {
		for _, a := range outcome.Order.Authorizations {
			if a.Status == "invalid" {
				bad = append(bad, strings.ToLower(a.FullName()))
			}
		}
	}
	slices.Sort(bad)
	return slices.Compact(bad)
}
