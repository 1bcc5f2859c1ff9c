package webserver

import (
	"regexp"
	"strconv"
	"strings"
	"sync"
)

// Both servers speak PCRE, which RE2 understands but for what looks around. The commonest of those,
// (?!…) at a pattern's own level, is taken apart here; whatever else cannot be compiled is unknown,
// and what depends on it is a doubt.

// truth is what is known of a condition.
type truth int

const (
	unknown truth = iota
	no
	yes
)

func truthOf(b bool) truth {
	if b {
		return yes
	}
	return no
}

func (t truth) not() truth {
	switch t {
	case yes:
		return no
	case no:
		return yes
	}
	return unknown
}

func (t truth) and(other truth) truth {
	switch {
	case t == no || other == no:
		return no
	case t == yes && other == yes:
		return yes
	}
	return unknown
}

func (t truth) or(other truth) truth { return t.not().and(other.not()).not() }

// pattern is a regular expression, in parts between which it looks ahead.
type pattern struct {
	whole *regexp.Regexp // where there is nothing of the kind
	parts []*regexp.Regexp
	ahead []lookahead
}

type lookahead struct {
	at     *regexp.Regexp
	wanted bool
}

// longestPattern bounds what is compiled.
const longestPattern = 2000

// repeats are counted repetitions, each of which is compiled as often as it counts.
var repeats = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`\{(\d+)?,?(\d+)?\}`)
})

// mostRepeats bounds the sum of what a pattern repeats by count: rules are customers', and a line of
// them could come to a program of a million steps for each character.
const mostRepeats = 1000

// modest reports whether a pattern repeats little by count.
func modest(text string) bool {
	sum := 0
	for _, m := range repeats().FindAllStringSubmatch(text, -1) {
		least, _ := strconv.Atoi(m[1]) // none is none
		most, _ := strconv.Atoi(m[2])
		if sum += max(least, most); sum > mostRepeats {
			return false
		}
	}
	return true
}

// compile reports false for what RE2 does not know.
func compile(text string, foldCase bool) (*pattern, bool) {
	if len(text) > longestPattern {
		return nil, false
	}
	flags := ""
	if foldCase {
		flags = "(?i)"
	}
	if !modest(flags + text) {
		return nil, false
	}
	if re, err := regexp.Compile(flags + text); err == nil {
		return &pattern{whole: re}, true
	}
	return compileParts(text, flags)
}

// compileParts takes a pattern apart at its lookaheads.
func compileParts(text, flags string) (*pattern, bool) {
	p := &pattern{}
	for {
		begin := strings.Index(text, "(?!")
		if also := strings.Index(text, "(?="); begin < 0 || also >= 0 && also < begin {
			begin = also
		}
		if begin < 0 {
			re, err := regexp.Compile(flags + "^(?:" + text + ")")
			if err != nil || strings.Contains(text, "|") && len(p.parts) > 0 && !balanced(text) {
				return nil, false
			}
			p.parts = append(p.parts, re)
			return p, true
		}
		end := closing(text, begin)
		if end < 0 || !balanced(text[:begin]) || strings.Contains(topLevel(text), "|") {
			return nil, false // it stands within a group
		}
		before := "(?:" + text[:begin] + ")$"
		if len(p.parts) > 0 {
			before = "^" + before
		}
		part, err := regexp.Compile(flags + before)
		at, errAt := regexp.Compile(flags + "^(?:" + text[begin+3:end] + ")")
		if err != nil || errAt != nil {
			return nil, false
		}
		p.parts = append(p.parts, part)
		p.ahead = append(p.ahead, lookahead{at: at, wanted: text[begin+2] == '='})
		text = text[end+1:]
	}
}

// walkGroups calls visit with each character outside of classes and escapes, and its depth.
func walkGroups(text string, visit func(i, depth int)) {
	depth, class := 0, false
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '\\':
			i++
			continue
		case class:
			class = c != ']'
			continue
		case c == '[':
			class = true
		case c == '(':
			depth++
		case c == ')':
			depth--
		}
		visit(i, depth)
	}
}

func balanced(text string) bool {
	end := 0
	walkGroups(text, func(_, depth int) { end = depth })
	return end == 0
}

// closing is where the group that begins at begin ends; -1 if it does not.
func closing(text string, begin int) int {
	found := -1
	walkGroups(text[begin:], func(i, depth int) {
		if depth == 0 && found < 0 && text[begin+i] == ')' {
			found = begin + i
		}
	})
	return found
}

// topLevel are the characters of a pattern that stand in no group.
func topLevel(text string) string {
	var b strings.Builder
	walkGroups(text, func(i, depth int) {
		if depth == 0 {
			b.WriteByte(text[i])
		}
	})
	return b.String()
}

// longestSubject bounds what patterns with parts are tried on, whose work grows with its square.
const longestSubject = 1000

func (p *pattern) matches(subject string) truth {
	if p.whole != nil {
		return truthOf(p.whole.MatchString(subject))
	}
	if len(subject) > longestSubject {
		return unknown
	}
	t := try{pattern: p, failed: map[[2]int]bool{}, left: mostTried}
	fits := t.from(subject, 0)
	if t.left < 0 {
		return unknown
	}
	return truthOf(fits)
}

// mostTried bounds, in bytes, what a pattern with parts is tried on. Patterns are customers': what
// looks ahead five times would be tried for years.
const mostTried = 1 << 20

// try is a pattern with parts that is tried on a subject.
type try struct {
	*pattern
	failed map[[2]int]bool // from which part on, with how much of the subject left
	left   int             // of mostTried
}

// from reports whether the parts from the nth on fit the beginning of what is left; the first part
// may begin anywhere.
func (t *try) from(left string, n int) bool {
	if n == len(t.parts)-1 {
		return t.parts[n].MatchString(left)
	}
	state := [2]int{n, len(left)}
	if t.failed[state] {
		return false
	}
	for end := 0; end <= len(left); end++ {
		if t.left -= len(left) + 1; t.left < 0 {
			return false
		}
		if t.parts[n].MatchString(left[:end]) &&
			t.ahead[n].at.MatchString(left[end:]) == t.ahead[n].wanted && t.from(left[end:], n+1) {
			return true
		}
	}
	t.failed[state] = true
	return false
}

// groups are what a pattern's groups have matched, the whole first; nil where that is not known.
func (p *pattern) groups(subject string) []string {
	if p.whole == nil {
		return nil
	}
	return p.whole.FindStringSubmatch(subject)
}
