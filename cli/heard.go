package cli

// What the logs of other clients tell to have failed: grouped for a person, in full for a program,
// and kept in the ledger, where why and failures find it.

import (
	"cmp"
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"orderly/diagnose"
	"orderly/failure"
	"orderly/ledger"
	"orderly/scan"
)

// heardView is a failure that logs tell, as programs read it.
type heardView struct {
	Name     string        `json:"name"` // "" for the whole certificate
	Lineage  string        `json:"lineage"`
	Host     string        `json:"host"`
	Class    failure.Class `json:"class"`
	Who      failure.Who   `json:"who"`
	Retry    failure.Retry `json:"retry"`
	First    *time.Time    `json:"first"`
	Last     *time.Time    `json:"last"`
	Renewed  *time.Time    `json:"renewed"` // when the logs show it obtained last
	Until    *time.Time    `json:"until"`
	Count    int64         `json:"count"`
	Sentence string        `json:"sentence"`
	Customer string        `json:"customer"`
	Remedy   string        `json:"remedy"`
	Client   string        `json:"client"`
	File     string        `json:"file"`
	Line     int64         `json:"line"`
}

func (p *printer) viewHeard(f scan.Failure) heardView {
	return heardView{f.Name, f.Lineage, f.Host, f.Class, f.Class.Who(), f.Class.Retry(), known(f.First),
		known(f.Last), known(f.Renewed), known(f.Until), f.Count(), f.Sentence, f.Customer,
		p.remedy(forLineage(f.Remedy, f.Lineage)), f.Client, f.File, f.Line}
}

// forLineage completes a remedy with the certificate, where it is known.
func forLineage(r failure.Remedy, lineage string) failure.Remedy {
	if lineage == "" {
		return r
	}
	return r.For(lineage)
}

// heardGroup is all failures of a class.
type heardGroup struct {
	class                            failure.Class
	names, certificates, hosts, over int   // over were renewed since
	count                            int64 // of failures
	first, last                      time.Time
	examples                         []string
	lineage, host                    string // of the failure before
	remedy                           failure.Remedy
	newest                           string // what the newest says
}

// mostExamples is how many names stand for a group.
const mostExamples = 3

// heardGroups groups failures, which are by server and certificate, by class: that of most names
// first.
func heardGroups(r *scan.Report) []*heardGroup {
	groups := map[failure.Class]*heardGroup{}
	var all []*heardGroup
	for f := range r.Failures {
		g := groups[f.Class]
		if g == nil {
			g = &heardGroup{class: f.Class, first: f.First}
			groups[f.Class], all = g, append(all, g)
		}
		g.add(f)
	}
	slices.SortStableFunc(all, func(a, b *heardGroup) int {
		return cmp.Or(cmp.Compare(b.names, a.names), strings.Compare(string(a.class), string(b.class)))
	})
	return all
}

func (g *heardGroup) add(f scan.Failure) {
	if g.names == 0 || f.Host != g.host {
		g.hosts++
		g.lineage = ""
	}
	if f.Lineage != "" && f.Lineage != g.lineage {
		g.certificates++
	}
	g.host, g.lineage = f.Host, f.Lineage
	g.names++
	g.count += f.Count()
	if f.First.Before(g.first) {
		g.first = f.First
	}
	if !f.Last.Before(g.last) {
		g.last, g.newest = f.Last, f.Sentence
	}
	if f.Renewed.After(f.Last) {
		g.over++
	}
	who := cmp.Or(f.Name, f.Lineage, f.Host)
	if len(g.examples) < mostExamples && who != "" && !slices.Contains(g.examples, who) {
		g.examples = append(g.examples, who)
	}
	if g.names == 1 {
		g.remedy = forLineage(f.Remedy, f.Lineage)
	} else {
		g.remedy = diagnose.Known(g.class, "").Remedy
	}
}

