package webserver

import (
	"path"
	"slices"
	"strings"
)

// The way of a request through nginx's phases: the server's rewrites, the location, its rewrites,
// access, and what makes the content.

// nginxWalk is one request on its way.
type nginxWalk struct {
	rules  *nginxRules
	q      *query
	uri    string
	values map[string]string // of set, and "" for what a condition that is not known may have set
	groups []string          // of the last pattern that matched
	doubts []Note
}

// server is the whole way.
func (w *nginxWalk) server() verdict {
	v, locations := w.locations()
	if v.fault != nil && len(locations) > 0 {
		_, text := locationOf(locations[len(locations)-1])
		v.fault.Own = strings.Trim(text, "/") == strings.Trim(challengePath, "/")
	}
	return v
}

// locations is the way, and the locations that it has come to.
func (w *nginxWalk) locations() (verdict, []statement) {
	server := w.rules.scopes[1]
	if v, ended, _ := w.rewrite(server); ended {
		v.ofHost = true
		return v, nil
	}
	for range mostLed {
		locations := w.locate(server, 0)
		scopes := slices.Clone(w.rules.scopes)
		for _, l := range locations {
			scopes = append(scopes, l.block)
		}
		if len(locations) > 0 {
			v, ended, again := w.rewrite(scopes[len(scopes)-1])
			if ended {
				return v, locations
			}
			if again {
				continue
			}
		}
		return w.content(scopes, locations), locations
	}
	w.doubts = append(w.doubts, Note{Words: "it is rewritten again and again"})
	return verdict{}, nil
}

// rewrite runs the statements of ngx_http_rewrite_module. again says that a location is to be found
// anew.
func (w *nginxWalk) rewrite(block []statement) (v verdict, ended, again bool) {
	for _, s := range block {
		switch s.name() {
		case "break":
			return verdict{}, false, false
		case "return":
			return w.answer(s), true, false
		case "set":
			w.values[strings.TrimPrefix(s.arg(1), "$")], _ = w.expand(s.arg(2))
		case "rewrite":
			v, ended, again, stop := w.rewriteTo(s)
			if ended || again || stop {
				return v, ended, again
			}
		case "if":
			switch w.condition(s) {
			case yes:
				if v, ended, again := w.rewrite(s.block); ended || again {
					return v, ended, again
				}
				if _, found := last(s.block, "break"); found {
					return verdict{}, false, false
				}
			case unknown:
				w.perhaps(s)
			}
		}
	}
	return verdict{}, false, false
}

// perhaps notes what a block might do whose condition is not known.
func (w *nginxWalk) perhaps(s statement) {
	for _, inner := range s.block {
		switch inner.name() {
		case "return", "rewrite", "deny", "proxy_pass", "root", "alias":
			w.doubts = append(w.doubts, doubt(s, "whether that holds for a CA is not known"))
			return
		case "set":
			w.values[strings.TrimPrefix(inner.arg(1), "$")] = "$"
		}
	}
}

// answer is what return does.
func (w *nginxWalk) answer(s statement) verdict {
	code, text := s.arg(1), s.arg(2)
	if strings.Contains(code, "/") {
		code, text = "302", code
	}
	switch code {
	case "301", "302", "303", "307", "308":
		return w.lead(text, s)
	case "200":
		// a web server that knows the account's thumbprint answers by itself
		w.doubts = append(w.doubts, doubt(s, "the server answers by itself"))
		return verdict{}
	}
	return fault(Denied, s)
}

func (w *nginxWalk) lead(text string, s statement) verdict {
	url, known := w.expand(text)
	to, ok := parseTarget(url, w.q, s)
	if !known || !ok {
		if !strings.Contains(text, "$") {
			return fault(Redirected, s)
		}
		w.doubts = append(w.doubts, doubt(s, "where that leads is not known"))
		return verdict{}
	}
	return verdict{to: to}
}

func (w *nginxWalk) rewriteTo(s statement) (v verdict, ended, again, stop bool) {
	p, ok := compile(s.arg(1), false)
	if !ok {
		w.doubts = append(w.doubts, doubt(s, "its pattern is not understood"))
		return verdict{}, false, false, false
	}
	if p.matches(w.uri) != yes {
		return verdict{}, false, false, false
	}
	w.groups = p.groups(w.uri)
	flag, to := s.arg(3), s.arg(2)
	if flag == "redirect" || flag == "permanent" || strings.Contains(to, "://") {
		return w.lead(to, s), true, false, false
	}
	uri, known := w.expand(strings.SplitN(to, "?", 2)[0])
	if !known {
		w.doubts = append(w.doubts, doubt(s, "where that leads is not known"))
		return verdict{}, true, false, false
	}
	if !strings.HasSuffix(uri, "/"+exampleToken) {
		return fault(Rewritten, s), true, false, false
	}
	w.uri = uri
	return verdict{}, false, flag != "break", flag == "break"
}

