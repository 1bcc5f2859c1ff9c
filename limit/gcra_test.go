package limit_test

import (
	"math/rand/v2"
	"testing"
	"time"

	"orderly/limit"
)

var start = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)

func orders() limit.Limit {
	return limit.Limit{Name: limit.NewOrdersPerAccount, Count: 300, Period: 3 * time.Hour}
}

func TestAFullBucketGivesItsWholeCountAndNotOneMore(t *testing.T) {
	l := orders()
	var tat time.Time
	for i := range int64(300) {
		d := l.Spend(tat, start, 1)
		if !d.Allowed || d.Remaining != 299-i {
			t.Fatalf("token %d: %+v", i, d)
		}
		tat = d.TAT
	}
	d := l.Spend(tat, start, 1)
	if d.Allowed || d.RetryIn != 36*time.Second || !d.TAT.Equal(tat) {
		t.Errorf("the 301st: %+v", d)
	}
	if d = l.Spend(tat, start.Add(36*time.Second), 1); !d.Allowed || d.Remaining != 0 {
		t.Errorf("36 s later: %+v", d)
	}
	if d = l.Spend(tat, start.Add(3*time.Hour), 300); !d.Allowed {
		t.Errorf("a period later the bucket is full again: %+v", d)
	}
}

func TestCheckingSpendsNothing(t *testing.T) {
	l := orders()
	tat := l.Spend(time.Time{}, start, 10).TAT
	if d := l.Check(tat, start, 1); !d.Allowed || d.Remaining != 290 || !d.TAT.Equal(tat) {
		t.Errorf("%+v", d)
	}
	if d := l.Check(tat, start, 291); d.Allowed || d.RetryIn != 36*time.Second {
		t.Errorf("291 of 290: %+v", d)
	}
}

func TestWhatIsGivenBackIsThereAgain(t *testing.T) {
	l := orders()
	tat := l.Spend(time.Time{}, start, 300).TAT
	if d := l.Check(l.Refund(tat, start, 5), start, 1); d.Remaining != 5 {
		t.Errorf("%+v", d)
	}
	if d := l.Check(l.Refund(time.Time{}, start, 5), start, 1); d.Remaining != 300 {
		t.Errorf("a full bucket does not overflow: %+v", d)
	}
}

func TestAClockThatWasAheadLocksNobodyOutForLongerThanAPeriod(t *testing.T) {
	l := orders()
	tat := l.Spend(time.Time{}, start.AddDate(1, 0, 0), 1).TAT
	if d := l.Spend(tat, start, 1); d.Allowed || d.RetryIn > 37*time.Second {
		t.Errorf("%+v", d)
	}
	tat, changed := l.Clamp(tat, start)
	if d := l.Check(tat, start.Add(3*time.Hour), 1); !changed || d.Remaining != 300 {
		t.Errorf("once it is clamped it fills as ever: %v %+v", changed, d)
	}
	if same, changed := l.Clamp(start.Add(time.Minute), start); changed || !same.Equal(start.Add(time.Minute)) {
		t.Error("what can be is left alone")
	}
}

func TestAClockThatJumpsBackDoesNotFillABucket(t *testing.T) {
	l := orders()
	tat := l.Spend(time.Time{}, start, 200).TAT
	if d := l.Check(tat, start.Add(-time.Hour), 1); d.Remaining > 100 {
		t.Errorf("%+v", d)
	}
}

func TestTheCAsRetryAfterCounts(t *testing.T) {
	l := orders()
	tat := l.Corrected(start, 10*time.Minute)
	if d := l.Spend(tat, start, 1); d.Allowed || (d.RetryIn-10*time.Minute).Abs() > time.Second {
		// beyond one token's time the bucket cannot be emptier than empty
		if d.RetryIn != 36*time.Second {
			t.Errorf("%+v", d)
		}
	}
	tat = l.Corrected(start, 20*time.Second)
	if d := l.Spend(tat, start, 1); d.Allowed || d.RetryIn != 20*time.Second {
		t.Errorf("%+v", d)
	}
	if d := l.Spend(tat, start.Add(20*time.Second), 1); !d.Allowed {
		t.Errorf("%+v", d)
	}
}

func TestAShareIsAtLeastOneToken(t *testing.T) {
	if l := orders().Share(1, 20); l.Count != 15 || l.Period != 3*time.Hour {
		t.Errorf("%+v", l)
	}
	if l := orders().Share(1, 1000); l.Count != 1 {
		t.Errorf("%+v", l)
	}
	if l := orders().Share(0, 0); l.Count != 300 {
		t.Errorf("%+v", l)
	}
}

func TestWhatIsNotLimitedIsAllowed(t *testing.T) {
	none := limit.Limit{}
	if d := none.Spend(time.Time{}, start, 1000); !d.Allowed {
		t.Errorf("%+v", d)
	}
	if !none.Take(start, start, 1).Equal(start) || !none.Refund(start, start, 1).Equal(start) || !none.Corrected(start, 1).IsZero() {
		t.Error("it keeps no state")
	}
}

// Whatever is asked for and whenever: no window of a period sees more than twice the count (a full bucket and what comes
// in meanwhile), and what is allowed from a full bucket at once is the count.
func TestNoHistoryGetsMoreThanTheLimit(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	for range 200 {
		l := limit.Limit{Name: "x", Count: 1 + r.Int64N(20), Period: time.Duration(1+r.IntN(1000)) * time.Second}
		now, tat := start, time.Time{}
		type spent struct {
			at   time.Time
			cost int64
		}
		var history []spent
		for range 300 {
			now = now.Add(time.Duration(r.Int64N(int64(l.Period) / l.Count)))
			cost := 1 + r.Int64N(3)
			d := l.Spend(tat, now, cost)
			if !d.Allowed {
				if again := l.Spend(tat, now.Add(d.RetryIn), cost); cost <= l.Count && !again.Allowed {
					t.Fatalf("%+v promised %s and did not keep it", l, d.RetryIn)
				}
				continue
			}
			tat = d.TAT
			history = append(history, spent{now, cost})
		}
		for i := range history {
			sum := int64(0)
			for _, s := range history[i:] {
				if s.at.Sub(history[i].at) < l.Period {
					sum += s.cost
				}
			}
			if sum > 2*l.Count {
				t.Fatalf("%+v: %d within a period", l, sum)
			}
		}
	}
}
