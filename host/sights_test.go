package host

import (
	"context"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"time"

	"orderly/ledger"
	"orderly/ledger/memory"
	"orderly/order"
	"orderly/preflight"
)

// stopped is a clock that a test sets.
type stopped struct {
	order.Clock
	now time.Time
}

// Now implements order.Clock.
func (c *stopped) Now() time.Time { return c.now }

// sightsOn are the sights of a new run on a ledger.
func sightsOn(store ledger.Store, clock *stopped) *Sights {
	return &Sights{Ledger: store, Clock: clock}
}

// written ends a run: what it saw is in the ledger.
func written(t *testing.T, s *Sights) map[string]ledger.Sighting {
	t.Helper()
	if err := s.Ledger.Commit(t.Context(), &ledger.Change{Sightings: s.Taken()}); err != nil {
		t.Fatal(err)
	}
	if again := s.Taken(); len(again) > 0 {
		t.Errorf("given twice: %v", again)
	}
	list, err := s.Ledger.Sightings(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]ledger.Sighting{}
	for _, v := range list {
		all[v.Name] = v
	}
	return all
}

func TestSinceWhenANameIsElsewhereStaysFromRunToRun(t *testing.T) {
	store, clock := memory.New(), &stopped{now: time.Date(2026, 9, 1, 0, 0, 0, 0, time.UTC)}
	here, there, third := netip.MustParseAddr("198.41.0.4"), netip.MustParseAddr("93.184.216.34"), netip.MustParseAddr("93.184.216.35")
	began := clock.now
	run := func(after time.Duration, one preflight.Sight) ledger.Sighting {
		t.Helper()
		clock.now = clock.now.Add(after)
		s := sightsOn(store, clock)
		one.Name = "A.example"
		s.take([]preflight.Sight{one})
		v := written(t, s)["a.example"]
		if !v.LookedAt.Equal(clock.now) {
			t.Errorf("looked at %v, now %v", v.LookedAt, clock.now)
		}
		return v
	}
	const day = 24 * time.Hour
	if v := run(0, preflight.Sight{Served: true, Addresses: []netip.Addr{here}}); !v.ServedAt.Equal(began) || !slices.Equal(v.Addresses, []netip.Addr{here}) {
		t.Errorf("%+v", v)
	}
	if !sightsOn(store, clock).Learnt()[here] {
		t.Error("the address at which it was served is not learnt")
	}
	// Not served, and not certainly elsewhere: what is ours is not what it points to now.
	if v := run(day, preflight.Sight{Addresses: []netip.Addr{there}}); !slices.Equal(v.Addresses, []netip.Addr{here}) || !v.ElsewhereSince.IsZero() {
		t.Errorf("%+v", v)
	}
	since := clock.now.Add(day)
	for _, address := range []netip.Addr{there, third} {
		if v := run(day, preflight.Sight{Elsewhere: true, Addresses: []netip.Addr{address}}); !v.ElsewhereSince.Equal(since) || !v.ServedAt.Equal(began) || !slices.Equal(v.Addresses, []netip.Addr{address}) {
			t.Errorf("%+v, since %v", v, since)
		}
	}
	s := sightsOn(store, clock)
	if served, elsewhere := s.Seen("A.EXAMPLE"); !served.Equal(began) || !elsewhere.Equal(since) {
		t.Errorf("seen %v, %v", served, elsewhere)
	}
	if learnt := s.Learnt(); len(learnt) > 0 {
		t.Errorf("learnt of what is elsewhere: %v", learnt)
	}
	died := clock.now.Add(day)
	if v := run(day, preflight.Sight{Dead: true}); !v.DeadSince.Equal(died) || !v.ElsewhereSince.IsZero() || len(v.Addresses) > 0 {
		t.Errorf("%+v", v)
	}
	if v := run(day, preflight.Sight{Served: true, Addresses: []netip.Addr{here}}); !v.DeadSince.IsZero() || !v.ServedAt.Equal(clock.now) {
		t.Errorf("%+v", v)
	}
	clock.now = clock.now.Add(learntFor + time.Hour)
	if learnt := sightsOn(store, clock).Learnt(); len(learnt) > 0 {
		t.Errorf("what was served so long ago counts still: %v", learnt)
	}
}

