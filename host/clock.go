package host

import (
	"context"
	"time"
)

// The clock is passed in everywhere; this is the one that is real.

// Clock is the real clock.
type Clock struct{}

// Now implements order.Clock.
func (Clock) Now() time.Time { return time.Now() }

// Sleep implements order.Clock.
func (Clock) Sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(max(d, 0))
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-timer.C:
		return nil
	}
}
