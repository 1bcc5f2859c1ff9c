package sim

import (
	"cmp"
	"maps"
	"slices"
	"time"
)

// mostPlays bounds how often Shrink plays a year.
const mostPlays = 600

// shrinker looks for a smaller year that fails in the same way.
type shrinker struct {
	best      Options
	result    Result
	invariant string
	plays     int
}

// Shrink makes the year of a failing seed smaller as long as the same invariant is breached: fewer days, fewer lineages,
// fewer kinds of fault, fewer single faults. It returns what it came to, with the trace.
func Shrink(o Options) (Options, Result) {
	o.Record, o.Lineages, o.Days = true, cmp.Or(o.Lineages, 50), cmp.Or(o.Days, 365)
	s := &shrinker{best: o, result: Run(o)}
	if s.result.Failure == nil {
		return s.best, s.result
	}
	s.invariant = s.result.Failure.Invariant
	s.days()
	s.lineages()
	for _, kind := range Kinds() {
		s.try(func(o *Options) { o.Without = with(o.Without, kind) })
	}
	s.singles()
	s.days()
	return s.best, s.result
}

// try plays a smaller year and keeps it if it fails as the first one did.
func (s *shrinker) try(smaller func(*Options)) bool {
	o := s.best
	smaller(&o)
	if s.plays++; s.plays > mostPlays {
		return false
	}
	r := Run(o)
	if r.Failure == nil || r.Failure.Invariant != s.invariant {
		return false
	}
	s.best, s.result = o, r
	return true
}

func with(set map[string]bool, names ...string) map[string]bool {
	more := maps.Clone(set)
	if more == nil {
		more = map[string]bool{}
	}
	for _, name := range names {
		more[name] = true
	}
	return more
}

func (s *shrinker) days() {
	failed := int(s.result.Failure.At.Sub(start)/(24*time.Hour)) + 1
	for _, days := range []int{failed, failed - quietDays, failed / 2} {
		if days > 0 && days < s.best.Days {
			s.try(func(o *Options) { o.Days = days })
		}
	}
}

// lineages leaves out halves, then quarters, then single ones.
func (s *shrinker) lineages() {
	if len(s.best.Only) == 0 {
		for i := range s.best.Lineages {
			s.best.Only = append(s.best.Only, i)
		}
	}
	for size := len(s.best.Only) / 2; size > 0; size /= 2 {
		for at := 0; at < len(s.best.Only); {
			rest := slices.Delete(slices.Clone(s.best.Only), at, min(at+size, len(s.best.Only)))
			if len(rest) == 0 || !s.try(func(o *Options) { o.Only = rest }) {
				at += size
			}
		}
	}
}

// singles spares halves of the faults, then quarters, then single ones.
func (s *shrinker) singles() {
	for size := len(s.result.Fired) / 2; size > 0; size /= 2 {
		for at := 0; at < len(s.result.Fired) && s.plays < mostPlays; {
			chunk := s.result.Fired[at:min(at+size, len(s.result.Fired))]
			if !s.try(func(o *Options) { o.Spared = with(o.Spared, chunk...) }) {
				at += size
			}
		}
	}
}
