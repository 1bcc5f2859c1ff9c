package cli

// What a doctor found, for a person: by cause, what hurts first first, name by name, and at the end
// the command that mends most. However much is wrong with however many certificates, it fits a few
// screens: --json has all of it.

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"orderly/doctor"
	"orderly/failure"
)

// The most that a person reads.
const (
	screenFindings = 20  // of one cause
	screenLines    = 200 // of all causes together, where each has more than fewestShown
	fewestShown    = 3
	widestSubject  = 40 // columns
)

// printReport prints findings by cause. The names are those that were asked for; fresh is a report of
// what is new alone.
func printReport(p *printer, r doctor.Report, names []string, fresh bool) {
	groups := r.Groups()
	each := max(fewestShown, min(screenFindings, screenLines/max(len(groups), 1)))
	for _, g := range groups[:min(len(groups), screenCauses)] {
		printGroup(p, g, each)
	}
	if more := len(groups) - screenCauses; more > 0 {
		p.Say("And %d more causes: --json has all of them.\n", more)
	}
	said := verdict(r)
	if fresh && len(r.Findings) == 0 {
		said = strings.Replace(said, "nothing found", "nothing new", 1)
	}
	p.hanging("", said)
	if line := mendsMost(r, names); line != "" {
		p.hanging("", line)
	}
}

func printGroup(p *printer, g doctor.Group, most int) {
	p.cause(g, hurting(g))
	one := sameRemedy(g.Findings)
	shown := g.Findings[:min(len(g.Findings), most)]
	wide := 0
	for _, f := range shown {
		wide = max(wide, min(widestSubject, cells(f.Lineage)))
	}
	for _, f := range shown {
		p.hanging("  "+padded(f.Lineage, wide), findingText(f))
		if !one && f.Remedy != "" {
			p.hanging("      ", p.remedy(f.Remedy))
		}
	}
	if more := len(g.Findings) - most; more > 0 {
		p.Say("  and %d more: --json has all of them.", more)
	}
	if remedy := g.Findings[0].Remedy; one && remedy != "" {
		p.hanging("    remedy: ", p.remedy(remedy))
	}
	p.Say("")
}

// cause prints what is wrong with some certificates, and how bad that is.
func (p *printer) cause(g doctor.Group, how string) {
	lines := wrap(g.Check.Title+how, p.room()-len(g.Check.ID)-gap)
	if rest, whole := strings.CutPrefix(lines[0], g.Check.Title); whole { // else it is torn
		lines[0] = p.paintOut(bold, g.Check.Title) + rest
	}
	p.Say("%s  %s", p.paintOut(severityColour(g.Severity()), g.Check.ID),
		strings.Join(lines, "\n"+strings.Repeat(" ", len(g.Check.ID)+gap)))
}

// hanging prints a text behind a head, and where a terminal is too narrow for both, goes on below the
// text's begin; below a head that leaves no room, the whole text stands on lines of its own.
func (p *printer) hanging(head, text string) {
	const least = 24 // columns in which a sentence can be read
	text, at, room := p.pasted(text), cells(head), p.room()
	if room == 0 || room-indent < least {
		p.Say("%s", strings.TrimRight(head+text, " "))
		return
	}
	if room-at < least {
		p.Say("%s", strings.TrimRight(head, " "))
		at = indent
		head = strings.Repeat(" ", at)
	}
	if label := strings.TrimSpace(head); strings.HasPrefix(label, "remedy") && strings.HasSuffix(label, ":") {
		head = strings.Replace(head, label, p.paintOut(bold, label), 1)
	}
	p.Say("%s", strings.TrimRight(head+strings.Join(wrap(text, room-at), "\n"+strings.Repeat(" ", at)), " "))
}

// padded is what a finding is about, in a column.
func padded(subject string, wide int) string {
	if wide == 0 {
		return ""
	}
	return subject + strings.Repeat(" ", max(0, wide-cells(subject))+2)
}

// findingLine is one finding on a line of its own.
func findingLine(f doctor.Finding) string {
	if f.Lineage == "" {
		return findingText(f)
	}
	return f.Lineage + ": " + findingText(f)
}

