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
	Failures int      // attempts, of each name
	Names    []string // each once; lineages stand for failures of a whole certificate
	Lineages []string
	First    time.Time
	Last     time.Time
	Trend    Trend
	Compared bool  // whether anything at all is known of the time that the trend compares with
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
	Lineages int // certificates that failed
	Failing  int // those that fail still
	Classes  map[failure.Class]int
}

// ByClass groups entries, which are in order of time, by class: the class of most names first. The
// trend compares the later half of the time since with the earlier one, if that has anything.
func ByClass(all []Entry, since, now time.Time) []ClassGroup {
	half := since.Add(now.Sub(since) / 2)
	compared := slices.ContainsFunc(all, func(e Entry) bool { return e.during(since, half) })
	groups, order := map[failure.Class]*classes{}, []failure.Class{}
	for _, e := range all {
		g := groups[e.Class]
		if g == nil {
			g = &classes{ClassGroup: ClassGroup{Class: e.Class, First: e.Began()}, names: set{},
				lineages: set{}, early: set{}, late: set{}}
			groups[e.Class], order = g, append(order, e.Class)
		}
		g.add(e, since, half)
	}
	found := make([]ClassGroup, 0, len(order))
	for _, class := range order {
		g := groups[class]
		// A first look at logs of one day knows nothing of the time before: nothing rose then.
		if g.Trend, g.Compared = Steady, compared; compared {
			g.Trend = trend(len(g.early), len(g.late))
		}
		g.Names, g.Lineages = g.names.sorted(), g.lineages.sorted()
		found = append(found, g.ClassGroup)
	}
	slices.SortStableFunc(found, func(a, b ClassGroup) int { return len(b.Names) - len(a.Names) })
	return found
}

// set is a set of words.
type set map[string]bool

func (s set) add(word string) {
	if word != "" {
		s[word] = true
	}
}

func (s set) sorted() []string {
	words := make([]string, 0, len(s))
	for word := range s {
		words = append(words, word)
	}
	slices.Sort(words)
	return words
}

// classes is a group that is being made.
type classes struct {
	ClassGroup
	names, lineages, early, late set
}

// add adds an entry, which is the newest.
func (g *classes) add(e Entry, since, half time.Time) {
	who := cmp.Or(e.Name, e.Lineage)
	g.Failures += e.Times()
	g.Last, g.Example = e.At, e
	if e.Began().Before(g.First) {
		g.First = e.Began()
	}
	g.names.add(who)
	g.lineages.add(e.Lineage)
	if e.during(since, half) {
		g.early[who] = true
	}
	if !e.At.Before(half) {
		g.late[who] = true
	}
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

// ByLineage groups failures by certificate: those that fail still first, and longest.
func (p Past) ByLineage() []LineageGroup {
	type place struct{ server, certificate string }
	groups, order, renewed := map[place]*LineageGroup{}, []place{}, map[place]time.Time{}
	for _, e := range p.Failures {
		key := place{e.Server, e.certificate()}
		if at := p.renewed(e); at.After(renewed[key]) {
			renewed[key] = at
		}
	}
	for _, e := range p.Failures {
		key := place{e.Server, e.certificate()}
		g := groups[key]
		if g == nil {
			g = &LineageGroup{Lineage: key.certificate, Server: e.Server}
			groups[key], order = g, append(order, key)
		}
		g.add(e, renewed[key])
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
	g.Failures += e.Times()
	began := e.since(renewed)
	if g.Since.IsZero() || began.Before(g.Since) && began.After(renewed) ||
		began.After(renewed) && !g.Since.After(renewed) {
		g.Since = began
	}
	g.Failing = !renewed.After(e.At)
	if len(g.Classes) == 0 || g.Classes[len(g.Classes)-1] != e.Class {
		g.Classes = append(g.Classes, e.Class)
	}
	if !sameAttempt(e.At, g.Last) {
		g.Newest = nil
	}
	g.Last, g.Newest = e.At, append(g.Newest, e)
}

// sameAttempt reports whether two names failed in one attempt: a log has the moment of each.
func sameAttempt(a, b time.Time) bool { return a.Sub(b).Abs() < time.Minute }

// ByServer groups failures by server: the one with most certificates that fail still first.
func (p Past) ByServer() []ServerGroup {
	groups, order := map[string]*ServerGroup{}, []string{}
	of := func(server string) *ServerGroup {
		g := groups[server]
		if g == nil {
			g = &ServerGroup{Server: server, Classes: map[failure.Class]int{}}
			groups[server], order = g, append(order, server)
		}
		return g
	}
	for _, e := range p.Failures {
		g := of(e.Server)
		g.Failures += e.Times()
		g.Classes[e.Class] += e.Times()
	}
	for _, l := range p.ByLineage() {
		g := of(l.Server)
		if g.Lineages++; l.Failing {
			g.Failing++
		}
	}
	found := make([]ServerGroup, 0, len(order))
	for _, server := range order {
		found = append(found, *groups[server])
	}
	slices.SortStableFunc(found, func(a, b ServerGroup) int {
		return cmp.Or(b.Failing-a.Failing, b.Failures-a.Failures, cmp.Compare(a.Server, b.Server))
	})
	return found
}
