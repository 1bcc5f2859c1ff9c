package host

import (
	"context"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"orderly/ledger"
	"orderly/order"
	"orderly/preflight"
)

// Where names lead is learnt from what the checks see anyway, and kept for the runs after this one:
// a site that has moved away is known for one, and since when. It is written with the run's end and
// costs no commit of its own; a ledger that cannot say what it knows keeps no order back.

// Sights are what was seen of names, in this run and before. They may be used from many goroutines.
type Sights struct {
	Ledger ledger.Store
	Clock  order.Clock

	mu     sync.Mutex
	read   bool
	known  map[string]ledger.Sighting // before this run, by name
	seen   map[string]ledger.Sighting // in this run, and not written yet
	learnt map[netip.Addr]bool        // nil until it is asked for
	gone   []ledger.Sighting          // to be forgotten
}

// mostForgotten is how many sightings one run forgets: its last commit must not keep others waiting.
const mostForgotten = 10_000

// learntFor is for how long an address counts as one that leads here after this host was last
// reached at it: longer than from one renewal to the next.
const learntFor = 180 * 24 * time.Hour

// earlier is what was known of names before this run, read when it is first needed: a name that is
// served needs none of it. The caller holds mu.
func (s *Sights) earlier() map[string]ledger.Sighting {
	if s.read {
		return s.known
	}
	s.read, s.known = true, map[string]ledger.Sighting{}
	list, err := s.Ledger.Sightings(context.Background())
	if err != nil {
		return s.known // then nothing is known, which holds nothing back
	}
	for _, v := range list {
		s.known[v.Name] = v
	}
	return s.known
}

// Learnt implements preflight.Memory.
func (s *Sights) Learnt() map[netip.Addr]bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.learnt == nil { // once: a host may have moved sites by the hundred, and names by the thousand
		s.learnt = map[netip.Addr]bool{}
		for _, from := range []map[string]ledger.Sighting{s.earlier(), s.seen} {
			for _, v := range from {
				s.learn(v)
			}
		}
	}
	return maps.Clone(s.learnt)
}

// learn takes up the addresses at which a name is served. The caller holds mu.
func (s *Sights) learn(v ledger.Sighting) {
	if s.learnt == nil || !v.ServedAt.After(s.Clock.Now().Add(-learntFor)) ||
		!v.ElsewhereSince.IsZero() || !v.DeadSince.IsZero() {
		return
	}
	for _, a := range v.Addresses {
		s.learnt[a.Unmap()] = true
	}
}

// Seen implements preflight.Memory.
func (s *Sights) Seen(name string) (served, elsewhere time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	v := s.last(strings.ToLower(name))
	return v.ServedAt, v.ElsewhereSince
}

// Reaches implements preflight.Memory. What a CA alone has reached was looked at before it was
// served, if at all.
func (s *Sights) Reaches(name string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	v := s.last(strings.ToLower(name))
	return !v.ServedAt.After(v.LookedAt)
}

// last is what was last seen of a name. The caller holds mu.
func (s *Sights) last(name string) ledger.Sighting {
	if v, ok := s.seen[name]; ok {
		return v
	}
	v := s.earlier()[name]
	v.Name = name
	return v
}

// take takes up what the checks saw.
func (s *Sights) take(sights []preflight.Sight) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, one := range sights {
		s.keep(s.sighted(one))
	}
}

// sighted is what is to be kept of a name after the checks saw it. The caller holds mu.
func (s *Sights) sighted(one preflight.Sight) ledger.Sighting {
	now, name := s.Clock.Now(), strings.ToLower(one.Name)
	if one.Served {
		return ledger.Sighting{Name: name, Addresses: one.Addresses, ServedAt: now, LookedAt: now}
	}
	v := s.last(name)
	if one.Elsewhere || one.Dead || !v.ServedAt.After(v.LookedAt) { // see Reaches
		v.LookedAt = now
	}
	if v.ServedAt.IsZero() || one.Elsewhere || one.Dead {
		// otherwise the addresses at which it was served stay known for ours, lest one that it was
		// given since becomes one
		v.Addresses = one.Addresses
	}
	v.ElsewhereSince = begun(v.ElsewhereSince, one.Elsewhere, now)
	v.DeadSince = begun(v.DeadSince, one.Dead, now)
	return v
}

// begun is since when something is so.
func begun(since time.Time, so bool, now time.Time) time.Time {
	switch {
	case !so:
		return time.Time{}
	case since.IsZero() || since.After(now): // a clock was ahead
		return now
	}
	return since
}

// keep keeps a sighting until it is written. The caller holds mu.
func (s *Sights) keep(v ledger.Sighting) {
	if s.seen == nil {
		s.seen = map[string]ledger.Sighting{}
	}
	s.seen[v.Name] = v
	s.learn(v)
}

// proven takes up that the CA reached this host under names of an order: what cannot be reached from
// here, as by a load balancer's own front, leads here all the same.
func (s *Sights) proven(o *ledger.Order) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, a := range o.Authorizations {
		if a.Status != ledger.AuthorizationValid || a.ChallengeType != ledger.HTTP01 ||
			a.AnswerSentAt.IsZero() {
			continue // it was valid before: nobody looked
		}
		v := s.last(a.Name)
		if v.ServedAt.After(a.AnswerSentAt) {
			continue
		}
		if v.LookedAt.Equal(v.ServedAt) { // the probe was served as well
			v.LookedAt = a.AnswerSentAt
		}
		v.ServedAt, v.ElsewhereSince, v.DeadSince = a.AnswerSentAt, time.Time{}, time.Time{}
		s.keep(v)
	}
}

// Taken are the sightings that are still to be written. Whoever takes them writes them: they are not
// given twice.
func (s *Sights) Taken() []ledger.Sighting {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := slices.SortedFunc(maps.Values(s.seen), func(a, b ledger.Sighting) int {
		return strings.Compare(a.Name, b.Name)
	})
	for _, v := range list {
		if s.read {
			s.known[v.Name] = v
		}
	}
	s.seen = nil
	return list
}

// Forget lets those be forgotten that were last looked at before a moment, and are of no name that is
// needed. A run that saw nothing itself forgets nothing: it would read them all for that.
func (s *Sights) Forget(before time.Time, needed map[string]bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.seen) == 0 {
		return
	}
	for _, name := range slices.Sorted(maps.Keys(s.earlier())) {
		v := s.known[name]
		_, again := s.seen[name]
		if !again && !needed[name] && v.LookedAt.Before(before) && v.ServedAt.Before(before) &&
			len(s.gone) < mostForgotten {
			s.gone = append(s.gone, v)
		}
	}
}

// Forgotten are the sightings that are to be removed. Whoever takes them removes them.
func (s *Sights) Forgotten() []ledger.Sighting {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := s.gone
	s.gone = nil
	return list
}
