package argparse

// cli.ini is read here as ConfigArgParse reads it. Debian's package installs one, and hosters put
// their defaults for thousands of servers into it: a line that is read otherwise than certbot reads
// it changes every certificate of a server.

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"

	"orderly/failure"
)

// item is a line of a cli.ini.
type item struct {
	key    string
	values []string // one, or the elements of a list
	list   bool
	place  string // file and line
}

// The lines of ConfigArgParse's DefaultConfigFileParser: key, an optional = or : or blank, a value
// that may be quoted, and a comment behind a blank. Go has no back-references, so there is one
// expression for each kind of quotes.
const (
	blank    = `[\s\x0b\x1c-\x1f\x85\p{Z}]`
	lineHead = `^([^:=;#\s\x0b\x1c-\x1f\x85\p{Z}]+)` + blank + `*(?:([:=]|` + blank + `)` + blank +
		`*`
	lineTail = blank + `*(?:` + blank + `[;#].*)?$`
)

var lineForms = sync.OnceValue(func() []*regexp.Regexp {
	return []*regexp.Regexp{
		regexp.MustCompile(lineHead + `'(.+?)?')` + lineTail),
		regexp.MustCompile(lineHead + `"(.+?)?")` + lineTail),
		regexp.MustCompile(lineHead + `(.+?)?)?` + lineTail),
	}
})

// readItems reads a file in the syntax of ConfigArgParse: comments, sections (which mean nothing),
// `key = value`, `key: value`, `key value` and a bare key. A key that stands twice has the later
// value, at the place of the first.
func readItems(text, name string) ([]item, error) {
	var items []item
	number := 0
	for line := range strings.Lines(strings.TrimPrefix(text, "\ufeff")) {
		number++
		place := fmt.Sprintf("%s line %d", name, number)
		line = strings.TrimSpace(line)
		if comment(line) {
			continue
		}
		it, ok := readItem(line)
		if !ok {
			return nil, failure.New(failure.Usage,
				"Write key = value, with a flag's long name as the key.",
				"%s: Unexpected line %s", place, failure.Clean(line))
		}
		it.place = place
		same := func(other item) bool { return other.key == it.key }
		if at := slices.IndexFunc(items, same); at >= 0 {
			items[at] = it
		} else {
			items = append(items, it)
		}
	}
	return items, nil
}

// comment reports whether a line means nothing: it is empty, a comment or the name of a section.
func comment(line string) bool {
	return line == "" || strings.ContainsRune("#;[", rune(line[0])) ||
		strings.HasPrefix(line, "---")
}

func readItem(line string) (item, bool) {
	for _, form := range lineForms() {
		m := form.FindStringSubmatchIndex(line)
		if m == nil {
			continue
		}
		it := item{key: line[m[2]:m[3]]}
		switch {
		case m[6] >= 0:
			it.setValue(line[m[6]:m[7]])
		case m[4] >= 0 && line[m[4]:m[5]] != " ":
			it.values = []string{""}
		default:
			it.values = []string{"true"}
		}
		return it, true
	}
	return item{}, false
}

// setValue takes [a, b] for a list, in JSON or without quotes.
func (it *item) setValue(text string) {
	it.values = []string{text}
	if !strings.HasPrefix(text, "[") || !strings.HasSuffix(text, "]") || len(text) < 2 {
		return
	}
	it.list, it.values = true, nil
	var elements []any
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.UseNumber()
	if err := decoder.Decode(&elements); err == nil && !decoder.More() {
		for _, e := range elements {
			it.values = append(it.values, fmt.Sprint(e))
		}
		return
	}
	for part := range strings.SplitSeq(text[1:len(text)-1], ",") {
		it.values = append(it.values, strings.TrimSpace(part))
	}
}
