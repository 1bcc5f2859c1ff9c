package cli

// What a scan found, for people and for programs.

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"
	"time"

	"orderly/failure"
	"orderly/renewal"
	"orderly/scan"
	"orderly/scan/client"
	"orderly/scan/source"
)

type foundView struct {
	URL     string     `json:"url"`
	Name    string     `json:"name"`
	Account string     `json:"account"`
	Server  string     `json:"server"`
	Host    string     `json:"host"`
	Expires *time.Time `json:"expires"`
	File    string     `json:"file"`
	Line    int64      `json:"line"`
	Run     string     `json:"run"`
	Reason  string     `json:"reason,omitempty"`
}

type lostView struct {
	Names []string   `json:"names"`
	At    *time.Time `json:"at"`
	File  string     `json:"file"`
	Line  int64      `json:"line"`
}

type scannedRun struct {
	ID      string      `json:"id"`
	Host    string      `json:"host"`
	Started *time.Time  `json:"started"`
	Ended   *time.Time  `json:"ended"`
	Fate    client.Fate `json:"fate"`
	Step    client.Step `json:"step"`
	Seconds float64     `json:"seconds"`
}

type checkedView struct {
	Asked   int `json:"asked"`
	Pending int `json:"pending"`
	Final   int `json:"final"`
	Orders  int `json:"orders"`
}

func viewRow(r scan.Row) foundView {
	return foundView{r.URL, r.Name, r.Account, r.Server, r.Host, known(r.Expires), r.File, r.Line, r.Run(),
		r.Reason}
}

func viewLost(l scan.Lost) lostView { return lostView{l.Names, known(l.At), l.File, l.Line} }

func viewScanned(r scan.Run) scannedRun {
	return scannedRun{r.ID, r.Host, known(r.Began), known(r.Ended), r.Fate, r.Step, r.Seconds()}
}

// printScan prints a report for programs, one entry a line, as it goes: a year of a fleet's runs
// would not fit into memory as one document.
func (p *printer) printScan(r *scan.Report, answers *renewal.Checked) {
	out := bufio.NewWriter(escaper{p.out})
	fmt.Fprint(out, "{\n  \"version\": 1")
	entries(out, "open", viewed(slices.Values(r.Open), viewRow))
	entries(out, "doubtful", viewed(slices.Values(r.Doubtful), viewRow))
	entries(out, "orders", viewed(slices.Values(r.Orders), viewRow))
	entries(out, "lost", viewed(slices.Values(r.Lost), viewLost))
	entries(out, "runs", viewed(r.Runs, viewScanned))
	entries(out, "failures", viewed(r.Failures, p.viewHeard))
	entries(out, "unread", func(yield func(source.Trouble) bool) {
		for _, t := range r.Troubles {
			if t.Unread && !yield(t) {
				return
			}
		}
	})
	fmt.Fprint(out, ",\n  \"checked\": ")
	var checked checkedView
	if answers != nil {
		checked = checkedView{answers.Asked, answers.Pending, answers.Final, answers.Orders}
	}
	document(out, checked)
	fmt.Fprint(out, "\n}\n")
	_ = out.Flush() // the witness remembers what could not be written
}

func viewed[A, B any](all iter.Seq[A], view func(A) B) iter.Seq[B] {
	return func(yield func(B) bool) {
		for one := range all {
			if !yield(view(one)) {
				return
			}
		}
	}
}

// entries prints a list within a document.
func entries[V any](out *bufio.Writer, name string, all iter.Seq[V]) {
	fmt.Fprintf(out, ",\n  %q: [", name)
	separator := "\n    "
	for one := range all {
		fmt.Fprint(out, separator)
		document(out, one)
		separator = ",\n    "
	}
	if separator[0] == ',' {
		fmt.Fprint(out, "\n  ")
	}
	fmt.Fprint(out, "]")
}

func document(out *bufio.Writer, v any) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	_ = e.Encode(v) // of strings, numbers and times
	_, _ = out.Write(bytes.TrimSuffix(b.Bytes(), []byte("\n")))
}

// scanned prints a report. hosts says that logs of several servers were named apart, kept that the
// ledger has it.
func (p *printer) scanned(r *scan.Report, hosts, kept bool, answers *renewal.Checked) {
	if p.json {
		p.printScan(r, answers)
		return
	}
	for _, t := range r.Troubles {
		if t.Path == "" {
			p.Warn("%s", t.Sentence)
		} else {
			p.Warn("%s %s", t.Path, t.Sentence)
		}
	}
	if p.quiet {
		return
	}
	title := "Open at the CA: %d. The logs show them handed out, and nothing shows them closed."
	if answers != nil {
		title = "Open at the CA: %d, " + byWhom(len(r.Open), answers.Pending)
	}
	p.tellRows("open", title, r.Open, hosts)
	p.tellRows("doubtful", "Doubtful: %d. Whether the CA holds them pending, the logs do not tell.",
		r.Doubtful, hosts)
	p.tellOrders(r.Orders, hosts)
	p.tellLost(r.Lost)
	p.tellDeaths(scan.DeathsOf(r.Runs), r)
	p.tellHeard(r, hosts, kept)
	if r.Logs == 0 {
		p.Warn("none of these files is a log of certbot, lego, uacme or acme.sh")
	}
	if answers != nil {
		p.tellChecked(*answers)
	}
}

// byWhom says who calls authorizations open, where the CA was asked about some of them.
func byWhom(open, said int) string {
	if said == open {
		return "as it says itself."
	}
	return fmt.Sprintf("as it says itself of %d, and the logs of the others.", said)
}

