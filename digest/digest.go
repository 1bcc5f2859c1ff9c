// Package digest says what is new, worse or mended on a server, or on a fleet, since people were told
// last: by cause, once, and with the first line saying whether anybody must do something. It decides
// nothing about an order and delivers nothing (package deliver does); it must never tell a thing
// twice, never call mended what was not looked at, and never put a text that others wrote into a
// mail so that it does something there.
package digest

import (
	"cmp"
	"fmt"
	"iter"
	"strings"
	"time"

	"orderly/doctor"
	"orderly/failure"
	"orderly/history"
)

// Version is that of the digest's JSON.
const Version = 1

// Input is what there is to tell.
type Input struct {
	Host   string
	At     time.Time
	Report doctor.Report
	// Held are the certificates that were looked at, with their servers, "" for this one.
	Held iter.Seq2[string, doctor.DocumentLineage]
	// Looked are the servers of a fleet that spoke; nil for a single server.
	Looked map[string]bool
	// Failures are what failed since people were told last.
	Failures []history.ClassGroup
	All      string // how everything that is open is shown
	// Say puts a remedy into words.
	Say func(failure.Remedy) string
}

// Digest is what is told.
type Digest struct {
	Version int       `json:"version"`
	Server  string    `json:"server"` // that tells it
	At      time.Time `json:"at"`
	Since   time.Time `json:"since,omitzero"` // when people were told last
	// Act: somebody must do something about what is new here.
	Act      bool       `json:"act"`
	Verdict  string     `json:"verdict"` // the first line
	New      []Group    `json:"new"`
	Worse    []Group    `json:"worse"`
	Ending   []Ending   `json:"ending"`
	Mended   []Mended   `json:"mended"`
	Failures []Failures `json:"failures"`
	// Silent are servers of a fleet that did not speak, or not understandably.
	Silent []doctor.Unread `json:"silent"`
	// Open are findings that were told before and are there still.
	Open    int            `json:"open"`
	Summary doctor.Summary `json:"summary"`
	fleet   bool
	all     string // how everything that is open is shown
	trial   bool
}

// Group is findings of one cause.
type Group struct {
	ID       string          `json:"id"`
	Title    string          `json:"title"`
	Cause    string          `json:"cause,omitempty"`
	Severity doctor.Severity `json:"severity"`
	HurtsAt  time.Time       `json:"hurts_at,omitzero"`
	Remedy   string          `json:"remedy"`            // "" where each has its own
	Servers  int             `json:"servers,omitempty"` // of a fleet
	Items    []Item          `json:"findings"`
	More     int             `json:"more,omitempty"` // that are left out
}

// Item is one finding.
type Item struct {
	Server   string        `json:"server,omitempty"`
	Class    failure.Class `json:"class"`
	Lineage  string        `json:"lineage"`
	Names    []string      `json:"names"`
	File     string        `json:"file,omitempty"`
	Line     int           `json:"line,omitempty"`
	Since    time.Time     `json:"since,omitzero"`
	HurtsAt  time.Time     `json:"hurts_at,omitzero"`
	Sentence string        `json:"sentence"`
	Remedy   string        `json:"remedy,omitempty"` // where it differs within its group
}

// Ending is a certificate that ends soon although it should have been renewed.
type Ending struct {
	Server  string    `json:"server,omitempty"`
	Lineage string    `json:"lineage"`
	Names   []string  `json:"names"`
	Expires time.Time `json:"expires"`
	Days    int       `json:"days"` // the threshold: 14, 7, 3, 1, or 0 for one that is over
	Why     string    `json:"why,omitempty"`
}

// Mended is something that was told and is over.
type Mended struct {
	Server  string    `json:"server,omitempty"`
	ID      string    `json:"id,omitempty"` // "" for a certificate that was about to end
	Title   string    `json:"title"`
	Lineage string    `json:"lineage"`
	Since   time.Time `json:"since,omitzero"` // when it was told first
}

// Failures is what failed of a class since people were told last.
type Failures struct {
	Class    failure.Class `json:"class"`
	Who      failure.Who   `json:"who"`
	Failures int           `json:"failures"`
	Names    int           `json:"names"`
	Lineages int           `json:"lineages"`
	Last     time.Time     `json:"last_at"`
	Sentence string        `json:"sentence"` // of the newest
}

// Empty reports whether there is nothing that anybody would want to be told.
func (d *Digest) Empty() bool {
	return len(d.New)+len(d.Worse)+len(d.Ending)+len(d.Mended)+len(d.Silent) == 0
}

// Make says what changed since what was told before, and what is told once this is.
func Make(in Input, before State) (*Digest, State) {
	after := State{Version: stateVersion, At: in.At, Told: map[string]Told{}, Ends: map[string]End{},
		Servers: map[string]time.Time{}, Silent: map[string]bool{}}
	d := &Digest{Version: Version, Server: in.Host, At: in.At.UTC(), Since: before.At, fleet: in.Looked != nil, all: in.All,
		Summary: doctor.Summary{Lineages: in.Report.Lineages, Clean: in.Report.Clean,
			Findings: len(in.Report.Findings), Servers: in.Report.Servers},
		New: []Group{}, Worse: []Group{}, Ending: []Ending{}, Mended: []Mended{},
		Silent: []doctor.Unread{}}
	c := &comparing{in: in, d: d, before: before, after: after}
	c.findings()
	c.ends()
	c.silent()
	c.keepUnseen()
	d.Failures = FailuresOf(in.Failures)
	d.judge()
	return d, c.after
}

