package renewal

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"orderly/certbot"
	"orderly/failure"
	"orderly/hook"
	"orderly/ledger"
	"orderly/preflight"
)

// domainMark stands in a pattern of --webroot-from for the name.
const domainMark = "{domain}"

// IsRootPattern reports whether a --webroot-from is a path with the name in it, and not a command.
func IsRootPattern(from string) bool {
	return filepath.IsAbs(from) && strings.Contains(from, domainMark)
}

// CheckWebrootFrom refuses a --webroot-from that could not be used or kept, before anything is ordered.
func CheckWebrootFrom(from string, getenv func(string) string) error {
	if from == "" {
		return nil
	}
	if err := certbot.CanHold(from); err != nil {
		return failure.Wrap(err, failure.Usage, "Write it into a script of its own, and name that.", "--webroot-from cannot be kept in a renewal file")
	}
	if !IsRootPattern(from) {
		return CheckHook("webroot-from", from, getenv)
	}
	if program, _, more := strings.Cut(from, " "); more && executable(program, "") {
		return failure.New(failure.Usage, "Leave "+domainMark+" out: a command is given the name as its last argument.",
			"--webroot-from %s: it is read as the path of a directory, but begins with a program", failure.Clean(from))
	}
	return nil
}

// refreshRoots asks for the document root of each name, where the request says whom to ask: a site may move while the
// directory that it left still stands. What was known before serves only where no useful answer comes, with a note. What is
// answered is used like a -w: it must be a directory, and preflight looks at it. Where neither serves the request stays as
// it is, and preflight's refusal tells what was said.
func (s *Server) refreshRoots(ctx context.Context, r *ledger.Request) {
	if r.WebrootFrom == "" || !usesRoots(*r) {
		return
	}
	moved := map[string]string{}
	for _, name := range r.Names {
		name = strings.ToLower(name)
		if isWildcard(name) || ctx.Err() != nil {
			continue
		}
		answer, last := s.ask(ctx, r.WebrootFrom, name), r.Webroots[name]
		switch {
		case answer.err == nil && answer.root != last:
			moved[name] = answer.root
			if last != "" {
				s.Report.Tell("The document root of %s is %s now, as --webroot-from says; it was %s.", name, failure.Clean(answer.root), failure.Clean(last))
			}
		case answer.err != nil && last != "" && ctx.Err() == nil && s.usable(ctx, last):
			s.warnOnce(fmt.Sprintf("%v; the document root that was known before is used: %s", answer.err, failure.Clean(last)))
		}
	}
	if len(moved) > 0 {
		move(r, moved)
	}
}

// move puts document roots into a request. In what names without one of their own fall back on, and certbot with them, the
// new ones take the place of those that were left.
func move(r *ledger.Request, roots map[string]string) {
	all := maps.Clone(r.Webroots)
	if all == nil {
		all = map[string]string{}
	}
	left := map[string]string{}
	for name, root := range roots {
		if was := all[name]; was != "" {
			left[was] = root
		}
		all[name] = root
	}
	r.Webroots = all
	var paths []string
	for _, path := range r.WebrootPaths {
		if now, moved := left[path]; moved && !slices.Contains(slices.Collect(maps.Values(all)), path) {
			path = now
		}
		if !slices.Contains(paths, path) {
			paths = append(paths, path)
		}
	}
	for _, name := range r.Names {
		if root := all[strings.ToLower(name)]; root != "" && len(paths) == 0 {
			paths = []string{root}
		}
	}
	r.WebrootPaths = paths
}

// usable reports whether a document root is there and fit to be written to.
func (s *Server) usable(ctx context.Context, root string) bool {
	_, err := s.Writer.Inspect(ctx, root)
	return err == nil
}

// answer is what --webroot-from said about a name.
type answer struct {
	root string
	err  error
}

// ask finds the document root of a name, once in a run.
func (s *Server) ask(ctx context.Context, from, name string) answer {
	key := from + "\x00" + name
	if known, ok := s.answers[key]; ok {
		return known
	}
	var a answer
	switch {
	case strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789-._:") != "" || strings.Contains(name, "..") || strings.HasPrefix(name, "-"):
		a.err = fmt.Errorf("%s is no name to ask for", failure.Clean(name))
	case IsRootPattern(from):
		a = s.judged(ctx, strings.ReplaceAll(from, domainMark, name), "leads to")
	default:
		ended := s.slowly("--webroot-from to tell the document root of %s: %s", failure.Clean(name), failure.Clean(from))
		a = s.askCommand(ctx, from, name)
		ended()
	}
	if a.err != nil {
		a.err = fmt.Errorf("--webroot-from %s: %w", failure.Clean(from), a.err)
	}
	if ctx.Err() != nil {
		return a // it was cut short, and may say something else next time
	}
	if s.answers == nil {
		s.answers = map[string]answer{}
	}
	s.answers[key] = a
	s.Log.Info("asked for a document root", "name", name, "from", from, "root", a.root, "error", a.err)
	return a
}

