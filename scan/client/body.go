package client

// What a CA's answer says, as far as a scan needs it: read from JSON in one pass, without building
// what nobody asks for. A torn answer says what it said up to where it was torn, and that it was.

import (
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

const (
	maxDepth = 16
	maxList  = 1000 // names and authorizations of an order: no CA allows more
)

// said is what a JSON object of the CA's, or of a request, says.
type said struct {
	status, expires            string
	kind, token                string // of a challenge or a problem
	url                        string // url or uri
	name                       string // identifier.value
	wildcard                   bool
	names                      []string // identifiers
	authorizations             []string
	finalize, certificate      string
	challenges                 []string // their URLs
	csr                        bool
	newOrder, newAuthz         string
	keyID, nonce               string
	failedNames                []string // identifiers within an error
	hasAuthorizations          bool
	hasChallenges, hasKeyAuthz bool
}

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

// where a value stands.
type where uint8

const (
	top where = iota
	inIdentifier
	inIdentifiers
	inAuthorizations
	inChallenges
	inChallenge
	inError
	inSubproblem
	elsewhere
)

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

// object reads from { to }.
func (r *reader) object(at where) {
	if r.deep++; r.deep > maxDepth {
		r.fail()
		return
	}
	defer func() { r.deep-- }()
	r.i++
	for first := true; ; first = false {
		r.space()
		if r.i >= len(r.b) {
			r.fail()
			return
		}
		if r.b[r.i] == '}' {
			r.i++
			return
		}
		if !first {
			if r.b[r.i] != ',' {
				r.fail()
				return
			}
			r.i++
			r.space()
		}
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

// within says where the value of a key stands.
func within(at where, key []byte) where {
	switch {
	case key == nil:
		return at // an element of a list
	case at == top && string(key) == "identifier":
		return inIdentifier
	case at == top && string(key) == "identifiers":
		return inIdentifiers
	case at == top && string(key) == "authorizations":
		return inAuthorizations
	case at == top && string(key) == "challenges":
		return inChallenges
	case at == top && string(key) == "error", at == inError && string(key) == "subproblems":
		return inError
	case at == inError && string(key) == "identifier":
		return inSubproblem
	}
	return elsewhere
}

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
	for first := true; ; first = false {
		r.space()
		if r.i >= len(r.b) {
			r.fail()
			return
		}
		if r.b[r.i] == ']' {
			r.i++
			return
		}
		if !first {
			if r.b[r.i] != ',' {
				r.fail()
				return
			}
			r.i++
		}
		r.value(inside, nil)
		if r.torn {
			return
		}
	}
}

// keep keeps a text that matters.
func (r *reader) keep(at where, key, text []byte) {
	s := r.said
	switch at {
	case top:
		r.keepTop(key, text)
	case inIdentifier:
		if string(key) == "value" {
			s.name = string(text)
		}
	case inIdentifiers:
		if string(key) == "value" && len(s.names) < maxList {
			s.names = append(s.names, string(text))
		}
	case inAuthorizations:
		if key == nil && len(s.authorizations) < maxList {
			s.authorizations = append(s.authorizations, string(text))
		}
	case inChallenges:
		if (string(key) == "url" || string(key) == "uri") && len(s.challenges) < maxList {
			s.challenges = append(s.challenges, string(text))
		}
	case inSubproblem:
		if string(key) == "value" && len(s.failedNames) < maxList {
			s.failedNames = append(s.failedNames, string(text))
		}
	}
}

func (r *reader) keepTop(key, text []byte) {
	s := r.said
	switch string(key) {
	case "status":
		s.status = string(text)
	case "expires":
		s.expires = string(text)
	case "type":
		s.kind = string(text)
	case "token":
		s.token = string(text)
	case "url", "uri":
		s.url = string(text)
	case "finalize":
		s.finalize = string(text)
	case "certificate":
		s.certificate = string(text)
	case "csr":
		s.csr = true
	case "newOrder":
		s.newOrder = string(text)
	case "new-authz":
		s.newAuthz = string(text)
	case "kid":
		s.keyID = string(text)
	case "nonce":
		s.nonce = string(text)
	case "keyAuthorization":
		s.hasKeyAuthz = true
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
