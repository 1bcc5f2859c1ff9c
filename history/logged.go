package history

// What the logs of other clients tell is in the ledger by name and class, with a count for each day.
// One entry stands for all of it, so that a fleet's year is no longer than its list of names.

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"orderly/failure"
	"orderly/ledger"
)

// ofLog is what logs tell of one name and class, since a moment.
func ofLog(f ledger.LogFailure, since time.Time) Entry {
	e := Entry{At: f.Last, First: f.First, Name: f.Name, Lineage: f.Lineage, Server: f.Host,
		Class: failure.Class(f.Class), Sentence: f.Sentence, Customer: f.Customer,
		Remedy: failure.Kept(f.Remedy), Until: f.Until, Renewed: f.Renewed,
		Source: fmt.Sprintf("%s's log %s:%d", f.Client, f.File, f.Line)}
	from := ledger.DayOf(since)
	for _, d := range f.Days {
		if since.IsZero() || d.Day >= from {
			e.Days = append(e.Days, d)
			e.Count += d.Count
		}
	}
	if len(e.Days) > 0 && len(e.Days) < len(f.Days) {
		e.First = time.Unix(e.Days[0].Day*secondsADay, 0).UTC()
	}
	return e
}

const secondsADay = 24 * 60 * 60

// logged are the entries of what logs tell.
func (b Book) logged(ctx context.Context, filter ledger.LogFilter) ([]Entry, error) {
	found, err := b.Store.LogFailures(ctx, filter)
	var all []Entry
	for _, f := range found {
		all = append(all, ofLog(f, filter.Since))
	}
	return all, err
}

// loggedOf is what logs tell of a name: by itself on all servers, and of whole certificates where
// the certificate is one of its own: on this server one of the lineages given, elsewhere one that has
// the name in logs or is called like it.
func (b Book) loggedOf(ctx context.Context, name string, lineages []string) ([]Entry, error) {
	names := []string{name}
	all, err := b.logged(ctx, ledger.LogFilter{Names: names})
	if err != nil {
		return nil, err
	}
	type place struct{ server, lineage string }
	its, asked := map[place]bool{}, []string{name}
	for _, e := range all {
		its[place{e.Server, e.Lineage}], asked = true, append(asked, e.Lineage)
	}
	for _, lineage := range lineages {
		its[place{"", lineage}], asked = true, append(asked, lineage)
	}
	asked = slices.DeleteFunc(asked, func(lineage string) bool { return lineage == "" })
	slices.Sort(asked)
	whole, err := b.logged(ctx, ledger.LogFilter{Lineages: slices.Compact(asked)})
	for _, e := range whole {
		if its[place{e.Server, e.Lineage}] || e.Lineage == name {
			all = append(all, e)
		}
	}
	return all, err
}

// Times is how often it befell.
func (e Entry) Times() int { return int(max(1, e.Count)) }

// Began is when it befell first.
func (e Entry) Began() time.Time {
	if e.First.IsZero() {
		return e.At
	}
	return e.First
}

// during reports whether it befell in a time: from is of it, to is not.
func (e Entry) during(from, to time.Time) bool {
	if len(e.Days) == 0 {
		return !e.At.Before(from) && e.At.Before(to)
	}
	if !e.At.Before(from) && e.At.Before(to) || !e.Began().Before(from) && e.Began().Before(to) {
		return true
	}
	return slices.ContainsFunc(e.Days, func(d ledger.LogDay) bool {
		at := time.Unix(d.Day*secondsADay, 0)
		return !at.Before(from) && at.Before(to)
	})
}

// since is when it befell first after a moment, to the day where there is no more than a count.
func (e Entry) since(moment time.Time) time.Time {
	if e.Began().After(moment) || moment.After(e.At) {
		return e.Began()
	}
	for _, d := range e.Days {
		if at := time.Unix(d.Day*secondsADay, 0).UTC(); at.After(moment) {
			return at
		}
	}
	return e.At
}

// certificate is how an entry's certificate is called: one of which the log does not say it, by what
// its names have in common as a rule.
func (e Entry) certificate() string {
	return cmp.Or(e.Lineage, strings.TrimPrefix(strings.TrimPrefix(e.Name, "*."), "www."))
}

// Over reports whether its certificate was obtained after it befell last, as far as is known. A hook
// that fails does so in the second in which its certificate was obtained.
func (p Past) Over(e Entry) bool { return p.renewed(e).After(e.At) }

// renewed is when the certificate of an entry was put in place last.
func (p Past) renewed(e Entry) time.Time {
	if at := p.Renewed[e.Lineage]; e.Server == "" && at.After(e.Renewed) {
		return at
	}
	return e.Renewed
}
