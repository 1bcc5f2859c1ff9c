package doctor

// D34 and D36: from where the web server serves a token, and what it does instead.

import (
	"context"
	"fmt"
	"path"
	"slices"
	"strings"

	"orderly/failure"
	"orderly/webserver"
)

const challengeDir = "/.well-known/acme-challenge"

// otherRoots are names whose tokens are looked for elsewhere than where a renewal puts them.
func otherRoots(ctx context.Context, e *Exam) ([]Finding, error) {
	s := e.webSites(ctx)
	var g gathered
	for _, v := range s.visits {
		for _, a := range v.answers {
			if a.ByDefault || a.Dir == "" || len(a.Doubts) > 0 || a.Fault != nil || e.sameDir(ctx, a.Dir, v.root) {
				continue
			}
			f := v.finds("D34", failure.HTTPWrong, s.toRoot(v, a), "%s", "")
			f.Sentence = otherRoot(v, a)
			f.File, f.Line, f.Since = a.By.File, a.By.Line, touched(a.By.File)
			if e.outlived(v.Lineage, a.By.File, a.Host.File) {
				f.Severity = Doubtful
			}
			g.add(a.Dir+v.root, v.name, f)
		}
	}
	return g.all, nil
}

func otherRoot(v visit, a webserver.Answer) string {
	whose := a.Host.Kind
	if root, ok := a.Root(); ok {
		return failure.Words("%s serves %s from %s (%s), and a renewal writes to %s", whose, v.name, root,
			a.How, v.root)
	}
	return failure.Words("%s looks for the tokens of %s in %s (%s), and a renewal writes to %s", whose,
		v.name, a.Dir, a.How, v.root+challengeDir)
}

// toRoot says how both come to the same directory.
func (s *sites) toRoot(v visit, a webserver.Answer) failure.Remedy {
	root, ok := a.Root()
	if !ok {
		return s.realias(v, a)
	}
	for _, other := range v.Roots {
		if path.Clean(other) != v.root { // the command would change that one, too
			return failure.Advise("Below [[webroot_map]] in %s, write %s = %s.", v.Path, v.name, root)
		}
	}
	return "Run " + failure.Do(failure.NameRoot, v.Lineage.Name, root) + "."
}

// realias leads the challenges' own alias to the document root of the renewals.
func (s *sites) realias(v visit, a webserver.Answer) failure.Remedy {
	script := `%ds|alias[[:space:]][^;]*;|alias "%s/";|`
	if a.Host.Kind == webserver.Apache {
		script = `%ds|.*|Alias ` + challengeDir + `/ "%s/"|`
	}
	dir := replacement(v.root + challengeDir)
	return inPlace(s.serverOf(a.Host), fmt.Sprintf(script, a.By.Line, dir), a.By.File)
}

