package renewal

import (
	"context"
	"errors"
	"slices"
	"strings"

	"orderly/acme"
	"orderly/certbot"
	"orderly/failure"
	"orderly/host"
	"orderly/ledger"
	"orderly/order"
	"orderly/order/drive"
	"orderly/preflight"
)

// One attempt at a certificate: what its request says beside what was asked for, what is told of
// it, and which names are left out where a person would rather have the others.

// attempts are made of requests.
type attempts struct{ *base }

// obtain asks the engine for a certificate. Where the plan allows a subset, names that preflight
// refuses or the CA cannot validate are left out, and the others are asked for again (certbot's
// --allow-subset-of-names): each time at least one name less, so that it comes to an end. A refused
// name costs the CA nothing, a failed one what it always costs. Once names are left out, enough
// reports whether there is a certificate for the others already.
func (s *attempts) obtain(ctx context.Context, e *drive.Engine, lineage string, names []string,
	current *certbot.Lineage,
	enough func(names []string) bool, plan func(ctx context.Context, left []string) (*order.Plan,
		error)) (drive.Outcome, error) {
	var left []string // the names that a subset has come down to, nil for all
	orders := 0
	if host.LineageIn(ctx) == "" {
		ctx = host.About(ctx, lineage)
	}
	for {
		var made *order.Plan
		outcome, err := e.Obtain(ctx, lineage, names,
			func(ctx context.Context) (*order.Plan, error) {
				if left != nil && enough(names) {
					return nil, nil
				}
				p, err := plan(ctx, left)
				if p != nil && err == nil {
					made = p
					r := host.Read(p.Request)
					restrict(&r, names)
					p.Request = r.Filed()
				}
				return p, err
			})
		orders += outcome.Made
		outcome.Made = orders
		if err == nil || made == nil || !made.Request.AllowSubset {
			return outcome, err
		}
		bad := failed(outcome, held(current, made.Urgent))
		rest := slices.DeleteFunc(slices.Clone(names),
			func(name string) bool { return slices.Contains(bad, strings.ToLower(name)) })
		if len(rest) == 0 || len(rest) == len(names) {
			return outcome, err
		}
		s.host.Voice.In(ctx).Warn("%s cannot be validated and is left out: %v", strings.Join(bad, ", "), err)
		names, left = rest, rest
	}
}

// attempt says what begins, unless it is certain already that preflight will refuse.
func (s *attempts) attempt(ctx context.Context, e *drive.Engine, r *host.Request,
	current *certbot.Lineage, left []string) {
	s.addReplaces(ctx, e, &r.Request, current)
	if r.LostKey = r.LostKey || s.host.Lineages.Abandoned(r.Lineage) != ""; r.LostKey {
		s.host.Voice.In(ctx).WarnOnce("the private key of %s is lost; the certificate is renewed with a new one", r.Lineage)
	}
	s.host.Files.Rehearse(r)
	if left != nil {
		restrict(r, left)
	}
	s.addInPlace(ctx, e, &r.Request, current)
	s.host.Roots.Refresh(ctx, r)
	// who has no account yet hears of that first
	if e.Account().ID != 0 && !s.host.Checks.Hopeless(ctx, *r) {
		announce(s.host.Voice.In(ctx), r.Request)
	}
}

// addReplaces names the certificate that the new one replaces (RFC 9773 §5): the one in place,
// where the account that orders is the one that got it. A CA refuses the mention of another's.
func (s *attempts) addReplaces(ctx context.Context, e *drive.Engine, r *ledger.Request,
	current *certbot.Lineage) {
	if r.New || s.Settings.Rehearsal || current == nil || current.Certificate.Leaf == nil {
		return
	}
	common := slices.ContainsFunc(ledger.CanonicalNames(current.Certificate.Names),
		func(name string) bool { return slices.Contains(ledger.CanonicalNames(r.Names), name) })
	if common && s.issuedTo(ctx, e.Account(), current) {
		r.Replaces = acme.RenewalID(current.Certificate.Leaf)
	}
}

