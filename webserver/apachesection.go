package webserver

import (
	"context"
	"path"
	"slices"
	"strings"
)

// Which sections concern a file, in the order in which Apache lets the later override the earlier,
// and what they say of access. The .htaccess of a customer stands among them.

// section is one that concerns the request.
type section struct {
	block []statement
	dir   string // of which it is; "" for files and locations
	where string // the path of a location
}

func (w *apacheWalk) sections(ctx context.Context) []section {
	all := w.directories(ctx)
	for _, s := range w.inOrder("<files", "<filesmatch") {
		if w.fitsFile(s) {
			all = append(all, section{block: s.block})
		}
	}
	for _, s := range w.inOrder("<location", "<locationmatch") {
		if w.fitsPath(s, w.uri) {
			all = append(all, section{block: s.block, where: s.arg(1)})
		}
	}
	for _, s := range all {
		for _, inner := range s.block {
			if (inner.name() == "<if" || inner.name() == "<iffile") && decides(inner.block) {
				w.doubts = append(w.doubts, doubt(inner, "whether that holds for a CA is not known"))
			}
		}
	}
	return all
}

// decides reports whether a block has anything to do with who gets what.
func decides(block []statement) bool {
	return slices.ContainsFunc(block, func(s statement) bool {
		return slices.Contains([]string{"require", "deny", "redirect", "redirectmatch", "rewriterule",
			"authtype", "<requireall", "<requireany", "<requirenone"}, s.name())
	})
}

// inOrder are the sections of a kind, the main server's first.
func (w *apacheWalk) inOrder(names ...string) []statement {
	var all []statement
	for _, block := range [][]statement{w.main.own, w.host} {
		for _, s := range block {
			if s.block != nil && slices.Contains(names, s.name()) {
				all = append(all, s)
			}
		}
	}
	return all
}

// directories are the sections of the directories on the way to the file, from the root on, each with
// its .htaccess behind it, and then those with patterns.
func (w *apacheWalk) directories(ctx context.Context) []section {
	var all []section
	plain := w.inOrder("<directory")
	override := "none"
	for _, dir := range ancestors(path.Dir(w.file)) {
		for _, s := range plain {
			if s.arg(1) == "~" || !fitsDirectory(s.arg(1), dir) {
				continue
			}
			all = append(all, section{block: s.block, dir: dir})
			for _, inner := range s.block {
				if inner.name() == "allowoverride" || inner.name() == "allowoverridelist" {
					override = strings.ToLower(inner.arg(1))
				}
			}
		}
		if override != "none" {
			all = append(all, w.customer(ctx, dir)...)
		}
	}
	for _, s := range w.inOrder("<directory", "<directorymatch") {
		if s.name() == "<directorymatch" || s.arg(1) == "~" {
			if w.fitsPattern(s, path.Dir(w.file)+"/") {
				all = append(all, section{block: s.block, dir: path.Dir(w.file)})
			}
		}
	}
	return all
}

// ancestors are a directory and those above it, the root first.
func ancestors(dir string) []string {
	all := []string{dir}
	for dir != "/" && dir != "." {
		dir = path.Dir(dir)
		all = append(all, dir)
	}
	slices.Reverse(all)
	return all
}

func fitsDirectory(pattern, dir string) bool {
	pattern = path.Clean(pattern)
	if !isGlob(pattern) {
		return pattern == dir
	}
	ok, _ := path.Match(pattern, dir)
	return ok
}

// customer is what a customer's .htaccess says.
func (w *apacheWalk) customer(ctx context.Context, dir string) []section {
	name := ".htaccess"
	if s, ok := w.setting("accessfilename"); ok {
		name = s.arg(1)
	}
	if w.q.read == nil || name == "" || strings.Contains(name, "/") {
		w.doubts = append(w.doubts, Note{Place: Place{File: path.Join(dir, name)}, Words: "it cannot be read"})
		return nil
	}
	text, found := w.q.read(ctx, dir, name)
	if !found {
		return nil
	}
	block := w.main.customers(path.Join(dir, name), text)
	all := []section{{block: block, dir: dir}}
	for _, s := range block {
		if (s.name() == "<files" || s.name() == "<filesmatch") && w.fitsFile(s) {
			all = append(all, section{block: s.block})
		}
	}
	return all
}

func (w *apacheWalk) fitsFile(s statement) bool {
	if s.name() == "<filesmatch" || s.arg(1) == "~" {
		return w.fitsPattern(s, exampleToken)
	}
	ok, _ := path.Match(s.arg(1), exampleToken)
	return ok
}

