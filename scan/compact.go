package scan

// Runs in the least room: a year of a fleet has a million, and all are kept until the last log was
// read, because the report has them by server and time.

import (
	"math"
	"slices"
	"strconv"
	"time"

	"orderly/scan/client"
)

// compact is a run.
type compact struct {
	began      int64 // milliseconds
	took       int32 // milliseconds, or unended
	spot             // where it begins
	mark       uint32
	fate, step uint8
}

// unended is where the log does not tell when a run ended.
const unended = math.MinInt32

// fates and steps are numbered by their place here; of the second the first is none.
func fates() []client.Fate {
	return []client.Fate{client.Whole, client.Failed, client.Killed, client.Signaled, client.Running}
}

func steps() []client.Step {
	return []client.Step{"", client.Directory, client.NewOrder, client.Authorization,
		client.Challenge, client.Poll, client.Order, client.Finalize, client.Certificate}
}

func compactOf(r client.Run) compact {
	c := compact{began: r.Began.UnixMilli(), took: unended, spot: spotOf(r.Place), mark: r.Mark,
		fate: uint8(slices.Index(fates(), r.Fate)), step: uint8(slices.Index(steps(), r.Step))}
	if !r.Began.IsZero() && !r.Ended.IsZero() {
		took := r.Ended.UnixMilli() - c.began
		c.took = int32(max(math.MinInt32+1, min(took, math.MaxInt32)))
	}
	return c
}

// spot is a line of a log, in the least room.
type spot struct{ file, line uint32 }

func spotOf(p client.Place) spot {
	return spot{p.File, uint32(min(p.Line, math.MaxUint32))}
}

func (s spot) place() client.Place { return client.Place{File: s.file, Line: int64(s.line)} }

// run is a run as the report says it.
func (s *scan) run(c compact) Run {
	host, file := s.place(c.place())
	r := Run{ID: file + ":" + strconv.FormatInt(int64(c.line), 10), Host: host,
		Began: fromMilli(c.began), Fate: fates()[c.fate], Step: steps()[c.step]}
	if c.took != unended {
		r.Ended = fromMilli(c.began + int64(c.took))
	}
	return r
}

// noTime is the moment of a run whose log has none.
const noTime = -62135596800000

func fromMilli(n int64) time.Time {
	if n == noTime {
		return time.Time{}
	}
	return time.UnixMilli(n).UTC()
}
