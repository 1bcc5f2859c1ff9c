package host

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode"
	"unicode/utf8"

	"orderly/certbot"
	"orderly/failure"
	"orderly/hook"
	"orderly/outside"
	"orderly/preflight"
	"orderly/slot"
	"orderly/solver/webroot"
)

// A site may move while the directory that it left still stands. Whoever deploys it knows where it
// is: --webroot-from names a command, or a pattern, that is asked before each order. What it says
// is text from somewhere, and used like a -w: it must be a directory, and preflight looks at it.

// Roots asks for document roots.
type Roots struct {
	Writer   *webroot.Writer
	Voice    *Voice
	Log      *slog.Logger
	Patience time.Duration // with a command, each time; 0: askPatience

	mu      sync.Mutex
	answers map[string]answer // each name is asked for once in a run
	silent  int               // how often in a row the command did not answer in time
}

// domainMark stands in a pattern of --webroot-from for the name.
const domainMark = "{domain}"

// IsRootPattern reports whether a --webroot-from is a path with the name in it, and not a command.
func IsRootPattern(from string) bool {
	return filepath.IsAbs(from) && strings.Contains(from, domainMark)
}

// CheckWebrootFrom refuses a --webroot-from that could not be used or kept, before anything is
// ordered.
func CheckWebrootFrom(from string, getenv func(string) string) error {
	if from == "" {
		return nil
	}
	if err := certbot.CanHold(from); err != nil {
		return failure.Wrap(err, failure.Usage, "Write it into a script of its own, and name that.",
			"%s cannot be kept in a renewal file", failure.Do(failure.RootFrom))
	}
	if !IsRootPattern(from) {
		return CheckHook("webroot-from", from, getenv)
	}
	if program, _, more := strings.Cut(from, " "); more && executable(program, "") {
		return failure.New(failure.Usage,
			"Leave "+domainMark+" out: a command is given the name as its last argument.",
			"%s %s: it is read as the path of a directory, but begins with a program",
			failure.Do(failure.RootFrom), failure.Clean(from))
	}
	return nil
}

// Refresh asks for the document root of each name, where the request says whom to ask: a site may
// move while the directory that it left still stands. What was known before serves only where no
// useful answer comes, with a note. What is answered is used like a -w: it must be a directory, and
// preflight looks at it. Where neither serves the request stays as it is, and preflight's refusal
// tells what was said.
func (q *Roots) Refresh(ctx context.Context, r *Request) {
	if r.WebrootFrom == "" || !usesRoots(*r) {
		return
	}
	moved := map[string]string{}
	for _, name := range r.Names {
		name = strings.ToLower(name)
		if isWildcard(name) || ctx.Err() != nil {
			continue
		}
		answer, last := q.ask(ctx, r.WebrootFrom, name), r.Webroots[name]
		switch {
		case answer.err == nil && answer.root != last:
			moved[name] = answer.root
			if last != "" {
				q.Voice.Tell("The document root of %s is %s now, as %s says; it was %q.", name,
					failure.Clean(answer.root), failure.Do(failure.RootFrom), failure.Clean(last))
			}
		case answer.err != nil && last != "" && ctx.Err() == nil && q.usable(ctx, last):
			q.Voice.In(ctx).WarnOnce("%v; the document root that was known before is used: %s",
				answer.err, failure.Clean(last))
		}
	}
	if len(moved) > 0 {
		move(r, moved)
	}
}

// move puts document roots into a request. In what names without one of their own fall back on, and
// certbot with them, the new ones take the place of those that were left.
func move(r *Request, roots map[string]string) {
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
		if now, moved := left[path]; moved && !slices.Contains(slices.Collect(maps.Values(all)),
			path) {
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
func (q *Roots) usable(ctx context.Context, root string) bool {
	_, err := q.Writer.Inspect(ctx, root)
	return err == nil
}

// answer is what --webroot-from said about a name.
type answer struct {
	root string
	err  error
}

func (q *Roots) known(from, name string) (answer, bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	a, ok := q.answers[from+"\x00"+name]
	return a, ok
}

func (q *Roots) keep(from, name string, a answer) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.answers == nil {
		q.answers = map[string]answer{}
	}
	q.answers[from+"\x00"+name] = a
}

// hush counts how often in a row the command was silent for too long.
func (q *Roots) hush(silent bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.silent++; !silent {
		q.silent = 0
	}
}

func (q *Roots) silences() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.silent
}

// ask finds the document root of a name, once in a run.
func (q *Roots) ask(ctx context.Context, from, name string) answer {
	if known, ok := q.known(from, name); ok {
		return known
	}
	var a answer
	switch {
	case strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789-._:") != "" || strings.Contains(name, "..") || strings.HasPrefix(name, "-"):
		a.err = fmt.Errorf("%s is no name to ask for", failure.Clean(name))
	case IsRootPattern(from):
		a = q.judged(ctx, strings.ReplaceAll(from, domainMark, name), "leads to")
	default:
		ended := q.Voice.Slowly("%s to tell the document root of %s: %s",
			failure.Do(failure.RootFrom), failure.Clean(name), failure.Clean(from))
		slot.Slowly(ctx, func() { a = q.askCommand(ctx, from, name) })
		ended()
	}
	if a.err != nil {
		a.err = fmt.Errorf("--webroot-from %s: %w", failure.Clean(from), a.err)
	}
	if ctx.Err() != nil {
		return a // it was cut short, and may say something else next time
	}
	q.keep(from, name, a)
	q.Log.Info("asked for a document root", "name", name, "from", from, "root", a.root, "error",
		a.err)
	return a
}

