package cli

// failures groups what went wrong on this server: by what leads to the same action, by certificate,
// and since when. A list of a thousand failures is read by nobody.

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"orderly/cli/argparse"
	"orderly/diagnose"
	"orderly/failure"
	"orderly/history"
)

type failures struct {
	places
	since string
	class string
}

// classView is all failures of a class as programs read them.
type classView struct {
	Class    failure.Class `json:"class"`
	Who      failure.Who   `json:"who"`
	Retry    failure.Retry `json:"retry"`
	Failures int           `json:"failures"`
	Names    []string      `json:"names"`
	Lineages []string      `json:"lineages"`
	First    time.Time     `json:"first_at,omitzero"` // these three are not of a single round
	Last     time.Time     `json:"last_at,omitzero"`
	Trend    history.Trend `json:"trend,omitempty"`
	Error    string        `json:"error"` // of the newest
	Remedy   string        `json:"remedy"`
}

// failingView is all failures of a certificate.
type failingView struct {
	Lineage  string          `json:"lineage"`
	Server   string          `json:"server"`
	Failing  bool            `json:"failing"`
	Failures int             `json:"failures"`
	Classes  []failure.Class `json:"classes"` // over time, the newest last
	Since    time.Time       `json:"since_at"`
	Last     time.Time       `json:"last_at"`
	Names    []nameView      `json:"names"` // what failed last
}

// nameView is why one name failed.
type nameView struct {
	Name   string        `json:"name"` // "" for the whole certificate
	Class  failure.Class `json:"class"`
	Error  string        `json:"error"`
	Remedy string        `json:"remedy"`
}

// serverView is all failures of a server.
type serverView struct {
	Server   string                `json:"server"` // "" for this one
	Failures int                   `json:"failures"`
	Lineages int                   `json:"lineages"`
	Failing  int                   `json:"failing"` // of the lineages, those that fail still
	Classes  map[failure.Class]int `json:"classes"`
}

func newFailures(env Env, p *printer) *cobra.Command {
	f := &failures{}
	c := &cobra.Command{
		Use:   "failures [--since TIME] [--class CLASS]",
		Short: "Say what fails: by cause, by certificate, by server, since when",
		Long: "Group everything that failed: orders that came to nothing, those that were not made because a\n" +
			"check or the CA's limits forbade them, and what logs that pending scan read tell of other clients,\n" +
			"on this server and on others. Each name counts with the class of its own cause. The\n" +
			"trend compares the later half of the time with the earlier one; it is - (and steady in JSON) where\n" +
			"of the earlier half nothing is known. Orders made of what another client left are not listed: pending\n" +
			"has them.",
		Args: argparse.NoArguments,
		RunE: func(c *cobra.Command, _ []string) error { return f.execute(c.Context(), env, p) },
	}
	c.Flags().StringVar(&f.since, "since", "30d",
		"what failed since this `time`: 12h, 30d, or a date such as 2026-11-01")
	c.Flags().StringVar(&f.class, "class", "", "only failures of this `class`")
	// It fails where there is no such flag, and then TestAShellOffersTheClasses does.
	_ = c.RegisterFlagCompletionFunc("class",
		cobra.FixedCompletions(classNames(), cobra.ShellCompDirectiveNoFileComp))
	f.places.add(c.Flags())
	return c
}

func (f *failures) execute(ctx context.Context, env Env, p *printer) error {
	now := time.Now()
	since, err := sinceWhen(f.since, now)
	if err != nil {
		return err
	}
	if f.class != "" && !failure.Class(f.class).Known() {
		return failure.New(failure.Usage,
			failure.Remedy("The classes are "+strings.Join(classNames(), ", ")+"."),
			"--class %s: there is no such class", failure.Clean(f.class))
	}
	s, there, err := f.listed(ctx, env, p)
	if err != nil {
		return err
	}
	defer func() { _ = s.close() }() // nothing was written
	past := history.Past{}
	if there {
		if past, err = (history.Book{Store: s.ledger}).Since(ctx, since); err != nil {
			return err
		}
	}
	classes := history.ByClass(past.Failures, since, now)
	if f.class != "" { // what there is to compare with is of any class
		past.Failures = ofClass(past.Failures, failure.Class(f.class))
		classes = slices.DeleteFunc(classes, func(g history.ClassGroup) bool {
			return g.Class != failure.Class(f.class)
		})
	}
	if p.json {
		printFailuresJSON(p, past, classes, since)
		return nil
	}
	printFailures(p, past, classes)
	return nil
}

