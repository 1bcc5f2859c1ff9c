package cli

// Why the certificates of a run failed, each name by its own cause. The engine says what it did (the
// CA could not validate names); what somebody has to do differs from name to name, and a round over
// thousands ends with the few causes there are.

import (
	"context"
	"fmt"
	"slices"
	"time"

	"orderly/diagnose"
	"orderly/failure"
	"orderly/history"
	"orderly/renewal"
)

// causes are why results failed. A result whose names all have one cause gets its class.
func (s *session) causes(ctx context.Context, results []renewal.Result) []history.Entry {
	var all []history.Entry
	for i := range results {
		r := &results[i]
		if r.Outcome != renewal.Failed && r.Outcome != renewal.Invalid && r.Outcome != renewal.Locked {
			continue
		}
		own := s.causesOf(ctx, *r)
		for i := range own {
			if own[i].Until.IsZero() {
				own[i].Until = r.Until
			}
		}
		if class := own[0].Class; !slices.ContainsFunc(own,
			func(e history.Entry) bool { return e.Class != class }) {
			r.Class = class
		}
		all = append(all, ofEach(own, r.Names)...)
	}
	return all
}

// ofEach are causes by name: what befell a whole certificate befell each of its names.
func ofEach(causes []history.Entry, names []string) (each []history.Entry) {
	for _, e := range causes {
		if e.Name != "" || len(names) == 0 {
			each = append(each, e)
			continue
		}
		for _, name := range names {
			e.Name = name
			each = append(each, e)
		}
	}
	return each
}

// causesOf are why one result failed: by its order, where the CA's words are of it.
func (s *session) causesOf(ctx context.Context, r renewal.Result) []history.Entry {
	base := history.Entry{Lineage: r.Lineage, Class: r.Class, Sentence: r.Sentence, Remedy: r.Remedy,
		Customer: diagnose.Known(r.Class, "").Customer}
	switch r.Class {
	case failure.Validation, failure.RateLimited, failure.CARefused:
	default:
		return []history.Entry{base}
	}
	if r.Order == 0 {
		return []history.Entry{base}
	}
	o, err := s.ledger.Order(ctx, r.Order)
	if err != nil || failure.Class(o.Class) != r.Class {
		return []history.Entry{base} // the error itself is printed anyway
	}
	if told := (history.Book{Store: s.ledger}).OfOrder(o); len(told) > 0 {
		return told
	}
	return []history.Entry{base}
}

// groups are the causes of a round by class. What there is of time in them is of this moment alone.
func groups(all []history.Entry) []history.ClassGroup {
	found := history.ByClass(all, time.Time{}, time.Time{})
	for i := range found {
		found[i].Trend, found[i].First, found[i].Last = "", time.Time{}, time.Time{}
	}
	return found
}

// fewCauses is how many certificates have to fail before their causes are told together.
const fewCauses = 2

// byCause ends a round: what failed, by cause, and what to do about each.
func (p *printer) byCause(all []history.Entry) {
	found, lineages := groups(all), 0
	for _, g := range found {
		lineages += len(g.Lineages)
	}
	if p.certbot || lineages < fewCauses {
		return
	}
	p.fault("By cause:")
	for _, g := range found {
		p.fault("  %s: %s, %s (%s)%s", p.paint(red, string(g.Class)), counted(len(g.Names), "name"),
			counted(len(g.Lineages), "certificate"), mendedBy(g.Class.Who()), until(all, g.Class))
		if r := diagnose.Known(g.Class, onlyOne(g.Names)).Remedy; r != "" {
			p.fault("    %s%s", p.paint(bold, "remedy: "), p.remedy(r))
		}
	}
}

// until says when the last of the causes of a class ends by itself, where that is known of one.
func until(all []history.Entry, class failure.Class) string {
	var last time.Time
	for _, e := range all {
		if e.Class == class && e.Until.After(last) {
			last = e.Until
		}
	}
	if last.IsZero() {
		return ""
	}
	return ", until " + clock(last) + " UTC"
}

// mendedBy says who is to mend something, as a part of a sentence.
func mendedBy(w failure.Who) string {
	if w == failure.Nobody {
		return "which nobody has to mend"
	}
	return "to be mended by " + whose(w)
}

// counted is a number of things.
func counted(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}
