package webserver

import (
	"cmp"
	"context"
	"net/http"
	"path"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// The way of a request through Apache: the host's rewrites, proxies, redirects and aliases, then the
// directory's sections and the customer's .htaccess, then files and locations; access first, rewrites
// of directories and their redirects behind it.

// apacheMain is what all hosts share.
type apacheMain struct {
	statements []statement
	own        []statement // outside of hosts
	root       string
	customer   func(file, text string) []statement // takes what a customer wrote apart

	mu     sync.Mutex
	parsed map[string][]statement // by file, for all names below a directory
}

// customers is what a customer's file says, taken apart once.
func (m *apacheMain) customers(file, text string) []statement {
	m.mu.Lock()
	defer m.mu.Unlock()
	block, ok := m.parsed[file]
	if !ok {
		block = m.customer(file, text)
		m.parsed[file] = block
	}
	return block
}

// apacheRules are one host's.
type apacheRules struct {
	main *apacheMain
	host []statement
}

// setting is a statement of the host's, or else of the main server's.
func (r *apacheRules) setting(name string) (statement, bool) {
	if s, ok := last(r.host, name); ok {
		return s, true
	}
	return last(r.main.own, name)
}

// both are the statements of a host and then of the main server, as aliases are merged.
func (r *apacheRules) both(names ...string) []statement {
	var all []statement
	for _, block := range [][]statement{r.host, r.main.own} {
		for _, s := range block {
			if slices.Contains(names, s.name()) {
				all = append(all, s)
			}
		}
	}
	return all
}

// apacheWalk is one request on its way.
type apacheWalk struct {
	*apacheRules
	q      *query
	uri    string
	file   string // what it comes to
	by     statement
	doubts []Note
}

// ask implements rules.
func (r *apacheRules) ask(ctx context.Context, q *query) verdict {
	w := &apacheWalk{apacheRules: r, q: q, uri: q.uri}
	v := w.walk(ctx)
	v.doubts = append(v.doubts, w.doubts...)
	return v
}

func (w *apacheWalk) walk(ctx context.Context) verdict {
	for range mostLed {
		if v, ended := w.translate(); ended {
			v.ofHost = true
			return v
		}
		if path.Base(w.file) != exampleToken {
			return fault(Rewritten, w.by)
		}
		before := w.uri
		sections := w.sections(ctx)
		if v, ended := w.access(sections); ended {
			return v
		}
		if v, ended := w.fixups(sections); ended {
			return v
		}
		if w.uri == before {
			return verdict{dir: path.Dir(w.file), by: w.by.Place, how: w.by.words[0]}
		}
	}
	w.doubts = append(w.doubts, Note{Words: "it is rewritten again and again"})
	return verdict{}
}

// translate finds the file for the path.
func (w *apacheWalk) translate() (verdict, bool) {
	if r := rewritesOf(w.host, ""); r.on {
		if v, ended := w.rewrite(r); ended {
			return v, true
		}
	}
	if v, ended := w.proxied(); ended {
		return v, true
	}
	for _, s := range w.both("redirect", "redirectmatch", "redirectpermanent", "redirecttemp") {
		if v, ended := w.redirect(s, ""); ended {
			return v, true
		}
	}
	for _, s := range w.both("alias", "aliasmatch", "scriptalias", "scriptaliasmatch") {
		if file, ok := w.alias(s); ok {
			w.file, w.by = path.Clean(from(w.main.root, file)), named(s, "Alias")
			return verdict{}, false
		}
	}
	s, ok := w.setting("documentroot")
	if !ok || s.foggy {
		w.doubts = append(w.doubts, Note{Place: s.Place, Words: "its document root is not known"})
		return verdict{}, true
	}
	w.file, w.by = path.Clean(from(w.main.root, s.arg(1))+w.uri), named(s, "DocumentRoot")
	return verdict{}, false
}

// named is a statement with its name as it is written.
func named(s statement, name string) statement {
	s.words = append([]string{name}, s.args()...)
	return s
}

// below is what of a path stands below a prefix, which ends at a component's border.
func below(uri, prefix string) (rest string, ok bool) {
	rest, ok = strings.CutPrefix(uri, prefix)
	return rest, ok && (rest == "" || strings.HasSuffix(prefix, "/") || strings.HasPrefix(rest, "/"))
}

func (w *apacheWalk) alias(s statement) (string, bool) {
	if !strings.HasSuffix(s.name(), "match") {
		rest, ok := below(w.uri, s.arg(1))
		return s.arg(2) + rest, ok && s.arg(2) != ""
	}
	p, ok := w.compile(s.arg(1), false)
	if !ok {
		w.doubts = append(w.doubts, doubt(s, "its pattern is not understood"))
		return "", false
	}
	if p.matches(w.uri) != yes {
		return "", false
	}
	file, known := backreferences(s.arg(2), p.groups(w.uri))
	if !known {
		w.doubts = append(w.doubts, doubt(s, "where that leads is not known"))
	}
	return file, known
}

// backreferences fills in $1 to $9.
func backreferences(text string, groups []string) (string, bool) {
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		if text[i] != '$' || i+1 >= len(text) || text[i+1] < '0' || text[i+1] > '9' {
			b.WriteByte(text[i])
			continue
		}
		i++
		n := int(text[i] - '0')
		if n >= len(groups) {
			return "", false
		}
		b.WriteString(groups[n])
	}
	return b.String(), true
}