// classNames are all classes.
func classNames() []string {
	var names []string
	for _, class := range failure.Classes() {
		names = append(names, string(class))
	}
	return names
}

// ofClass keeps the failures of a class.
func ofClass(all []history.Entry, class failure.Class) []history.Entry {
	var kept []history.Entry
	for _, e := range all {
		if e.Class == class {
			kept = append(kept, e)
		}
	}
	return kept
}

// sinceWhen is the moment that a person means.
func sinceWhen(text string, now time.Time) (time.Time, error) {
	if days, ok := strings.CutSuffix(text, "d"); ok {
		if n, err := strconv.Atoi(days); err == nil && n >= 0 && n < 100_000 {
			return now.Add(-time.Duration(n) * 24 * time.Hour), nil
		}
	}
	if d, err := time.ParseDuration(text); err == nil && d >= 0 {
		return now.Add(-d), nil
	}
	at, ok := dateOf(text)
	switch {
	case !ok:
		return time.Time{}, failure.New(failure.Usage, "",
			"--since %s: not a time such as 12h, 30d or 2026-11-01", failure.Clean(text))
	case at.After(now):
		return time.Time{}, failure.New(failure.Usage, "", "--since %s: that is yet to come",
			failure.Clean(text))
	}
	return at, nil
}

// dateOf is a date, or a moment of a day, that a person typed; UTC where no zone is said.
func dateOf(text string) (time.Time, bool) {
	for _, layout := range []string{time.DateOnly, time.RFC3339, "2006-01-02 15:04:05",
		"2006-01-02 15:04"} {
		if at, err := time.Parse(layout, text); err == nil {
			return at, true
		}
	}
	return time.Time{}, false
}

func printFailuresJSON(p *printer, past history.Past, classes []history.ClassGroup,
	since time.Time) {
	lineages := []failingView{}
	for _, g := range past.ByLineage() {
		v := failingView{Lineage: g.Lineage, Server: g.Server, Failing: g.Failing, Failures: g.Failures,
			Classes: g.Classes, Since: g.Since, Last: g.Last}
		for _, e := range g.Newest {
			v.Names = append(v.Names, nameView{e.Name, e.Class, e.Sentence, p.remedy(e.Remedy)})
		}
		lineages = append(lineages, v)
	}
	servers := []serverView{}
	for _, g := range past.ByServer() {
		servers = append(servers, serverView(g))
	}
	p.print(struct {
		Version  int           `json:"version"`
		Since    time.Time     `json:"since_at"`
		Classes  []classView   `json:"classes"`
		Lineages []failingView `json:"lineages"`
		Servers  []serverView  `json:"servers"`
	}{1, since.UTC(), p.classViews(classes), lineages, servers})
}

// classViews are groups as programs read them.
func (p *printer) classViews(classes []history.ClassGroup) []classView {
	views := []classView{}
	for _, g := range classes {
		views = append(views, classView{Class: g.Class, Who: g.Class.Who(), Retry: g.Class.Retry(),
			Failures: g.Failures, Names: g.Names, Lineages: g.Lineages, First: g.First, Last: g.Last,
			Trend: g.Trend, Error: g.Example.Sentence, Remedy: p.remedy(g.Example.Remedy)})
	}
	return views
}

func printFailures(p *printer, past history.Past, classes []history.ClassGroup) {
	if len(classes) == 0 {
		p.Say("No failures.")
		return
	}
	printClasses(p, classes)
	p.Say("")
	printFailing(p, past.ByLineage())
	printServers(p, past.ByServer())
}

