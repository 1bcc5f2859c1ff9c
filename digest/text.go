package digest

// A digest in words: what somebody must do stands first, by cause, name by name, with a bound. What
// is cut is in a file beside it.

import (
	"fmt"
	"strings"
	"time"

	"orderly/doctor"
	"orderly/failure"
	"orderly/outside"
)

// Bounds of what a person reads. What is beside it as a file has more.
const (
	mostItems  = 20
	mostGroups = 30
	mostWhole  = 2_000 // entries of a list in the file
	mostBrief  = 2_800 // bytes of the text for a chat
	// bytes of the text and of the file: a mail server takes some megabytes, and the outbox less than
	// a fleet can have wrong with it
	mostText, mostFile = 400 << 10, 3 << 20
	mostLine           = 76 // of a paragraph, in characters
)

// Subject is the digest's subject.
func (d *Digest) Subject() string {
	var parts []string
	if n := items(d.New); n > 0 {
		parts = append(parts, fmt.Sprintf("%d new", n))
	}
	if n := items(d.Worse); n > 0 {
		parts = append(parts, fmt.Sprintf("%d worse", n))
	}
	if n := len(d.Ending); n > 0 {
		parts = append(parts, count(n, "certificate ends soon", "certificates end soon"))
	}
	if n := len(d.Mended); n > 0 {
		parts = append(parts, fmt.Sprintf("%d mended", n))
	}
	if n := len(d.Silent); n > 0 {
		parts = append(parts, count(n, "report missing", "reports missing"))
	}
	if len(parts) == 0 {
		parts = []string{"nothing has changed"}
	}
	act := ""
	if d.Act {
		act = "act: "
	}
	return outside.Line("[" + d.who() + "] " + act + strings.Join(parts, ", "))
}

// who is whose certificates it is about.
func (d *Digest) who() string {
	if d.fleet {
		return count(d.Summary.Servers, "server", "servers")
	}
	return failure.Clean(d.Server)
}

func items(groups []Group) (n int) {
	for _, g := range groups {
		n += len(g.Items) + g.More
	}
	return n
}

// bounds are how much of a list is told.
type bounds struct{ groups, items, bytes int }

// Text is the digest for a mail. whole is the same with far more entries, "" where text has them
// all.
func (d *Digest) Text() (text, whole string) {
	w := &writer{b: bounds{mostGroups, mostItems, mostText}}
	d.write(w)
	text = w.text.String()
	if w.cut {
		w = &writer{b: bounds{mostWhole, mostWhole, mostFile}}
		d.write(w)
		whole = w.text.String()
	}
	return text, whole
}

// writer writes lines, and knows whether it left anything out.
type writer struct {
	b    bounds
	text strings.Builder
	cut  bool
	full bool
}

func (w *writer) line(format string, args ...any) {
	if w.full {
		return
	}
	if w.text.Len() > w.b.bytes {
		w.cut, w.full = true, true
		w.text.WriteString("\nand more, which has no room here\n")
		return
	}
	w.text.WriteString(strings.TrimRight(outside.Line(fmt.Sprintf(format, args...)), " ") + "\n")
}

// shown is how many of n are told.
func (w *writer) shown(n, bound int) int {
	if n > bound {
		w.cut = true
	}
	return min(n, bound)
}

func (w *writer) more(n int) {
	if n > 0 {
		w.line("  and %d more", n)
	}
}

func (d *Digest) write(w *writer) {
	w.line("%s", d.Verdict)
	w.line("")
	w.ending(d.Ending)
	w.groups("New", d.New)
	w.groups("Worse", d.Worse)
	w.failures(d)
	w.mended(d.Mended)
	w.silent(d.Silent)
	w.full, w.b.bytes = false, w.b.bytes*2 // of what and when this is must be seen
	for _, line := range d.footer() {
		w.line("%s", line)
	}
}