// tellHeard prints what failed.
func (p *printer) tellHeard(r *scan.Report, hosts, kept bool) {
	if r.FailureCount == 0 {
		p.Say("The logs tell of no failures.")
		return
	}
	columns := []column{{"CLASS", fixed}, {"NAMES", fixed}, {"RENEWED SINCE", fixed}, {"CERTIFICATES", fixed},
		{"FAILURES", fixed}, {"FIRST (UTC)", fixed}, {"LAST (UTC)", fixed}, {"SUCH AS", flexible},
		{"TO MEND IT", aside}, {"WHAT TO DO", aside}}
	if hosts {
		columns = slices.Insert(columns, 4, column{"SERVERS", fixed})
	}
	var rows [][]string
	for _, g := range heardGroups(r) {
		row := []string{string(g.class), fmt.Sprint(g.names), fmt.Sprint(g.over), some(g.certificates),
			fmt.Sprint(g.count), clock(g.first), clock(g.last), strings.Join(g.examples, ","),
			whose(g.class.Who()), p.toDo(g.class, g.remedy, g.newest)}
		if hosts {
			row = slices.Insert(row, 4, fmt.Sprint(g.hosts))
		}
		rows = append(rows, row)
	}
	failed, failing := namesOf(r)
	p.Say("%d name(s) failed; %d of them were not renewed since, as far as the logs tell.", failed, failing)
	p.table(columns, rows)
	if kept {
		p.Say("`orderly failures` has them by certificate and server, `orderly why NAME` all about one name.")
	}
}

// longestToDo is how long a text may be to stand under what to do.
const longestToDo = 80

// toDo is what to do about a class: of a text that nothing is known of, to look at it.
func (p *printer) toDo(class failure.Class, remedy failure.Remedy, newest string) string {
	if class == failure.Unclassified && newest != "" && len(newest) <= longestToDo {
		return "Look at the text: " + newest
	}
	return p.remedy(cmp.Or(remedy, diagnose.Known(class, "").Remedy))
}

// namesOf is how many names failed, each once however often and of whatever it failed, and how many
// of them were not renewed since. Where it was a whole certificate, that counts as one.
func namesOf(r *scan.Report) (failed, failing int) {
	before, counted := [3]string{}, false
	for f := range r.Failures { // by server, certificate and name
		if name := [3]string{f.Host, f.Lineage, f.Name}; failed == 0 || name != before {
			before, counted = name, false
			failed++
		}
		if !counted && !f.Renewed.After(f.Last) {
			counted = true
			failing++
		}
	}
	return failed, failing
}

// some is a number, nothing where nothing was counted.
func some(n int) string {
	if n == 0 {
		return "-"
	}
	return fmt.Sprint(n)
}

// keptFor is how long what logs tell stays in the ledger.
const keptFor = 366 * 24 * time.Hour

// enterHeard enters what logs tell to have failed into the ledger, and of what failed earlier, that
// it was renewed since. now is the scan's moment, which may have been set.
func (s *session) enterHeard(ctx context.Context, r *scan.Report, now time.Time) error {
	if clock := time.Now(); now.After(clock) {
		now = clock // nothing is forgotten before its time
	}
	oldest := now.Add(-keptFor)
	change := ledger.Change{LoggedOver: oldest}
	commit := func(least int) error {
		if len(change.Logged) < least {
			return nil
		}
		err := s.ledger.Commit(ctx, &change)
		change = ledger.Change{}
		return err
	}
	for f := range r.Failures {
		if f.Last.Before(oldest) {
			continue
		}
		change.Logged = append(change.Logged, heard(f))
		if err := commit(mostAtOnce); err != nil {
			return err
		}
	}
	if err := commit(0); err != nil {
		return err
	}
	for hosts := range slices.Chunk(r.Hosts, 50) {
		for i := range hosts {
			hosts[i] = failure.Clean(hosts[i])
		}
		known, err := s.ledger.LogFailures(ctx, ledger.LogFilter{Hosts: hosts})
		if err != nil {
			return err
		}
		for _, f := range known {
			if at := r.Renewed(f.Host, f.Lineage, f.Name); at.After(f.Renewed) {
				f.Renewed = at
				change.Logged = append(change.Logged, f)
			}
		}
		for some := range slices.Chunk(change.Logged, mostAtOnce) {
			if err := s.ledger.Commit(ctx, &ledger.Change{Logged: some}); err != nil {
				return err
			}
		}
		change.Logged = nil
	}
	return nil
}

// heard is a failure as the ledger keeps it.
func heard(f scan.Failure) ledger.LogFailure {
	file := f.File
	if absolute, err := filepath.Abs(file); err == nil {
		file = absolute
	}
	kept := ledger.LogFailure{Host: failure.Clean(f.Host), Lineage: failure.Clean(f.Lineage), Name: f.Name,
		Reason:   ledger.Because(f.Class, forLineage(f.Remedy, f.Lineage), f.Sentence),
		Customer: failure.Clean(f.Customer), Client: f.Client, File: failure.Clean(file), Line: f.Line,
		Until: f.Until, First: f.First, Last: f.Last, Renewed: f.Renewed}
	for _, d := range f.Days {
		kept.Days = append(kept.Days, ledger.LogDay(d))
	}
	return kept
}
