package doctor

// Runs that are ended from outside lose nothing, and time: who starts them should give them longer,
// or say how long they have.

import (
	"context"
	"fmt"
	"slices"
	"time"

	"orderly/failure"
	"orderly/ledger"
)

func runChecks() []Check {
	return []Check{{ID: "D27", Title: "Runs are killed before they end", Host: killedRuns}}
}

const (
	// killedFor is how far back killed runs are counted, and fewestKilled how many are no accident.
	killedFor    = 30 * 24 * time.Hour
	fewestKilled = 3
	// alike is by how much their last signs of life may differ: a run says something with each
	// step, and not at the instant at which it is killed.
	alike = 15 * time.Second
)

// killedRuns tells of runs that were killed again and again, and after how long.
func killedRuns(_ context.Context, e *Exam) ([]Finding, error) {
	all := 0
	var lived []time.Duration
	steps := map[string]int{}
	since := time.Time{}
	for _, r := range e.runs {
		if e.At.Sub(r.StartedAt) > killedFor {
			break
		}
		all++
		if !e.killed(r) {
			continue
		}
		lived = append(lived, ended(r).Sub(r.StartedAt))
		steps[r.LastStep]++
		since = earlier(since, r.StartedAt)
	}
	if len(lived) < fewestKilled {
		return nil, nil
	}
	f := Finding{ID: "D27", Class: failure.Killed, Severity: Note, Fix: FixNo, Since: since,
		Remedy: failure.Do(failure.ListKilledRuns) + " shows what each was at. Give the program that starts them a longer " +
			"time-out, or let the runs end themselves before it: " + failure.Do(failure.Deadline, "TIME") + "."}
	f.Sentence = fmt.Sprintf("%d of %d runs of the last 30 days were killed", len(lived), all)
	if after, same := alikeAfter(lived); same {
		f.Sentence += fmt.Sprintf(", most of them after about %d s", int(after.Seconds()))
	}
	if step := mostly(steps, len(lived)); step != "" {
		f.Sentence += ", most of them after: " + failure.Clean(step)
	}
	for _, r := range e.Schedule.All() {
		if r.Certbots && r.Bound != "" {
			f.File, f.Line = r.File, r.Line
			f.Sentence += fmt.Sprintf("; %s ends them after %s", r.Name, failure.Clean(r.Bound))
			break
		}
	}
	return []Finding{f}, nil
}

// killed reports whether a run neither lives nor recorded its end.
func (e *Exam) killed(r ledger.Run) bool {
	if !r.EndedAt.IsZero() || e.Alive == nil {
		return false
	}
	alive, err := e.Alive(r.ID)
	return err == nil && !alive
}

// alikeAfter is after how long most of them ended, where that is the same for most.
func alikeAfter(lived []time.Duration) (time.Duration, bool) {
	slices.Sort(lived)
	most, at := 0, time.Duration(0)
	for i, longest := range lived {
		n := 0
		for _, l := range lived[:i+1] {
			if longest-l <= alike {
				n++
			}
		}
		if n >= most {
			most, at = n, longest
		}
	}
	return at, most >= fewestKilled && 2*most > len(lived)
}

// mostly is the step that most of them died in, "" for none.
func mostly(steps map[string]int, all int) string {
	for step, n := range steps {
		if step != "" && 2*n > all {
			return step
		}
	}
	return ""
}
