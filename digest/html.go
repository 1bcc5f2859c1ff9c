package digest

// A digest in HTML, for mail: every colour stands at its element, since many readers drop style
// sheets; what they leave in makes it dark where the reader is. Nothing is fetched from anywhere, and
// html/template escapes whatever others wrote.

import (
	_ "embed" // digest.html
	"html/template"
	"strings"
	"sync"

	"orderly/doctor"
	"orderly/failure"
	"orderly/outside"
)

//go:embed digest.html
var page string

// parsed is made when it is first used: most commands send no mail.
var parsed = sync.OnceValue(func() *template.Template {
	return template.Must(template.New("digest").Funcs(template.FuncMap{
		"moment": moment, "remedy": remedyParts, "clean": failure.Clean,
	}).Parse(page))
})

// remedyPart is a piece of a remedy: words, or a command.
type remedyPart struct {
	Text    string
	Command bool
}

// remedyParts tells the commands of a remedy apart, so that each can be copied as a whole.
func remedyParts(text string) (all []remedyPart) {
	for i, part := range strings.Split(outside.Line(text), "`") {
		if part != "" {
			all = append(all, remedyPart{part, i%2 == 1})
		}
	}
	return all
}

// section is a list of groups under its heading.
type section struct {
	Heading string
	Groups  []shownGroup
	More    int
}

type shownGroup struct {
	Group
	When   string
	Urgent bool
	Lines  []shownLine
	Left   int
}

type shownLine struct{ Where, What, Remedy, Since string }

// list is lines under a heading.
type list struct {
	Heading string
	Urgent  bool
	Lines   []shownLine
	Left    int
}

// view is what the page shows.
type view struct {
	Subject, Verdict string
	Act              bool
	Sections         []section
	Ending, Lists    []list
	Footer           []string
}

// HTML is the digest as a page.
func (d *Digest) HTML() string {
	v := view{Subject: d.Subject(), Verdict: d.Verdict, Act: d.Act, Footer: d.footer()[1:]}
	for _, part := range []struct {
		heading string
		groups  []Group
	}{{"New", d.New}, {"Worse", d.Worse}} {
		if len(part.groups) > 0 {
			v.Sections = append(v.Sections, sectionOf(part.heading, part.groups))
		}
	}
	v.Ending, v.Lists = d.endings(), d.lists()
	var text strings.Builder
	if err := parsed().Execute(&text, v); err != nil {
		return "" // the text tells the same
	}
	return text.String()
}

func sectionOf(heading string, groups []Group) section {
	s := section{Heading: heading, More: max(0, len(groups)-mostGroups)}
	for _, g := range groups[:min(len(groups), mostGroups)] {
		shown := shownGroup{Group: g, When: strings.Trim(g.when(), " ()"),
			Urgent: g.Severity == doctor.Fails || g.Severity == doctor.WillFail,
			Left:   max(0, len(g.Items)+g.More-mostItems)}
		for _, i := range g.Items[:min(len(g.Items), mostItems)] {
			shown.Lines = append(shown.Lines, shownLine{i.where(), i.Sentence, i.Remedy, i.since()})
		}
		s.Groups = append(s.Groups, shown)
	}
	return s
}

// listOf is a list with its bound; none where there is nothing.
func listOf(heading string, urgent bool, n int, line func(i int) shownLine) (all []list) {
	if n == 0 {
		return nil
	}
	l := list{Heading: heading, Urgent: urgent, Left: max(0, n-mostItems)}
	for i := range min(n, mostItems) {
		l.Lines = append(l.Lines, line(i))
	}
	return append(all, l)
}

func (d *Digest) endings() []list {
	return listOf("Ending without a renewal that works", true, len(d.Ending), func(i int) shownLine {
		e := d.Ending[i]
		return shownLine{place(e.Server, e.Lineage, ""), e.left(), e.Why, ""}
	})
}

// lists are the parts of a digest that have no groups, and can wait.
func (d *Digest) lists() (all []list) {
	add := func(heading string, n int, line func(i int) shownLine) {
		all = append(all, listOf(heading, false, n, line)...)
	}
	add("What failed since "+moment(d.failuresSince()), len(d.Failures), func(i int) shownLine {
		f := d.Failures[i]
		return shownLine{string(f.Class), count(f.Failures, "failure", "failures") + ", " +
			count(f.Lineages, "certificate", "certificates"), "", ""}
	})
	add("Mended", len(d.Mended), func(i int) shownLine {
		m := d.Mended[i]
		where := place(m.Server, m.Lineage, "")
		return shownLine{where, strings.TrimPrefix(strings.TrimPrefix(m.line(), where), ": "), "", ""}
	})
	add("Reports that are missing", len(d.Silent), func(i int) shownLine {
		return shownLine{failure.Clean(d.Silent[i].File), failure.Clean(d.Silent[i].Sentence), "", ""}
	})
	return all
}
