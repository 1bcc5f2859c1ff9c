package e2e_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"path"
	"slices"
	"strings"

	"orderly/ledger"
	"orderly/testca"
)

// How a sequence is put into words. Each line is a step; see sequence_test.go for what is left out.

// steps are the requests of every run, and the commits between them.
func (r *recorder) steps(truth testca.Truth) []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var all []string
	for i, run := range r.runs {
		end, after := len(truth.Requests), 0
		if i+1 < len(r.runs) {
			end, after = r.runs[i+1].requests, r.runs[i+1].commits
		}
		if run.command == "pending" {
			continue // it asks nobody
		}
		t := told{truth: truth, struck: struckIn(truth), commits: run.commits}
		for _, request := range truth.Requests[run.requests:end] {
			t.request(request)
		}
		t.flush()
		t.committed(after) // as far as the run was killed; one that ends well takes its log away
		all = append(append(all, "run "+run.command), t.lines...)
	}
	return all
}

// told puts the requests of one run into words.
type told struct {
	truth   testca.Truth
	struck  string // the name that met the fault; which one it is of many depends on what is sent side by side
	commits int    // as last seen
	lines   []string
	group   string // what the open requests have in common
	open    []telling
	between int // commits among them
}

// telling is what is told of a request: its kind, whose authorization it is about, and what came of it.
type telling struct{ kind, whose, outcome string }

// together is what requests are told as if they came at once: challenges are answered side by side, and how often something
// is looked at is a matter of time.
func together(kind string) string {
	switch kind {
	case "authorization", "order", "challenge-status":
		return "looks"
	case "challenge":
		return kind
	}
	return ""
}

func (t *told) request(r testca.Request) {
	if r.Kind == "new-nonce" && r.Fault == "" {
		return // how many there are depends on how much is sent side by side
	}
	group, commits := together(r.Kind), r.Mark-t.commits
	if commits < 0 {
		commits = r.Mark // another log was begun
	}
	t.commits = r.Mark
	if group == "" || group != t.group || group == "challenge" && commits > 0 {
		t.flush()
		t.commit(commits)
		commits = 0
	}
	t.between += commits
	t.group, t.open = group, append(t.open, t.telling(r))
}

// flush tells of what is open.
func (t *told) flush() {
	t.lines = append(t.lines, counted(t.open)...)
	t.commit(t.between)
	t.group, t.open, t.between = "", nil, 0
}

// counted tells how many names met the same, each once. Where a run was killed while one of many waited, how far the others
// had come is left out.
func counted(open []telling) []string {
	names, held := map[telling][]string{}, slices.ContainsFunc(open, func(o telling) bool { return strings.Contains(o.outcome, "(hold)") })
	for _, o := range open {
		same := telling{kind: o.kind, outcome: o.outcome}
		if o.whose == theStruck {
			same.whose = o.whose
		}
		if held && o.whose != "" && o.whose != theStruck {
			continue
		}
		names[same] = append(names[same], o.whose)
	}
	var lines []string
	for same, whose := range names {
		slices.Sort(whose)
		words := same.kind
		if n := len(slices.Compact(whose)); same.whose != "" {
			words += " of " + same.whose
		} else if whose[0] != "" {
			words += fmt.Sprintf(" of %d names", n)
		}
		lines = append(lines, "  "+words+" "+same.outcome)
	}
	slices.Sort(lines)
	return lines
}

const theStruck = "the name struck"

// commit tells of commits, in one line with those told of just before.
func (t *told) commit(count int) {
	if count == 0 {
		return
	}
	before := 0
	if n := len(t.lines); n > 0 {
		if _, err := fmt.Sscanf(t.lines[n-1], "  commits: %d", &before); err == nil {
			t.lines = t.lines[:n-1]
		}
	}
	t.lines = append(t.lines, fmt.Sprintf("  commits: %d", before+count))
}