func (w *apacheWalk) proxied() (verdict, bool) {
	for _, s := range w.both("proxypass", "proxypassmatch") {
		rest, ok := below(w.uri, s.arg(1))
		if s.name() == "proxypassmatch" {
			p, understood := w.compile(s.arg(1), false)
			ok, rest = understood && p.matches(w.uri) == yes, w.uri
			if !understood {
				w.doubts = append(w.doubts, doubt(s, "its pattern is not understood"))
			}
		}
		if !ok {
			continue
		}
		if s.arg(2) == "!" {
			return verdict{}, false
		}
		return w.handOn(s, s.arg(2)+rest), true
	}
	return verdict{}, false
}

func (w *apacheWalk) handOn(s statement, url string) verdict {
	to, ok := parseTarget(url, w.q, s)
	if !ok {
		w.doubts = append(w.doubts, doubt(s, "another program answers"))
		return verdict{}
	}
	to.proxied = true
	if keep, ok := w.setting("proxypreservehost"); ok && strings.EqualFold(keep.arg(1), "on") {
		to.name = w.q.name
	}
	return verdict{to: to}
}

// redirect is what a Redirect does; where stands the path of the section it is in.
func (w *apacheWalk) redirect(s statement, where string) (verdict, bool) {
	args, status := s.args(), "302"
	if s.name() == "redirectpermanent" {
		status = "301"
	} else if s.name() != "redirecttemp" && len(args) > 0 && isStatus(args[0]) {
		status, args = args[0], args[1:]
	}
	if len(args) > 0 && where != "" && !strings.HasPrefix(args[0], "/") && s.name() != "redirectmatch" || len(args) == 0 {
		args = append([]string{cmp.Or(where, "/")}, args...)
	}
	rest, ok := below(w.uri, args[0])
	var groups []string
	if s.name() == "redirectmatch" {
		p, understood := w.compile(args[0], false)
		if !understood {
			w.doubts = append(w.doubts, doubt(s, "its pattern is not understood"))
			return verdict{}, false
		}
		ok, groups, rest = p.matches(w.uri) == yes, p.groups(w.uri), ""
	}
	if !ok {
		return verdict{}, false
	}
	code, _ := strconv.Atoi(status)
	if status == "gone" || code >= http.StatusBadRequest || len(args) < 2 {
		return fault(Denied, s), true
	}
	url, known := backreferences(args[1], groups)
	to, parsed := parseTarget(url+rest, w.q, s)
	if !known || !parsed {
		w.doubts = append(w.doubts, doubt(s, "where that leads is not known"))
		return verdict{}, true
	}
	return verdict{to: to}, true
}

func isStatus(word string) bool {
	_, err := strconv.Atoi(word)
	return err == nil || slices.Contains([]string{"permanent", "temp", "seeother", "gone"}, strings.ToLower(word))
}