// footer says of what and when this is, and where there is more.
func (d *Digest) footer() []string {
	if d.trial {
		return []string{"-- ", failure.Clean(d.Server) + ", " + moment(d.At)}
	}
	since := "This is the first digest."
	if !d.Since.IsZero() {
		since = "What changed since " + moment(d.Since) + "."
	}
	of := count(d.Summary.Lineages, "certificate", "certificates") + fmt.Sprintf(", %d clean", d.Summary.Clean)
	if d.fleet {
		of = count(d.Summary.Servers, "server", "servers") + ", " + of
	}
	return []string{"-- ", fmt.Sprintf("%s, %s: %s.", failure.Clean(d.Server), moment(d.At), of), since,
		"All that is open: " + d.all}
}

func moment(t time.Time) string { return t.UTC().Format("2006-01-02 15:04 UTC") }

func (w *writer) groups(heading string, groups []Group) {
	if len(groups) == 0 {
		return
	}
	w.line("%s", strings.ToUpper(heading))
	w.line("")
	for _, g := range groups[:w.shown(len(groups), w.b.groups)] {
		w.line("%s: %s%s", g.ID, g.heading(), g.when())
		for _, item := range g.Items[:w.shown(len(g.Items), w.b.items)] {
			w.line("  %s", item.line())
			if item.Remedy != "" {
				w.paragraph("      ", item.Remedy)
			}
		}
		w.more(len(g.Items) + g.More - w.b.items)
		if g.Remedy != "" {
			w.paragraph("  What to do: ", g.Remedy)
		}
		w.line("")
	}
	if more := len(groups) - w.b.groups; more > 0 {
		w.line("and %d more causes", more)
		w.line("")
	}
}

// paragraph writes text in lines of a mail's width; a command in it is never broken.
func (w *writer) paragraph(begin, text string) {
	line := begin
	indent := strings.Repeat(" ", len(begin))
	empty := true
	for i, part := range strings.Split(outside.Line(text), "`") {
		words := strings.Fields(part)
		if i%2 == 1 {
			words = []string{"`" + part + "`"}
		}
		glued := i > 0 && i%2 == 0 && part != "" && part[0] != ' '
		for n, word := range words {
			if !empty && !(n == 0 && glued) && len([]rune(line))+1+len([]rune(word)) > mostLine {
				w.line("%s", line)
				line, empty = indent, true
			}
			if !empty && !(n == 0 && glued) {
				line += " "
			}
			line, empty = line+word, false
		}
	}
	w.line("%s", line)
}

// heading is what a group is of.
func (g Group) heading() string {
	if g.Cause == "" {
		return g.Title
	}
	return g.Title + ", " + g.Cause
}

// when is how bad a group is, and from when on.
func (g Group) when() string {
	word := map[doctor.Severity]string{doctor.Fails: "fails", doctor.WillFail: "will fail",
		doctor.Doubtful: "doubtful", doctor.Note: "note"}[g.Severity]
	if g.Severity == doctor.WillFail && !g.HurtsAt.IsZero() {
		word += " from " + g.HurtsAt.UTC().Format(time.DateOnly) + " on"
	}
	if g.Servers > 1 {
		word += fmt.Sprintf("; %d on %d servers", len(g.Items)+g.More, g.Servers)
	}
	return " (" + word + ")"
}

// line is one finding: where, what, since when.
func (i Item) line() string {
	line := i.where()
	if line != "" {
		line += ": "
	}
	line += i.Sentence
	if since := i.since(); since != "" {
		line += ", " + since
	}
	return line
}

// since is since when, "" where nobody knows.
func (i Item) since() string {
	if i.Since.IsZero() {
		return ""
	}
	return "since " + i.Since.UTC().Format(time.DateOnly)
}

// where is the server and the certificate of a finding, or its file.
func (i Item) where() string { return place(i.Server, i.Lineage, i.File) }

