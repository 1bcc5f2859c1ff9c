package renewal

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

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

// refreshRoots asks for the document root of each name whose own is not known or gone, where the request says whom to ask.
// What is answered is used like a -w: it must be a directory, and preflight looks at it. Where nothing useful is answered
// the request stays as it is, and preflight's refusal tells what was said.
func (s *Server) refreshRoots(ctx context.Context, r *ledger.Request) {
	if r.WebrootFrom == "" || !usesRoots(*r) {
		return
	}
	moved := map[string]string{}
	for _, name := range r.Names {
		name = strings.ToLower(name)
		if isWildcard(name) || isDirectory(r.Webroots[name]) || ctx.Err() != nil {
			continue
		}
		answer := s.ask(ctx, r.WebrootFrom, name)
		if answer.err == nil {
			moved[name] = answer.root
		}
	}
	if len(moved) > 0 {
		move(r, moved)
	}
}

// move puts document roots into a request, and takes those that are gone out of what names without one of their own fall
// back on.
func move(r *ledger.Request, roots map[string]string) {
	all := map[string]string{}
	for name, root := range r.Webroots {
		all[name] = root
	}
	for name, root := range roots {
		all[name] = root
	}
	r.Webroots = all
	r.WebrootPaths = slices.DeleteFunc(slices.Clone(r.WebrootPaths), func(path string) bool { return !isDirectory(path) })
	for _, name := range r.Names {
		if root := all[strings.ToLower(name)]; root != "" && !slices.Contains(r.WebrootPaths, root) && len(r.WebrootPaths) == 0 {
			r.WebrootPaths = []string{root}
		}
	}
}

func isDirectory(path string) bool {
	if path == "" {
		return false
	}
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
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
		a = judged(strings.ReplaceAll(from, domainMark, name), "leads to")
	default:
		a = askCommand(ctx, from, name)
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

// askPatience bounds a command that is asked for one document root.
const askPatience = 10 * time.Second

// askCommand runs the command. It is given the name as its last argument; one with something in it for the shell finds the
// name in $1. CERTBOT_DOMAIN holds it as well, as for certbot's own hooks.
func askCommand(ctx context.Context, command, name string) answer {
	ctx, cancel := context.WithTimeout(ctx, askPatience)
	defer cancel()
	line := "set -- '" + name + "'\n" + command // the name is one that needs no quoting
	if !strings.ContainsAny(command, "$|;&<>`()#\n") {
		line += ` "$1"`
	}
	var out, complaints hook.Output
	env := []string{"PATH=" + hookPath(os.Getenv("PATH")), "CERTBOT_DOMAIN=" + name}
	err := hook.Run(ctx, line, env, &out, &complaints)
	said, _, _ := strings.Cut(strings.TrimSpace(complaints.String()), "\n")
	switch {
	case ctx.Err() != nil:
		return answer{err: fmt.Errorf("the command for %s was ended after %s", name, askPatience)}
	case err != nil && said != "":
		return answer{err: fmt.Errorf("the command for %s failed (%w) and said: %s", name, err, failure.Clean(said))}
	case err != nil:
		return answer{err: fmt.Errorf("the command for %s failed: %w", name, err)}
	}
	return judged(strings.TrimRight(out.String(), "\r\n"), "said")
}

// judged takes an answer for what it is: text from somewhere, which must be one absolute path to a directory.
func judged(text, verb string) answer {
	switch {
	case text == "":
		return answer{err: fmt.Errorf("it %s nothing", verb)}
	case !filepath.IsAbs(text) || strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r == 0x7f }):
		return answer{err: fmt.Errorf("it %s %q, which is not one absolute path", verb, failure.Clean(text))}
	case filepath.Clean(text) == "/":
		return answer{err: fmt.Errorf("it %s %q, which is no document root", verb, text)}
	case !isDirectory(text):
		return answer{err: fmt.Errorf("it %s %s, which is no directory", verb, failure.Clean(text))}
	}
	return answer{root: filepath.Clean(text)}
}

// complete adds to a refusal for want of a document root what was said when one was asked for.
func (s *Server) complete(r ledger.Request, result *preflight.Result) {
	if r.WebrootFrom == "" || result.Check != preflight.Webroot || result.Verdict != preflight.Refuse {
		return
	}
	known, ok := s.answers[r.WebrootFrom+"\x00"+strings.ToLower(result.Name)]
	if ok && known.err != nil {
		result.Sentence += "; " + known.err.Error()
		result.Remedy = "Let --webroot-from tell the directory that the web server serves for " + failure.Clean(result.Name) + ", or name it once: orderly certonly --cert-name " +
			failure.Clean(lineageOf(r.Lineage)) + " --webroot -w DIR -d …"
	}
}
