package host

import (
	"slices"
	"strings"

	"orderly/ledger"
	"orderly/order"
)

// How a request has its names proven decides by which challenge, and who answers it. The engine
// asks here, and reads nothing of it in the request.

// The solvers that a request can name.
const (
	WebrootSolver    = "webroot" // also ""
	StandaloneSolver = "standalone"
	ManualSolver     = "manual"
)

// ChallengeType is the challenge by which the request's solver proves a name: of those that the
// solver can, the first of Manual.Challenge, as certbot goes by --preferred-challenges. A wildcard
// takes dns-01 alone (RFC 8555 §7.1.3 leaves it to the CA, and no CA offers another). It is ""
// where none fits.
func ChallengeType(r Request, wildcard bool) string {
	able := []string{ledger.HTTP01}
	if r.Solver == ManualSolver {
		able = append(able, ledger.DNS01)
	}
	preferred := able
	if r.Manual.Challenge != "" {
		preferred = strings.Split(r.Manual.Challenge, ",")
	}
	for _, kind := range preferred {
		if slices.Contains(able, kind) && !(wildcard && kind == ledger.HTTP01) {
			return kind
		}
	}
	return ""
}

// Challenge implements order.Solver.
func (v *Proofs) Challenge(wanted ledger.Request, wildcard bool) order.Way {
	r := Read(wanted)
	way := order.Way{Type: ChallengeType(r, wildcard)}
	switch {
	case r.Solver == StandaloneSolver:
		way.Answers = order.RunAnswers
	case !usesRoots(r):
		way.Answers = order.HookAnswers
	}
	return way
}

// Adopt implements drive.Host. Where the certificate of a person's CSR goes belongs to the CSR. The
// renewal file of then stays while another key is the order's than is wanted now: else what was
// mended of the key would be taken for what this order was made of.
func (f *Files) Adopt(o *ledger.Order, wanted ledger.Request) {
	to, r := Read(o.Request), Read(wanted)
	if !o.CSR.Set() {
		to.Output = r.Output
	}
	if order.SameKey(to.Request, r.Request) {
		to.Settings = r.Settings
	}
	to.Hooks, to.Solver, to.Standalone, to.Manual = r.Hooks, r.Solver, r.Standalone, r.Manual
	to.Webroots, to.WebrootPaths, to.WebrootFrom = r.Webroots, r.WebrootPaths, r.WebrootFrom
	o.Request = to.Filed()
}