// FailuresOf are failures by class as they are told.
func FailuresOf(groups []history.ClassGroup) []Failures {
	all := []Failures{}
	for _, g := range groups {
		all = append(all, Failures{Class: g.Class, Who: g.Class.Who(), Failures: g.Failures,
			Names: len(g.Names), Lineages: len(g.Lineages), Last: g.Last.UTC(),
			Sentence: failure.Clean(g.Example.Sentence)})
	}
	return all
}

// judge says whether anybody must do something.
func (d *Digest) judge() {
	failing := map[string]bool{} // certificates
	for _, groups := range [][]Group{d.New, d.Worse} {
		for _, g := range groups {
			if g.Severity != doctor.Fails && g.Severity != doctor.WillFail {
				continue
			}
			d.Act = true
			for _, item := range g.Items {
				if item.Lineage != "" {
					failing[lineageKey(item.Server, item.Lineage)] = true
				}
			}
		}
	}
	d.Act = d.Act || len(d.Ending) > 0
	d.Verdict = d.verdict(len(failing))
}

// verdict is the first line.
func (d *Digest) verdict(failing int) string {
	var what []string
	if n := len(d.Ending); n > 0 {
		what = append(what, count(n, "certificate ends soon without a renewal that works",
			"certificates end soon without a renewal that works"))
	}
	if failing > 0 {
		what = append(what, count(failing, "certificate", "certificates")+" cannot be renewed")
	}
	said := "Nothing has changed"
	switch {
	case len(what) > 0:
		said = "Somebody must act: " + strings.Join(what, ", ")
	case d.Act:
		said = "Somebody must act: something keeps certificates from being renewed"
	case len(d.Silent) > 0:
		said = "Somebody should look: " + count(len(d.Silent), "report of a server is", "reports of servers are") +
			" missing"
	case len(d.New)+len(d.Worse) > 0:
		said = "Nothing has to be done at once: there is something new to know"
	case len(d.Mended) > 0:
		said = "Nobody has to do anything new: " + fmt.Sprint(len(d.Mended)) + " mended"
	}
	if d.Open > 0 {
		said += "; " + count(d.Open, "finding that was told before is still there",
			"findings that were told before are still there")
	}
	return said + "."
}

// group makes groups of findings, in the order of the doctor.
func (c *comparing) group(all []doctor.Finding) []Group {
	groups := []Group{}
	if len(all) == 0 {
		return groups
	}
	doctor.Arrange(all)
	for _, g := range (doctor.Report{Findings: all}).Groups() {
		one := Group{ID: failure.Clean(g.Check.ID), Title: failure.Clean(g.Check.Title),
			Cause: failure.Clean(g.Cause), Severity: g.Severity(), HurtsAt: g.HurtsAt()}
		same := true
		for _, f := range g.Findings {
			same = same && f.Remedy == g.Findings[0].Remedy
		}
		if same {
			one.Remedy = c.in.Say(g.Findings[0].Remedy)
		}
		servers := map[string]bool{}
		for _, f := range g.Findings {
			if f.Server != "" {
				servers[f.Server] = true
			}
			item := Item{Server: f.Server, Class: f.Class, Lineage: f.Lineage, Names: f.Names, File: f.File,
				Line: f.Line, Since: f.Since, HurtsAt: f.HurtsAt, Sentence: failure.Clean(f.Sentence)}
			if !same {
				item.Remedy = c.in.Say(f.Remedy)
			}
			if item.Names == nil {
				item.Names = []string{}
			}
			one.Items = append(one.Items, item)
		}
		one.Servers = len(servers)
		groups = append(groups, one)
	}
	return groups
}

// Bounded is the digest with so many entries in each of its lists, for a channel that takes no
// hundred thousand.
func (d *Digest) Bounded(n int) *Digest {
	b := *d
	bound := func(all []Group) []Group {
		kept := make([]Group, 0, min(n, len(all)))
		for _, g := range all[:min(n, len(all))] {
			g.More = max(0, len(g.Items)-n)
			g.Items = g.Items[:min(n, len(g.Items))]
			kept = append(kept, g)
		}
		return kept
	}
	b.New, b.Worse = bound(d.New), bound(d.Worse)
	b.Ending = d.Ending[:min(n, len(d.Ending))]
	b.Mended = d.Mended[:min(n, len(d.Mended))]
	b.Silent = d.Silent[:min(n, len(d.Silent))]
	return &b
}

// byTime orders certificates by their end.
func byTime(a, b Ending) int {
	return cmp.Or(a.Expires.Compare(b.Expires), cmp.Compare(a.Server, b.Server), cmp.Compare(a.Lineage, b.Lineage))
}
