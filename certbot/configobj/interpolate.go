package configobj

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
)

// ConfigObj replaces names in values when it reads them; a value that is read otherwise here would
// be another one.

var reference = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`(?s)%\(([^)]*)\)s`)
})

// maxReferences bounds the replacements in one value: without it, twenty lines that each name the
// one before twice would unfold into megabytes.
const maxReferences = 100

// interpolate replaces each %(name)s by the value of that name: looked for in the section itself,
// its [DEFAULT], then in the sections above. ConfigObj does it whenever a value is read, and raises
// where nothing is found.
func (s *Section) interpolate(n *node) Value {
	if !slices.ContainsFunc(n.value.items, func(item string) bool { return strings.Contains(item, "%(") }) {
		return n.value
	}
	r := resolver{left: maxReferences, within: map[*node]bool{}}
	v := Value{IsList: n.value.IsList, items: make([]string, len(n.value.items))}
	for i, item := range n.value.items {
		v.items[i] = r.resolve(n, s, item)
	}
	if r.err != nil {
		v.items, v.Err = n.value.items, fmt.Errorf("line %d: %w", n.line, r.err)
	}
	return v
}

type resolver struct {
	left   int
	within map[*node]bool // values that are being resolved: to meet one of them again is a loop
	err    error
}

func (r *resolver) resolve(n *node, s *Section, text string) string {
	if r.within[n] {
		r.err = fmt.Errorf("%%(%s)s refers to itself", n.key)
	}
	if r.err != nil {
		return text
	}
	r.within[n] = true
	defer delete(r.within, n)
	return reference().ReplaceAllStringFunc(text, func(match string) string {
		name := match[len("%(") : len(match)-len(")s")]
		target, owner := s.lookUp(name)
		r.left--
		switch {
		case r.err != nil:
			return match
		case target == nil:
			r.err = fmt.Errorf("%s refers to a key that does not exist", match)
			return match
		case target.value.IsList || r.left < 0:
			r.err = fmt.Errorf("%s cannot be replaced", match)
			return match
		}
		return r.resolve(target, owner, target.value.String())
	})
}

func (s *Section) lookUp(name string) (*node, *Section) {
	for ; s != nil; s = s.parent {
		if n, ok := s.keys[name]; ok {
			return n, s
		}
		if d, ok := s.sections["DEFAULT"]; ok && d.keys[name] != nil {
			return d.keys[name], s
		}
	}
	return nil, nil
}
