// Package client reads what ACME clients write into their logs (certbot 0.9 to 5.6, lego, uacme,
// acme.sh) and tells a Sink what was seen: authorizations, orders without an answer, runs and how
// they ended. Log lines are hostile input: it must never touch the network or a file, never take
// the path of a URL for its meaning, and keep no more of a log than its bounds say.
package client

// What the parsers tell, and to whom.

import "time"

// Kind is what a log shows of an authorization.
type Kind uint8

// What a log can show of an authorization.
const (
	// Named: an order names it; what it is worth was not said.
	Named Kind = iota
	// Pending: the CA showed it pending.
	Pending
	// Final: the CA showed it, or its order, past pending, or took an answer to its challenge.
	Final
	// Unanswered: one of its challenges was answered, and what the CA said to that is not known.
	Unanswered
	// Refused: the CA refused the answer to one of its challenges, which leaves it open.
	Refused
	// Partial: an order's URL, where the log names no more than some of its authorizations; Final where
	// it is past them.
	Partial
	// Odd: what names it is contradictory, torn, or points somewhere else.
	Odd
)

// Place is a line of a log.
type Place struct {
	File uint32
	Line int64
}

// Sighting is one thing that a log shows of one authorization.
type Sighting struct {
	Kind            Kind
	URL             string
	Name            string
	Account, Server string
	Order           string // the URL of an order that names it, where one is known
	// Expires is the authorization's own end, or its order's where OfOrder says so; zero where
	// nothing says.
	Expires time.Time
	OfOrder bool
	// Shown says that a Final one has this state by the CA's own word, and not by what follows from
	// it.
	Shown  bool
	Reason string
	// Weak says that another may have put it into the log: it adds what is not known, and changes
	// nothing that is.
	Weak  bool
	At    time.Time
	Place Place
	// Run is where the run began that the line belongs to.
	Run Place
}

// Lost is a newOrder that was sent and never answered.
type Lost struct {
	Names           []string
	Account, Server string
	At              time.Time
	Place, Run      Place
}

// Fate is how a run ended.
type Fate string

// How runs end.
const (
	Whole    Fate = "whole"
	Failed   Fate = "error"
	Killed   Fate = "killed"
	Signaled Fate = "signal"
	// Running: it is at work, or was when its log was copied.
	Running Fate = "running"
)

// Step is what a run had asked for last.
type Step string

// The steps of a run, by its last request.
const (
	Directory     Step = "directory"
	NewOrder      Step = "new-order"
	Authorization Step = "authorization"
	Challenge     Step = "challenge"
	Poll          Step = "poll"
	Order         Step = "order"
	Finalize      Step = "finalize"
	Certificate   Step = "certificate"
)

// Doing says what a run was at when it had asked for the step.
func (s Step) Doing() string {
	switch s {
	case Directory:
		return "asking for directory or nonce"
	case NewOrder:
		return "ordering"
	case Authorization:
		return "fetching authorizations"
	case Challenge:
		return "answering a challenge"
	case Poll:
		return "polling"
	case Order:
		return "asking for the order"
	case Finalize:
		return "finalizing"
	case Certificate:
		return "fetching the certificate"
	}
	return "starting"
}

// Run is one run of a client.
type Run struct {
	Began, Ended time.Time
	Fate         Fate
	Step         Step
	Place        Place
	// Mark tells runs apart that began at the same moment; the same run has it in every copy.
	Mark uint32
	// AtWork says that a Running one is at work now.
	AtWork bool
}

// Sink is told what the logs show, in the order of the log.
type Sink interface {
	See(Sighting)
	Lose(Lost)
	Fail(Failure)
	Renew(Renewal)
	End(Run)
}
