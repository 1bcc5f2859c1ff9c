package diagnose

// A text about several names has a cause for each. It is divided where a client begins to speak of
// the next name; what stands before the first is the client's own summary.

import "strings"

// level is how closely a part of a text is about its name.
type level uint8

// The levels.
const (
	whole     level = iota // nobody said whom it is about
	lineage                // a certificate: the name is that of its lineage, perhaps
	challenge              // one name and its validation
)

// part is a piece of a text that is about one name.
type part struct {
	from, to int // tokens
	name     string
	level    level
}

// divide divides a text. There is always at least one part.
func divide(t *tokens) []part {
	all := []part{{to: len(t.all)}}
	t.authorizations = listsAuthorizations(t)
	for i := 0; i < len(t.all); i++ {
		name, at, ok := anchor(t, i)
		if !ok {
			continue
		}
		last := &all[len(all)-1]
		if name == last.name && at <= last.level && name != "" {
			continue
		}
		last.to = i
		all = append(all, part{from: i, to: len(t.all), name: name, level: at})
	}
	return withSubproblems(t, all)
}

// anchor reports whether a part begins at the token i, and whom it is about.
func anchor(t *tokens, i int) (about string, at level, ok bool) {
	switch t.all[i].kind {
	case word:
		return wordAnchor(t, i)
	case name, address:
		return nameAnchor(t, i)
	case path:
		if t.word(i+1) == "parsefail" {
			return ofFile(t.at(i)), lineage, true
		}
	}
	return "", whole, false
}

// listsAuthorizations reports whether a text has several authorizations in JSON, each with its name
// before its errors, as CAs write them (RFC 8555 §7.1.4). Where subproblems are, it is the other way
// round.
func listsAuthorizations(t *tokens) bool {
	if strings.Count(t.low, "identifier") < 2 || strings.Contains(t.low, "subproblems") {
		return false
	}
	found := 0
	for i := range t.all {
		switch {
		case t.says(i, "identifier type dns value"):
			found++
		case found == 0 && isType(t.word(i)):
			return false
		}
	}
	return found > 1
}

// wordAnchor is anchor at a word.
func wordAnchor(t *tokens, i int) (string, level, bool) {
	switch t.word(i) {
	case "domain", "identifier":
		return blockAnchor(t, i)
	case "failed": // certbot ≥ 1.11
		if t.says(i, "failed to renew certificate") && t.saysWithin(i+4, 3, "with error") {
			return t.at(i + 4), lineage, true
		}
	case "attempting": // certbot ≤ 1.10
		if t.says(i, "attempting to renew cert") {
			if t.word(i+4) == "from" {
				return ofFile(t.at(i + 5)), lineage, true
			}
			return t.at(i + 4), lineage, t.word(i+5) == "from"
		}
	case "renewal": // certbot, before it reads a lineage
		if (t.word(i+1) == "configuration" || t.word(i+1) == "conf") && t.is(i+3, path) {
			return ofFile(t.at(i + 3)), lineage, true
		}
	case "processing": // certbot, dehydrated
		if t.is(i+1, path) {
			return ofFile(t.at(i + 1)), lineage, true
		}
		return t.at(i + 1), lineage, t.is(i+1, name)
	case "problem": // acme.messages.Error, lego
		if t.word(i+1) == "for" && t.named(i+2) {
			return t.at(i + 2), challenge, true
		}
		return "", challenge, isType(t.word(i + 1))
	case "responding": // dehydrated
		return t.at(i + 4), challenge, t.says(i, "responding to challenge for") && t.named(i+4)
	case "authorization": // golang.org/x/crypto/acme
		return t.at(i + 3), challenge, t.says(i, "authorization error for") && t.named(i+3)
	case "challenge":
		if t.says(i, "challenge did not pass for") || t.says(i, "challenge failed for domain") {
			n := i + 4
			if !t.named(n) {
				n++
			}
			return t.at(n), challenge, t.named(n)
		}
	}
	return "", whole, false
}

// blockAnchor is anchor at certbot's "Domain: N / Type: T / Detail: D", which Orderly writes with both
// keys, and at a log's domain=N.
func blockAnchor(t *tokens, i int) (string, level, bool) {
	if t.authorizations && t.says(i, "identifier type dns value") {
		return t.at(i + 4), challenge, t.named(i + 4)
	}
	if !t.named(i + 1) {
		return "", whole, false
	}
	switch next := t.word(i + 2); {
	case next == "type" && t.word(i+1) != "type",
		next == "identifier" && t.at(i+3) == t.at(i+1) && t.word(i+4) == "type":
		return t.at(i + 1), challenge, true
	case next == "error" || next == "err" || next == "problem" || next == "challenge_type" ||
		next == "issuer":
		return t.at(i + 1), challenge, true
	}
	return "", whole, false
}

