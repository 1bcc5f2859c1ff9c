package renewal

import (
	"strings"
	"testing"
	"time"

	"orderly/certbot"
	"orderly/failure"
)

var noon = time.Date(2026, time.November, 24, 12, 0, 0, 0, time.UTC)

const day = 24 * time.Hour

func TestWhenACertificateIsDue(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		life   time.Duration
		before string
		left   time.Duration // when it becomes due
	}{
		{90 * day, "", 30 * day},
		{45 * day, "", 15 * day},
		{64 * day, "", 64 * day / 3},
		{10 * day, "", 10 * day / 3},
		{10*day - time.Second, "", (10*day - time.Second) / 2},
		{160 * time.Hour, "", 80 * time.Hour},
		{90 * day, "30 days", 30 * day},
		{90 * day, "3 weeks", 21 * day},
		{90 * day, "1 week 12 hours", 7*day + 12*time.Hour},
		{90 * day, "45", 45 * day},
		{90 * day, "0 days", 0},
		{160 * time.Hour, "30 days", 30 * day}, // always, as certbot has it
	} {
		end := noon.Add(c.life)
		got, err := DueAt(noon, end, c.before)
		if err != nil || !got.Equal(end.Add(-c.left)) {
			t.Errorf("%s, %q: %s before its end, %v", c.life, c.before, end.Sub(got), err)
		}
	}
	for _, bad := range []string{"soon", "30 blue", "-3 days", "days"} {
		if _, err := DueAt(noon, noon.Add(90*day), bad); failure.ClassOf(err) != failure.RenewalFile || !strings.Contains(err.Error(), bad) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func TestWhenLittleTimeIsLeft(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		life, left time.Duration
		want       bool
	}{
		{90 * day, 18 * day, false}, {90 * day, 18*day - 1, true}, {45 * day, 10 * day, false}, {45 * day, 10*day - 1, true},
		{160 * time.Hour, 32 * time.Hour, false}, {160 * time.Hour, 32*time.Hour - 1, true}, {90 * day, -day, true},
	} {
		if got := urgent(&certbot.Certificate{NotBefore: noon.Add(c.left - c.life), NotAfter: noon.Add(c.left)}, noon); got != c.want {
			t.Errorf("%s of %s left: %v", c.left, c.life, got)
		}
	}
}

func TestAClockThatCannotBeBelieved(t *testing.T) {
	t.Parallel()
	ends := func(expired, all int) []time.Time {
		var list []time.Time
		for i := range all {
			end := noon.Add(30 * day)
			if i < expired {
				end = noon.Add(-time.Hour)
			}
			list = append(list, end)
		}
		return list
	}
	for _, c := range []struct {
		name      string
		now, last time.Time
		ends      []time.Time
		doubt     string
	}{
		{"nothing is wrong", noon, noon.Add(-day), ends(0, 100), ""},
		{"before this program was made", time.Date(2026, time.October, 31, 0, 0, 0, 0, time.UTC), time.Time{}, nil, "before Orderly was made"},
		{"a twentieth expired at once", noon, noon.Add(-day), ends(5, 100), "5 of 100"},
		{"fewer did", noon, noon.Add(-day), ends(4, 100), ""},
		{"all of a few did", noon, noon.Add(-day), ends(3, 3), "3 of 3"},
		{"too few to say anything", noon, noon.Add(-day), ends(2, 2), ""},
		{"they had expired before the last renewal", noon, noon.Add(-time.Minute), ends(50, 100), ""},
		{"there was no renewal yet", noon, time.Time{}, ends(50, 100), ""},
		{"the clock was set back", noon, noon.Add(day), ends(50, 100), ""},
		{"no lineage at all", noon, noon.Add(-day), nil, ""},
	} {
		err := clockDoubt(c.now, c.last, c.ends)
		if (err != nil) != (c.doubt != "") || err != nil && (!strings.Contains(err.Error(), c.doubt) || failure.ClassOf(err) != failure.Clock || failure.RemedyOf(err) == "") {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

func TestTheCAsClockIsComparedWithOurs(t *testing.T) {
	t.Parallel()
	for theirs, want := range map[time.Time]string{
		{}: "", noon: "", noon.Add(5 * time.Minute): "", noon.Add(-5 * time.Minute): "",
		noon.Add(6 * time.Minute): "-6m0s off", noon.Add(-time.Hour): "1h0m0s off",
	} {
		if got := skewWarning(noon, theirs); (got == "") != (want == "") || !strings.Contains(got, want) {
			t.Errorf("%s: %q", theirs, got)
		}
	}
}

func TestExitCodes(t *testing.T) {
	t.Parallel()
	result := func(outcome string) Result { return Result{Outcome: outcome} }
	for _, c := range []struct {
		results []Result
		err     error
		want    int
	}{
		{nil, nil, 0},
		{[]Result{result(Issued), result(Kept)}, nil, 0},
		{[]Result{result(Issued), result(Stopped)}, nil, 75},
		{[]Result{result(Stopped), result(Failed)}, nil, 1},
		{[]Result{result(Failed), result(Stopped)}, nil, 1},
		{[]Result{result(Invalid)}, nil, 1},
		{[]Result{result(Issued)}, failure.New(failure.Stopped, "", "x"), 75},
		{nil, failure.New(failure.Usage, "", "x"), 2},
		{nil, failure.New(failure.Clock, "", "x"), 1},
	} {
		if got := Exit(c.results, c.err); got != c.want {
			t.Errorf("%v, %v: %d", c.results, c.err, got)
		}
	}
}
