package doctor

// What is new since the last look: a finding that was there is no news, however its words change
// from day to day. One that went and comes back within a week was never mended, and is none either:
// what the network shows comes and goes, and who is told of it each time stops reading.

import (
	"encoding/json"
	"errors"
	"slices"
	"time"
)

// Seen is what the last looks found: what a command remembers between its runs.
type Seen struct {
	Version int       `json:"version"`
	At      time.Time `json:"at"`
	// Findings is when each was last found, and how bad it was, by its key.
	Findings map[string]SeenFinding `json:"findings"`
}

// SeenFinding is a finding of an earlier look.
type SeenFinding struct {
	Extent
	At    time.Time `json:"at"`
	Check string    `json:"id"`
	// Gone is when each name that it does not concern any more was last found, by the name's sum.
	Gone map[uint32]time.Time `json:"gone,omitempty"`
}

// seenVersion is that of Seen.
const seenVersion = 2

const (
	// returns is for how long a finding that is gone is no news when it comes back.
	returns = 7 * 24 * time.Hour
	// forgotten is for how long those are remembered that nobody looked for: of checks that were
	// not made, of certificates that were not asked for.
	forgotten = 60 * 24 * time.Hour
)

// ReadSeen reads what was kept; nil, which nothing was found in, for what this version cannot read.
func ReadSeen(text []byte) (*Seen, error) {
	var s Seen
	if err := json.Unmarshal(text, &s); err != nil {
		return nil, err
	}
	if s.Version != seenVersion {
		return nil, errors.New("another version wrote it")
	}
	return &s, nil
}

// New is the report with what is new, or worse, since what was seen (nil: all of it), and what is to
// be remembered now.
func (r Report) New(before *Seen) (fresh Report, now Seen) {
	now = Seen{Version: seenVersion, At: r.At.UTC().Truncate(time.Second),
		Findings: r.remembered(before)}
	fresh = r
	fresh.Findings = nil
	ids := map[string]string{}
	for _, f := range r.Findings {
		key := f.Key()
		seen, known := now.Findings[key]
		if !known || !seen.Covers(f) {
			fresh.Findings = append(fresh.Findings, f)
		}
		ids[key] = f.ID
	}
	for key, extent := range Extents(r.Findings) {
		now.Findings[key] = SeenFinding{extent, now.At, ids[key], now.Findings[key].gone(extent)}
	}
	return fresh, now
}

// remembered is what was seen and counts still, with the names that went from it lately.
func (r Report) remembered(before *Seen) map[string]SeenFinding {
	kept := map[string]SeenFinding{}
	if before == nil {
		return kept
	}
	for key, seen := range before.Findings {
		keep := returns
		if r.exam == nil || r.Partial || !r.exam.made(seen.Check) {
			keep = forgotten
		}
		if r.At.Sub(seen.At) > keep {
			continue
		}
		if len(seen.Names) > 0 {
			names := slices.Clone(seen.Names)
			for name, at := range seen.Gone {
				if r.At.Sub(at) <= returns {
					names = append(names, name)
				}
			}
			slices.Sort(names)
			seen.Names = names
		}
		kept[key] = seen
	}
	return kept
}

// gone are the names that a finding had, and has not now.
func (s SeenFinding) gone(now Extent) map[uint32]time.Time {
	var all map[uint32]time.Time
	for _, name := range s.Names {
		if _, there := slices.BinarySearch(now.Names, name); there || len(now.Names) == 0 {
			continue
		}
		if all == nil {
			all = map[uint32]time.Time{}
		}
		all[name] = s.At
		if before, was := s.Gone[name]; was {
			all[name] = before
		}
	}
	return all
}

// made reports whether a check was made.
func (e *Exam) made(id string) bool {
	i := slices.IndexFunc(Checks(), func(c Check) bool { return c.ID == id })
	return i >= 0 && e.Wanted.allows(Checks()[i].Needs)
}
