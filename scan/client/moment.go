package client

// The time of a record: the local time of its host, without a zone. The CA's Date header beside it
// tells the zone; where none was logged yet, UTC is assumed.

import "time"

// moment is a local time, in nanoseconds as if it were UTC; 0 is none.
type moment int64

// zone is how far a host's local time is ahead of UTC.
type zone struct {
	ahead time.Duration
	known bool
}

// momentOf reads 2026-11-28 02:51:12,840, of which the framer knows that it is digits.
func momentOf(b []byte) moment {
	if len(b) < stampLen {
		return 0
	}
	two := func(i int) int { return int(b[i]-'0')*10 + int(b[i+1]-'0') }
	t := time.Date(two(0)*100+two(2), time.Month(two(5)), two(8), two(11), two(14), two(17),
		(two(20)*10+int(b[22]-'0'))*int(time.Millisecond), time.UTC)
	return moment(t.UnixNano())
}

func (m moment) in(z zone) time.Time {
	if m == 0 {
		return time.Time{}
	}
	return time.Unix(0, int64(m)).UTC().Add(-z.ahead)
}

// learn takes the zone from an answer: its Date is UTC. Zones are quarters of an hour; a Date that
// is far from all of them (a clock that is wrong, an answer out of a cache) teaches nothing.
func (z *zone) learn(local moment, date time.Time) {
	if z.known || local == 0 || date.IsZero() {
		return
	}
	const quarter = 15 * time.Minute
	ahead := time.Unix(0, int64(local)).Sub(date)
	near := ahead.Round(quarter)
	if d := (ahead - near).Abs(); d > 5*time.Minute || near.Abs() > 15*time.Hour {
		return
	}
	z.ahead, z.known = near, true
}