// content is what a location answers with, if access to it is granted.
func (w *nginxWalk) content(scopes [][]statement, locations []statement) verdict {
	if v, denied := w.access(scopes); denied {
		return v
	}
	inner := scopes[len(scopes)-1]
	for _, s := range inner {
		name := s.name()
		switch {
		case name == "proxy_pass":
			return w.proxy(scopes, locations, s)
		case strings.HasSuffix(name, "_pass"), strings.HasPrefix(name, "content_by_"),
			name == "js_content", name == "perl", name == "echo", name == "stub_status":
			w.doubts = append(w.doubts, doubt(s, "a program answers"))
			return verdict{}
		}
	}
	if tries := inherited([][]statement{inner}, "try_files"); len(tries) > 0 {
		if v, other := w.tryFiles(scopes, tries[0]); other {
			return v
		}
	}
	return w.file(scopes, locations)
}

// access is what allow, deny and auth_… say to somebody whose address is not known.
func (w *nginxWalk) access(scopes [][]statement) (verdict, bool) {
	var denied, asked *statement
	for _, s := range inherited(scopes, "allow", "deny") {
		if s.arg(1) == "all" {
			if s.name() == "deny" {
				denied = &s
			}
			break
		}
	}
	for _, name := range []string{"auth_basic", "auth_request"} {
		if found := inherited(scopes, name); len(found) > 0 && found[0].arg(1) != "off" {
			asked = &found[0]
		}
	}
	anyOf := inherited(scopes, "satisfy")
	if len(anyOf) > 0 && anyOf[0].arg(1) == "any" {
		listed := len(inherited(scopes, "allow", "deny")) > 0
		if listed && denied == nil || denied != nil && asked == nil {
			return verdict{}, false // one of both lets it pass, or there is but one
		}
	}
	switch {
	case asked != nil && asked.name() == "auth_request":
		w.doubts = append(w.doubts, doubt(*asked, "a program decides"))
	case asked != nil:
		return fault(Authenticated, *asked), true
	}
	if denied != nil {
		return fault(Denied, *denied), true
	}
	return verdict{}, false
}

// tryFiles says what is served where it is not the file of the request's name.
func (w *nginxWalk) tryFiles(scopes [][]statement, s statement) (verdict, bool) {
	args := s.args()
	for i, arg := range args {
		final := i == len(args)-1
		switch {
		case arg == "$uri" || arg == "$request_uri":
			return verdict{}, false
		case !final && strings.HasPrefix(arg, "$uri"), !final && !strings.Contains(arg, "$"):
			// a directory, or a page of maintenance
		case final && !strings.HasPrefix(arg, "@") && !strings.Contains(arg, "$uri"):
			return fault(Rewritten, s), true
		default:
			w.doubts = append(w.doubts, doubt(s, "which file that is is not known"))
			return verdict{}, true
		}
	}
	return verdict{}, false
}

// file is where the token's file is looked for.
func (w *nginxWalk) file(scopes [][]statement, locations []statement) verdict {
	inner := scopes[len(scopes)-1]
	found := inherited(scopes, "root", "alias")
	s := statement{Place: w.place(locations), words: []string{"root", "html"}}
	if len(found) > 0 {
		s = found[len(found)-1]
	}
	name, known := w.expand(s.arg(1))
	if !known || name == "" {
		w.doubts = append(w.doubts, doubt(s, "which directory that is is not known"))
		return verdict{}
	}
	file := from(w.rules.prefix, name) + w.uri
	if s.name() == "alias" {
		_, own := last(inner, "alias")
		l := locations[len(locations)-1]
		modifier, prefix := locationOf(l)
		switch {
		case modifier == "~" || modifier == "~*":
			file = name
		case !own || !strings.HasPrefix(w.uri, prefix):
			w.doubts = append(w.doubts, doubt(s, "which directory that is is not known"))
			return verdict{}
		default:
			file = name + strings.TrimPrefix(w.uri, prefix)
		}
	}
	if path.Base(file) != exampleToken {
		return fault(Rewritten, s)
	}
	return verdict{dir: path.Dir(path.Clean(file)), by: s.Place, how: s.name()}
}

func (w *nginxWalk) place(locations []statement) Place {
	if len(locations) > 0 {
		return locations[len(locations)-1].Place
	}
	return Place{}
}
