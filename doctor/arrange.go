package doctor

// In which order findings are told: what breaks first stands first, and what has one cause stands
// together, since a person mends causes.

import (
	"cmp"
	"slices"
	"time"
)

// Group is findings that have one cause.
type Group struct {
	Check    Check
	Cause    string
	Findings []Finding // never none
}

// HurtsAt is when the first of them hurts, zero where that is known of none.
func (g Group) HurtsAt() time.Time {
	var first time.Time
	for _, f := range g.Findings {
		first = earlier(first, f.HurtsAt)
	}
	return first
}

// Severity is that of the worst of them.
func (g Group) Severity() Severity {
	return slices.MinFunc(g.Findings, bySeverity).Severity
}

// earlier is the earlier of two moments, of which zero is none.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// later orders moments, of which zero is never.
func later(a, b time.Time) int {
	if a.IsZero() != b.IsZero() {
		return b.Compare(a)
	}
	return a.Compare(b)
}

// dayOf is the day of a moment: of what hurts on one day, what has one cause stands together.
func dayOf(t time.Time) time.Time {
	if t.IsZero() {
		return t
	}
	return t.UTC().Truncate(24 * time.Hour)
}

// rank is a severity's place: what breaks a renewal comes first. It is asked for each comparison of
// hundreds of thousands.
func rank(s Severity) int {
	switch s {
	case Fails:
		return 0
	case WillFail:
		return 1
	case Doubtful:
		return 2
	}
	return 3
}

// Known reports whether this is a severity at all.
func (s Severity) Known() bool { return s == Note || rank(s) < rank(Note) }

func bySeverity(a, b Finding) int { return cmp.Compare(rank(a.Severity), rank(b.Severity)) }

// Arrange orders findings: what hurts first stands first, doubts and notes come last.
func Arrange(all []Finding) {
	slices.SortStableFunc(all, func(a, b Finding) int {
		return cmp.Or(
			cmp.Compare(min(rank(Doubtful), rank(a.Severity)), min(rank(Doubtful), rank(b.Severity))),
			bySeverity(a, b)*notHurting(a, b),
			later(dayOf(a.HurtsAt), dayOf(b.HurtsAt)), cmp.Compare(number(a.ID), number(b.ID)),
			cmp.Compare(a.Server, b.Server), cmp.Compare(a.Lineage, b.Lineage), slices.Compare(a.Names, b.Names),
			cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line),
			cmp.Compare(a.Sentence, b.Sentence))
	})
}

// notHurting is 0 where both break a renewal: among these only the date counts.
func notHurting(a, b Finding) int {
	if a.hurts() && b.hurts() {
		return 0
	}
	return 1
}

// number is that of an id, so that D9 comes before D14.
func number(id string) int {
	n := 0
	for _, r := range id {
		if r >= '0' && r <= '9' {
			n = n*10 + int(r-'0')
		}
	}
	return n
}

// Groups are the findings by cause, in the order in which the first of each stands. Notes have a
// group of their own: below "fails", what the next renewal mends by itself would cost an evening.
func (r Report) Groups() []Group {
	type key struct {
		id, cause string
		note      bool
	}
	at, checks := map[key]int{}, map[string]Check{}
	for _, c := range Checks() {
		checks[c.ID] = c
	}
	var groups []Group
	for _, f := range r.Findings {
		k := key{f.ID, f.Cause, f.Severity == Note}
		i, begun := at[k]
		if !begun {
			i = len(groups)
			at[k] = i
			check, known := checks[f.ID]
			if !known { // a later version made it: it is known by its id alone
				check = Check{ID: f.ID, Title: "A check that this version does not know"}
			}
			groups = append(groups, Group{Check: check, Cause: f.Cause})
		}
		groups[i].Findings = append(groups[i].Findings, f)
	}
	return groups
}
