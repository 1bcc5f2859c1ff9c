package webserver

import (
	"net"
	"strings"
)

// Which location answers, what its variables stand for, and to whom it hands on.

// locationOf is a location's modifier and its prefix or pattern.
func locationOf(s statement) (modifier, text string) {
	if len(s.words) > 2 {
		return s.words[1], s.words[2]
	}
	text = s.arg(1)
	for _, glued := range []string{"^~", "~*", "=", "~"} {
		if strings.HasPrefix(text, glued) {
			return glued, strings.TrimPrefix(text, glued)
		}
	}
	return "", text
}

// locate is the location that answers, with those around it, the outermost first: an exact one, the
// first pattern that fits unless the longest prefix forbids patterns, or the longest prefix.
func (w *nginxWalk) locate(block []statement, depth int) []statement {
	var best *statement
	var longest, barred = -1, false
	for i, s := range block {
		if s.name() != "location" || s.block == nil {
			continue
		}
		modifier, text := locationOf(s)
		switch {
		case strings.HasPrefix(text, "@"):
		case modifier == "=" && text == w.uri:
			return []statement{s}
		case (modifier == "" || modifier == "^~") && strings.HasPrefix(w.uri, text) && len(text) > longest:
			best, longest, barred = &block[i], len(text), modifier == "^~"
		}
	}
	var inner []statement
	if best != nil && depth < mostDepth {
		if inner = w.locate(best.block, depth+1); len(inner) > 0 && !isPrefix(inner[len(inner)-1]) {
			return append([]statement{*best}, inner...)
		}
	}
	if !barred {
		for _, s := range block {
			if s.name() == "location" && w.fits(s) {
				if depth < mostDepth {
					inner = w.locate(s.block, depth+1)
				}
				return append([]statement{s}, inner...)
			}
		}
	}
	if best == nil {
		return nil
	}
	return append([]statement{*best}, inner...)
}

func isPrefix(s statement) bool {
	modifier, _ := locationOf(s)
	return modifier == "" || modifier == "^~"
}

// fits reports whether a location with a pattern answers.
func (w *nginxWalk) fits(s statement) bool {
	modifier, text := locationOf(s)
	if modifier != "~" && modifier != "~*" {
		return false
	}
	p, ok := compile(text, modifier == "~*")
	if !ok {
		w.doubts = append(w.doubts, doubt(s, "its pattern is not understood"))
		return false
	}
	if p.matches(w.uri) != yes {
		return false
	}
	w.groups = p.groups(w.uri)
	return true
}

// condition is what an if asks.
func (w *nginxWalk) condition(s statement) truth {
	text := strings.TrimSpace(strings.Join(s.args(), " "))
	text = strings.TrimSpace(strings.TrimSuffix(strings.TrimPrefix(text, "("), ")"))
	words := strings.Fields(text)
	switch len(words) {
	case 1:
		value, known := w.expand(words[0])
		if !known {
			return unknown
		}
		return truthOf(value != "" && value != "0")
	case 2:
		test, negated := strings.CutPrefix(words[0], "!")
		if words[1] != "$request_filename" {
			return unknown
		}
		return w.stands(test, negated)
	case 3:
		return w.compare(words[0], words[1], words[2])
	}
	return unknown
}

// stands answers what is asked of the token's file, which is there when the CA asks.
func (w *nginxWalk) stands(test string, negated bool) truth {
	t := unknown
	switch test {
	case "-f", "-e":
		t = yes
	case "-d":
		t = no
	}
	if negated {
		return t.not()
	}
	return t
}

func (w *nginxWalk) compare(variable, operator, wanted string) truth {
	value, known := w.expand(variable)
	if !known {
		return unknown
	}
	positive, negated := strings.CutPrefix(operator, "!")
	t := unknown
	switch positive {
	case "=":
		t = truthOf(value == strings.Trim(wanted, `"'`))
	case "~", "~*":
		if p, ok := compile(strings.Trim(wanted, `"'`), positive == "~*"); ok {
			if t = p.matches(value); t == yes {
				w.groups = p.groups(value)
			}
		}
	}
	if negated {
		return t.not()
	}
	return t
}

// expand fills in variables; false where one is not known.
func (w *nginxWalk) expand(text string) (string, bool) {
	var b strings.Builder
	known := true
	for i := 0; i < len(text); i++ {
		if text[i] != '$' {
			b.WriteByte(text[i])
			continue
		}
		name := variableAt(text[i+1:])
		i += len(name)
		value, ok := w.value(strings.Trim(name, "{}"))
		known = known && ok
		b.WriteString(value)
	}
	return b.String(), known
}

// variableAt is the name that a text begins with, in brackets where it has them.
func variableAt(text string) string {
	if strings.HasPrefix(text, "{") {
		if end := strings.IndexByte(text, '}'); end > 0 {
			return text[:end+1]
		}
		return ""
	}
	if text != "" && text[0] >= '1' && text[0] <= '9' {
		return text[:1]
	}
	end := strings.IndexFunc(text, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '_'
	})
	if end < 0 {
		return text
	}
	return text[:end]
}

func (w *nginxWalk) value(name string) (string, bool) {
	if value, ok := w.values[name]; ok {
		return value, value != "$"
	}
	if len(name) == 1 && name[0] >= '1' && name[0] <= '9' {
		n := int(name[0] - '0')
		if w.groups == nil || n >= len(w.groups) {
			return "", false
		}
		return w.groups[n], true
	}
	switch name {
	case "host", "http_host":
		return w.q.name, true
	case "server_name":
		return w.rules.serverName, w.rules.serverName != ""
	case "request_uri":
		return w.q.uri, true
	case "uri", "document_uri":
		return w.uri, true
	case "scheme":
		return schemeOf(w.q.tls), true
	case "https":
		return map[bool]string{true: "on", false: ""}[w.q.tls], true
	case "request_method":
		return "GET", true
	case "args", "query_string", "is_args":
		return "", true
	}
	return "", false
}

// proxy is where a location hands a request on to.
func (w *nginxWalk) proxy(scopes [][]statement, locations []statement, s statement) verdict {
	url, known := w.expand(s.arg(1))
	to, ok := parseTarget(url, w.q, s)
	if !known || !ok {
		w.doubts = append(w.doubts, doubt(s, "another program answers"))
		return verdict{}
	}
	to.proxied = true
	if to.uri == "" {
		to.uri = w.uri
	} else if _, prefix := locationOf(locations[len(locations)-1]); strings.HasPrefix(w.uri, prefix) {
		to.uri += strings.TrimPrefix(w.uri, prefix)
	}
	for _, h := range inherited(scopes, "proxy_set_header") {
		if strings.EqualFold(h.arg(1), "host") {
			to.name, _ = w.expand(h.arg(2))
			if name, _, err := net.SplitHostPort(to.name); err == nil {
				to.name = name
			}
		}
	}
	w.upstream(to)
	return verdict{to: to}
}

// upstream fills in the address of a group of one server.
func (w *nginxWalk) upstream(to *target) {
	for _, s := range w.rules.scopes[0] {
		if s.name() != "upstream" || s.arg(1) != to.host {
			continue
		}
		servers := inherited([][]statement{s.block}, "server")
		if len(servers) != 1 {
			return
		}
		at, ok := parseTarget("http://"+servers[0].arg(1), w.q, s)
		if ok {
			to.host, to.port = at.host, at.port
		}
	}
}
