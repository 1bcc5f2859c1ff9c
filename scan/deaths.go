package scan

// What killed runs have in common. Many that end at one age are ended by a time-out; one that is at
// a request when it ends was not waiting for itself.

import (
	"cmp"
	"iter"
	"math"
	"slices"

	"orderly/scan/client"
)

// Deaths are the runs that did not end by themselves.
type Deaths struct {
	Runs  int
	Steps []StepDeaths // the most frequent first
	// Running went on where their log ends.
	Running int
	// Timeouts are ages at which conspicuously many ended, the most frequent first.
	Timeouts []Timeout
}

// StepDeaths are those at one step; the step is empty where nothing had been asked for yet.
type StepDeaths struct {
	Step                      client.Step
	Runs                      int
	Shortest, Median, Longest float64 // seconds
}

// Timeout is an age at which runs ended, and the step that most of them were at.
type Timeout struct {
	Seconds float64
	Runs    int
	Step    client.Step
	AtStep  int
}

const (
	// enough is how many must end at one age, and which part of all, before it is called a time-out.
	enough, part = 3, 5
)

// DeathsOf looks at runs.
func DeathsOf(runs iter.Seq[Run]) Deaths {
	var dead []Run
	running := 0
	for r := range runs {
		if r.Fate == client.Running {
			running++
		}
		if r.Fate == client.Killed || r.Fate == client.Signaled {
			dead = append(dead, r)
		}
	}
	slices.SortFunc(dead, func(a, b Run) int { return cmp.Compare(a.Seconds(), b.Seconds()) })
	return Deaths{Runs: len(dead), Steps: bySteps(dead), Running: running, Timeouts: timeouts(dead)}
}

// bySteps groups runs that are in the order of their age.
func bySteps(dead []Run) []StepDeaths {
	ages := map[client.Step][]float64{}
	for _, r := range dead {
		ages[r.Step] = append(ages[r.Step], r.Seconds())
	}
	var all []StepDeaths
	for step, a := range ages {
		all = append(all, StepDeaths{step, len(a), a[0], a[len(a)/2], a[len(a)-1]})
	}
	slices.SortFunc(all, func(a, b StepDeaths) int {
		return cmp.Or(-cmp.Compare(a.Runs, b.Runs), cmp.Compare(a.Step, b.Step))
	})
	return all
}

// timeouts finds ages at which many of the runs, which are in the order of their age, ended. What
// ends a run after a time does so at that age or a moment later, whatever it is at.
func timeouts(dead []Run) []Timeout {
	var found []Timeout
	first, _ := slices.BinarySearchFunc(dead, shortestTimeout,
		func(r Run, least float64) int { return cmp.Compare(r.Seconds(), least) })
	for rest := dead[first:]; len(rest) > 0; {
		best, end := 0, 0
		for i, j := 0, 0; i < len(rest); i++ {
			for j < len(rest) && rest[j].Seconds() <= rest[i].Seconds()+slack(rest[i].Seconds()) {
				j++
			}
			if j-i > end-best {
				best, end = i, j
			}
		}
		group := rest[best:end]
		if len(group) < enough || len(group)*part < len(dead) {
			break
		}
		found = append(found, timeoutOf(group))
		rest = slices.Concat(rest[:best], rest[end:])
	}
	return found
}

// shortestTimeout is the least age, in seconds, that is called a time-out: no script has a shorter
// one, and what dies younger dies of something else, all of it at about one age.
const shortestTimeout = 5

// slack is how much later than its time a run may be seen to end: the log's last line comes before.
func slack(seconds float64) float64 { return max(1, seconds/50) }

func timeoutOf(group []Run) Timeout {
	t := Timeout{Seconds: math.Round(group[len(group)/2].Seconds()), Runs: len(group)}
	at := map[client.Step]int{}
	for _, r := range group {
		at[r.Step]++
	}
	for step, n := range at {
		if n > t.AtStep || n == t.AtStep && step < t.Step {
			t.Step, t.AtStep = step, n
		}
	}
	return t
}
