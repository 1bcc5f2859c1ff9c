package configobj

import (
	"bytes"
	"fmt"
	"regexp"
	"strings"
	"sync"
	"unicode/utf8"
)

// The syntax is what ConfigObj's own expressions accept, its gaps included.

const byteOrderMark = "\ufeff"

// space is what Python's \s and str.strip mean for text; Go's \s knows ASCII alone.
const space = `\t-\r\x1c-\x20\x{85}\x{a0}\x{1680}\x{2000}-\x{200a}\x{2028}\x{2029}\x{202f}\x{205f}\x{3000}`

// The expressions are those of ConfigObj 5.0.8, on which its peculiarities rest: a parser written
// from the documentation would differ in what an unbalanced quote or a trailing comma means. RE2
// chooses the same match as Python's engine. The one look-behind, (?<!,), is left out: it tells an
// absent from an empty last element, and ConfigObj treats both alike.
var (
	sectionLine = sync.OnceValue(func() *regexp.Regexp {
		return compile(`^(\s*)((?:\[\s*)+)((?:"\s*\S.*?\s*")|(?:'\s*\S.*?\s*')|(?:[^'"\s].*?))((?:\s*\])+)\s*(#.*)?$`)
	})
	keyLine = sync.OnceValue(func() *regexp.Regexp {
		return compile(`^(\s*)((?:".*?")|(?:'.*?')|(?:[^'"=].*?))\s*=\s*(.*)$`)
	})
	valueExp = sync.OnceValue(func() *regexp.Regexp {
		return compile(`^(?:(?:((?:(?:(?:".*?")|(?:'.*?')|(?:[^'",#][^,#]*?))\s*,\s*)*)` +
			`((?:".*?")|(?:'.*?')|(?:[^'",#\s][^,]*?)|)?)|(,))(\s*(?:#.*)?)$`)
	})
	listItem = sync.OnceValue(func() *regexp.Regexp {
		return compile(`((?:".*?")|(?:'.*?')|(?:[^'",#]?.*?))\s*,\s*`)
	})
)

// tripleEnd finds the end of a triple-quoted value on its last line.
func tripleEnd(quote string) *regexp.Regexp {
	if quote == `"""` {
		return threeDouble()
	}
	return threeSingle()
}

var (
	threeSingle = sync.OnceValue(func() *regexp.Regexp {
		return compile(`^(.*?)'''(\s*(?:#.*)?)$`)
	})
	threeDouble = sync.OnceValue(func() *regexp.Regexp {
		return compile(`^(.*?)"""(\s*(?:#.*)?)$`)
	})
)

// compile makes Python's \s and \S of an expression's.
func compile(expression string) *regexp.Regexp {
	expression = strings.ReplaceAll(expression, `#\s]`, `#`+space+`]`)
	expression = strings.ReplaceAll(expression, `"\s]`, `"`+space+`]`)
	expression = strings.ReplaceAll(expression, `\s`, `[`+space+`]`)
	expression = strings.ReplaceAll(expression, `\S`, `[^`+space+`]`)
	return regexp.MustCompile(`(?s)` + expression)
}

// strip is Python's str.strip.
func strip(s string) string {
	return strings.TrimFunc(s, func(r rune) bool {
		switch {
		case r >= '\t' && r <= '\r', r >= 0x1c && r <= ' ', r == 0x85, r == 0xa0, r == 0x1680:
			return true
		case r >= 0x2000 && r <= 0x200a, r == 0x2028, r == 0x2029, r == 0x202f, r == 0x205f,
			r == 0x3000:
			return true
		}
		return false
	})
}

// parser holds what Parse knows between two lines.
type parser struct {
	file    *File
	section *Section
	raw     []string // lines with their ends
	text    []string // lines without
	at      int      // index of the line that is being read
	spare   []node   // one for each line, made at once
}

// node makes a node of the file.
func (p *parser) node(n node) *node {
	made := &p.spare[0]
	p.spare = p.spare[1:]
	*made = n
	return made
}

// Parse reads a file. The error is a *ParseError; where ConfigObj would find several, it is the
// first.
func Parse(data []byte) (*File, error) {
	f := New()
	if rest, found := bytes.CutPrefix(data, []byte(byteOrderMark)); found {
		f.bom, data = true, rest
	}
	p := &parser{file: f, section: f.root}
	lines := bytes.Count(data, []byte("\n")) + 1
	p.raw, p.text = make([]string, 0, lines), make([]string, 0, lines)
	f.nodes, p.spare = make([]*node, 0, lines), make([]node, lines)
	for line := range strings.Lines(string(data)) {
		if !utf8.ValidString(line) {
			return nil, &ParseError{len(p.raw) + 1, "not UTF-8"}
		}
		p.raw = append(p.raw, line)
		p.text = append(p.text, strings.TrimRight(line, "\r\n"))
	}
	f.newline = p.lineEnd()
	for p.at = 0; p.at < len(p.raw); p.at++ {
		if err := p.line(); err != nil {
			return nil, err
		}
	}
	return f, nil
}

