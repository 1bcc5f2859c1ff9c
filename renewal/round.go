package renewal

import (
	"context"
	"errors"
	"slices"
	"time"

	"orderly/account"
	"orderly/certbot"
	"orderly/failure"
	"orderly/host"
	"orderly/ledger"
)

// A round goes over all lineages: those that are not due are answered at once, the others are renewed
// many at a time. A broken one does not keep the others from being renewed, and one that another
// process is at work on is left for the end.

// Round is what renew was asked for.
type Round struct {
	host.Said
	CertName     string // "" for all
	Renew        bool   // --force-renewal
	Registration account.Registration
	Progress     func(Progress) // called whenever something has changed; may be nil
	// Spread tells how long to wait before the first lineage that is due; nil for not at all.
	Spread func() time.Duration
	// Looking is called with the renewal file before anything is said of a lineage, Looked with what
	// came of it; both may be nil. Where many are worked on at once, both are called when one is
	// done, with what was said of it between them, and nothing of another.
	Looking func(path string)
	Looked  func(Result)
}

// wish says which account renews a lineage.
func (r Round) wish(p certbot.Params) Wish {
	w := Wish{Registration: r.Registration}
	w.Server, w.Account = r.At(p)
	return w
}

func (r Round) looking(path string) {
	if r.Looking != nil {
		r.Looking(path)
	}
}

func (r Round) looked(result Result) {
	if r.Looked != nil {
		r.Looked(result)
	}
}

// rounds renews lineages.
type rounds struct {
	*base
	*engines
	*inPlace
	*attempts
	pause pause // of Round.Spread
}

func newRounds(b *base, e *engines, c *calendar) *rounds {
	return &rounds{base: b, engines: e, inPlace: &inPlace{b, c}, attempts: &attempts{b}}
}

// roundPatience is how long a round waits, at its end, for all lineages together that other runs
// are at work on.
const roundPatience = time.Minute

// RenewAll goes over the lineages and renews those that are due. A broken one does not keep the
// others from being renewed; what concerns the account, the ledger or the clock ends the round.
func (s *rounds) RenewAll(ctx context.Context, round Round) ([]Result, error) {
	names, err := s.Disk.Listed()
	if err != nil {
		return nil, err
	}
	if round.CertName != "" {
		if !slices.Contains(names, round.CertName) {
			return nil, s.noCertificate(round.CertName)
		}
		names = []string{round.CertName}
	}
	s.host.Hooks.Round()
	if err := s.readSuggestions(ctx); err != nil {
		return nil, err
	}
	views, results, err := s.survey(ctx, names, round)
	if err != nil {
		return nil, err
	}
	for _, broken := range results {
		round.looking(broken.Path)
		round.looked(broken)
		s.logResult(ctx, broken)
	}
	if err := s.checkClock(ctx, views); err != nil && !s.Settings.Force {
		return results, err
	}
	s.run.Round = true // for the next one's checkClock
	s.consult(ctx, views, round)
	g := &going{rounds: s, round: round, views: views, results: make([]*Result, len(views)),
		progress: Progress{All: len(names), Done: len(results)}}
	err = g.over(ctx)
	s.forgetSights(round, views, results)
	return append(results, g.all()...), err
}

// Missed is how many certificates a round was ended before it came to.
func (s *rounds) Missed(round Round, results []Result) int {
	names, err := s.Disk.Listed()
	if err != nil {
		return 0 // the round's own error says more
	}
	if round.CertName != "" {
		names = []string{round.CertName}
	}
	for _, r := range results {
		names = slices.DeleteFunc(names, func(name string) bool { return name == host.LineageOf(r.Lineage) })
	}
	return len(names)
}

// checkClock compares the clock with the last round that believed it. One that did not must not
// count: the next would find nothing expired since, and believe the same clock.
func (s *rounds) checkClock(ctx context.Context, views []view) error {
	runs, err := s.Ledger.Runs(ctx, lastRenewals)
	if err != nil {
		return err
	}
	var last time.Time
	for _, r := range runs {
		if r.Round && r.ID != s.run.ID && !r.EndedAt.IsZero() {
			last = r.EndedAt
			break
		}
	}
	var ends []time.Time
	for _, v := range views {
		ends = append(ends, v.ends)
	}
	doubt := clockDoubt(s.Clock.Now(), last, ends)
	if doubt == nil {
		return nil
	}
	event := ledger.Event{At: s.Clock.Now(), RunID: s.run.ID, Kind: "clock doubted",
		Detail: failure.Clean(doubt.Error())}
	return errors.Join(doubt, s.Ledger.Commit(context.WithoutCancel(ctx),
		&ledger.Change{Events: []ledger.Event{event}}))
}
