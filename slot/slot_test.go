package slot_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"orderly/slot"
)

// clock is the clock of a bubble.
type clock struct{}

func (clock) Now() time.Time { return time.Now() }

func (clock) Sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// diary is what happened, in order.
type diary struct {
	mu    sync.Mutex
	lines []string
}

func (d *diary) add(format string, args ...any) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.lines = append(d.lines, fmt.Sprintf(format, args...))
}

func (d *diary) String() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return strings.Join(d.lines, " ")
}

func TestWhoWaitsHoldsNoSlot(t *testing.T) {
	for name, wait := range map[string]func(context.Context){
		"a pause": func(ctx context.Context) { _ = slot.Clock{clock{}}.Sleep(ctx, time.Minute) },
		"a turn": func(ctx context.Context) {
			turn := slot.NewTurn()
			done, err := turn.Take(ctx)
			time.AfterFunc(time.Minute, done)
			if done, again := turn.Take(ctx); err == nil && again == nil {
				done()
			}
		},
		"a request": func(ctx context.Context) {
			r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://ca.example", nil)
			if err == nil {
				_, err = slot.Transport{deaf{}}.RoundTrip(r)
			}
			if !errors.Is(err, errDeaf) {
				panic(err)
			}
		},
		"the rest of an answer": func(ctx context.Context) {
			r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://ca.example", nil)
			if err == nil {
				var answer *http.Response
				if answer, err = (slot.Transport{stuttering{}}).RoundTrip(r); err == nil {
					_, err = answer.Body.Read(nil)
				}
			}
			if !errors.Is(err, errDeaf) {
				panic(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				slots, begun := slot.New(1), time.Now()
				var first, second time.Duration
				var group sync.WaitGroup
				group.Go(func() {
					if err := do(t.Context(), slots, wait); err != nil {
						t.Error(err)
					}
					first = time.Since(begun)
				})
				synctest.Wait()
				group.Go(func() {
					if err := do(t.Context(), slots, func(context.Context) { second = time.Since(begun) }); err != nil {
						t.Error(err)
					}
				})
				group.Wait()
				if first != time.Minute || second > time.Second {
					t.Errorf("the one that waits ends after %s, the other works after %s", first, second)
				}
			})
		})
	}
}

var errDeaf = errors.New("no answer")

// deaf is a CA that does not answer for a minute.
type deaf struct{}

func (deaf) RoundTrip(*http.Request) (*http.Response, error) {
	time.Sleep(time.Minute) // of the bubble's clock, as all that sleeps here
	return nil, errDeaf
}

// stuttering is a CA that begins an answer, and sends no more of it for a minute.
type stuttering struct{ io.Closer }

func (s stuttering) RoundTrip(*http.Request) (*http.Response, error) {
	return &http.Response{Body: s}, nil
}

func (stuttering) Read([]byte) (int, error) {
	time.Sleep(time.Minute)
	return 0, errDeaf
}

// Whoever works never is more than so many, and those under way come before those who begin.
func TestSlotsAreCountedAndServedInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slots, d := slot.New(2), &diary{}
		var mu sync.Mutex
		var working, most int
		work := func(n int) {
			mu.Lock()
			working += n
			most = max(most, working)
			mu.Unlock()
		}
		var group sync.WaitGroup
		for i := range 6 {
			group.Go(func() {
				_ = do(t.Context(), slots, func(ctx context.Context) {
					work(1)
					d.add("%d", i)
					time.Sleep(time.Second) // work
					work(-1)
					_ = slot.Clock{clock{}}.Sleep(ctx, 500*time.Millisecond)
					work(1)
					d.add("%d'", i)
					time.Sleep(time.Second)
					work(-1)
				})
			})
			synctest.Wait()
		}
		group.Wait()
		// 0 and 1 pause while 2 and 3 work, and come back before 4 and 5 begin
		if most != 2 || !slices.Equal(sorted(d.String(), 2), []string{"0 1", "2 3", "0' 1'", "2' 3'", "4 5", "4' 5'"}) {
			t.Errorf("%d at once: %s", most, d)
		}
	})
}

// do does f with a slot.
func do(ctx context.Context, s *slot.Slots, f func(context.Context)) error {
	under, done, err := s.Take(ctx)
	if err != nil {
		return err
	}
	defer done()
	f(under)
	return nil
}

