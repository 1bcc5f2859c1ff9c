package configobj

import (
	"fmt"
	"strings"
)

// A line that ConfigObj cannot read back makes the whole file useless to certbot, so each is read
// again before it counts.

// Set gives key a string value. A key that stands in the file keeps its place, spacing and inline
// comment; a new one follows the section's last key, so that it never lands in a subsection. The
// error says why ConfigObj could not read the value back.
func (s *Section) Set(key, value string) error {
	return s.set(key, Value{items: []string{value}})
}

// SetList gives key a list value, written with the trailing comma that a list of one needs.
func (s *Section) SetList(key string, values []string) error {
	return s.set(key, Value{IsList: true, items: append([]string(nil), values...)})
}

func (s *Section) set(key string, v Value) error {
	n, exists := s.keys[key]
	if exists && n.value.equal(v) {
		return nil
	}
	text, err := quoteValue(v)
	if err != nil {
		return fmt.Errorf("key %s: %w", key, err)
	}
	if !exists {
		return s.insert(key, v, text)
	}
	changed := *n
	changed.raw = n.prefix + text + n.suffix
	changed.value = v
	if err := changed.check(); err != nil {
		return err
	}
	*n = changed
	return nil
}

func (s *Section) insert(key string, v Value, text string) error {
	if s.has(key) {
		return fmt.Errorf("key %s: a section has this name", key)
	}
	quoted, err := quote(key, false)
	if err != nil {
		return fmt.Errorf("key %s: %w", key, err)
	}
	n := &node{key: key, value: v, owner: s, prefix: s.indent() + quoted + " = ",
		suffix: s.file.newline}
	n.raw = n.prefix + text + n.suffix
	if err := n.check(); err != nil {
		return err
	}
	s.keys[key] = n
	s.file.insert(s.afterKeys(), n)
	return nil
}

// check parses what n would write and compares: quoting has gaps (a key with '=', an interpolation,
// a line feed in a list), and a wrong line would make the whole file unreadable for certbot.
func (n *node) check() error {
	bad := fmt.Errorf("key %s: ConfigObj cannot hold the value", n.key)
	f, err := Parse([]byte(n.raw))
	if err != nil || len(f.nodes) != 1 {
		return bad
	}
	back, found := f.root.Get(n.key)
	if !found || back.Err != nil || !back.equal(n.value) {
		return bad
	}
	return nil
}

// indent is the white space before the section's keys.
func (s *Section) indent() string {
	for _, n := range s.file.nodes {
		if n.owner == s && n.key != "" {
			return n.prefix[:len(n.prefix)-len(strings.TrimLeft(n.prefix, " \t"))]
		}
	}
	return ""
}

// afterKeys is the index at which a new key of the section goes: behind its last key, or else
// behind its marker, or else (the root) behind the comments that open the file.
func (s *Section) afterKeys() int {
	at := -1
	for i, n := range s.file.nodes {
		if n.owner == s && !n.comment {
			at = i
		}
	}
	if at >= 0 {
		return at + 1
	}
	for i, n := range s.file.nodes {
		if !n.comment {
			return i
		}
	}
	return len(s.file.nodes)
}

// insert puts n at an index and makes sure that the line before it has an end.
func (f *File) insert(at int, n *node) {
	if at > 0 && !strings.HasSuffix(f.nodes[at-1].raw, "\n") {
		f.nodes[at-1].raw += f.newline
		f.nodes[at-1].suffix += f.newline
	}
	f.nodes = append(f.nodes, nil)
	copy(f.nodes[at+1:], f.nodes[at:])
	f.nodes[at] = n
}

// Delete removes a key and its lines. Comments before it stay. Deleting what is not there does
// nothing.
func (s *Section) Delete(key string) {
	n, ok := s.keys[key]
	if !ok {
		return
	}
	delete(s.keys, key)
	s.file.drop(func(m *node) bool { return m == n })
}

// Disable makes a comment of a key's lines, so that nothing reads them any more and nothing of them
// is lost.
func (s *Section) Disable(key string) {
	n, ok := s.keys[key]
	if !ok {
		return
	}
	delete(s.keys, key)
	var raw strings.Builder
	for line := range strings.Lines(n.raw) {
		raw.WriteString("# " + line)
	}
	n.comment, n.raw = true, raw.String()
}

