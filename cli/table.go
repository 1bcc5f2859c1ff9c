package cli

// Listings fit the terminal: a long name must not break every row, and a script must lose nothing,
// whatever the width.

import (
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"golang.org/x/term"
	"golang.org/x/text/width"

	"orderly/outside"
)

// column is one column of a listing.
type column struct {
	title string
	kind  columnKind
}

// columnKind says what becomes of a column where the table is wider than the terminal.
type columnKind int

const (
	// fixed columns, numbers and times, stay as they are.
	fixed columnKind = iota
	// flexible ones lose the middle of their longest texts: what names have in common is at their
	// ends.
	flexible
	// aside ones, sentences, go to a line of their own below their row.
	aside
)

// narrowest is the least that a flexible column shrinks to. Below it a name says nothing any more,
// and the table rather exceeds the terminal.
const narrowest = 8

// gap is the room between two columns.
const gap = 2

// indent is how far a sentence stands to the right of the row it belongs to.
const indent = 4

// table prints a listing: every listing of every command, so that all of them obey the terminal's
// width alike. What is not read at a terminal is not cut: a script loses nothing, and finds each
// row in one line.
func (p *printer) table(columns []column, rows [][]string) {
	for _, row := range rows {
		for i := range row {
			row[i] = outside.Line(row[i])
		}
	}
	room := p.room()
	inline := columns
	if room > 0 && sum(widest(columns, rows)) > room {
		inline = slices.DeleteFunc(slices.Clone(columns),
			func(c column) bool { return c.kind == aside })
	}
	main, below := split(columns, rows, len(inline) == len(columns))
	widths := shrunk(inline, widest(inline, main), room)
	titles := make([]string, len(inline))
	for i, c := range inline {
		titles[i] = c.title
	}
	fmt.Fprintln(p.out, rowOf(titles, widths))
	for i, row := range main {
		fmt.Fprintln(p.out, rowOf(row, widths))
		for _, sentence := range below[i] {
			for _, line := range wrap(sentence, room-indent) {
				fmt.Fprintln(p.out, strings.Repeat(" ", indent)+line)
			}
		}
	}
}

// split takes the cells that go below their rows out of them.
func split(columns []column, rows [][]string, whole bool) (main, below [][]string) {
	below = make([][]string, len(rows))
	if whole {
		return rows, below
	}
	for i, row := range rows {
		var kept []string
		for j, cell := range row {
			switch {
			case columns[j].kind != aside:
				kept = append(kept, cell)
			case cell != "":
				below[i] = append(below[i], cell)
			}
		}
		main = append(main, kept)
	}
	return main, below
}

// widest are the natural widths of columns.
func widest(columns []column, rows [][]string) []int {
	widths := make([]int, len(columns))
	for i, c := range columns {
		widths[i] = cells(c.title)
		for _, row := range rows {
			widths[i] = max(widths[i], cells(row[i]))
		}
	}
	return widths
}

func sum(widths []int) int {
	all := gap * (len(widths) - 1)
	for _, w := range widths {
		all += w
	}
	return all
}

// shrunk takes from the widest flexible column until the row fits into room; 0 is room without end.
func shrunk(columns []column, widths []int, room int) []int {
	for room > 0 && sum(widths) > room {
		at := -1
		for i, c := range columns {
			if c.kind == flexible && widths[i] > max(narrowest, cells(c.title)) &&
				(at < 0 || widths[i] > widths[at]) {
				at = i
			}
		}
		if at < 0 {
			break
		}
		widths[at]--
	}
	return widths
}

func rowOf(row []string, widths []int) string {
	var line strings.Builder
	for i, text := range row {
		text = shorten(text, widths[i])
		line.WriteString(text)
		line.WriteString(strings.Repeat(" ", max(0, widths[i]-cells(text))+gap))
	}
	return strings.TrimRight(line.String(), " ")
}

