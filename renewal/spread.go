package renewal

import (
	"context"
	"math/rand/v2"
	"sync"
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

// pause is the one of a round, made by the first lineage that is not urgent; those that come while it
// lasts wait for its end.
type pause struct {
	mu    sync.Mutex
	begun bool
	ends  time.Time
}

// left is what is left of the pause, and whether it begins now.
func (p *pause) left(now time.Time, length func() time.Duration) (left time.Duration, begins bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.begun {
		p.begun, begins = true, true
		p.ends = now.Add(length())
	}
	return p.ends.Sub(now), begins
}

// spread pauses once in a round, before the first lineage that is due and so before any hook. What
// is urgent does not wait: a host whose time-out ends every run in the pause must not lose its
// certificate by that. A signal ends the pause.
func (s *rounds) spread(ctx context.Context, l *certbot.Lineage, round Round) error {
	if round.Spread == nil || s.pressing(l) {
		return nil
	}
	left, begins := s.pause.left(s.Clock.Now(), round.Spread)
	if begins {
		s.Report.Tell("Non-interactive renewal: random delay of %.1f seconds (%s leaves it out)",
			left.Seconds(), failure.Do(failure.WithoutDelay))
	}
	if left <= 0 {
		return nil
	}
	if err := s.Clock.Sleep(ctx, left); err != nil {
		return failure.Wrap(context.Cause(ctx), failure.Stopped,
			"Run the same command again, with "+failure.Do(failure.WithoutDelay)+
				" where the run must be short.",
			"stopped in the random delay before the first renewal; nothing was begun")
	}
	return nil
}