const (
	// askPatience bounds a command that is asked for one document root, unless the settings say
	// otherwise.
	askPatience = 10 * time.Second
	// askNotice is after how long a person is told that it is waited for.
	askNotice = time.Second
	// mostSilent is how often in a row a command may be silent for that long before the run asks it
	// no more: a panel that is down would otherwise hold up a round over a thousand names for
	// hours.
	mostSilent = 3
)

// askCommand runs the command, unless it was silent too often.
func (q *Roots) askCommand(ctx context.Context, command, name string) answer {
	patience := q.Patience
	if patience == 0 {
		patience = askPatience
	}
	if silent := q.silences(); silent >= mostSilent {
		return answer{err: fmt.Errorf("the command was ended after %s %d times in a row, and is not asked for %s", patience, silent, name)}
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
		q.Voice.Tell("Waiting for %s %s to say the document root of %s, at most %q.",
			failure.Do(failure.RootFrom), failure.Clean(command), name, patience)
		said = <-heard
	}
	if bounded.Err() == nil || ctx.Err() == nil {
		q.hush(bounded.Err() != nil)
	}
	complaint, _, _ := strings.Cut(strings.TrimSpace(said.stderr.Arrived()), "\n")
	switch {
	case bounded.Err() != nil:
		return answer{err: fmt.Errorf("the command for %s was ended after %s", name, patience)}
	case said.err != nil && complaint != "":
		return answer{err: fmt.Errorf("the command for %s failed (%w) and said: %s", name, said.err,
			failure.Clean(complaint))}
	case said.err != nil:
		return answer{err: fmt.Errorf("the command for %s failed: %w", name, said.err)}
	}
	return q.judged(ctx, strings.TrimRight(said.stdout.Arrived(), "\r\n"), "said")
}

// spoken is what a command wrote and how it ended.
type spoken struct {
	stdout, stderr outside.Printed
	err            error
}

// runAsked runs the command. It is given the name as its last argument; one with something in it
// for the shell finds the name in $1. CERTBOT_DOMAIN holds it as well, as for certbot's own hooks.
func runAsked(ctx context.Context, command, name string) spoken {
	line := "set -- '" + name + "'\n" + command // the name is one that needs no quoting
	if !strings.ContainsAny(command, "$|;&<>`()#\n") {
		line += ` "$1"`
	}
	var out, complaints hook.Output
	env := []string{"PATH=" + hookPath(os.Getenv("PATH")), "CERTBOT_DOMAIN=" + name}
	err := hook.Run(ctx, line, env, &out, &complaints)
	return spoken{out.Printed(), complaints.Printed(), err}
}

// longestRoot is the longest document root that is believed: no system takes a longer path
// (PATH_MAX).
const longestRoot = 4095

// judged takes an answer for what it is: text from somewhere, which must be one absolute path to a
// directory, and one that a renewal file can hold: what cannot be kept must be found before the
// order, not when its certificate is put in place.
func (q *Roots) judged(ctx context.Context, text, verb string) answer {
	switch {
	case text == "":
		return answer{err: fmt.Errorf("it %s nothing", verb)}
	case !filepath.IsAbs(text) || len(text) > longestRoot || !printable(text):
		return answer{err: fmt.Errorf("it %s %q, which is not one absolute path", verb,
			failure.Clean(text))}
	case filepath.Clean(text) == "/":
		return answer{err: fmt.Errorf("it %s %q, which is no document root", verb, text)}
	}
	root := filepath.Clean(text)
	if err := certbot.CanHold(root); err != nil {
		return answer{err: fmt.Errorf("it %s %s, which cannot be kept in a renewal file: %w", verb,
			failure.Clean(text), err)}
	}
	if _, err := q.Writer.Inspect(ctx, root); failure.ClassOf(err) == failure.WebrootGone {
		return answer{err: fmt.Errorf("it %s %s, which is no directory", verb, failure.Clean(text))}
	}
	return answer{root: root} // what else is wrong with it preflight says
}

// printable reports whether a path can be shown and kept as it is. What cannot would be another
// path in the ledger.
func printable(path string) bool {
	return utf8.ValidString(path) && !strings.ContainsFunc(path,
		func(r rune) bool { return r != ' ' && !unicode.IsPrint(r) })
}

// complete adds to a refusal for want of a document root what was said when one was asked for.
func (q *Roots) complete(r Request, result *preflight.Result) {
	if r.WebrootFrom == "" || result.Check != preflight.Webroot || result.Verdict != preflight.Refuse {
		return
	}
	known, ok := q.known(r.WebrootFrom, strings.ToLower(result.Name))
	if ok && known.err != nil {
		result.Sentence += "; " + known.err.Error()
		if r.New { // a lineage that is not there cannot be told anything
			result.Remedy = failure.Advise("Let %s tell the directory that the web server serves for "+
				"%s, or add it to this command: %s.", failure.Do(failure.RootFrom),
				failure.Clean(result.Name), failure.Do(failure.DocumentRoot, "DIR"))
			return
		}
		result.Remedy = failure.Advise("Let %s tell the directory that the web server serves for %s, "+
			"or name it once: %s.",
			failure.Do(failure.RootFrom), failure.Clean(result.Name),
			failure.Do(failure.NameRoot, LineageOf(r.Lineage)))
	}
}
