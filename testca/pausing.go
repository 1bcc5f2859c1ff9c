package testca

import (
	"net/http"
	"slices"
	"strings"
	"time"
)

// Pausing: whoever fails for a name again and again is asked to have a person look, and gets no order for it until then. The
// refusal names a page and no time, so that a client that waits for one waits for nothing.

// failed counts a failure of an account for a name: a validation that failed, or a pending authorization deactivated.
func (s *state) failed(account, name string, now time.Time) {
	s.buckets.spend(s.limits.failures(account, name), now)
	pausing := s.limits.pausing(account, name)
	if s.buckets.wait(pausing, now) > 0 {
		s.paused[pausing.key] = true
	}
	s.buckets.spend(pausing, now)
}

// succeeded gives back what failures had taken of the bucket that pauses.
func (s *state) succeeded(account, name string) {
	delete(s.buckets, s.limits.pausing(account, name).key)
}

// pausedFor is the refusal of names that are paused for an account.
func (c *CA) pausedFor(names []string, account string) *problem {
	paused := slices.DeleteFunc(slices.Clone(names), func(name string) bool {
		return !c.state.paused[c.state.limits.pausing(account, name).key]
	})
	if len(paused) == 0 {
		return nil
	}
	p := problemf(http.StatusTooManyRequests, "rateLimited",
		"Your account is temporarily prevented from requesting certificates for %s and possibly others. Please visit: %s",
		strings.Join(paused[:min(3, len(paused))], ", "), c.base+"/sfe/v1/unpause?jwt=eyJhbGciOiJIUzI1NiJ9.e30.x")
	p.limit = true
	return p
}

// Pause pauses a name for an account, given by its URL, as many failures do.
func (c *CA) Pause(account, name string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	_, id, _ := strings.Cut(account, accountPath)
	c.state.paused[c.state.limits.pausing(id, name).key] = true
}

// Unpause is a person who visits the page: every name is ordered again.
func (c *CA) Unpause() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for key := range c.state.paused {
		delete(c.state.buckets, key)
	}
	clear(c.state.paused)
}
