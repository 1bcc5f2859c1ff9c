package webserver

import (
	"cmp"
	"path"
	"strings"
)

// mod_rewrite, as far as a request for a token goes: its conditions are true, false or unknown, and a
// rule that depends on what is unknown is a doubt.

// rewrites are the rules of one place.
type rewrites struct {
	on    bool
	block []statement
	dir   string // of a directory's; "" for a host's
	base  string // RewriteBase
}

func rewritesOf(block []statement, dir string) rewrites {
	r := rewrites{block: block, dir: dir}
	engine, _ := last(block, "rewriteengine")
	r.on = strings.EqualFold(engine.arg(1), "on")
	base, _ := last(block, "rewritebase")
	r.base = base.arg(1)
	return r
}

// fixups are the rewrites and redirects of directories.
func (w *apacheWalk) fixups(sections []section) (verdict, bool) {
	var rules rewrites
	for _, s := range sections {
		r := rewritesOf(s.block, s.dir)
		if _, found := last(s.block, "rewriteengine"); found && (!r.on || s.dir != "") {
			rules = r
		}
	}
	if rules.on {
		if v, ended := w.rewrite(rules); ended {
			return v, true
		}
	}
	for _, s := range sections {
		for _, inner := range s.block {
			switch inner.name() {
			case "redirect", "redirectmatch", "redirectpermanent", "redirecttemp":
				if v, ended := w.redirect(inner, s.where); ended {
					return v, true
				}
			case "proxypass":
				to := inner.arg(1)
				if s.where != "" && to != "!" {
					rest, _ := below(w.uri, s.where)
					return w.handOn(inner, to+rest), true
				}
			case "sethandler":
				if !strings.EqualFold(inner.arg(1), "none") && inner.arg(1) != "default-handler" {
					w.doubts = append(w.doubts, doubt(inner, "a program answers"))
				}
			}
		}
	}
	return verdict{}, false
}

// mostPatterns bounds the patterns that are tried for one name: a customer may write ten thousand
// rules, and let each be tried again and again.
const mostPatterns = 20_000

// compile is compile, counted.
func (w *apacheWalk) compile(text string, foldCase bool) (*pattern, bool) {
	if w.q.tried++; w.q.tried > mostPatterns {
		return nil, false
	}
	return compile(text, foldCase)
}

// rewrite runs the rules of one place.
func (w *apacheWalk) rewrite(r rewrites) (verdict, bool) {
	var conditions []statement
	for _, s := range r.block {
		if w.q.tried > mostPatterns {
			w.doubts = append(w.doubts, doubt(s, "there are too many rules before it"))
			return verdict{}, true
		}
		switch s.name() {
		case "rewritecond":
			conditions = append(conditions, s)
		case "rewriterule":
			v, ended, stop := w.rule(r, s, conditions)
			if ended || stop {
				return v, ended
			}
			conditions = nil
		case "rewriteoptions":
			if r.dir == "" && strings.Contains(strings.ToLower(strings.Join(s.args(), " ")), "inherit") {
				w.doubts = append(w.doubts, doubt(s, "inherited rules are not understood"))
			}
		}
	}
	return verdict{}, false
}

// subject is what a place's rules see of the path.
func (w *apacheWalk) subject(r rewrites) string {
	if r.dir == "" {
		return w.uri
	}
	rest, _ := strings.CutPrefix(w.file, strings.TrimSuffix(r.dir, "/"))
	return strings.TrimPrefix(rest, "/")
}

func (w *apacheWalk) rule(r rewrites, s statement, conditions []statement) (v verdict, ended, stop bool) {
	flags := flagsOf(s.arg(3))
	text, negated := strings.CutPrefix(s.arg(1), "!")
	to := s.arg(2)
	subject := w.subject(r)
	fits, groups := unknown, []string(nil)
	if p, ok := w.compile(text, flags.has("nc", "nocase")); ok {
		fits = p.matches(subject)
		groups = p.groups(subject)
	}
	if negated {
		fits, groups = fits.not(), nil
	}
	if fits != no {
		fits = fits.and(w.conditions(conditions))
	}
	refuses := flags.has("f", "forbidden", "g", "gone") || errorCode(flags.value("r", "redirect"))
	stops := flags.has("l", "last", "end")
	switch {
	case fits == no:
		return verdict{}, false, false
	case fits == unknown:
		if refuses || to != "-" || stops {
			w.doubts = append(w.doubts, doubt(s, "whether that concerns a CA is not known"))
		}
		return verdict{}, false, false
	case flags.has("c", "chain", "s", "skip", "n", "next"):
		w.doubts = append(w.doubts, doubt(s, "which rules follow is not known"))
		return verdict{}, true, false
	case refuses:
		return fault(Denied, s), true, false
	case to == "-":
		return verdict{}, false, stops
	}
	return w.substitute(r, s, to, groups, flags, stops)
}