// findingText is what is wrong, with which names, where and since when.
func findingText(f doctor.Finding) string {
	var line strings.Builder
	line.WriteString(f.Sentence)
	if unsaid := slices.DeleteFunc(slices.Clone(f.Names),
		func(name string) bool { return strings.Contains(f.Sentence, name) }); len(unsaid) > 0 {
		line.WriteString(" [" + someOf(unsaid) + "]")
	}
	if f.File != "" && !strings.Contains(f.Sentence, f.File) {
		line.WriteString(" (" + f.File)
		if f.Line > 0 {
			fmt.Fprintf(&line, ", line %d", f.Line)
		}
		line.WriteString(")")
	}
	if !f.Since.IsZero() {
		line.WriteString(", since " + f.Since.UTC().Format(time.DateOnly))
	}
	return failure.Clean(line.String())
}

// someOf are names, or as many of them as a line takes.
func someOf(names []string) string {
	const most = 5
	if len(names) <= most {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), len(names)-most)
}

// hurting is how bad findings of one cause are, and from when on.
func hurting(g doctor.Group) string {
	word := map[doctor.Severity]string{doctor.Fails: "fails", doctor.WillFail: "will fail",
		doctor.Doubtful: "doubtful", doctor.Note: "note"}[g.Severity()]
	at := g.HurtsAt()
	if at.IsZero() || g.Severity() == doctor.Note || g.Severity() == doctor.Doubtful {
		return " (" + word + ")"
	}
	if g.Severity() == doctor.Fails {
		word += ", due since " + at.UTC().Format(time.DateOnly)
	} else {
		word += " from " + at.UTC().Format(time.DateOnly) + " on"
	}
	doubts := 0 // which forbid nothing
	for _, f := range g.Findings {
		if f.Severity == doctor.Doubtful {
			doubts++
		}
	}
	if doubts > 0 {
		word += fmt.Sprintf("; %d of %d doubtful", doubts, len(g.Findings))
	}
	return " (" + word + ")"
}

func severityColour(s doctor.Severity) string {
	switch s {
	case doctor.Fails:
		return red
	case doctor.WillFail, doctor.Doubtful:
		return yellow
	}
	return bold
}

// sameRemedy reports whether one remedy is that of all.
func sameRemedy(all []doctor.Finding) bool {
	return !slices.ContainsFunc(all, func(f doctor.Finding) bool { return f.Remedy != all[0].Remedy })
}

// severityWord is how findings of a severity are counted.
type severityWord struct {
	severity  doctor.Severity
	one, many string
}

func (w severityWord) word(n int) string {
	if n == 1 {
		return w.one
	}
	return w.many
}

func severityWords() []severityWord {
	return []severityWord{{doctor.Fails, "fails", "fail"}, {doctor.WillFail, "will fail", "will fail"},
		{doctor.Doubtful, "doubtful", "doubtful"}, {doctor.Note, "note", "notes"}}
}

// bySeverity are the findings of each severity, in words.
func bySeverity(r doctor.Report) string {
	counts := map[doctor.Severity]int{}
	for _, f := range r.Findings {
		counts[f.Severity]++
	}
	var parts []string
	for _, w := range severityWords() {
		if n := counts[w.severity]; n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, w.word(n)))
		}
	}
	return strings.Join(parts, ", ")
}

// verdict sums a report up.
func verdict(r doctor.Report) string {
	certificates := "certificates"
	if r.Lineages == 1 {
		certificates = "certificate"
	}
	if len(r.Findings) == 0 {
		return fmt.Sprintf("%d %s, nothing found.", r.Lineages, certificates)
	}
	return fmt.Sprintf("%d %s, %d clean; findings: %s.", r.Lineages, certificates, r.Clean, bySeverity(r))
}

// mendsMost says which command mends most of what was found, "" where none mends anything.
func mendsMost(r doctor.Report, names []string) string {
	certain, named := 0, map[string]int{}
	for _, f := range r.Findings {
		switch f.Fix {
		case doctor.FixYes:
			certain++
		case doctor.FixAsk:
			named[f.ID]++
		}
	}
	words, mended := []string{"orderly", "doctor", "--fix", "-y"}, certain
	for _, id := range slices.Sorted(maps.Keys(named)) {
		if named[id] > mended {
			words, mended = []string{"orderly", "doctor", "--fix=" + id}, named[id]
		}
	}
	if mended == 0 {
		return ""
	}
	return fmt.Sprintf("%s mends %d of %d.", command(append(words, names...)...), mended, len(r.Findings))
}