// DeleteSection removes a subsection with all that stands in it.
func (s *Section) DeleteSection(name string) {
	sub, ok := s.sections[name]
	if !ok {
		return
	}
	delete(s.sections, name)
	s.order = remove(s.order, name)
	s.file.drop(func(n *node) bool { return !n.comment && n.owner.within(sub) })
}

func (s *Section) within(ancestor *Section) bool {
	for ; s != nil; s = s.parent {
		if s == ancestor {
			return true
		}
	}
	return false
}

func (f *File) drop(gone func(*node) bool) {
	kept := f.nodes[:0]
	for _, n := range f.nodes {
		if !gone(n) {
			kept = append(kept, n)
		}
	}
	f.nodes = kept
}

func remove(names []string, name string) []string {
	var kept []string
	for _, n := range names {
		if n != name {
			kept = append(kept, n)
		}
	}
	return kept
}

// AddSection returns the subsection of that name, making it behind everything else in s if it is
// new. Comment lines are written above the marker, each with "# " before it; "" gives a blank line.
func (s *Section) AddSection(name string, comments ...string) (*Section, error) {
	if sub, ok := s.sections[name]; ok {
		return sub, nil
	}
	if s.has(name) {
		return nil, fmt.Errorf("section %s: a key has this name", name)
	}
	quoted, err := quote(name, false)
	if err != nil {
		return nil, fmt.Errorf("section %s: %w", name, err)
	}
	depth := s.depth + 1
	marker := &node{raw: strings.Repeat("[", depth) + quoted + strings.Repeat("]",
		depth) + s.file.newline}
	if m := sectionLine().FindStringSubmatch(strings.TrimRight(marker.raw, "\r\n")); m == nil || unquote(m[3]) != name {
		return nil, fmt.Errorf("section %s: ConfigObj cannot hold the name", name)
	}
	at := s.end()
	for _, line := range comments {
		if line != "" {
			line = "# " + line
		}
		s.file.insert(at, &node{raw: line + s.file.newline, comment: true, owner: s})
		at++
	}
	sub := s.file.newSection(s, name, marker)
	marker.owner = sub
	s.file.insert(at, marker)
	return sub, nil
}

// end is the index behind the last line of s and its subsections, comments at the end of the file
// not counted.
func (s *Section) end() int {
	at := 0
	for i, n := range s.file.nodes {
		if !n.comment && n.owner.within(s) {
			at = i + 1
		}
	}
	if at == 0 {
		return len(s.file.nodes)
	}
	return at
}

// quoteValue writes a value as ConfigObj's _quote does.
func quoteValue(v Value) (string, error) {
	if !v.IsList {
		return quote(v.items[0], true)
	}
	if len(v.items) == 0 {
		return ",", nil
	}
	var quoted []string
	for _, item := range v.items {
		q, err := quote(item, false)
		if err != nil {
			return "", err
		}
		quoted = append(quoted, q)
	}
	if len(quoted) == 1 {
		return quoted[0] + ",", nil
	}
	return strings.Join(quoted, ", "), nil
}

// quote returns value bare, in single, double or triple quotes, whichever ConfigObj would choose.
func quote(value string, multiline bool) (string, error) {
	if value == "" {
		return `""`, nil
	}
	newline := strings.Contains(value, "\n")
	both := strings.Contains(value, `'`) && strings.Contains(value, `"`)
	if multiline && (newline || both) {
		return tripleQuote(value)
	}
	if newline {
		return "", fmt.Errorf("a line feed cannot stand here")
	}
	const edges = " \r\n\v\t'\""
	plain := !strings.ContainsAny(value[:1]+value[len(value)-1:], edges) &&
		!strings.ContainsAny(value, ",#")
	switch {
	case plain:
		return value, nil
	case both:
		return "", fmt.Errorf("both kinds of quotes cannot stand here")
	case strings.Contains(value, `"`):
		return "'" + value + "'", nil
	}
	return `"` + value + `"`, nil
}

// tripleQuote prefers single quotes as ConfigObj does, but unlike ConfigObj never quotes by what
// the value contains.
func tripleQuote(value string) (string, error) {
	switch {
	case !strings.Contains(value, `'''`):
		return `'''` + value + `'''`, nil
	case !strings.Contains(value, `"""`):
		return `"""` + value + `"""`, nil
	}
	return "", fmt.Errorf("both kinds of triple quotes cannot stand in one value")
}
