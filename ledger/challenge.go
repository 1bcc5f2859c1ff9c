package ledger

import (
	"slices"
	"strings"
)

// The types of challenge by which a name can be proven (RFC 8555 §8.3, §8.4).
const (
	HTTP01 = "http-01"
	DNS01  = "dns-01"
)

// The solvers that a Request can name.
const (
	WebrootSolver    = "webroot" // also ""
	StandaloneSolver = "standalone"
	ManualSolver     = "manual"
)

// ChallengeType is the challenge by which the request's solver proves a name: of those that the solver can, the first of
// Manual.Challenge, as certbot goes by --preferred-challenges. A wildcard takes dns-01 alone (RFC 8555 §7.1.3 leaves it to
// the CA, and no CA offers another). It is "" where none fits.
func (r Request) ChallengeType(wildcard bool) string {
	able := []string{HTTP01}
	if r.Solver == ManualSolver {
		able = append(able, DNS01)
	}
	preferred := able
	if r.Manual.Challenge != "" {
		preferred = strings.Split(r.Manual.Challenge, ",")
	}
	for _, kind := range preferred {
		if slices.Contains(able, kind) && !(wildcard && kind == HTTP01) {
			return kind
		}
	}
	return ""
}

// FullName is the authorization's name as orders have it: the CA shows the one of a wildcard without "*.".
func (a *Authorization) FullName() string {
	if a.Wildcard && !strings.HasPrefix(a.Name, "*.") {
		return "*." + a.Name
	}
	return a.Name
}