// sorted are the words of a text in groups, each in order: those of one moment come as they like.
func sorted(text string, n int) []string {
	var groups []string
	for group := range slices.Chunk(strings.Fields(text), n) {
		slices.Sort(group)
		groups = append(groups, strings.Join(group, " "))
	}
	return groups
}

// One piece of work does several things at once: while one of them waits nothing is taken twice, and
// in the end every slot is there again.
func TestTheSlotOfPartsThatWaitIsGivenBackOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slots := slot.New(1)
		_ = do(t.Context(), slots, func(ctx context.Context) {
			var parts sync.WaitGroup
			for i := range 5 {
				parts.Go(func() {
					for range 3 {
						slot.Away(ctx, func() { time.Sleep(time.Duration(i+1) * 700 * time.Millisecond) })
						slot.Slowly(ctx, func() { time.Sleep(time.Duration(i) * 600 * time.Millisecond) })
					}
				})
			}
			parts.Wait()
		})
		begun, working := time.Now(), 0
		var group sync.WaitGroup
		for range 3 {
			group.Go(func() {
				_ = do(t.Context(), slots, func(context.Context) {
					if working++; working > 1 {
						t.Error("two have the one slot")
					}
					time.Sleep(time.Second)
					working--
				})
			})
		}
		if group.Wait(); time.Since(begun) != 3*time.Second {
			t.Errorf("the slot is not there, or there twice: three seconds' work takes %s", time.Since(begun))
		}
	})
}

// A signal ends every wait, for a slot, for a turn, for the slot to come back to.
func TestTheEndEndsEveryWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slots, turn, cause := slot.New(1), slot.NewTurn(), errors.New("SIGTERM")
		ctx, end := context.WithCancelCause(t.Context())
		d, begun := &diary{}, time.Now()
		var group sync.WaitGroup
		done, err := turn.Take(ctx)
		if err != nil {
			t.Fatal(err)
		}
		group.Go(func() {
			_ = do(ctx, slots, func(ctx context.Context) {
				if _, err := turn.Take(ctx); errors.Is(err, cause) {
					d.add("turn")
				}
			})
		})
		synctest.Wait()
		group.Go(func() {
			_ = do(ctx, slots, func(ctx context.Context) {
				slot.Away(ctx, func() { time.Sleep(time.Second) })
				d.add("back")
			})
		})
		synctest.Wait()
		release := make(chan struct{})
		group.Go(func() { _ = do(t.Context(), slots, func(context.Context) { <-release }) })
		synctest.Wait()
		group.Go(func() {
			if err := do(ctx, slots, func(context.Context) { t.Error("it began after the end") }); errors.Is(err, cause) {
				d.add("begin")
			}
		})
		time.Sleep(2 * time.Second)
		end(cause)
		synctest.Wait()
		if got := strings.Fields(d.String()); len(got) != 3 || time.Since(begun) != 2*time.Second {
			t.Errorf("at the end only %q, after %s", got, time.Since(begun))
		}
		close(release)
		group.Wait()
		done()
		if err := do(t.Context(), slots, func(context.Context) {}); err != nil {
			t.Errorf("after all that no slot is left: %v", err)
		}
	})
}

func TestWorkWithoutASlotIsNotBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begun := time.Now()
		slot.Slowly(t.Context(), func() { time.Sleep(time.Minute) })
		slot.Away(t.Context(), func() { time.Sleep(time.Minute) })
		if time.Since(begun) != 2*time.Minute {
			t.Error(time.Since(begun))
		}
	})
}

func TestTurnsAreByKey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var turns slot.Turns
		d := &diary{}
		var group sync.WaitGroup
		for i, key := range []string{"a", "a", "b", "a"} {
			group.Go(func() {
				done, err := turns.Take(t.Context(), key)
				if err != nil {
					t.Error(err)
					return
				}
				d.add("%s%d", key, i)
				time.Sleep(time.Second)
				done()
				done()
			})
			synctest.Wait()
		}
		if group.Wait(); d.String() != "a0 b2 a1 a3" {
			t.Error(d)
		}
		ctx, end := context.WithCancel(t.Context())
		done, err := turns.Take(ctx, "a")
		if end(); err != nil {
			t.Fatal(err)
		}
		if _, err := turns.Take(ctx, "a"); !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		done()
	})
}
