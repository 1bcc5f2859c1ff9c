package diagnose

// The table: rules.txt, read once. A rule is a class and the phrases that a text of it has; the first
// rule that fits decides.

import (
	_ "embed"
	"fmt"
	"math/bits"
	"slices"
	"strings"
	"sync"

	"orderly/failure"
)

//go:embed rules.txt
var rulesText string

// rule is one line of the table.
type rule struct {
	class failure.Class
	line  int
	has   []int // phrases, by their numbers
	lacks []int

	generic bool // no word of the text's own is wanted
}

// table is the rules with the automaton that finds their phrases.
type table struct {
	rules   []rule
	phrases []string // with a blank at each end, as they are looked for
	dense   []string // the longer ones without their blanks, "" for the others
	having  [][]int  // by phrase, the rules of which it is the first
	quick   *automaton
}

// theTable is the table of rules.txt, made when the first text comes.
var theTable = sync.OnceValue(func() *table {
	t, err := readTable(rulesText)
	if err != nil {
		panic(err) // a test reads it
	}
	return t
})

// readTable reads rules: "class: phrase + phrase + !phrase" a line, and comments.
func readTable(text string) (*table, error) {
	t, numbers, line := &table{}, map[string]int{}, 0
	for one := range strings.Lines(text) {
		line++
		one = strings.TrimSpace(one)
		if one == "" || one[0] == '#' {
			continue
		}
		class, phrases, ok := strings.Cut(one, ": ")
		r := rule{class: failure.Class(class), line: line, generic: true}
		if !ok || !r.class.Known() {
			return nil, fmt.Errorf("rules.txt:%d: no class: %s", line, one)
		}
		for p := range strings.SplitSeq(phrases, " + ") {
			wanted, without := strings.CutPrefix(p, "!")
			plain := phrase(wanted)
			if len(strings.TrimSpace(plain)) < 2 || strings.Count(plain, "{") != strings.Count(p, "{") {
				return nil, fmt.Errorf("rules.txt:%d: no phrase: %q", line, p)
			}
			n, known := numbers[plain]
			if !known {
				n = len(t.phrases)
				numbers[plain] = n
				t.phrases = append(t.phrases, plain)
			}
			if without {
				r.lacks = append(r.lacks, n)
			} else {
				r.has = append(r.has, n)
			}
			r.generic = r.generic && isSort(wanted)
		}
		if len(r.has) == 0 {
			return nil, fmt.Errorf("rules.txt:%d: fits everything", line)
		}
		t.rules = append(t.rules, r)
	}
	for _, p := range t.phrases {
		if p = strings.ReplaceAll(p, " ", ""); len(p) < shortestDense {
			p = ""
		}
		t.dense = append(t.dense, p)
	}
	t.having = make([][]int, len(t.phrases))
	for i, r := range t.rules {
		t.having[r.has[0]] = append(t.having[r.has[0]], i)
	}
	t.quick = newAutomaton(t.phrases)
	return t, nil
}

// isSort reports whether a phrase is the sort of a problem, or stands in every text about renewal
// files, and is no cause.
func isSort(phrase string) bool {
	switch phrase {
	case "{type}", "{type:dns}", "{type:connection}", "{type:unauthorized}", "{type:malformed}",
		"{challenge}", "{api:400}", "{api:401}", "{api:403}", "{api:404}", "{api:405}",
		"{api:409}", "renewal configuration file", "is broken", "dns problem*":
		return true
	}
	return false
}

// phrase is a phrase as a text shows it: in the words of a scanned text, a blank at each end. A phrase
// that ends with "*" may go on within its last word, as one that was cut off does.
func phrase(source string) string {
	var out strings.Builder
	for w := range strings.FieldsSeq(source) {
		if w[0] == '{' {
			out.WriteString(" " + w)
			continue
		}
		t := scan(strings.TrimSuffix(w, "*"))
		for i := range t.all {
			out.WriteString(" " + t.shown(i))
		}
	}
	if !strings.HasSuffix(source, "*") {
		out.WriteByte(' ')
	}
	return out.String()
}

// shown is the token i as a phrase has it.
func (t *tokens) shown(i int) string {
	if k := t.all[i].kind; k != word {
		return k.shown()
	}
	return t.word(i)
}

// classify finds the rule for the words of a text.
func (t *table) classify(words string) (class failure.Class, generic, known bool) {
	return t.first(t.quick.match(words))
}

// first is the class of the first rule that the phrases found fit. Only rules that begin with one of
// them are looked at.
func (t *table) first(found set) (class failure.Class, generic, known bool) {
	best := len(t.rules)
	for w, left := range found {
		for ; left != 0; left &= left - 1 {
			for _, i := range t.having[w<<6+bits.TrailingZeros64(left)] {
				if i >= best {
					break
				}
				if t.rules[i].fits(found) {
					best = i
				}
			}
		}
	}
	if best == len(t.rules) {
		return failure.Unclassified, false, false
	}
	return t.rules[best].class, t.rules[best].generic, true
}

// fits reports whether the phrases found are what a rule wants.
func (r rule) fits(found set) bool {
	return !slices.ContainsFunc(r.has, func(n int) bool { return !found.has(n) }) &&
		!slices.ContainsFunc(r.lacks, found.has)
}

// shortestDense is the shortest phrase that is looked for without its blanks.
const shortestDense = 12

// classifyTorn is classify for a text whose words are broken: blanks do not count. Marks of what the
// text was found to have count as ever.
func (t *table) classifyTorn(words string) (class failure.Class, generic, known bool) {
	dense, found := strings.ReplaceAll(words, " ", ""), t.quick.match(words)
	for n, p := range t.dense {
		if p != "" && strings.Contains(dense, p) {
			found.add(n)
		}
	}
	return t.first(found)
}