// substitute is what a rule that fits leads to.
func (w *apacheWalk) substitute(r rewrites, s statement, to string, groups []string, flags ruleFlags, stops bool) (v verdict, ended, stop bool) {
	to, known := backreferences(w.fillIn(to), groups)
	if !known || strings.Contains(to, "%") {
		w.doubts = append(w.doubts, doubt(s, "where that leads is not known"))
		return verdict{}, true, false
	}
	absolute := strings.HasPrefix(to, "http://") || strings.HasPrefix(to, "https://")
	if flags.has("p", "proxy") {
		return w.handOn(s, to), true, false
	}
	uri, _, _ := strings.Cut(to, "?")
	if !absolute && !strings.HasPrefix(uri, "/") && r.dir != "" {
		uri = path.Join(cmp.Or(r.base, w.baseOf(r)), uri)
	}
	if absolute || flags.has("r", "redirect") {
		target := uri
		if absolute {
			target = to
		}
		led, ok := parseTarget(target, w.q, s)
		if !ok {
			return fault(Redirected, s), true, false
		}
		led.uri, _, _ = strings.Cut(led.uri, "?")
		return verdict{to: led}, true, false
	}
	if path.Base(uri) != exampleToken {
		return fault(Rewritten, s), true, false
	}
	w.uri = path.Clean("/" + uri)
	return verdict{}, false, stops
}

// baseOf is the path under which a directory is served.
func (w *apacheWalk) baseOf(r rewrites) string {
	return strings.TrimSuffix(w.uri, w.subject(r))
}

// conditions are true where each is, or one of those that are joined by [OR].
func (w *apacheWalk) conditions(all []statement) truth {
	result, group := yes, no
	for _, s := range all {
		group = group.or(w.condition(s))
		if !flagsOf(s.arg(3)).has("or", "ornext") {
			result, group = result.and(group), no
		}
	}
	return result
}

func (w *apacheWalk) condition(s statement) truth {
	pattern, negated := strings.CutPrefix(s.arg(2), "!")
	t := unknown
	switch {
	case len(pattern) == 2 && pattern[0] == '-':
		t = w.stands(s.arg(1), pattern)
	default:
		subject := w.fillIn(s.arg(1))
		if strings.ContainsAny(subject, "%$") {
			return unknown
		}
		nocase := flagsOf(s.arg(3)).has("nc", "nocase")
		if wanted, ok := strings.CutPrefix(pattern, "="); ok {
			t = truthOf(subject == wanted || nocase && strings.EqualFold(subject, wanted))
		} else if p, ok := w.compile(pattern, nocase); ok && !strings.HasPrefix(pattern, "<") && !strings.HasPrefix(pattern, ">") {
			t = p.matches(subject)
		}
	}
	if negated {
		return t.not()
	}
	return t
}

// stands answers what is asked of the token's file, which is there when the CA asks.
func (w *apacheWalk) stands(subject, test string) truth {
	own := subject == "%{REQUEST_FILENAME}" || subject == "%{SCRIPT_FILENAME}" ||
		subject == "%{DOCUMENT_ROOT}%{REQUEST_URI}" || subject == "%{DOCUMENT_ROOT}/%{REQUEST_URI}"
	if !own || w.file == "" && !strings.Contains(subject, "DOCUMENT_ROOT") {
		return unknown
	}
	switch test {
	case "-f", "-s", "-e":
		return yes
	case "-d", "-l", "-h", "-L":
		return no
	}
	return unknown
}

// fillIn fills in the variables whose values are known.
func (w *apacheWalk) fillIn(text string) string {
	return strings.NewReplacer("%{REQUEST_URI}", w.uri, "%{HTTPS}", map[bool]string{true: "on", false: "off"}[w.q.tls],
		"%{HTTP_HOST}", w.q.name, "%{SERVER_NAME}", w.q.name, "%{HTTP:Host}", w.q.name,
		"%{SERVER_PORT}", portOf(w.q), "%{REQUEST_METHOD}", "GET", "%{QUERY_STRING}", "",
		"%{REQUEST_SCHEME}", schemeOf(w.q.tls), "%{THE_REQUEST}", "GET "+w.q.uri+" HTTP/1.1",
		"%{ENV:REDIRECT_STATUS}", "", "%{ENV:HTTPS}", "").Replace(text)
}
