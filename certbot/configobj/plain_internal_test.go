package configobj

import (
	"strings"
	"testing"
)

// byExpressions reads a line as if no line were plain.
func byExpressions(text string) (key string, at int, v Value, tail string, ok bool) {
	if sectionLine().MatchString(text) {
		return "", 0, v, "", false
	}
	m := keyLine().FindStringSubmatchIndex(text)
	if m == nil {
		return "", 0, v, "", false
	}
	rest := text[m[6]:]
	e := valueExp().FindStringSubmatch(rest)
	if e == nil || strings.HasPrefix(rest, `'''`) || strings.HasPrefix(rest, `"""`) {
		return "", 0, v, "", false
	}
	list, single, comma := e[1], e[2], e[3]
	switch {
	case comma != "":
		v = Value{IsList: true}
	case list == "":
		v = Value{items: []string{unquote(single)}}
	default:
		v.IsList = true
		for _, item := range listItem().FindAllStringSubmatch(list, -1) {
			v.items = append(v.items, unquote(item[1]))
		}
		if single != "" {
			v.items = append(v.items, unquote(single))
		}
	}
	return unquote(text[m[4]:m[5]]), m[6], v, e[4], true
}

// FuzzPlainLinesAreReadAsByTheExpressions: what is read by hand must come out as the expressions have it, to the byte.
func FuzzPlainLinesAreReadAsByTheExpressions(f *testing.F) {
	for _, line := range []string{
		"version = 2.1.0", "a=b", "a = b c  d", "webroot_path = /var/www,", "webroot_path = /var/www, ", "*.example.com = /srv/a", "a = ", "a =", "a = ,",
		"a = b # c", "a = = b", "a b = c", "a = \tb\t", "a = b\u00a0", "a =\u2003b", "a = 'b'", "a = b,c", "a = ,b", "-a = b", "[a]", "[[a.b]]", "[a", "[a]]", "[ a ]",
		"[a] # b", "a = [b]", "a = b\x1c", "\x1ca = b", "a = %(b)s", "#a = b", "", "a", "a = '''b", "a\x0b= b", "a =\x0bb",
	} {
		f.Add(line)
	}
	f.Fuzz(func(t *testing.T, line string) {
		line = strings.NewReplacer("\n", "", "\r", "").Replace(line)
		if depth, name, ok := plainMarker(line); ok {
			m := sectionLine().FindStringSubmatch(line)
			if m == nil || strings.Count(m[2], "[") != depth || strings.Count(m[4], "]") != depth || unquote(m[3]) != name {
				t.Errorf("%q is the marker %q, and by the expressions %q", line, name, m)
			}
			return
		}
		key, at, ok := plainKey(line)
		if !ok {
			return
		}
		v, ok := plainValue(line[at:])
		if !ok {
			return
		}
		wantKey, wantAt, want, tail, known := byExpressions(line)
		if !known || key != wantKey || at != wantAt || !v.equal(want) || tail != "" {
			t.Errorf("%q: %q, value %+v at %d; by the expressions %v, %q, %+v at %d, and %q behind it", line, key, v, at, known, wantKey, want, wantAt, tail)
		}
	})
}
