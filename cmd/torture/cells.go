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
const tests = "^(TestTheFaultMatrix|TestAKillAroundEveryEffect|TestALostNewOrderIsFoundInTheSameRun|TestAnOrderTheCABrokeIsReplaced|" +
	"TestAKillAtAnyTime|TestAKilledRenewalLeavesAGoodPair|TestKilledUntilItIsDone)$"

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
	Good    bool    `json:"good"`
	Seconds float64 `json:"seconds"`
	log     []string
	number  int // as they were begun
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
func collect(from io.Reader, complaints io.Writer, tell func([]cell)) ([]cell, error) {
	var cells []cell
	under, begun := map[string]*cell{}, 0
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
			begun++
			c = &cell{Test: test, Name: strings.ReplaceAll(name, "_", " "), number: begun}
			c.CA = placeOf(c.Name)
			under[e.Test] = c
		}
		switch e.Action {
		case "attr":
			c.attribute(e.Key, e.Value)
		case "output":
			c.log = append(c.log, e.Output)
		case "pass", "fail", "skip":
			c.Good, c.Seconds = e.Action == "pass", e.Elapsed
			cells = append(cells, *c)
			delete(under, e.Test)
			tell(cells)
		}
	}
	for _, c := range under { // begun, and never ended
		cells = append(cells, *c)
	}
	slices.SortFunc(cells, func(a, b cell) int { return a.number - b.number })
	return cells, lines.Err()
}

// attribute takes up what a test says of its place in the matrix.
func (c *cell) attribute(key, value string) {
	texts := map[string]*string{"ca": &c.CA, "request": &c.Request, "effect": &c.Effect, "moment": &c.Moment, "call": &c.Call,
		"command": &c.Command, "fault": &c.Fault, "between": &c.Between}
	if text, ok := texts[key]; ok {
		*text = value
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

func countBad(cells []cell) int {
	bad := 0
	for _, c := range cells {
		if !c.Good {
			bad++
		}
	}
	return bad
}