func (w *apacheWalk) fitsPath(s statement, uri string) bool {
	switch {
	case s.name() == "<locationmatch" || s.arg(1) == "~":
		return w.fitsPattern(s, uri)
	case isGlob(s.arg(1)):
		ok, _ := path.Match(s.arg(1), uri)
		return ok
	}
	_, ok := below(uri, s.arg(1))
	return ok
}

func (w *apacheWalk) fitsPattern(s statement, subject string) bool {
	text := s.arg(1)
	if text == "~" {
		text = s.arg(2)
	}
	p, ok := w.compile(text, false)
	if !ok && decides(s.block) {
		w.doubts = append(w.doubts, doubt(s, "its pattern is not understood"))
	}
	return ok && p.matches(subject) == yes
}

// access is what the sections say of somebody whose address is not known and who has no password.
func (w *apacheWalk) access(sections []section) (verdict, bool) {
	var require, compat []statement
	kind, satisfy := statement{}, ""
	for _, s := range sections {
		var own, old []statement
		for _, inner := range s.block {
			switch inner.name() {
			case "require", "<requireall", "<requireany", "<requirenone":
				own = append(own, inner)
			case "order", "allow", "deny":
				old = append(old, inner)
			case "authtype":
				kind = inner
			case "satisfy":
				satisfy = strings.ToLower(inner.arg(1))
			}
		}
		if own != nil {
			require = own
		}
		if old != nil {
			compat = old
		}
	}
	refused, asked := refusedBy(compat)
	if refused == nil || satisfy == "any" {
		granted := granted(require, false, 0)
		if satisfy == "any" && (granted == yes || refused == nil && compat != nil) {
			return verdict{}, false
		}
		if granted == unknown {
			w.doubts = append(w.doubts, doubt(require[0], "whom that lets in is not known"))
			return verdict{}, false
		}
		if granted == yes {
			return verdict{}, false
		}
		refused, asked = &require[0], slices.ContainsFunc(require, byPassword)
	}
	if asked && kind.words != nil {
		return fault(Authenticated, *refused), true
	}
	return fault(Denied, *refused), true
}

func byPassword(s statement) bool {
	return slices.Contains([]string{"valid-user", "user", "group"}, strings.ToLower(s.arg(1)))
}

// granted says whether one of these lets somebody in of whom nothing is known; all of them have to
// where every is set.
func granted(block []statement, every bool, depth int) truth {
	if len(block) == 0 {
		return yes
	}
	result := truthOf(every)
	for _, s := range block {
		one := grants(s, depth)
		if every {
			result = result.and(one)
		} else {
			result = result.or(one)
		}
	}
	return result
}

func grants(s statement, depth int) truth {
	word, negated := strings.ToLower(s.arg(1)), false
	switch s.name() {
	case "<requireall":
		return granted(s.block, true, depth+1)
	case "<requireany":
		return granted(s.block, false, depth+1)
	case "<requirenone":
		return granted(s.block, false, depth+1).not()
	case "require":
	default:
		return yes
	}
	if word == "not" {
		word, negated = strings.ToLower(s.arg(2)), true
	}
	t := unknown
	switch word {
	case "all":
		t = truthOf(strings.EqualFold(s.args()[len(s.args())-1], "granted"))
	case "valid-user", "user", "group", "ip", "host", "local", "forward-dns":
		t = no // a CA's addresses are nobody's to list
	case "method":
		t = truthOf(slices.Contains(s.args(), "GET"))
	}
	if negated {
		return t.not()
	}
	return t
}

// refusedBy is the rule of Apache 2.2's that refuses everybody.
func refusedBy(block []statement) (*statement, bool) {
	var deny, allow *statement
	allowLast := true
	for i, s := range block {
		everybody := strings.EqualFold(s.arg(2), "all")
		switch {
		case s.name() == "order":
			allowLast = strings.EqualFold(strings.ReplaceAll(strings.Join(s.args(), ""), " ", ""), "deny,allow")
			if !allowLast && deny == nil {
				deny = &block[i] // what nothing allows is denied
			}
		case s.name() == "deny" && everybody:
			deny = &block[i]
		case s.name() == "allow" && everybody:
			allow = &block[i]
		}
	}
	switch {
	case deny == nil, allow != nil && (allowLast || deny.name() == "order"):
		return nil, false
	}
	return deny, false
}
