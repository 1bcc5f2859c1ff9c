package history

// Thousands of failures are few causes: they are grouped by what leads to the same action, by
// certificate and by server.

import (
	"cmp"
	"slices"
	"time"

	"orderly/failure"
)

// Trend is whether there are more names with a failure lately.
type Trend string

// The trends.
const (
	Rising  Trend = "rising"
	Falling Trend = "falling"
	Steady  Trend = "steady"
)

// ClassGroup is all failures of a class.
type ClassGroup struct {
	Class    failure.Class
	Failures int      // entries
	Names    []string // each once; lineages stand for failures of a whole certificate
	Lineages []string
	First    time.Time
	Last     time.Time
	Trend    Trend
	Example  Entry // the newest
}

// LineageGroup is all failures of a certificate.
type LineageGroup struct {
	Lineage  string
	Server   string
	Failures int
	Classes  []failure.Class // over time, the newest last, each change once
	Since    time.Time       // of the first failure after which none was renewed
	Failing  bool            // no certificate was put in place since
	Last     time.Time
	Newest   []Entry // those of the last moment, one a name
}

// ServerGroup is all failures of a server.
type ServerGroup struct {
	Server   string
	Failures int
	Lineages int
	Classes  map[failure.Class]int
}

// ByClass groups entries, which are in order of time, by class: the class of most names first. The
// trend compares the later half of the time since with the earlier one.
func ByClass(all []Entry, since, now time.Time) []ClassGroup {
	half := since.Add(now.Sub(since) / 2)
	groups, order := map[failure.Class]*ClassGroup{}, []failure.Class{}
	early, late := map[failure.Class]map[string]bool{}, map[failure.Class]map[string]bool{}
	for _, e := range all {
		g := groups[e.Class]
		if g == nil {
			g = &ClassGroup{Class: e.Class, First: e.At}
			groups[e.Class], order = g, append(order, e.Class)
			early[e.Class], late[e.Class] = map[string]bool{}, map[string]bool{}
		}
		who := cmp.Or(e.Name, e.Lineage)
		g.Failures++
		g.Last, g.Example = e.At, e
		g.Names, g.Lineages = once(g.Names, who), once(g.Lineages, e.Lineage)
		if e.At.Before(half) {
			early[e.Class][who] = true
		} else {
			late[e.Class][who] = true
		}
	}
	found := make([]ClassGroup, 0, len(order))
	for _, class := range order {
		g := groups[class]
		g.Trend = trend(len(early[class]), len(late[class]))
		slices.Sort(g.Names)
		slices.Sort(g.Lineages)
		found = append(found, *g)
	}
	slices.SortStableFunc(found, func(a, b ClassGroup) int { return len(b.Names) - len(a.Names) })
	return found
}

func trend(early, late int) Trend {
	switch {
	case late > early:
		return Rising
	case late < early:
		return Falling
	}
	return Steady
}

// once adds a word to a list that has it not yet.
func once(list []string, word string) []string {
	if word == "" || slices.Contains(list, word) {
		return list
	}
	return append(list, word)
}

// ByLineage groups failures by certificate: those that fail still first, and longest.
func (p Past) ByLineage() []LineageGroup {
	groups, order := map[[2]string]*LineageGroup{}, [][2]string{}
	for _, e := range p.Failures {
		key := [2]string{e.Server, e.Lineage}
		g := groups[key]
		if g == nil {
			g = &LineageGroup{Lineage: e.Lineage, Server: e.Server}
			groups[key], order = g, append(order, key)
		}
		renewed := time.Time{}
		if e.Server == "" {
			renewed = p.Renewed[e.Lineage]
		}
		g.add(e, renewed)
	}
	found := make([]LineageGroup, 0, len(order))
	for _, key := range order {
		found = append(found, *groups[key])
	}
	slices.SortStableFunc(found, func(a, b LineageGroup) int {
		if a.Failing != b.Failing {
			return map[bool]int{true: -1, false: 1}[a.Failing]
		}
		return a.Since.Compare(b.Since)
	})
	return found
}

// add adds an entry, which is the newest.
func (g *LineageGroup) add(e Entry, renewed time.Time) {
	g.Failures++
	if g.Since.IsZero() || e.At.After(renewed) && !g.Since.After(renewed) {
		g.Since = e.At
	}
	g.Failing = e.At.After(renewed)
	if len(g.Classes) == 0 || g.Classes[len(g.Classes)-1] != e.Class {
		g.Classes = append(g.Classes, e.Class)
	}
	if !e.At.Equal(g.Last) {
		g.Newest = nil
	}
	g.Last, g.Newest = e.At, append(g.Newest, e)
}

// ByServer groups entries by server, the one with most first.
func ByServer(all []Entry) []ServerGroup {
	groups, order, lineages := map[string]*ServerGroup{}, []string{}, map[[2]string]bool{}
	for _, e := range all {
		g := groups[e.Server]
		if g == nil {
			g = &ServerGroup{Server: e.Server, Classes: map[failure.Class]int{}}
			groups[e.Server], order = g, append(order, e.Server)
		}
		g.Failures++
		g.Classes[e.Class]++
		if key := [2]string{e.Server, e.Lineage}; !lineages[key] {
			lineages[key] = true
			g.Lineages++
		}
	}
	found := make([]ServerGroup, 0, len(order))
	for _, server := range order {
		found = append(found, *groups[server])
	}
	slices.SortStableFunc(found, func(a, b ServerGroup) int { return b.Failures - a.Failures })
	return found
}
