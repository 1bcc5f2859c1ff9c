package client

// JSON, read in one pass, without building what nobody asks for. A torn text says what it said up
// to where it was torn, and that it was.

import (
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// maxDepth bounds how deep values may stand within another.
const maxDepth = 16

// reader is a JSON text that is read.
type reader struct {
	b    []byte
	i    int
	deep int
	torn bool
	said *said
}

// readJSON reads one object; whole says that it was one, to its end.
func readJSON(b []byte, into *said) (whole bool) {
	*into = said{names: into.names[:0], authorizations: into.authorizations[:0],
		challenges: into.challenges[:0], failedNames: into.failedNames[:0]}
	r := reader{b: b, said: into}
	r.space()
	if r.i >= len(b) || b[r.i] != '{' {
		return false
	}
	r.object(top)
	r.space()
	return !r.torn && r.i == len(b)
}

func (r *reader) space() {
	for r.i < len(r.b) {
		switch r.b[r.i] {
		case ' ', '\n', '\t', '\r':
			r.i++
		default:
			return
		}
	}
}

func (r *reader) fail() { r.torn = true; r.i = len(r.b) }

// value reads what stands behind a key, or in a list.
func (r *reader) value(at where, key []byte) {
	r.space()
	if r.i >= len(r.b) {
		r.fail()
		return
	}
	switch r.b[r.i] {
	case '{':
		r.object(within(at, key))
	case '[':
		r.list(within(at, key), at, key)
	case '"':
		text, ok := r.text()
		if ok {
			r.keep(at, key, text)
		}
	default:
		r.word(at, key)
	}
}

// more goes to the next member or element, and says whether there is one before the end.
func (r *reader) more(first bool, end byte) bool {
	r.space()
	switch {
	case r.i >= len(r.b):
		r.fail()
	case r.b[r.i] == end:
		r.i++
	case first:
		return true
	case r.b[r.i] != ',':
		r.fail()
	default:
		r.i++
		r.space()
		return true
	}
	return false
}

// object reads from { to }.
func (r *reader) object(at where) {
	if r.deep++; r.deep > maxDepth {
		r.fail()
		return
	}
	defer func() { r.deep-- }()
	r.i++
	for first := true; r.more(first, '}'); first = false {
		key, ok := r.text()
		if !ok {
			return
		}
		r.space()
		if r.i >= len(r.b) || r.b[r.i] != ':' {
			r.fail()
			return
		}
		r.i++
		r.value(at, key)
		if r.torn {
			return
		}
	}
}

// list reads from [ to ].
func (r *reader) list(inside, at where, key []byte) {
	if at == top && string(key) == "authorizations" {
		r.said.hasAuthorizations = true
	}
	if at == top && string(key) == "challenges" {
		r.said.hasChallenges = true
	}
	if r.deep++; r.deep > maxDepth {
		r.fail()
		return
	}
	defer func() { r.deep-- }()
	r.i++
	for first := true; r.more(first, ']'); first = false {
		r.value(inside, nil)
		if r.torn {
			return
		}
	}
}

// word reads a number, true, false or null.
func (r *reader) word(at where, key []byte) {
	begin := r.i
	for r.i < len(r.b) {
		switch c := r.b[r.i]; {
		case c >= '0' && c <= '9', c >= 'a' && c <= 'z', c == '-', c == '+', c == '.', c == 'E':
			r.i++
			continue
		}
		break
	}
	switch w := string(r.b[begin:r.i]); {
	case w == "":
		r.fail()
	case r.i == len(r.b):
		r.fail() // within an object: torn
	case w == "true":
		if at == top && string(key) == "wildcard" {
			r.said.wildcard = true
		}
	}
}

// text reads a string; it is the text itself where nothing in it is escaped.
func (r *reader) text() ([]byte, bool) {
	if r.i >= len(r.b) || r.b[r.i] != '"' {
		r.fail()
		return nil, false
	}
	begin := r.i + 1
	escaped := false
	for i := begin; i < len(r.b); i++ {
		switch r.b[i] {
		case '"':
			r.i = i + 1
			if !escaped {
				return r.b[begin:i], true
			}
			return unescaped(r.b[begin:i]), true
		case '\\':
			escaped = true
			i++
		}
	}
	r.fail()
	return nil, false
}

func unescaped(b []byte) []byte {
	out := make([]byte, 0, len(b))
	for i := 0; i < len(b); i++ {
		if b[i] != '\\' || i+1 == len(b) {
			out = append(out, b[i])
			continue
		}
		i++
		switch b[i] {
		case 'n':
			out = append(out, '\n')
		case 't':
			out = append(out, '\t')
		case 'r':
			out = append(out, '\r')
		case 'b', 'f':
			out = append(out, ' ')
		case 'u':
			r, n := escapedRune(b[i+1:])
			out = utf8.AppendRune(out, r)
			i += n
		default:
			out = append(out, b[i])
		}
	}
	return out
}

// escapedRune reads what follows \u, with the other half of a pair.
func escapedRune(b []byte) (rune, int) {
	one := func(b []byte) (rune, bool) {
		if len(b) < 4 {
			return utf8.RuneError, false
		}
		n, err := strconv.ParseUint(string(b[:4]), 16, 16)
		return rune(n), err == nil
	}
	r, ok := one(b)
	if !ok {
		return utf8.RuneError, 0
	}
	if utf16.IsSurrogate(r) && len(b) >= 10 && b[4] == '\\' && b[5] == 'u' {
		if low, ok := one(b[6:]); ok {
			return utf16.DecodeRune(r, low), 10
		}
	}
	return r, 4
}