// A load balancer's own front cannot be reached from behind it, as a rule. The CA says that it leads here.
func TestWhatTheCAReachedIsServedHere(t *testing.T) {
	store, clock := memory.New(), &stopped{now: time.Date(2026, 9, 1, 0, 0, 0, 0, time.UTC)}
	front := netip.MustParseAddr("93.184.216.34")
	s := sightsOn(store, clock)
	s.take([]preflight.Sight{{Name: "a.example", Elsewhere: true, Addresses: []netip.Addr{front}}, {Name: "b.example", Elsewhere: true, Addresses: []netip.Addr{front}},
		{Name: "c.example", Elsewhere: true, Addresses: []netip.Addr{front}}})
	sent := clock.now.Add(time.Minute)
	s.proven(&ledger.Order{Authorizations: []*ledger.Authorization{
		{Name: "a.example", Status: ledger.AuthorizationValid, ChallengeType: ledger.HTTP01, AnswerSentAt: sent},
		{Name: "b.example", Status: ledger.AuthorizationValid, ChallengeType: ledger.HTTP01}, // valid before: nobody looked
		{Name: "c.example", Status: ledger.AuthorizationValid, ChallengeType: ledger.DNS01, AnswerSentAt: sent},
	}})
	all := written(t, s)
	if v := all["a.example"]; !v.ServedAt.Equal(sent) || !v.ElsewhereSince.IsZero() || !slices.Equal(v.Addresses, []netip.Addr{front}) {
		t.Errorf("%+v", v)
	}
	for _, name := range []string{"b.example", "c.example"} {
		if v := all[name]; !v.ServedAt.IsZero() || v.ElsewhereSince.IsZero() {
			t.Errorf("%+v", v)
		}
	}
	if clock.now = sent; !sightsOn(store, clock).Learnt()[front] {
		t.Error("the front is not learnt")
	}
}

// blind is a ledger that cannot say what was seen, and counts how often it is asked.
type blind struct {
	ledger.Store
	mu    sync.Mutex
	asked int
}

// Sightings implements ledger.Store.
func (b *blind) Sightings(context.Context) ([]ledger.Sighting, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.asked++
	return nil, context.DeadlineExceeded
}

// Nothing of it may keep an order back, and what is served needs nothing that was known before.
func TestALedgerThatCannotSayWhatWasSeenIsAskedOnce(t *testing.T) {
	store, clock := &blind{Store: memory.New()}, &stopped{now: time.Now()}
	s := sightsOn(store, clock)
	s.take([]preflight.Sight{{Name: "a.example", Served: true}})
	if store.asked > 0 {
		t.Error("asked though all was served")
	}
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			s.take([]preflight.Sight{{Name: "b.example", Dead: true}})
			s.Learnt()
			s.Seen("c.example")
		})
	}
	all.Wait()
	if list := s.Taken(); store.asked != 1 || len(list) != 2 || list[1].DeadSince.IsZero() {
		t.Errorf("asked %d times, %v", store.asked, list)
	}
}

// A load balancer's front that this host never reaches by itself changes its addresses: that a CA
// once came through it does not make a move of that.
func TestWhatACAAloneReachedIsKnownForThat(t *testing.T) {
	store, clock := memory.New(), &stopped{now: time.Date(2026, 9, 1, 0, 0, 0, 0, time.UTC)}
	const name = "a.example"
	run := func(ordered bool, sights ...preflight.Sight) bool {
		t.Helper()
		clock.now = clock.now.Add(60 * 24 * time.Hour)
		s := sightsOn(store, clock)
		before := s.Reaches(name)
		s.take(sights)
		if ordered {
			s.proven(&ledger.Order{Authorizations: []*ledger.Authorization{{Name: name, Status: ledger.AuthorizationValid,
				ChallengeType: ledger.HTTP01, AnswerSentAt: clock.now.Add(time.Minute)}}})
		}
		written(t, s)
		return before
	}
	unreached := preflight.Sight{Name: name, Addresses: []netip.Addr{netip.MustParseAddr("198.41.0.4")}}
	run(true, unreached)
	for i := range 3 {
		if run(i > 0, unreached) {
			t.Errorf("run %d: it is told that this host reaches it", i)
		}
	}
	served := unreached
	served.Served = true
	run(true, served)
	if !run(false, unreached) {
		t.Error("the probe was served, and it is told that a CA alone reached it")
	}
}
