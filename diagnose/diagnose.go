// Package diagnose tells what a text about a failure means: whoever wrote it (certbot of any year,
// lego, acme.sh, dehydrated, uacme, a CA itself, Orderly) and however it was wrapped, it becomes for
// each name a class of package failure, whose it is to mend, whether trying again helps, and what to
// do. It does no I/O and must never believe a text: what it shows of one is cleaned, what a site
// served cannot choose its class, and nothing that Orderly does depends on words.
package diagnose

// From text to findings: decoded, taken apart into words, divided by name, each part looked up in
// the table, and what several parts say of one name put together.

import (
	"cmp"
	"net/netip"
	"slices"
	"strings"
	"time"

	"orderly/failure"
)

// Here is what is known of the server at which a failure befell.
type Here struct {
	// Ours are the addresses of this server or fleet. Without one, nothing is said to be elsewhere.
	Ours []netip.Prefix
}

// owns reports whether an address is ours.
func (h Here) owns(a netip.Addr) bool {
	return slices.ContainsFunc(h.Ours, func(p netip.Prefix) bool { return p.Contains(a) })
}

// knows reports whether there is an IPv4 address to compare with.
func (h Here) knows() bool {
	return slices.ContainsFunc(h.Ours, func(p netip.Prefix) bool { return p.Addr().Is4() })
}

// Finding is what a text says of one name.
type Finding struct {
	Name     string        // "" where the text names none
	Class    failure.Class // failure.Unclassified where nothing is known
	Charged  bool          // Let's Encrypt counted it as a failed authorization
	Limit    string        // of the CA's, by Boulder's name; "" where it is about none
	Until    time.Time     // when trying again helps; zero where the text does not say
	Sentence string        // what is wrong, for whoever runs the server
	Customer string        // the same for the customer; "" where it is none of theirs
	Remedy   failure.Remedy

	level   level
	weak    bool // the client's summary, which says no cause
	generic bool // told by the sort of the problem alone
}

// Text is what a text says, a finding for each name; never none.
func Text(text string, here Here) []Finding {
	plain := decode(text)
	t := scan(plain)
	all := t.findingsOf(here)
	if strings.IndexByte(plain, '\n') >= 0 && (vague(all) || uncertain(all)) { // words may be broken
		again := scan(strings.ReplaceAll(plain, "\n", "")).findingsOf(here)
		if surer(again, all) {
			return again
		}
	}
	if len(all) > 0 {
		return all
	}
	f := torn(t, here)
	if f.Class == failure.Unclassified {
		f.Sentence, f.Remedy = unclassified(text)
	}
	return []Finding{f}
}

// vague reports whether findings say no cause.
func vague(all []Finding) bool {
	return !slices.ContainsFunc(all, func(f Finding) bool { return !f.weak })
}

// uncertain reports whether a finding knows no more than the sort of a problem, or not whom it is
// about.
func uncertain(all []Finding) bool {
	return slices.ContainsFunc(all, func(f Finding) bool { return f.generic || f.Charged && f.Name == "" })
}

// surer reports whether the findings of a text whose lines were joined tell more than those of the
// text as it came: a cause, or the name of it. Lines that end where a word does are joined wrongly.
func surer(joined, asCame []Finding) bool {
	switch {
	case vague(joined):
		return false
	case vague(asCame):
		return true
	case len(joined) != len(asCame):
		return false
	}
	better := false
	for i, j := range joined {
		came := asCame[i]
		switch {
		case j.Name != came.Name && came.Name != "" || j.generic && !came.generic:
			return false
		case came.generic && !j.generic && j.Class != came.Class,
			came.Name == "" && j.Name != "" && j.Class == came.Class:
			better = true
		}
	}
	return better
}

// findingsOf are the findings of all parts of a text.
func (t *tokens) findingsOf(here Here) []Finding {
	var all []Finding
	for _, p := range divide(t) {
		all = append(all, t.findings(p, here)...)
	}
	if len(all) == 1 && all[0].level == whole && (strings.IndexByte(t.text, '\n') >= 0 ||
		strings.Count(t.low, "dns problem") > 1) {
		if lines := byLine(t, here); len(lines) > 1 {
			all = lines
		}
	}
	return settle(all)
}

// findings are what one part says: one finding, more where it lists names, none where it says
// nothing.
func (t *tokens) findings(p part, here Here) []Finding {
	r := read(t, p, here)
	class, known := r.own()
	generic := false
	if !known {
		class, generic, known = theTable().classify(r.words)
	}
	if !known {
		return nil
	}
	var all []Finding
	for _, n := range r.names() {
		if class == failure.Account && p.level == whole {
			n = "" // a name in a text about an account is that of its e-mail address
		}
		r.f.name = n
		f := r.finding(class)
		f.generic = generic
		all = append(all, f)
	}
	return all
}

