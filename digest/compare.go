package digest

// What is new, worse and mended. Whether a finding is one that was told, and goes no further, its Key
// and Extent say, as for `doctor --new`.

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"orderly/doctor"
	"orderly/failure"
)

// comparing is one comparison.
type comparing struct {
	in            Input
	d             *Digest
	before, after State
	sick          map[string]string // certificates whose renewal fails, and why
	found         map[string]bool   // certificates of which something is found
	held          map[string]bool   // certificates that could be read
	unseen        map[string]bool   // checks that could not be made, by server
}

// forgotten is how long a server of a fleet may be silent before what was told of it is forgotten.
const forgotten = 30 * 24 * time.Hour

const separator = "\x1f" // nothing that is cleaned has it

func lineageKey(server, lineage string) string { return server + separator + lineage }

// checkKey is a check of a certificate, whatever it finds there.
func checkKey(server, id, lineage string) string {
	return server + separator + id + separator + lineage
}

// findings compares what was found with what was told.
func (c *comparing) findings() {
	c.survey()
	still := map[string]bool{} // checks that find something at a certificate, whatever the cause
	var fresh, worse []doctor.Finding
	open := map[string]bool{}
	for _, f := range c.in.Report.Findings {
		still[checkKey(f.Server, f.ID, f.Lineage)] = true
		key := f.Key()
		told, known := c.before.Told[key]
		switch {
		case !known:
			fresh, told = append(fresh, f), Told{At: c.in.At.UTC()}
		case !told.Covers(f):
			worse = append(worse, f)
		default:
			open[key] = true
		}
		c.after.Told[key] = Told{ID: f.ID, Server: f.Server, Lineage: f.Lineage, At: told.At}
	}
	for key, extent := range doctor.Extents(c.in.Report.Findings) {
		one := c.after.Told[key]
		one.Extent = extent
		c.after.Told[key] = one
	}
	c.d.New, c.d.Worse, c.d.Open = c.group(fresh), c.group(worse), len(open)
	c.missing(still)
}

// survey is what was looked at, and of what something was found.
func (c *comparing) survey() {
	c.sick, c.found = map[string]string{}, map[string]bool{}
	c.held, c.unseen = map[string]bool{}, map[string]bool{}
	for server, l := range c.in.Held {
		c.held[lineageKey(server, l.Name)] = true
	}
	for _, f := range c.in.Report.Findings {
		at := lineageKey(f.Server, f.Lineage)
		c.found[at] = true
		if f.Unseen {
			c.unseen[f.Server+separator+f.ID] = true
		}
		hurts := f.Severity == doctor.Fails || f.Severity == doctor.WillFail
		if _, known := c.sick[at]; !known && hurts && f.Lineage != "" {
			c.sick[at] = f.Sentence
		}
	}
}

// missing tells of what was told and is not found any more: it is mended where somebody looked, and
// the check finds no other cause there.
func (c *comparing) missing(still map[string]bool) {
	for _, key := range slices.Sorted(maps.Keys(c.before.Told)) {
		told := c.before.Told[key]
		switch {
		case c.after.Told[key].ID != "":
		case !c.unseen[told.Server+separator+told.ID] &&
			still[checkKey(told.Server, told.ID, told.Lineage)]:
		case !c.looked(told):
			c.after.Told[key] = told
		default:
			c.d.Mended = append(c.d.Mended, Mended{Server: told.Server, ID: told.ID,
				Title: titleOf(told.ID), Lineage: told.Lineage, Since: told.At})
		}
	}
}

// titleOf is what a check is called.
func titleOf(id string) string {
	groups := doctor.Report{Findings: []doctor.Finding{{ID: id}}}.Groups()
	return failure.Clean(groups[0].Check.Title)
}

// looked reports whether somebody looked for what was told: a server that is silent, a check that could
// not be made and a certificate that cannot be read have nothing mended. A certificate that is gone
// takes with it what was told of it, whatever could not be looked at.
func (c *comparing) looked(told Told) bool {
	at := lineageKey(told.Server, told.Lineage)
	gone := told.Lineage != "" && !c.held[at] && !c.found[at]
	return c.spoke(told.Server) && (gone || !c.unseen[told.Server+separator+told.ID] &&
		(told.Lineage == "" || c.held[at]))
}