// addInPlace says since when the certificate in place is there, if it is for the same names: CAs
// count its renewal apart from what is new, also where certbot got it.
func (s *attempts) addInPlace(ctx context.Context, e *drive.Engine, r *ledger.Request,
	current *certbot.Lineage) {
	if r.New || s.Settings.Rehearsal || current == nil || current.Certificate.Leaf == nil {
		return
	}
	same := slices.Equal(ledger.CanonicalNames(current.Certificate.Names), ledger.CanonicalNames(r.Names))
	if same && s.issuedTo(ctx, e.Account(), current) {
		r.InPlaceSince = current.Certificate.NotBefore
	}
}

// issuedTo reports whether an account got the certificate in place: this ledger knows it of what it
// had issued, and of certbot's the renewal file names the account, since that is written with each
// certificate. Where somebody changed it since, the CA refuses once, and is asked without.
func (s *attempts) issuedTo(ctx context.Context, a ledger.Account, current *certbot.Lineage) bool {
	last, err := s.Ledger.Certificate(ctx, current.Name)
	switch {
	case err == nil && last.Fingerprint == fingerprint(current.Certificate):
		return last.AccountID == a.ID
	case err != nil && !errors.Is(err, ledger.ErrNone):
		return false // whoever goes on meets the same error, and says so
	}
	p := current.Renewal.Params
	return p.Account != "" && p.Account == a.KeyID && p.Server == a.Server
}

// announce says what begins, in certbot's words.
func announce(to host.Reporter, r ledger.Request) {
	verb := "Renewing an existing certificate"
	switch {
	case len(r.CSR) > 0 && !r.Rehearsal:
		verb = "Requesting a certificate"
	case (r.New || len(r.CSR) > 0) && r.Rehearsal:
		verb = "Simulating a certificate request"
	case r.Rehearsal:
		verb = "Simulating renewal of an existing certificate"
	case r.New:
		verb = "Requesting a certificate"
	}
	to.Say("%s for %s", verb, listNames(r.Names))
}

// held are the names that a certificate in place has and that must not be lost to what may pass: a
// mount that is away, a web server that restarts. With little time left they may.
func held(current *certbot.Lineage, urgent bool) []string {
	if current == nil || urgent {
		return nil
	}
	return ledger.CanonicalNames(current.Certificate.Names)
}

// restrict leaves only some names in a request.
func restrict(r *host.Request, names []string) {
	out := func(name string) bool {
		return !slices.ContainsFunc(names,
			func(n string) bool { return strings.EqualFold(n, name) })
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

// failed are the names to blame for an outcome, in lower case: those that the CA could not
// validate, or does not take, or, where nothing was ordered, those that preflight refused, except
// for some that are kept. Any other trouble (a limit, a CA that is away) is no name's fault.
func failed(outcome drive.Outcome, kept []string) []string {
	var bad []string
	switch {
	case outcome.Order != nil && outcome.Order.State == ledger.Invalid:
		for _, a := range outcome.Order.Authorizations {
			if a.Status == "invalid" {
				bad = append(bad, strings.ToLower(a.FullName()))
			}
		}
	case outcome.Order != nil && outcome.Order.State == ledger.RefusedState && outcome.Order.Class == string(failure.BadName):
		bad = order.BlamedNames(outcome.Order, acme.ReadProblem(outcome.Order.Problem))
	case outcome.Order == nil:
		for _, result := range outcome.Report.Results {
			if name := strings.ToLower(result.Name); result.Verdict == preflight.Refuse &&
				name != "" && !slices.Contains(kept, name) {
				bad = append(bad, name)
			}
		}
	}
	slices.Sort(bad)
	return slices.Compact(bad)
}

// never is enough of no names: a renewal is made because it is due.
func never([]string) bool { return false }