func (p *printer) tellRows(what, title string, rows []scan.Row, hosts bool) {
	if len(rows) == 0 {
		p.Say("Nothing is %s.", what)
		return
	}
	p.Say(title, len(rows))
	columns := []column{{"NAME", flexible}, {"EXPIRES (UTC)", fixed}, {"AUTHORIZATION", flexible},
		{"LOG", flexible}}
	if hosts {
		columns = append([]column{{"SERVER", flexible}}, columns...)
	}
	if what == "doubtful" {
		columns = append(columns, column{"BECAUSE", aside})
	}
	for some := range slices.Chunk(rows, mostInTable) {
		p.table(columns, cellsOf(some, what, hosts))
	}
}

// mostInTable bounds a table, of which all is in memory before its first line is printed.
const mostInTable = 4000

func cellsOf(rows []scan.Row, what string, hosts bool) [][]string {
	cells := make([][]string, 0, len(rows))
	for _, r := range rows {
		row := []string{r.Name, clock(r.Expires), r.URL, fmt.Sprintf("%s:%d", r.File, r.Line)}
		if hosts {
			row = append([]string{r.Host}, row...)
		}
		if what == "doubtful" {
			row = append(row, r.Reason)
		}
		cells = append(cells, row)
	}
	return cells
}

// tellOrders lists orders of which the logs do not name everything.
func (p *printer) tellOrders(rows []scan.Row, hosts bool) {
	if len(rows) > 0 {
		p.tellRows("order", "Orders: %d. The logs do not name all their authorizations: their client had not come to them.\n"+
			"With --check the CA is asked for the rest.", rows, hosts)
	}
}

func (p *printer) tellLost(lost []scan.Lost) {
	if len(lost) == 0 {
		return
	}
	p.Say("Lost: %d newOrder(s) were sent and never answered. What they made, no log can name; the next order\n"+
		"for the same names finds it where the CA reuses orders.", len(lost))
	var rows [][]string
	for _, l := range lost {
		rows = append(rows, []string{strings.Join(l.Names, ","), clock(l.At),
			fmt.Sprintf("%s:%d", l.File, l.Line)})
	}
	p.table([]column{{"NAMES", flexible}, {"AT (UTC)", fixed}, {"LOG", flexible}}, rows)
}

// tellRunning says which runs were not killed although their log ends in the middle.
func (p *printer) tellRunning(running int, holders []scan.Holder) {
	for _, h := range holders {
		process := ""
		if h.PID != 0 {
			process = fmt.Sprintf(" (process %d)", h.PID)
		}
		p.Say("certbot is at work in %s%s. What its run has open is doubtful, and the CA is not asked\n"+
			"about it: scan again when it has ended.", h.Dir, process)
	}
	if cut := running - len(holders); cut > 0 {
		p.Say("%d run(s) were at work when their log was copied, which ends in the middle of a line.", cut)
	}
}

func (p *printer) tellDeaths(d scan.Deaths, r *scan.Report) {
	p.tellRunning(d.Running, r.Holders)
	runs := r.RunCount
	if d.Runs == 0 {
		p.Say("%d run(s), none of them killed.", runs)
		return
	}
	p.Say("%d run(s), %d of them killed:", runs, d.Runs)
	var rows [][]string
	for _, s := range d.Steps {
		rows = append(rows, []string{s.Step.Doing(), fmt.Sprint(s.Runs), seconds1(s.Shortest),
			seconds1(s.Median), seconds1(s.Longest)})
	}
	p.table([]column{{"KILLED WHILE", fixed}, {"RUNS", fixed}, {"SHORTEST", fixed}, {"MEDIAN", fixed},
		{"LONGEST", fixed}}, rows)
	for _, t := range d.Timeouts {
		p.Say("%d runs ended at %.0f s, %d of them while %s: something ends them after that time.", t.Runs,
			t.Seconds, t.AtStep, t.Step.Doing())
	}
}

// tellChecked says what the CA said.
func (p *printer) tellChecked(c renewal.Checked) {
	for _, file := range slices.Sorted(maps.Keys(c.Unknown)) {
		p.Warn("the key in %s is of no account at %s; name its CA with --server", failure.Clean(file),
			failure.Clean(strings.Join(c.Unknown[file], ", ")))
	}
	give := "Give it, or the directory in which the client keeps it: add " +
		string(failure.Do(failure.GiveAccountKey, "FILE")) + "."
	for _, account := range slices.Sorted(maps.Keys(c.Keyless)) {
		if n := c.Keyless[account]; account != "" {
			p.Warn("%d authorization(s) of the account %s were not asked about: its key is not on this host.\n%s",
				n, failure.Clean(account), give)
		} else {
			p.Warn("%d authorization(s) were not asked about: the logs do not name their account, and no key\n"+
				"that was given is its.\n%s", n, give)
		}
	}
	for _, err := range c.Errs {
		p.Warn("%s", failure.Clean(err.Error()))
	}
	p.Say("The CA was asked about %d: %d are pending, %d are not.", c.Asked, c.Pending, c.Final)
	if c.Orders > 0 {
		p.Say("Among these is what %d order(s) have that the logs do not name.", c.Orders)
	}
	if c.Pending > 0 {
		p.Say("`orderly pending` lists them, `orderly pending drain` finishes what this host can prove, and\n" +
			"`orderly pending release --all` gives up the rest.")
	}
}

func seconds1(s float64) string { return span(time.Duration(s * float64(time.Second))) }