// replacement is a text as sed puts it in, between bars.
func replacement(text string) string {
	return strings.NewReplacer(`\`, `\\`, "&", `\&`, "|", `\|`).Replace(text)
}

// sameDir reports whether a directory is that of the tokens in a document root, by whatever name.
func (e *Exam) sameDir(ctx context.Context, dir, root string) bool {
	if path.Clean(dir) == path.Clean(root+challengeDir) {
		return true
	}
	other, ok := strings.CutSuffix(path.Clean(dir), challengeDir)
	if !ok {
		other, root = dir, root+challengeDir
	}
	a, errA := e.Web.Writer.Inspect(ctx, other)
	b, errB := e.Web.Writer.Inspect(ctx, root)
	return errA == nil && errB == nil && a.Device == b.Device && a.Inode == b.Inode
}

// inTheWay are rules that keep a token from being served.
func inTheWay(ctx context.Context, e *Exam) ([]Finding, error) {
	s := e.webSites(ctx)
	var g gathered
	for _, v := range s.visits {
		for _, a := range v.answers {
			switch {
			case a.ByDefault: // that no host has the name is said elsewhere
			case len(a.Doubts) > 0:
				if f, ok := e.doubtful(v, a); ok {
					g.add(f.File+f.Sentence, v.name, f)
				}
			case a.Fault != nil:
				f := v.finds("D36", classOf(a.Fault.Kind), s.makeWay(v, a), "%s %s: %s",
					a.Host.Kind, does(a.Fault.Kind, v.name), a.Fault.Words)
				f.File, f.Line, f.Since = a.Fault.Place.File, a.Fault.Place.Line, touched(a.Fault.Place.File)
				if e.outlived(v.Lineage, a.Fault.Place.File, a.Host.File) {
					f.Severity = Doubtful
				}
				g.add(a.Fault.Place.String()+a.Host.Place.String(), v.name, f)
			}
		}
	}
	return g.all, nil
}

// doubtful is a note of what is not understood, where no renewal has succeeded with it.
func (e *Exam) doubtful(v visit, a webserver.Answer) (Finding, bool) {
	d := a.Doubts[0]
	if d.File == "" {
		d.Place = a.Host.Place
	}
	if e.outlived(v.Lineage, d.File, a.Host.File) {
		return Finding{}, false
	}
	f := v.finds("D36", failure.HTTPWrong, "", "whether %s serves the challenges of %s is not known: %s",
		a.Host.Kind, v.name, d.Words)
	f.Remedy = "If it does, nothing is to be done."
	f.File, f.Line, f.Since, f.Severity, f.Cause = d.File, d.Line, touched(d.File), Note, "doubt"
	return f, true
}

func classOf(kind webserver.FaultKind) failure.Class {
	switch kind {
	case webserver.Redirected:
		return failure.Redirect
	case webserver.Rewritten:
		return failure.HTTPWrong
	}
	return failure.HTTPError
}

func does(kind webserver.FaultKind, name string) string {
	switch kind {
	case webserver.Denied:
		return failure.Words("refuses the challenges of %s", name)
	case webserver.Authenticated:
		return failure.Words("wants a password for the challenges of %s", name)
	case webserver.Redirected:
		return failure.Words("redirects the challenges of %s to where no token is", name)
	}
	return failure.Words("serves something else than the tokens of %s", name)
}

// makeWay says what to write so that tokens are served.
func (s *sites) makeWay(v visit, a webserver.Answer) failure.Remedy {
	verb, _, _ := strings.Cut(strings.ToLower(a.Fault.Words), " ")
	server := s.serverOf(a.Host)
	switch {
	case a.Fault.Own:
		return failure.Advise("In %s, line %d, take %s away, and let root %s stand there. Then reload the "+
			"web server.", a.Fault.Place.File, a.Fault.Place.Line, a.Fault.Words, v.root)
	case a.Host.Kind == webserver.Nginx && !a.Fault.OfHost:
		text := fmt.Sprintf("location ^~ %s/ { auth_basic off; allow all; root %s; }", challengeDir,
			nginxWord(v.root))
		return putWithin(server, a.Host, text)
	case a.Host.Kind == webserver.Nginx:
		return failure.Advise("In %s, line %d, put %s into location / { … }, and beside that: "+
			"location ^~ %s/ { root %s; }. Then reload nginx.", a.Fault.Place.File, a.Fault.Place.Line,
			a.Fault.Words, challengeDir, nginxWord(v.root))
	case strings.HasPrefix(verb, "redirect"):
		return failure.Advise("In %s, line %d, take %s away, or let it leave out %s/. Then reload Apache.",
			a.Fault.Place.File, a.Fault.Place.Line, a.Fault.Words, challengeDir)
	case verb == "rewriterule" && a.Fault.OfHost:
		return putLines(server, a.Host.Open, "a", a.Host, "RewriteEngine on", `RewriteRule ^/\.well-known/acme-challenge/ - [L]`)
	}
	section := []string{`<Location "` + challengeDir + `/">`, "AuthType None", "Require all granted"}
	if verb == "rewriterule" {
		section = append(section, "RewriteEngine off")
	}
	if slices.Contains([]string{"order", "deny", "allow"}, verb) {
		section = append(section, "Order deny,allow", "Allow from all")
	}
	// the last section has the last word
	return putLines(server, a.Host.End, "i", a.Host, append(section, "</Location>")...)
}

func nginxWord(text string) string { return `"` + strings.ReplaceAll(text, `"`, `\"`) + `"` }

// putLines puts lines behind (a) or before (i) one of Apache's.
func putLines(server *webserver.Server, at int, where string, h *webserver.Host, all ...string) failure.Remedy {
	text := strings.ReplaceAll(strings.Join(all, "\n"), `\`, `\\`)
	text = strings.ReplaceAll(text, "\n", `\n`)
	return inPlace(server, fmt.Sprintf(`%d%s\%s`, at, where, text), h.File)
}

// putWithin puts a statement behind the bracket that opens a server block, which may end in its line.
func putWithin(server *webserver.Server, h *webserver.Host, text string) failure.Remedy {
	bracket := "{"
	if h.Open == h.Line {
		bracket = `server[[:space:]]*{`
	}
	return inPlace(server, fmt.Sprintf("%ds|%s|& %s|", h.Open, bracket, replacement(text)), h.File)
}