// committed tells of what was committed after the last request, as far as the run was killed: one that ends well takes its
// log away.
func (t *told) committed(after int) { t.commit(max(0, after-t.commits)) }

func (t *told) telling(r testca.Request) telling {
	tells := telling{kind: r.Kind, whose: r.Name}
	if r.Name != "" && r.Name == t.struck {
		tells.whose = theStruck
	}
	for i, o := range t.truth.Orders {
		id := path.Base(r.Path)
		if (r.Kind == "order" || r.Kind == "finalize") && path.Base(o.URL) == id || r.Kind == "certificate" && o.Serial == id {
			tells.kind += fmt.Sprint(" of order ", i+1)
		}
	}
	tells.outcome = fmt.Sprint("-> ", r.Status)
	if r.Problem != "" {
		tells.outcome += " " + r.Problem
	}
	if r.Fault != "" {
		tells.outcome += " (" + string(r.Fault) + ")"
	}
	return tells
}

// struckIn is the name whose authorization met a fault.
func struckIn(truth testca.Truth) string {
	for _, r := range truth.Requests {
		if r.Fault != "" && r.Name != "" {
			return r.Name
		}
	}
	return ""
}

// ledgerSteps is what the host's ledger holds in the end: the orders, and what was noted by each run.
func (h *host) ledgerSteps(truth testca.Truth) []string {
	h.t.Helper()
	lines := []string{"ledger of " + path.Base(path.Dir(h.config))}
	r := h.orderly("ledger", "export")
	if r.code != 0 {
		return append(lines, "  none")
	}
	run, last, count := int64(0), "", 0
	flush := func() {
		if count > 1 {
			last += fmt.Sprint(" ×", count)
		}
		if count > 0 {
			lines = append(lines, last)
		}
		last, count = "", 0
	}
	for line := range bytes.Lines([]byte(r.stdout)) {
		var e struct {
			Kind   string
			Record json.RawMessage
		}
		if err := json.Unmarshal(line, &e); err != nil {
			h.t.Fatalf("%v: %s", err, line)
		}
		switch e.Kind {
		case "order":
			lines = append(lines, orderWords(decodeRecord[ledger.Order](h, e.Record), struckIn(truth)))
		case "event":
			event := decodeRecord[ledger.Event](h, e.Record)
			if event.RunID != run {
				flush()
				run = event.RunID
				lines = append(lines, fmt.Sprint("noted by run ", run))
			}
			words := "  " + event.Kind
			if event.OrderID != 0 {
				words += fmt.Sprint(", order ", event.OrderID)
			}
			if words != last {
				flush()
			}
			last, count = words, count+1
		}
	}
	flush()
	return lines
}

func decodeRecord[T any](h *host, record json.RawMessage) T {
	h.t.Helper()
	var value T
	if err := json.Unmarshal(record, &value); err != nil {
		h.t.Fatalf("%v: %s", err, record)
	}
	return value
}

// orderWords tells what the ledger holds of an order.
func orderWords(o ledger.Order, struck string) string {
	words := fmt.Sprintf("  order %d for %d names: %s, the CA says %q, newOrder sent %d times", o.ID, len(o.Names), o.State, o.CAStatus,
		o.CreateSends)
	for _, flag := range []struct {
		set  bool
		word string
	}{{!o.SettledAt.IsZero(), "settled"}, {o.Superseded, "superseded"}, {o.Releasing, "releasing"}, {o.Class != "", "failed: " + o.Class}} {
		if flag.set {
			words += ", " + flag.word
		}
	}
	var open []telling
	for _, a := range o.Authorizations {
		one := telling{kind: "authorization", whose: a.FullName(), outcome: fmt.Sprintf("%s, answered %d times", a.Status, a.Answers)}
		if a.Name == struck {
			one.whose = theStruck
		}
		open = append(open, one)
	}
	for _, line := range counted(open) {
		words += "; " + strings.TrimSpace(line)
	}
	return words
}