// spoke reports whether a server was looked at this time. What concerns no server alone is looked at
// always.
func (c *comparing) spoke(server string) bool {
	return c.in.Looked == nil || server == "" || c.in.Looked[server]
}

// thresholds are how many days before its end a certificate is told of, the first first.
var thresholds = [...]int{14, 7, 3, 1, 0}

// threshold is the last one that has come, -1 for none.
func threshold(left time.Duration) int {
	last := -1
	for _, days := range thresholds {
		if left <= time.Duration(days)*24*time.Hour {
			last = days
		}
	}
	return last
}

// ends tells of certificates that end without a working renewal, each threshold once.
func (c *comparing) ends() {
	for server, l := range c.in.Held {
		key := lineageKey(server, l.Name)
		told, known := c.before.Ends[key]
		why, sick := c.sick[key]
		days := threshold(l.Expires.Sub(c.in.At))
		switch {
		case days < 0 || !sick && !overdue(l, c.in.At):
			if known && l.Expires.After(told.Expires) {
				c.d.Mended = append(c.d.Mended, Mended{Server: server, Lineage: l.Name,
					Title: "renewed: valid until " + l.Expires.UTC().Format(time.DateOnly)})
			} else if known {
				c.after.Ends[key] = told
			}
			continue
		case known && told.Expires.Equal(l.Expires) && told.Days <= days:
			c.after.Ends[key] = told
			continue
		}
		c.after.Ends[key] = End{l.Expires.UTC(), days}
		c.d.Ending = append(c.d.Ending, Ending{Server: server, Lineage: l.Name, Names: l.Names,
			Expires: l.Expires.UTC(), Days: days, Why: failure.Clean(why)})
	}
	slices.SortFunc(c.d.Ending, byTime)
	slices.SortStableFunc(c.d.Mended, func(a, b Mended) int {
		return cmp.Or(cmp.Compare(a.Server, b.Server), cmp.Compare(a.Lineage, b.Lineage),
			cmp.Compare(a.ID, b.ID))
	})
	for key, told := range c.before.Ends {
		server, _, _ := strings.Cut(key, separator)
		if _, there := c.after.Ends[key]; !there && !c.spoke(server) {
			c.after.Ends[key] = told
		}
	}
}

// overdue reports whether a certificate should have been renewed long since: two fifths of the time
// between that moment and its end are over.
func overdue(l doctor.DocumentLineage, now time.Time) bool {
	due := l.Due
	if due.IsZero() { // of an older version's report, or one that nobody renews
		due = l.Expires.Add(-l.Expires.Sub(l.Issued) / 3)
	}
	return !now.Before(due.Add(l.Expires.Sub(due) * 2 / 5))
}

// silent tells of reports that are missing, once.
func (c *comparing) silent() {
	for _, u := range c.in.Report.Unread {
		key := u.File + separator + u.Server
		c.after.Silent[key] = true
		if !c.before.Silent[key] {
			c.d.Silent = append(c.d.Silent, u)
		}
	}
}

// keepUnseen forgets what was told of servers that have been silent for long: they are gone.
func (c *comparing) keepUnseen() {
	for server, at := range c.before.Servers {
		c.after.Servers[server] = at
	}
	for server := range c.in.Looked {
		c.after.Servers[server] = c.in.At.UTC()
	}
	gone := map[string]bool{}
	for server, at := range c.after.Servers {
		if c.in.At.Sub(at) > forgotten {
			gone[server] = true
			delete(c.after.Servers, server)
		}
	}
	maps.DeleteFunc(c.after.Told, func(_ string, t Told) bool { return gone[t.Server] })
	maps.DeleteFunc(c.after.Ends, func(key string, _ End) bool {
		server, _, _ := strings.Cut(key, separator)
		return gone[server]
	})
}

// count is a number with its noun.
func count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}
