package main

import (
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"
)

// report prints the matrix and returns the number of cells that are not good. A part of the matrix leaves fields empty.
func report(w io.Writer, cells []cell, part bool, took time.Duration) int {
	requests, effects, others := sort(cells)
	requestTables(w, requests, part)
	effectTables(w, effects)
	for _, test := range unique(others, func(c cell) string { return c.Test }) {
		of := only(others, func(c cell) bool { return c.Test == test })
		_, _ = fmt.Fprintf(w, "\n%s\n%d cells, %s\n", test, len(of), verdict(of))
	}
	for _, c := range cells {
		if !c.Good && (c.State != notRun || len(c.log) > 0) {
			_, _ = fmt.Fprintf(w, "\n%s %s: %s\n%s", strings.ToUpper(string(c.State)), c.Test, c.Name, strings.Join(c.log, ""))
		}
	}
	_, _ = fmt.Fprintf(w, "\n%d cells (%d of requests, %d of local effects, %d others), %s, %s\n", len(cells), len(requests),
		len(effects), len(others), verdict(cells), took.Round(time.Second))
	return troubled(cells)
}

// verdict says how many are bad, and how many are hung or did not run if any are.
func verdict(cells []cell) string {
	text := fmt.Sprint(counted(cells, bad), " bad")
	for _, in := range troubles()[1:] {
		if n := counted(cells, in); n > 0 {
			text += fmt.Sprint(", ", n, " ", in)
		}
	}
	return text
}

func sort(cells []cell) (requests, effects, others []cell) {
	for _, c := range cells {
		switch {
		case c.Request != "":
			requests = append(requests, c)
		case c.Effect != "":
			effects = append(effects, c)
		default:
			others = append(others, c)
		}
	}
	return requests, effects, others
}

// The orders in which people think of these.
var (
	requestOrder = []string{"directory", "new-nonce", "new-account", "new-order", "authorization", "challenge", "order", "finalize",
		"certificate", "account", "orders"}
	momentOrder = []string{"before", "within", "after"}
)

func before(order []string, a, b string) int { return slices.Index(order, a) - slices.Index(order, b) }

// requestTables are one for each number of names and each thing that came between: a row for each request, a column for each
// fault, and in a field a mark for each character of CA.
func requestTables(w io.Writer, cells []cell, part bool) {
	if len(cells) == 0 {
		return
	}
	cas := unique(cells, func(c cell) string { return c.CA })
	faults := unique(cells, func(c cell) string { return c.Fault })
	none := map[bool]string{false: "no such cell", true: "no such cell, or not asked for"}[part]
	_, _ = fmt.Fprintf(w, "\nIn each field one mark for each CA: %s, - %s. The CAs:\n", marksMean, none)
	legend(w, cas)
	_, _ = fmt.Fprint(w, "The faults:\n")
	legend(w, faults)
	for _, names := range []int{1, 2, 10} {
		for _, between := range unique(cells, func(c cell) string { return c.Between }) {
			of := only(cells, func(c cell) bool { return c.Names == names && c.Between == between })
			if len(of) > 0 {
				title := fmt.Sprintf("%d names, then %s, then a run without the fault", names, between)
				requestTable(w, title, of, faults, cas)
			}
		}
	}
}

func requestTable(w io.Writer, title string, cells []cell, faults, cas []string) {
	slices.SortStableFunc(cells, func(a, b cell) int {
		if order := before(requestOrder, a.Request, b.Request); order != 0 {
			return order
		}
		return a.Nth - b.Nth
	})
	row := func(c cell) string { return c.Request + " " + strconv.Itoa(c.Nth) }
	table(w, title, unique(cells, row), len(faults), func(name string, column int) string {
		return marks(cells, cas, func(c cell, ca string) bool { return row(c) == name && c.Fault == faults[column] && c.CA == ca })
	})
}

// effectTables are one for each command: a row for each effect, a column for before, within and after it.
func effectTables(w io.Writer, cells []cell) {
	cas := unique(cells, func(c cell) string { return c.CA })
	for _, command := range unique(cells, func(c cell) string { return c.Command }) {
		of := only(cells, func(c cell) bool { return c.Command == command })
		_, _ = fmt.Fprintf(w, "\nSIGKILL before (1), within (2) and after (3) each local effect. In each field one mark for each cell: %s.\n", marksMean)
		table(w, command, unique(of, func(c cell) string { return c.Effect }), len(momentOrder), func(name string, column int) string {
			var text strings.Builder
			for _, ca := range cas {
				for _, c := range of {
					if c.Effect == name && c.Moment == momentOrder[column] && c.CA == ca {
						text.WriteString(mark(c))
					}
				}
			}
			return text.String()
		})
	}
}

// table prints rows and numbered columns.
func table(w io.Writer, title string, rows []string, columns int, field func(row string, column int) string) {
	width, widths := 0, make([]int, columns)
	for _, row := range rows {
		width = max(width, len(row))
		for i := range columns {
			widths[i] = max(widths[i], len(field(row, i)), len(strconv.Itoa(i+1)))
		}
	}
	_, _ = fmt.Fprintf(w, "\n%s\n%*s", title, width, "")
	for i, column := range widths {
		_, _ = fmt.Fprintf(w, " %-*d", column, i+1)
	}
	_, _ = fmt.Fprintln(w)
	for _, row := range rows {
		line := fmt.Sprintf("%-*s", width, row)
		for i, column := range widths {
			line += fmt.Sprintf(" %-*s", column, field(row, i))
		}
		_, _ = fmt.Fprintln(w, strings.TrimRight(line, " "))
	}
}

func legend(w io.Writer, names []string) {
	for i, name := range names {
		_, _ = fmt.Fprintf(w, "  %2d %s\n", i+1, name)
	}
}

func marks(cells []cell, cas []string, matches func(cell, string) bool) string {
	var text strings.Builder
	for _, ca := range cas {
		i := slices.IndexFunc(cells, func(c cell) bool { return matches(c, ca) })
		if i < 0 {
			text.WriteString("-")
			continue
		}
		text.WriteString(mark(cells[i]))
	}
	return text.String()
}

// marksMean explains what mark says.
const marksMean = ". good, X bad, H hung, ? not run"

func mark(c cell) string {
	return map[state]string{good: ".", bad: "X", hung: "H", notRun: "?"}[c.State]
}

func only(cells []cell, matches func(cell) bool) []cell {
	return slices.DeleteFunc(slices.Clone(cells), func(c cell) bool { return !matches(c) })
}

func unique(cells []cell, of func(cell) string) []string {
	var all []string
	for _, c := range cells {
		if !slices.Contains(all, of(c)) {
			all = append(all, of(c))
		}
	}
	return all
}