// lineEnd is what the first ended line ends with.
func (p *parser) lineEnd() string {
	for _, line := range p.raw {
		switch {
		case strings.HasSuffix(line, "\r\n"):
			return "\r\n"
		case strings.HasSuffix(line, "\n"):
			return "\n"
		}
	}
	return "\n"
}

func (p *parser) line() error {
	text := p.text[p.at]
	if bare := strip(text); bare == "" || strings.HasPrefix(bare, "#") {
		p.add(p.node(node{raw: p.raw[p.at], comment: true}))
		return nil
	}
	if depth, name, ok := plainMarker(text); ok {
		return p.marker(depth, name, depth)
	}
	key, at, ok := plainKey(text)
	if !ok {
		if m := sectionLine().FindStringSubmatch(text); m != nil {
			return p.marker(strings.Count(m[2], "["), m[3], strings.Count(m[4], "]"))
		}
		m := keyLine().FindStringSubmatchIndex(text)
		if m == nil {
			return p.fail("neither a section marker nor key = value")
		}
		key, at = unquote(text[m[4]:m[5]]), m[6]
	}
	n := p.node(node{key: key, prefix: text[:at], line: p.at + 1})
	if err := p.value(n, text[at:]); err != nil {
		return err
	}
	if p.section.has(n.key) {
		return &ParseError{n.line, fmt.Sprintf("duplicate key %q", n.key)}
	}
	p.section.keys[n.key] = n
	p.add(n)
	return nil
}

func (p *parser) fail(reason string) error { return &ParseError{p.at + 1, reason} }

func (p *parser) add(n *node) {
	if n.line == 0 {
		n.line = p.at + 1
	}
	n.owner = p.section
	p.file.nodes = append(p.file.nodes, n)
}

func (s *Section) has(name string) bool {
	_, key := s.keys[name]
	_, section := s.sections[name]
	return key || section
}

func (p *parser) marker(open int, name string, closed int) error {
	if open != closed {
		return p.fail("section marker whose brackets do not match")
	}
	if open > p.section.depth+1 {
		return p.fail("section nested too deeply")
	}
	parent := p.section
	for parent.depth >= open {
		parent = parent.parent
	}
	name = unquote(name)
	if parent.has(name) {
		return p.fail(fmt.Sprintf("duplicate section %q", name))
	}
	n := p.node(node{raw: p.raw[p.at], line: p.at + 1})
	p.section = p.file.newSection(parent, name, n)
	p.add(n)
	return nil
}

// value reads the value that begins with text on the current line into n.
func (p *parser) value(n *node, text string) error {
	if strings.HasPrefix(text, `'''`) || strings.HasPrefix(text, `"""`) {
		return p.multiline(n, text[:3], text[3:])
	}
	value, tail, ok := splitValue(text)
	if !ok {
		return p.fail("badly quoted value or list")
	}
	n.value = value
	n.raw = p.raw[p.at]
	n.suffix = tail + n.raw[len(p.text[p.at]):]
	return nil
}

// multiline reads a triple-quoted value; rest is what follows the opening quotes.
func (p *parser) multiline(n *node, quote, rest string) error {
	bad := &ParseError{p.at + 1, "badly quoted value of several lines"}
	end := tripleEnd(quote)
	n.raw = p.raw[p.at]
	m := end.FindStringSubmatch(rest)
	if m == nil && strings.Contains(rest, quote) {
		return bad
	}
	var text strings.Builder
	for last := rest; m == nil; {
		text.WriteString(last + "\n")
		if p.at+1 >= len(p.raw) {
			return bad
		}
		p.at++
		n.raw += p.raw[p.at]
		last = p.text[p.at]
		if m = end.FindStringSubmatch(last); m == nil && strings.Contains(last, quote) {
			return bad
		}
	}
	text.WriteString(m[1])
	n.value = Value{items: []string{text.String()}}
	n.suffix = m[2] + p.raw[p.at][len(p.text[p.at]):]
	return nil
}

// splitValue tells value and inline comment apart and unquotes. The tail is the blanks before the
// comment, and it.
func splitValue(text string) (v Value, tail string, ok bool) {
	if v, ok := plainValue(text); ok {
		return v, "", true
	}
	m := valueExp().FindStringSubmatch(text)
	if m == nil {
		return Value{}, "", false
	}
	list, single, comma, tail := m[1], m[2], m[3], m[4]
	switch {
	case comma != "":
		return Value{IsList: true}, tail, true
	case list == "":
		return Value{items: []string{unquote(single)}}, tail, true
	}
	v.IsList = true
	for _, item := range listItem().FindAllStringSubmatch(list, -1) {
		if item[1] == "" {
			return Value{}, "", false // ConfigObj cannot unquote an empty element
		}
		v.items = append(v.items, unquote(item[1]))
	}
	if single != "" {
		v.items = append(v.items, unquote(single))
	}
	return v, tail, true
}

// unquote takes one pair of equal quotes off. A lone quote is, as in ConfigObj, its own pair.
func unquote(s string) string {
	if s == "" || s[0] != s[len(s)-1] || (s[0] != '"' && s[0] != '\'') {
		return s
	}
	if len(s) == 1 {
		return ""
	}
	return s[1 : len(s)-1]
}
