package renewal

import (
	"context"
	"math/rand/v2"
	"time"

	"orderly/certbot"
	"orderly/failure"
)

// Thousands of hosts run renew at the same minute of the day: each makes a pause of its own before
// its first renewal.

// The bounds of the pause before the first renewal of a round that nobody watches
// (certbot/_internal/renewal.py).
const (
	shortestSpread = time.Second
	longestSpread  = 8 * time.Minute
)

// Spread is a pause as certbot makes it: thousands of hosts run renew at the same minute of the
// day, and the CA would have all of them at once.
func Spread() time.Duration {
	return shortestSpread + rand.N(longestSpread-shortestSpread)
}

// spread pauses once in a round, before the first lineage that is due and so before any hook. What
// is urgent does not wait: a host whose time-out ends every run in the pause must not lose its
// certificate by that. A signal ends the pause.
func (s *rounds) spread(ctx context.Context, l *certbot.Lineage, round Round) error {
	if round.Spread == nil || s.delayed || s.pressing(l) {
		return nil
	}
	s.delayed = true
	pause := round.Spread()
	s.Report.Tell("Non-interactive renewal: random delay of %.1f seconds (%s leaves it out)",
		pause.Seconds(), failure.Do(failure.WithoutDelay))
	if err := s.Clock.Sleep(ctx, pause); err != nil {
		return failure.Wrap(context.Cause(ctx), failure.Stopped,
			"Run the same command again, with "+failure.Do(failure.WithoutDelay)+
				" where the run must be short.",
			"stopped in the random delay before the first renewal; nothing was begun")
	}
	return nil
}