func place(server, lineage, file string) string {
	if lineage == "" {
		lineage = file
	}
	if server != "" && lineage != "" {
		return failure.Clean(server) + " " + failure.Clean(lineage)
	}
	return failure.Clean(server + lineage)
}

func (w *writer) ending(all []Ending) {
	if len(all) == 0 {
		return
	}
	w.line("ENDING WITHOUT A RENEWAL THAT WORKS")
	w.line("")
	for _, e := range all[:w.shown(len(all), w.b.items)] {
		w.line("  %s", e.line())
	}
	w.more(len(all) - w.b.items)
	w.line("")
}

func (e Ending) line() string {
	line := place(e.Server, e.Lineage, "") + " " + e.left()
	if e.Why != "" {
		line += ": " + e.Why
	}
	return line
}

func (e Ending) left() string {
	if e.Days == 0 {
		return "has expired, on " + moment(e.Expires)
	}
	return "expires on " + moment(e.Expires)
}

func (w *writer) failures(d *Digest) {
	if len(d.Failures) == 0 {
		return
	}
	w.line("WHAT FAILED SINCE %s", moment(d.failuresSince()))
	w.line("")
	for _, f := range d.Failures {
		w.line("  %s: %s, %s", f.Class, count(f.Failures, "failure", "failures"),
			count(f.Lineages, "certificate", "certificates"))
	}
	w.line("")
}

// FirstDays is how far the first digest of a server looks back.
const FirstDays = 7

// failuresSince is from when on failures are counted.
func (d *Digest) failuresSince() time.Time { return Since(d.Since, d.At) }

// Since is from when on failures are counted, by when people were told last.
func Since(told, now time.Time) time.Time {
	if told.IsZero() {
		return now.Add(-FirstDays * 24 * time.Hour)
	}
	return told
}

func (w *writer) mended(all []Mended) {
	if len(all) == 0 {
		return
	}
	w.line("MENDED")
	w.line("")
	for _, m := range all[:w.shown(len(all), w.b.items)] {
		w.line("  %s", m.line())
	}
	w.more(len(all) - w.b.items)
	w.line("")
}

func (m Mended) line() string {
	where := place(m.Server, m.Lineage, "")
	if where != "" {
		where += ": "
	}
	if m.ID == "" {
		return where + m.Title
	}
	return where + m.ID + ", " + m.Title + " (told on " + m.Since.UTC().Format(time.DateOnly) + ")"
}

func (w *writer) silent(all []doctor.Unread) {
	if len(all) == 0 {
		return
	}
	w.line("REPORTS THAT ARE MISSING")
	w.line("")
	for _, u := range all[:w.shown(len(all), w.b.items)] {
		w.line("  %s: %s", failure.Clean(u.File), failure.Clean(u.Sentence))
	}
	w.more(len(all) - w.b.items)
	w.line("")
}

// Brief is the digest for a chat.
func (d *Digest) Brief() string {
	var text strings.Builder
	text.WriteString(d.Verdict + "\n")
	add := func(format string, args ...any) bool {
		line := outside.Line(fmt.Sprintf(format, args...)) + "\n"
		if text.Len()+len(line) > mostBrief {
			return false
		}
		text.WriteString(line)
		return true
	}
	for _, part := range []struct {
		heading string
		groups  []Group
	}{{"New", d.New}, {"Worse", d.Worse}} {
		for _, g := range part.groups {
			first := g.Items[0].where()
			if more := len(g.Items) + g.More - 1; more > 0 {
				first += fmt.Sprintf(" and %d more", more)
			}
			if !add("• %s: %s %s%s: %s", part.heading, g.ID, g.heading(), g.when(), first) {
				return text.String() + "…\n"
			}
		}
	}
	for _, e := range d.Ending {
		if !add("• %s", e.line()) {
			return text.String() + "…\n"
		}
	}
	if n := len(d.Mended); n > 0 {
		add("• %d mended", n)
	}
	return text.String()
}