// shorten takes the middle out of a text that needs more cells than there are.
func shorten(text string, room int) string {
	if cells(text) <= room {
		return text
	}
	runes := []rune(text)
	head, tail := 0, len(runes)
	for used, front := 1, true; head < tail; front = !front { // 1 for the ellipsis
		next := runes[head]
		if !front {
			next = runes[tail-1]
		}
		if used += cell(next); used > room {
			break
		}
		if front {
			head++
		} else {
			tail--
		}
	}
	return string(runes[:head]) + "…" + string(runes[tail:])
}

// wrap breaks a text into lines of so many cells, at blanks. A command, which stands in backquotes
// and is there to be pasted, is never broken, nor is a page that somebody is to visit; a longer
// word than fits is. room of 0 or less breaks nothing.
func wrap(text string, room int) []string {
	page := strings.HasPrefix(text, "https://") && !strings.Contains(text, " ")
	if room <= 0 || cells(text) <= room || page {
		return []string{text}
	}
	var lines []string
	line := ""
	for _, word := range words(text) {
		if line != "" && cells(line)+1+cells(word) <= room {
			line += " " + word
			continue
		}
		if line != "" {
			lines = append(lines, line)
		}
		for cells(word) > room && !strings.Contains(word, "`") {
			head := cut(word, room)
			lines = append(lines, word[:head])
			word = word[head:]
		}
		line = word
	}
	return append(lines, line)
}

// words are a text's words; what stands in backquotes is one.
func words(text string) []string {
	var all []string
	for _, word := range strings.Fields(text) {
		if n := len(all); n > 0 && strings.Count(all[n-1], "`")%2 == 1 {
			all[n-1] += " " + word
			continue
		}
		all = append(all, word)
	}
	return all
}

// cut is how many bytes of a word fit into room, at least one character.
func cut(word string, room int) int {
	used := 0
	for i, r := range word {
		if used += cell(r); used > room && i > 0 {
			return i
		}
	}
	return len(word)
}

// cells is how many columns of a terminal a text takes.
func cells(text string) int {
	n := 0
	for _, r := range text {
		n += cell(r)
	}
	return n
}

// cell is the same of a character: two for wide ones (Chinese, Japanese, Korean, most pictures),
// none for marks that combine with the one before.
func cell(r rune) int {
	if unicode.In(r, unicode.Mn, unicode.Me, unicode.Cf) {
		return 0
	}
	switch width.LookupRune(r).Kind() {
	case width.EastAsianWide, width.EastAsianFullwidth:
		return 2
	}
	return 1
}

// usualWidth is what a terminal has that does not tell its width.
const usualWidth = 80

// room is how many columns there are for a line on stdout: 0, which is any number, where it is no
// terminal. COLUMNS says it, as for other programs, where a person wants another width than the
// terminal's.
func (p *printer) room() int {
	if !p.tty {
		return 0
	}
	if n, err := strconv.Atoi(p.getenv("COLUMNS")); err == nil && n > 0 {
		return n
	}
	if n := terminalWidth(p.out); n > 0 {
		return n
	}
	return usualWidth
}

func terminalWidth(w io.Writer) int {
	if f, ok := unwrapped(w).(*os.File); ok {
		if n, _, err := term.GetSize(int(f.Fd())); err == nil {
			return n
		}
	}
	return 0
}

// lines prints a line that may be wider than the terminal, below a heading of its own.
func (p *printer) lines(heading, text string) {
	for i, line := range wrap(outside.Line(text), p.room()-len(heading)) {
		if i > 0 {
			heading = strings.Repeat(" ", len(heading))
		}
		p.Say("%s%s", heading, line)
	}
}

// moment shows a time in a listing: to the minute where each column counts.
func (p *printer) moment(t time.Time) string {
	text := clock(t)
	if room := p.room(); room > 0 && room < 120 && len(text) > len("2006-01-02 15:04") {
		return text[:len("2006-01-02 15:04")]
	}
	return text
}