const (
	// askPatience bounds a command that is asked for one document root, unless the settings say otherwise.
	askPatience = 10 * time.Second
	// askNotice is after how long a person is told that it is waited for.
	askNotice = time.Second
	// mostSilent is how often in a row a command may be silent for that long before the run asks it no more: a panel that is
	// down would otherwise hold up a round over a thousand names for hours.
	mostSilent = 3
)

// askCommand runs the command, unless it was silent too often.
func (s *Server) askCommand(ctx context.Context, command, name string) answer {
	patience := s.Settings.RootPatience
	if patience == 0 {
		patience = askPatience
	}
	if s.silent >= mostSilent {
		return answer{err: fmt.Errorf("the command was ended after %s %d times in a row, and is not asked for %s", patience, s.silent, name)}
	}
	bounded, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	heard := make(chan spoken, 1)
	go func() { heard <- runAsked(bounded, command, name) }()
	notice := time.NewTimer(askNotice)
	defer notice.Stop()
	var said spoken
	select {
	case said = <-heard:
	case <-notice.C:
		s.Report.Tell("Waiting for --webroot-from %s to say the document root of %s, at most %s.", failure.Clean(command), name, patience)
		said = <-heard
	}
	if bounded.Err() == nil {
		s.silent = 0
	} else if ctx.Err() == nil {
		s.silent++
	}
	complaint, _, _ := strings.Cut(strings.TrimSpace(said.stderr), "\n")
	switch {
	case bounded.Err() != nil:
		return answer{err: fmt.Errorf("the command for %s was ended after %s", name, patience)}
	case said.err != nil && complaint != "":
		return answer{err: fmt.Errorf("the command for %s failed (%w) and said: %s", name, said.err, failure.Clean(complaint))}
	case said.err != nil:
		return answer{err: fmt.Errorf("the command for %s failed: %w", name, said.err)}
	}
	return s.judged(ctx, strings.TrimRight(said.stdout, "\r\n"), "said")
}

// spoken is what a command wrote and how it ended.
type spoken struct {
	stdout, stderr string
	err            error
}

// runAsked runs the command. It is given the name as its last argument; one with something in it for the shell finds the
// name in $1. CERTBOT_DOMAIN holds it as well, as for certbot's own hooks.
func runAsked(ctx context.Context, command, name string) spoken {
	line := "set -- '" + name + "'\n" + command // the name is one that needs no quoting
	if !strings.ContainsAny(command, "$|;&<>`()#\n") {
		line += ` "$1"`
	}
	var out, complaints hook.Output
	env := []string{"PATH=" + hookPath(os.Getenv("PATH")), "CERTBOT_DOMAIN=" + name}
	err := hook.Run(ctx, line, env, &out, &complaints)
	return spoken{out.String(), complaints.String(), err}
}

// longestRoot is the longest document root that is believed: no system takes a longer path (PATH_MAX).
const longestRoot = 4095

// judged takes an answer for what it is: text from somewhere, which must be one absolute path to a directory, and one that a
// renewal file can hold: what cannot be kept must be found before the order, not when its certificate is put in place.
func (s *Server) judged(ctx context.Context, text, verb string) answer {
	switch {
	case text == "":
		return answer{err: fmt.Errorf("it %s nothing", verb)}
	case !filepath.IsAbs(text) || len(text) > longestRoot || !printable(text):
		return answer{err: fmt.Errorf("it %s %q, which is not one absolute path", verb, failure.Clean(text))}
	case filepath.Clean(text) == "/":
		return answer{err: fmt.Errorf("it %s %q, which is no document root", verb, text)}
	}
	root := filepath.Clean(text)
	if err := certbot.CanHold(root); err != nil {
		return answer{err: fmt.Errorf("it %s %s, which cannot be kept in a renewal file: %w", verb, failure.Clean(text), err)}
	}
	if _, err := s.Writer.Inspect(ctx, root); failure.ClassOf(err) == failure.WebrootGone {
		return answer{err: fmt.Errorf("it %s %s, which is no directory", verb, failure.Clean(text))}
	}
	return answer{root: root} // what else is wrong with it preflight says
}

// printable reports whether a path can be shown and kept as it is. What cannot would be another path in the ledger.
func printable(path string) bool {
	return utf8.ValidString(path) && !strings.ContainsFunc(path, func(r rune) bool { return r != ' ' && !unicode.IsPrint(r) })
}

// complete adds to a refusal for want of a document root what was said when one was asked for.
func (s *Server) complete(r ledger.Request, result *preflight.Result) {
	if r.WebrootFrom == "" || result.Check != preflight.Webroot || result.Verdict != preflight.Refuse {
		return
	}
	known, ok := s.answers[r.WebrootFrom+"\x00"+strings.ToLower(result.Name)]
	if ok && known.err != nil {
		result.Sentence += "; " + known.err.Error()
		result.Remedy = "Let --webroot-from tell the directory that the web server serves for " + failure.Clean(result.Name) +
			", or name it once: " + failure.Command("orderly", "reconfigure", "--cert-name", lineageOf(r.Lineage), "--webroot", "-w", "DIR") + "."
	}
}
