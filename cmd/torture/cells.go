package main

import (
	"bufio"
	"encoding/json"
	"io"
	"slices"
	"strconv"
	"strings"
)

// tests are those whose sub-tests are cells.
func tests() []string {
	return []string{"TestTheFaultMatrix", "TestTheFaultMatrixOfOddCAs", "TestAKillAroundEveryEffect", "TestALostNewOrderIsFoundInTheSameRun",
		"TestAnOrderTheCABrokeIsReplaced", "TestAKillAtAnyTime", "TestAKilledRenewalLeavesAGoodPair", "TestKilledUntilItIsDone"}
}

// cell is one kill or fault and what came of it.
type cell struct {
	Test string `json:"test"`
	Name string `json:"name"`
	CA   string `json:"ca,omitempty"`
	// What met the fault: the nth request of a kind, of an issuance for so many names, or a local effect of a command.
	Request string `json:"request,omitempty"`
	Nth     int    `json:"nth,omitempty"`
	Names   int    `json:"names,omitempty"`
	Effect  string `json:"effect,omitempty"`
	Moment  string `json:"moment,omitempty"` // before, within or after the effect
	Call    string `json:"call,omitempty"`   // the system call of the effect at which that was, the nth
	Command string `json:"command,omitempty"`
	Fault   string `json:"fault,omitempty"`
	// Between is what happened before the run without the fault.
	Between string  `json:"between,omitempty"`
	State   state   `json:"state"`
	Good    bool    `json:"good"`
	Seconds float64 `json:"seconds"`
	log     []string
	number  int // as they were begun
}

// state is what became of a cell.
type state string

const (
	good state = "good"
	bad  state = "bad" // a promise was broken
	// hung says that nothing moved any more, which is told apart from a broken promise: it is looked for elsewhere.
	hung state = "hung"
	// notRun is a cell that never had its turn, or was cut off in it.
	notRun state = "not run"
)

// troubles are all states but the good one, as they are counted.
func troubles() []state { return []state{bad, hung, notRun} }

// count is how far things are.
type count struct {
	known int // cells that have been announced
	ended int
	of    map[state]int
}

// event is a line of `go test -json`.
type event struct {
	Action  string
	Test    string
	Output  string
	Elapsed float64
	Key     string // of an attribute (testing.T.Attr)
	Value   string
}

// complains reports whether the event, which is of no cell, is worth a person's while.
func (e event) complains() bool {
	spoken := e.Action == "output" && !strings.HasPrefix(e.Output, "=== ") && !strings.HasPrefix(e.Output, "--- PASS") &&
		!strings.HasPrefix(e.Output, "ok ") && e.Output != "PASS\n"
	return spoken || e.Action == "build-output"
}

// collect makes a cell of every sub-test, and tells of each that ended. What goes wrong outside of all cells, from the
// compiler's complaints on, goes to complaints.
func collect(from io.Reader, complaints io.Writer, tell func(count)) ([]cell, error) {
	var cells []cell
	under, so := map[string]*cell{}, count{of: map[state]int{}}
	lines := bufio.NewScanner(from)
	lines.Buffer(nil, 1<<24)
	for lines.Scan() {
		var e event
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
			continue // no event: the go command's own words
		}
		test, name, isCell := strings.Cut(e.Test, "/")
		if !isCell {
			if e.complains() {
				_, _ = io.WriteString(complaints, e.Output)
			}
			continue
		}
		c := under[e.Test]
		if c == nil {
			so.known++
			c = &cell{Test: test, Name: strings.ReplaceAll(name, "_", " "), State: notRun, number: so.known}
			c.CA = placeOf(c.Name)
			under[e.Test] = c
		}
		switch e.Action {
		case "attr":
			c.attribute(e.Key, e.Value)
		case "output":
			c.log = append(c.log, e.Output)
		case "pass", "fail", "skip":
			c.end(e)
			cells = append(cells, *c)
			delete(under, e.Test)
			so.ended++
			so.of[c.State]++
			tell(so)
		}
	}
	for _, c := range under { // announced, and never ended
		cells = append(cells, *c)
	}
	slices.SortFunc(cells, func(a, b cell) int { return a.number - b.number })
	return cells, lines.Err()
}

// end takes up how a cell ended. One that was skipped did not run.
func (c *cell) end(e event) {
	c.Seconds = e.Elapsed
	switch {
	case e.Action == "pass":
		c.State, c.Good = good, true
	case e.Action == "fail" && c.State != hung:
		c.State = bad
	}
}

// attribute takes up what a test says of its place in the matrix.
func (c *cell) attribute(key, value string) {
	texts := map[string]*string{"ca": &c.CA, "request": &c.Request, "effect": &c.Effect, "moment": &c.Moment, "call": &c.Call,
		"command": &c.Command, "fault": &c.Fault, "between": &c.Between}
	if text, ok := texts[key]; ok {
		*text = value
	}
	if key == "hung" {
		c.State = hung
	}
	numbers := map[string]*int{"nth": &c.Nth, "names": &c.Names}
	if number, ok := numbers[key]; ok {
		*number, _ = strconv.Atoi(value) // what is no number stays 0, which no dimension has
	}
}

// placeOf is the character of the CA, where a test's name begins with one.
func placeOf(name string) string {
	if head, _, ok := strings.Cut(name, ", "); ok && strings.HasPrefix(head, "a ") {
		return head
	}
	return ""
}

// counted is how many cells are in a state.
func counted(cells []cell, in state) int {
	return len(only(cells, func(c cell) bool { return c.State == in }))
}

// troubled is how many cells are anything but good.
func troubled(cells []cell) int { return len(cells) - counted(cells, good) }

// missing are the tests of which not one cell was announced: they ended, or were ended, before that.
func missing(cells []cell) []string {
	return slices.DeleteFunc(tests(), func(test string) bool {
		return slices.ContainsFunc(cells, func(c cell) bool { return c.Test == test })
	})
}