// behindName are acme.sh's words behind a name.
var behindName = []string{"invalid status", "verify error", "timeout", "cannot write", "challenge error",
	"invalid code", "unknown status", "cannot get"}

// nameAnchor is anchor at a name.
func nameAnchor(t *tokens, i int) (string, level, bool) {
	about := t.at(i)
	switch next := t.word(i + 1); {
	case strings.HasSuffix(next, "-01") || strings.HasSuffix(next, "-02"): // certbot ≤ 0.31
		return about, challenge, isType(t.word(i + 2))
	case t.precedes(i) == '[' && t.follows(i) == ']': // lego, certmagic
		return about, challenge, next != "" && (t.is(i, name) || next == "acme") &&
			t.at(i-1) != "from" && !t.is(i-1, link) && t.blankBehind(t.all[i].end+1)
	case t.follows(i) == ':' && next == "acme" && t.word(i+2) == "error": // lego 0.3, in a map
		return about, challenge, true
	case t.follows(i) == ':': // acme.sh
		for _, s := range behindName {
			if t.says(i+1, s) {
				return about, challenge, true
			}
		}
	}
	return "", whole, false
}

// blankBehind reports whether the text goes on with a blank at a place, and not within a string.
func (t *tokens) blankBehind(at int) bool {
	return at < len(t.text) && (t.text[at] == ' ' || t.text[at] == '\n' || t.text[at] == ':')
}

// says reports whether the words from i on are these.
func (t *tokens) says(i int, words string) bool {
	for w := range strings.SplitSeq(words, " ") {
		if t.word(i) != w {
			return false
		}
		i++
	}
	return true
}

// saysWithin reports whether these words begin at i or up to n tokens later.
func (t *tokens) saysWithin(i, n int, words string) bool {
	for k := range n + 1 {
		if t.says(i+k, words) {
			return true
		}
	}
	return false
}

// named reports whether the token i can be the name that a client speaks of.
func (t *tokens) named(i int) bool { return t.is(i, name) || t.is(i, address) }

// isType reports whether a word is the type of a CA's problem.
func isType(w string) bool { return strings.HasPrefix(w, "urn:") && strings.Contains(w, "error:") }

// ofFile is the name of a lineage by that of its renewal file.
func ofFile(file string) string {
	base := file[strings.LastIndexByte(file, '/')+1:]
	if before, ok := strings.CutSuffix(base, ".conf"); ok {
		return before
	}
	return ""
}

// withSubproblems gives each of a problem's subproblems (RFC 8555 §6.7.1) a part of its own. They may
// be in any order of keys, so that only braces tell one from the next.
func withSubproblems(t *tokens, all []part) []part {
	if !strings.Contains(t.low, "subproblems") {
		return all
	}
	for i := 0; i < len(t.all); i++ {
		if t.word(i) == "subproblems" {
			all, i = objects(t, i, all)
		}
	}
	return all
}

// objects adds a part for each object of the list that begins behind the token i, and returns the last
// token that it looked at: subproblems have none themselves. One that is torn ends with the text.
func objects(t *tokens, i int, all []part) ([]part, int) {
	depth, from := 0, i+1
	for k := i + 1; k <= len(t.all); k++ {
		for _, c := range []byte(t.between(k)) {
			switch {
			case c == '{':
				depth++
			case c == '}':
				depth--
				if depth == 0 && k > from {
					all = append(all, part{from: from, to: k, level: challenge})
					from = k
				}
			case c == ']' && depth == 0:
				return all, max(k-1, i)
			}
			if depth < 0 {
				return all, max(k-1, i)
			}
		}
	}
	if from < len(t.all) && depth > 0 {
		all = append(all, part{from: from, to: len(t.all), level: challenge})
	}
	return all, len(t.all)
}

// between is what stands before the token i, behind the one before it.
func (t *tokens) between(i int) string {
	begin, end := 0, len(t.text)
	if i > 0 {
		begin = t.all[i-1].end
	}
	if i < len(t.all) {
		end = t.all[i].begin
	}
	return t.text[min(begin, end):end]
}
