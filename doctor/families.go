package doctor

// Certificates that share names: each renewal of each is ordered, counted by the CA's limits, and one
// of them is most often in use by nobody.

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"orderly/certbot"
	"orderly/failure"
)

func familyChecks() []Check {
	return []Check{{ID: "D19", Title: "Several certificates have the same names", Host: families}}
}

// copied is the cause of D19 that a renewal file is a copy.
const copied = "copy"

// shownLineages is how many lineages a sentence names.
const shownLineages = 6

// family is the lineages that have exactly the same names.
type family struct {
	names   []string // lower case, sorted
	members []*Lineage
}

// families tells of lineages that are renewed for the same names, for a part of another's, or with
// names in common, and of renewal files that are copies.
func families(_ context.Context, e *Exam) ([]Finding, error) {
	all := slices.Concat(e.Lineages, e.Others)
	slices.SortFunc(all, func(a, b *Lineage) int { return strings.Compare(a.Name, b.Name) })
	found, copies := e.copies(all)
	sets := map[string]*family{}
	for _, x := range all {
		if x.off() || len(x.Names) == 0 || copies[x.Name] != "" {
			continue
		}
		names := lowered(x.Names)
		key := strings.Join(names, " ")
		if sets[key] == nil {
			sets[key] = &family{names: names}
		}
		sets[key].members = append(sets[key].members, x)
	}
	groups := slices.SortedFunc(maps.Values(sets), func(a, b *family) int {
		return strings.Compare(a.members[0].Name, b.members[0].Name)
	})
	for _, g := range groups {
		found = append(found, e.twins(g)...)
	}
	return append(found, e.overlaps(groups)...), nil
}

// lowered are names in small letters, sorted.
func lowered(names []string) []string {
	var all []string
	for _, name := range names {
		all = append(all, strings.ToLower(name))
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// asked reports whether one of some lineages was asked for.
func (e *Exam) asked(some []*Lineage) bool {
	return len(e.Wanted.Names) == 0 || slices.ContainsFunc(some, e.wanted)
}

// copies tells of renewal files that somebody copied: no renewal goes by them.
func (e *Exam) copies(all []*Lineage) ([]Finding, map[string]string) {
	var owned []certbot.Owned
	byName := map[string]*Lineage{}
	for _, x := range all {
		owned, byName[x.Name] = append(owned, x.Owned), x
	}
	copies := certbot.Copies(owned)
	var found []Finding
	for _, name := range slices.Sorted(maps.Keys(copies)) {
		x := byName[name]
		if !e.wanted(x) {
			continue
		}
		err := e.Disk.SharedFailure(name, copies[name])
		f := x.findsError("D19", err)
		f.Severity, f.HurtsAt, f.Cause = Note, time.Time{}, copied
		f.Since = changed(x.Path)
		found = append(found, f)
	}
	return found, copies
}

// twins tells of lineages with exactly the same names. Of different key types they are meant to stand
// beside each other, unless certbot numbered them.
func (e *Exam) twins(g *family) []Finding {
	if len(g.members) < 2 || !e.asked(g.members) || deliberate(g.members) {
		return nil
	}
	x := g.members[0]
	f := x.notesThat("D19", "Look which of them is in use, and delete the others: "+
		failure.Do(failure.Delete, g.members[len(g.members)-1].Name)+".",
		"%d certificates are renewed for the same names: %s", len(g.members), called(g.members))
	f.Class, f.Names = failure.LimitSet, x.Names
	f.File, f.Cause = g.members[len(g.members)-1].Path, "same"
	f.Since = g.members[len(g.members)-1].NotBefore
	e.relate(f, kin{keep: g.members, spare: g.members})
	return []Finding{f}
}

// deliberate reports whether lineages of the same names differ in their keys' types, and in more than
// a number that certbot put behind the name.
func deliberate(members []*Lineage) bool {
	types := map[string]bool{}
	for _, x := range members {
		types[x.KeyType] = true
		stem, number, cut := strings.Cut(x.Name, members[0].Name+"-")
		if x != members[0] && cut && stem == "" && len(number) == 4 &&
			strings.Trim(number, "0123456789") == "" {
			return false
		}
	}
	return len(types) == len(members)
}

// called are the names of lineages, for a sentence.
func called(some []*Lineage) string {
	var names []string
	for _, x := range some[:min(len(some), shownLineages)] {
		names = append(names, x.Name)
	}
	if len(some) > shownLineages {
		names = append(names, "…")
	}
	return strings.Join(names, ", ")
}

// overlaps tells of lineages whose names are a part of another's, and of those that have some names
// in common. A name that thousands have makes one finding.
func (e *Exam) overlaps(groups []*family) []Finding {
	having := map[string][]*family{}
	for _, g := range groups {
		for _, name := range g.names {
			having[name] = append(having[name], g)
		}
	}
	var found []Finding
	inside := map[*family]bool{}
	for _, g := range groups {
		if around := g.within(having); around != nil {
			inside[g] = true
			found = append(found, e.part(g, around)...)
		}
	}
	shared := map[string][]string{} // names by the lineages that have them
	sharers := map[string][]*Lineage{}
	for name, some := range having {
		some = slices.DeleteFunc(slices.Clone(some), func(g *family) bool { return inside[g] })
		if len(some) < 2 {
			continue
		}
		var members []*Lineage
		var key strings.Builder
		for _, g := range some {
			members = append(members, g.members[0])
			key.WriteString(g.members[0].Name + " ")
		}
		shared[key.String()] = append(shared[key.String()], name)
		sharers[key.String()] = members
	}
	for _, key := range slices.Sorted(maps.Keys(shared)) {
		found = append(found, e.common(sharers[key], shared[key])...)
	}
	return found
}

// within is a family that has all names of this one and more; nil if there is none. It is looked for
// among those that have its rarest name.
func (g *family) within(having map[string][]*family) *family {
	rarest := slices.MinFunc(g.names, func(a, b string) int {
		return cmp.Compare(len(having[a]), len(having[b]))
	})
	for _, other := range having[rarest] {
		if other != g && len(other.names) > len(g.names) &&
			!slices.ContainsFunc(g.names, func(name string) bool {
				_, has := slices.BinarySearch(other.names, name)
				return !has
			}) {
			return other
		}
	}
	return nil
}

// part tells of a certificate whose names another one has as well.
func (e *Exam) part(g, around *family) []Finding {
	x, other := g.members[0], around.members[0]
	if !e.asked([]*Lineage{x, other}) {
		return nil
	}
	f := x.notesThat("D19", "If nothing uses it, delete it: "+
		failure.Do(failure.Delete, x.Name)+".", "all its names are also those of %s", other.Name)
	f.Class, f.Names, f.Cause = failure.LimitSet, x.Names, "part"
	e.relate(f, kin{keep: around.members, spare: []*Lineage{x}})
	return []Finding{f}
}

// common tells of names that several certificates have.
func (e *Exam) common(some []*Lineage, names []string) []Finding {
	if !e.asked(some) {
		return nil
	}
	x := some[0]
	f := x.notesThat("D19", "If that is not meant, leave them out of one: "+
		failure.Do(failure.ObtainFor, x.Name, x.way(x.Names), "NAME")+".",
		"%d certificates have these names in common: %s", len(some), called(some))
	f.Class, f.Names, f.Cause = failure.LimitSet, names, "common"
	return []Finding{f}
}