// finding is the finding of a class.
func (r *reader) finding(class failure.Class) Finding {
	f := Finding{Name: r.f.name, Class: class, level: r.p.level}
	f.weak = class == failure.Validation && !strings.Contains(r.words, " txt ") &&
		!strings.Contains(r.words, " propagat")
	f.Charged = class.Fallible() && r.validated(r.words)
	if f.Limit = limitOf(class, r.words); f.Limit != "" || class.Retry() == failure.RetryLater {
		f.Until = r.untilOf(class, f.Limit != "")
	}
	if class == failure.Paused {
		f.Until = time.Time{}
	}
	if class == failure.WebrootLocked {
		r.f.way = r.way()
	}
	f.Sentence, f.Customer, f.Remedy = say(class, r.f, f)
	switch {
	case f.Sentence == "":
		f.Sentence = cmp.Or(failure.Clean(r.text()), string(class)) // a class of Orderly's alone
	case isReasoned(class):
		f.Sentence = because(f.Sentence, r.reason())
	}
	return f
}

// text is the part as it stands in the text.
func (r *reader) text() string {
	if r.p.from >= r.p.to {
		return ""
	}
	return r.t.text[r.t.all[r.p.from].begin:r.t.all[r.p.to-1].end]
}

// validated reports whether a CA validated here, and not a check before it, or a CA that looked at
// CAA once more before it issued.
func (r *reader) validated(words string) bool {
	if strings.Contains(words, " rechecking caa ") || strings.Contains(words, " finalizing order ") {
		return false
	}
	if r.f.typ != "" || r.p.level == challenge || r.f.address.IsValid() {
		return true
	}
	for _, w := range []string{" dns problem ", " fetching {url} ", " invalid response from {url} ",
		" challenges have failed ", " challenge failed ", " key authorization file "} {
		if strings.Contains(words, w) {
			return true
		}
	}
	return false
}

// own is the class that Orderly wrote before a sentence of its own, at the beginning of a line.
func (r *reader) own() (failure.Class, bool) {
	for i := r.p.from; i < min(r.p.to, r.p.from+40); i++ {
		w := r.t.word(i)
		if strings.IndexByte(w, '-') > 0 && r.t.follows(i) == ':' &&
			(i == r.p.from || strings.Contains(r.t.between(i), "\n") || r.t.word(i-1) == "error" ||
				r.t.precedes(i) == '"') &&
			failure.Class(w).Known() {
			return failure.Class(w), true
		}
	}
	return "", false
}

// byLine is each line by itself, or each "DNS problem" where there are some, where several of them say
// something of names of their own: the answers of a CA, one below another.
func byLine(t *tokens, here Here) []Finding {
	var all []Finding
	from, lookups := 0, strings.Count(t.low, "dns problem") > 1
	for i := 1; i <= len(t.all); i++ {
		begins := lookups && t.word(i) == "dns" && t.word(i+1) == "problem" ||
			!lookups && strings.Contains(t.between(i), "\n")
		if i < len(t.all) && !begins {
			continue
		}
		for _, f := range t.findings(part{from: from, to: i}, here) {
			if f.Name != "" && !f.weak && (f.Charged || f.Limit != "") {
				all = append(all, f)
			}
		}
		from = i
	}
	all = settle(all)
	if slices.IndexFunc(all, func(f Finding) bool { return f.Name != all[0].Name }) < 0 {
		return nil
	}
	return all
}

// torn is the finding of a text whose words may be broken anywhere.
func torn(t *tokens, here Here) Finding {
	r := read(t, part{to: len(t.all)}, here)
	class, _, _ := theTable().classifyTorn(r.words)
	r.f.name = r.subject()
	return r.finding(class)
}

// settle puts together what several parts say: each name has the cause that is told most closely, and
// a summary counts only where nothing else is known.
func settle(all []Finding) []Finding {
	caused := slices.ContainsFunc(all, func(f Finding) bool { return !f.weak })
	var kept []Finding
	for i, f := range all {
		if f.weak && caused && f.explained(all[:i], all[i+1:]) || f.covered(all, i) {
			continue
		}
		kept = append(kept, f)
	}
	return kept
}

// explained reports whether a summary is that of causes which stand before it since the last summary
// of a certificate, or behind it, as old versions of certbot print them.
func (f Finding) explained(before, after []Finding) bool {
	if f.Name == "" || f.level == whole {
		return true
	}
	for _, other := range slices.Concat(before, after) {
		if other.Name == f.Name && !other.weak {
			return true
		}
	}
	if f.level != lineage {
		return false
	}
	for _, other := range slices.Backward(before) {
		if other.level == lineage {
			break
		}
		if other.level == challenge && !other.weak {
			return true
		}
	}
	return len(after) > 0 && after[0].level == challenge && !after[0].weak
}

// covered reports whether another finding says the same, or more.
func (f Finding) covered(all []Finding, i int) bool {
	for k, other := range all {
		switch {
		case k == i:
		case other.Name == f.Name && other.Class == f.Class:
			if k < i {
				return true
			}
		case f.Name == "" && other.Class == f.Class, f.Class == failure.Unclassified:
			return true
		case f.generic && f.level <= lineage && other.Name == f.Name && !other.generic && !other.weak:
			return true // the file is broken, and another line says why
		case f.Name == "" && f.level == whole && i == 0 && other.level == challenge && f.summary():
			return true
		}
	}
	return false
}

// summary reports whether a class says less than any other would.
func (f Finding) summary() bool { return f.Class == failure.CARefused || f.weak }
