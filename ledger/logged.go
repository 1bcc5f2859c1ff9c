package ledger

import (
	"slices"
	"time"
)

// LogFailure is what the logs of other clients tell of one name that failed in one way, however
// often. It is for people who ask why: it forbids nothing and counts against no limit. The same logs
// may be read again, a part of them too, and others later: see Merged.
type LogFailure struct {
	Host    string `json:"host,omitempty"` // the server that the logs are of; "" for this one
	Lineage string `json:"lineage,omitempty"`
	Name    string `json:"name,omitempty"` // "" where it is the whole certificate's
	Reason
	Customer string    `json:"customer,omitempty"` // what to tell the customer
	Client   string    `json:"client"`
	File     string    `json:"file"` // of the newest, as Line, Until and the reason are
	Line     int64     `json:"line"`
	Until    time.Time `json:"until,omitzero"` // when trying again helps, as far as it was said
	First    time.Time `json:"first_at"`
	Last     time.Time `json:"last_at"`
	// Renewed is when logs show a certificate of the lineage, or with the name, to have been obtained
	// last.
	Renewed time.Time `json:"renewed_at,omitzero"`
	Days    []LogDay  `json:"days"` // in their order; at most those of a year
}

// LogDay is how often something befell on a day.
type LogDay struct {
	Day   int64 `json:"day"` // days since 1970, UTC
	Count int64 `json:"count"`
}

// DayOf is the day of a moment.
func DayOf(t time.Time) int64 { return t.Unix() / secondsADay }

const secondsADay = 24 * 60 * 60

// LogFilter selects what logs tell. Names and Lineages select together: failures of one of the
// names, and those of the whole certificate of one of the lineages.
type LogFilter struct {
	Hosts    []string  // of these servers alone, where there is one
	Since    time.Time // that befell last since then
	Names    []string
	Lineages []string
}

// yearOfDays is how long counts are kept.
const yearOfDays = 366

// Merged is what two scans know together: of the same failure read twice nothing is counted twice,
// since of each day the larger count stands.
func (f LogFailure) Merged(other LogFailure) LogFailure {
	both := f
	if other.Last.After(f.Last) {
		both = other
	}
	if first := min(f.First.UnixMicro(), other.First.UnixMicro()); first != both.First.UnixMicro() {
		both.First = time.UnixMicro(first).UTC()
	}
	both.Renewed = f.Renewed
	if other.Renewed.After(f.Renewed) {
		both.Renewed = other.Renewed
	}
	both.Days = mergedDays(f.Days, other.Days)
	return both
}

func mergedDays(a, b []LogDay) []LogDay {
	most := map[int64]int64{}
	for _, d := range slices.Concat(a, b) {
		most[d.Day] = max(most[d.Day], d.Count)
	}
	days := make([]LogDay, 0, len(most))
	for day, count := range most {
		days = append(days, LogDay{day, count})
	}
	slices.SortFunc(days, func(x, y LogDay) int { return int(x.Day - y.Day) })
	for len(days) > 0 && days[0].Day+yearOfDays <= days[len(days)-1].Day {
		days = days[1:]
	}
	return days
}
