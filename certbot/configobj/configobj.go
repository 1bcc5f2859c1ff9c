// Package configobj reads and writes the files of Python's ConfigObj library (5.0.x, as certbot
// calls it: UTF-8, list values, interpolation on), because certbot keeps a lineage's renewal
// settings in that format. What is not changed comes out byte for byte as it went in: comments,
// order, spacing, line ends. It knows nothing about certbot, and must never write a line that
// ConfigObj would read back as something else.
package configobj

import (
	"bytes"
	"fmt"
	"strings"
)

// ParseError says why a file is unreadable for ConfigObj and therefore for certbot.
type ParseError struct {
	Line   int    // 1-based line on which ConfigObj would report it
	Reason string // what is wrong, without a full stop
}

// Error returns "line N: reason".
func (e *ParseError) Error() string { return fmt.Sprintf("line %d: %s", e.Line, e.Reason) }

// File is one parsed file. Its own keys and sections are those of Root.
type File struct {
	bom     bool
	newline string // what new lines end with: the first line end found in the file, otherwise "\n"
	nodes   []*node
	root    *Section
}

// node is a run of whole lines: a comment or blank line, a section marker, or a key with its value
// (several lines where the value is triple-quoted). raw is what Bytes writes.
type node struct {
	raw     string // with its line end, if it has one
	line    int    // 1-based
	comment bool   // blank or comment line, or one made of neither key nor marker
	key     string
	value   Value
	prefix  string // raw up to the value
	suffix  string // raw from the end of the value: blanks, inline comment, line end
	owner   *Section
}

// Section is a section of a File, or its root.
type Section struct {
	file     *File
	parent   *Section // nil for the root
	name     string
	depth    int
	marker   *node // nil for the root
	keys     map[string]*node
	sections map[string]*Section
	order    []string // names of the subsections
}

// New returns an empty file.
func New() *File {
	f := &File{newline: "\n"}
	f.root = f.newSection(nil, "", nil)
	return f
}

func (f *File) newSection(parent *Section, name string, marker *node) *Section {
	s := &Section{file: f, parent: parent, name: name, marker: marker, keys: map[string]*node{}}
	if parent != nil {
		if parent.sections == nil { // most sections have none
			parent.sections = map[string]*Section{}
		}
		s.depth = parent.depth + 1
		parent.sections[name] = s
		parent.order = append(parent.order, name)
	}
	return s
}

// Root returns the part of the file before its first section marker, whose subsections are the
// [sections].
func (f *File) Root() *Section { return f.root }

// Section follows names from the root: Section("renewalparams", "webroot_map") is [[webroot_map]]
// below [renewalparams].
func (f *File) Section(names ...string) (*Section, bool) {
	s := f.root
	for _, name := range names {
		next, ok := s.sections[name]
		if !ok {
			return nil, false
		}
		s = next
	}
	return s, true
}

// Subsection returns the section of that name directly below s.
func (s *Section) Subsection(name string) (*Section, bool) {
	sub, ok := s.sections[name]
	return sub, ok
}

// Bytes returns the file as it is to be written.
func (f *File) Bytes() []byte {
	var b bytes.Buffer
	if f.bom {
		b.WriteString(byteOrderMark)
	}
	for _, n := range f.nodes {
		b.WriteString(n.raw)
	}
	return b.Bytes()
}

// Sections returns the names of the subsections in the file's order.
func (s *Section) Sections() []string { return append([]string(nil), s.order...) }

// Keys returns the keys of the section, without its subsections, in the file's order.
func (s *Section) Keys() []string {
	var keys []string
	for _, n := range s.file.nodes {
		if n.owner == s && !n.comment && n != s.marker {
			keys = append(keys, n.key)
		}
	}
	return keys
}

// Get returns the value of a key. See Value.Err for values that ConfigObj refuses to hand out.
func (s *Section) Get(key string) (Value, bool) {
	n, ok := s.keys[key]
	if !ok {
		return Value{}, false
	}
	return s.interpolate(n), true
}

// Line returns the 1-based line on which the key or subsection stood when the file was parsed, 0 if
// it is unknown or was added since.
func (s *Section) Line(key string) int {
	if n, ok := s.keys[key]; ok {
		return n.line
	}
	if sub, ok := s.sections[key]; ok {
		return sub.marker.line
	}
	return 0
}

// Value is what stands behind a key: a string or a list of strings.
type Value struct {
	IsList bool
	// a %(name)s that leads nowhere: ConfigObj raises an error when the value is asked for
	Err   error
	items []string
}

// String returns a string's text, and a list's elements joined by ", ".
func (v Value) String() string { return strings.Join(v.items, ", ") }

// List returns the elements of a list, and a string as a list of one.
func (v Value) List() []string { return append([]string(nil), v.items...) }

func (v Value) equal(w Value) bool {
	if v.IsList != w.IsList || len(v.items) != len(w.items) {
		return false
	}
	for i := range v.items {
		if v.items[i] != w.items[i] {
			return false
		}
	}
	return true
}

// Raw returns what stands behind a key as it is written in the file, with its quotes and commas,
// without the blanks and the comment behind it.
func (s *Section) Raw(key string) (string, bool) {
	n, ok := s.keys[key]
	if !ok {
		return "", false
	}
	return strings.TrimSuffix(strings.TrimPrefix(n.raw, n.prefix), n.suffix), true
}
