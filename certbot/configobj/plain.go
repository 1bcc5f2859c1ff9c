package configobj

import "strings"

// What certbot itself writes is nearly always plain: key = value without quotes, lists or comments,
// and markers without blanks. A host has thousands of such lines, which every command reads; the
// expressions that Parse rests on take ten times as long for each. Here the plain ones are read by
// hand, and all others left to the expressions.

// plainKey splits a line at its "=" where the key is plain: letters, digits and what is in names,
// nothing before it. at is where the value begins.
func plainKey(text string) (key string, at int, ok bool) {
	end := 0
	for end < len(text) && isPlain(text[end]) {
		end++
	}
	at = skipBlanks(text, end)
	if end == 0 || at == len(text) || text[at] != '=' {
		return "", 0, false
	}
	at = skipBlanks(text, at+1)
	if at < len(text) && (text[at] < ' ' || text[at] >= 0x7f) {
		return "", 0, false // a blank of another kind, perhaps
	}
	return text[:end], at, true
}

func isPlain(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_' ||
		c == '-' || c == '.' || c == '*'
}

func skipBlanks(text string, at int) int {
	for at < len(text) && (text[at] == ' ' || text[at] == '\t') {
		at++
	}
	return at
}

// plainValue reads a value of printable ASCII without quotes, commas, comments and blanks at its
// end; one comma behind it makes a list of it.
func plainValue(text string) (v Value, ok bool) {
	item, list := strings.CutSuffix(text, ",")
	for i := range len(item) {
		if c := item[i]; c < ' ' || c >= 0x7f || c == '"' || c == '\'' || c == ',' || c == '#' {
			return Value{}, false
		}
	}
	if strings.HasSuffix(item, " ") || (list && item == "") {
		return Value{}, false
	}
	return Value{IsList: list, items: []string{item}}, true
}

// plainMarker reads [name] or [[name]].
func plainMarker(text string) (depth int, name string, ok bool) {
	name = strings.TrimLeft(text, "[")
	depth = len(text) - len(name)
	closed := len(name) - len(strings.TrimRight(name, "]"))
	name = name[:len(name)-closed]
	if depth == 0 || depth != closed || name == "" {
		return 0, "", false
	}
	for i := range len(name) {
		if !isPlain(name[i]) {
			return 0, "", false
		}
	}
	return depth, name, true
}
