package doctor

// The list of checks. Ids are those of the table in docs/doctor.md, and keep their meaning for ever:
// monitoring is configured by them.

import (
	"context"

	"orderly/certbot"
)

// Check is one question that a host is asked. Either function may be nil.
type Check struct {
	ID    string
	Title string // of what it finds, for the heading of a group
	Needs Needs
	// Lineage looks at one lineage; l is nil where it cannot be read at all (x.Err says why). It is
	// called from several goroutines, and l is not kept beyond the call: a host has thousands.
	Lineage func(e *Exam, x *Lineage, l *certbot.Lineage) []Finding
	// Host looks at all of them together, or at what belongs to none.
	Host func(ctx context.Context, e *Exam) ([]Finding, error)
}

// Needs is what a check may do beside reading this host's files and its ledger.
type Needs int

const (
	Nothing     Needs = iota
	Network           // DNS, and the sites themselves: --online
	WebServer         // the web servers' own word on their configuration: --web
	Authorities       // the CAs, by questions that change nothing: --ca
	Fleet             // the reports of several servers: --merge (package fleet)
)

// Checks are all of them.
func Checks() []Check {
	var all []Check
	for _, some := range [][]Check{fileChecks(), linkChecks(), accountChecks(),
		familyChecks(), strayChecks(), groundChecks(), roomChecks(), hookChecks(),
		renewerChecks(), runChecks(),
		attemptChecks(), begunChecks(), clockChecks(), hungChecks(), networkChecks(), authorityChecks(),
		fleetChecks(),
		tellingChecks(), webChecks(), ownPortChecks()} {
		all = append(all, some...)
	}
	return all
}