// The most that a person reads of certificates and of servers: the worst come first.
const (
	screenLineages = 40
	screenServers  = 20
)

func printFailing(p *printer, all []history.LineageGroup) {
	servers := slices.ContainsFunc(all, func(g history.LineageGroup) bool { return g.Server != "" })
	var rows [][]string
	for _, g := range all[:min(len(all), screenLineages)] {
		state := "fails"
		if !g.Failing {
			state = "renewed since"
		}
		for i, e := range g.Newest {
			row := []string{cmp.Or(g.Server, "-"), cmp.Or(g.Lineage, "-"), state, p.moment(g.Since),
				fmt.Sprint(g.Failures), e.Name, string(e.Class), e.Sentence}
			if i > 0 {
				row[0], row[1], row[2], row[3], row[4] = "", "", "", "", ""
			}
			rows = append(rows, row[skipped(servers):])
		}
	}
	p.table([]column{{"SERVER", flexible}, {"CERTIFICATE", flexible}, {"STATE", fixed},
		{"SINCE (UTC)", fixed}, {"FAILURES", fixed}, {"NAME", flexible}, {"CLASS", fixed},
		{"WHY", aside}}[skipped(servers):], rows)
	p.more(len(all)-screenLineages, "certificates")
}

// skipped is how many columns are left out where there is but one server.
func skipped(servers bool) int {
	if servers {
		return 0
	}
	return 1
}

func printServers(p *printer, all []history.ServerGroup) {
	if len(all) < 2 {
		return
	}
	var rows [][]string
	for _, g := range all[:min(len(all), screenServers)] {
		rows = append(rows, []string{cmp.Or(g.Server, "(this one)"), fmt.Sprint(g.Failing),
			fmt.Sprint(g.Lineages), fmt.Sprint(g.Failures), mostly(g.Classes)})
	}
	p.Say("")
	p.table([]column{{"SERVER", flexible}, {"FAILING", fixed}, {"FAILED", fixed}, {"FAILURES", fixed},
		{"MOSTLY", fixed}}, rows)
	p.more(len(all)-screenServers, "servers")
}

// more says that a list is not all.
func (p *printer) more(n int, what string) {
	if n > 0 {
		p.Say("and %d more %s: --class and --since narrow the list, --json has all of it.", n, what)
	}
}

// mostly is the class of most failures.
func mostly(classes map[failure.Class]int) string {
	most := failure.Class("")
	for _, class := range slices.Sorted(maps.Keys(classes)) {
		if most == "" || classes[class] > classes[most] {
			most = class
		}
	}
	return string(most)
}

// printClasses prints groups by class, and what to do about each.
func printClasses(p *printer, classes []history.ClassGroup) {
	var rows [][]string
	for _, g := range classes {
		rows = append(rows, []string{string(g.Class), fmt.Sprint(len(g.Names)),
			fmt.Sprint(len(g.Lineages)), fmt.Sprint(g.Failures), p.moment(g.First), p.moment(g.Last),
			trendOf(g), whose(g.Class.Who()),
			p.toDo(g.Class, diagnose.Known(g.Class, onlyOne(g.Names)).Remedy, g.Example.Sentence)})
	}
	p.table([]column{{"CLASS", fixed}, {"NAMES", fixed}, {"CERTIFICATES", fixed}, {"FAILURES", fixed},
		{"FIRST (UTC)", fixed}, {"LAST (UTC)", fixed}, {"TREND", fixed}, {"WHOSE", flexible},
		{"WHAT TO DO", aside}}, rows)
}

// trendOf is a trend, where there was anything to compare with.
func trendOf(g history.ClassGroup) string {
	if !g.Compared {
		return "-"
	}
	return string(g.Trend)
}

// onlyOne is the one name that a group is about, "" where there are several.
func onlyOne(names []string) string {
	if len(names) == 1 {
		return names[0]
	}
	return ""
}
