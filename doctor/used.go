package doctor

// What uses certificates of this host: the web servers by their own word, and whatever has a file in
// which one is named. What is not understood may use each of them, and nothing is put aside then.

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"orderly/failure"
	"orderly/webserver"
)

// usage is what uses which lineages' files.
type usage struct {
	serves map[string]bool   // lineages that a running web server uses
	named  map[string]string // the file in which a lineage is named, by lineage
	hands  string            // what may give each renewed certificate to somebody, "" for nothing
	err    error             // why nothing of it is certain
}

// used says what is in use, as it was when the web servers were asked first, or anew.
func (e *Exam) used(ctx context.Context, anew bool) (*usage, error) {
	if e.Web == nil || !e.Wanted.allows(WebServer) {
		return nil, failure.New(failure.Config, failure.Advise("Let them be asked: add %s to the same command.",
			failure.Do(failure.AskWebServers)), "what is in use only the web servers can say, and they were not asked")
	}
	if anew {
		return e.usesOf(ctx, e.Web.Look(ctx))
	}
	if e.usage == nil {
		u, err := e.usesOf(ctx, e.webSites(ctx).Survey)
		if u == nil {
			u = &usage{}
		}
		e.usage, u.err = u, err
	}
	return e.usage, e.usage.err
}

// usesOf says what is in use by the word of these web servers, and by the files in which lineages
// are named.
func (e *Exam) usesOf(ctx context.Context, survey *webserver.Survey) (*usage, error) {
	if err := unclear(survey); err != nil {
		return nil, err
	}
	u := &usage{serves: map[string]bool{}, named: map[string]string{}}
	dirs := e.written()
	for _, server := range slices.Concat(survey.Servers, survey.Idle) {
		for _, h := range server.Hosts {
			if filepath.IsAbs(h.File) && !customers(h.File) {
				dirs[filepath.Dir(h.File)] = 0
			}
			if err := e.taken(u, h, server.PID != 0); err != nil {
				return nil, err
			}
		}
	}
	if err := e.searched(ctx, u, dirs); err != nil {
		return nil, err
	}
	return u, nil
}

// searching is how long the search may take: a file server that is away may keep it for ever.
const searching = 2 * time.Minute

// searched looks through all directories. After an error nobody may read u: the search may still go
// on.
func (e *Exam) searched(ctx context.Context, u *usage, dirs map[string]int) error {
	if e.Tell != nil {
		notice := time.AfterFunc(time.Second, func() {
			e.Tell("Looking through the files of /etc and of programs for what uses the certificates.")
		})
		defer notice.Stop()
	}
	ctx, cancel := context.WithTimeout(ctx, searching)
	defer cancel()
	done := make(chan error, 1)
	go func() {
		for dir, deep := range dirs {
			if err := e.mentions(ctx, u, dir, deep); err != nil {
				done <- err
				return
			}
		}
		done <- nil
	}()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return failure.Wrap(context.Cause(ctx), failure.Config, "Look by hand what uses them.",
			"what uses the certificates was not found out in time")
	}
}

// written are the directories in which people write what uses certificates, and how deep in them,
// 0 for wholly: where programs are installed and sites are kept lie too many files that are nobody's
// word.
func (e *Exam) written() map[string]int {
	dirs := map[string]int{filepath.Join(e.Disk.Dirs.Config, "renewal-hooks"): 0}
	for dir, deep := range map[string]int{"etc": 0, "usr/local/etc": 0, "usr/local/bin": 0,
		"usr/local/sbin": 0, "var/spool/cron": 0, "root": 4, "opt": 4, "srv": 3,
		"var/lib/docker/containers": 2} {
		dirs[filepath.Join("/", e.Root, dir)] = deep
	}
	return dirs
}

// unclear returns what keeps the web servers' word from being the whole truth.
func unclear(s *webserver.Survey) error {
	const look = "Look by hand what uses them."
	if len(s.Servers) == 0 {
		return failure.New(failure.Config, look, "no web server runs here that could say what is in use")
	}
	if len(s.Elsewhere) > 0 {
		return failure.New(failure.Config, look, "a web server runs in a container or as another user, and does not say what it uses")
	}
	for _, server := range s.Servers {
		if server.Broken != nil {
			return failure.New(failure.Config, "Repair its configuration first.",
				"the configuration of %s is broken, and does not say what it uses", server.Kind)
		}
		if len(server.Puzzles) > 0 {
			return failure.New(failure.Config, look, "the configuration of %s is not wholly understood: %s",
				server.Kind, server.Puzzles[0].Place)
		}
	}
	return nil
}

// taken records the certificates of a host.
func (e *Exam) taken(u *usage, h *webserver.Host, runs bool) error {
	for _, c := range h.Certificates {
		for _, file := range []string{c.File, c.Key} {
			if err := e.takes(u, file, c.Place, runs); err != nil {
				return err
			}
		}
	}
	return nil
}

// takes records what a host's file belongs to.
func (e *Exam) takes(u *usage, file string, at webserver.Place, runs bool) error {
	if file == "" {
		return nil
	}
	if !filepath.IsAbs(file) || strings.ContainsAny(file, "$%") {
		return failure.New(failure.Config, "Look by hand what uses them.",
			"which certificate %s uses is not understood: %s", at, file)
	}
	ends := []string{file, resolvedDir(file)}
	if end, err := filepath.EvalSymlinks(file); err == nil {
		ends = append(ends, end)
	}
	for _, path := range ends {
		for _, name := range namedIn(path) {
			if u.named[name] == "" {
				u.named[name] = at.File
			}
			if runs && e.below(path, name) {
				u.serves[name] = true
			}
		}
	}
	return nil
}

// below reports whether a path is one of the lineage's in this configuration directory.
func (e *Exam) below(path, name string) bool {
	for _, top := range []string{"live", "archive"} {
		dir := filepath.Join(e.Disk.Dirs.Config, top, name)
		if sameFile(filepath.Dir(path), dir) || resolvedDir(path) == filepath.Join(resolvedDir(dir), filepath.Base(path)) {
			return true
		}
	}
	return false
}

// naming finds where files of lineages are named, as a path or in a script.
var naming = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`(?:live|archive)(?:\\?/(?:\.\\?/)?)+([^/\s"'` + "`" + `;:,)\\]+)`)
})

// patterns are what stands in a name for others.
const patterns = "$*?%{[@"

// namedIn are the lineages that a text may name.
func namedIn(text string) (names []string) {
	for _, found := range naming().FindAllStringSubmatch(text, -1) {
		names = append(names, found[1])
		if end := strings.IndexAny(found[1], "<>}](&|#!=^~"); end > 0 { // of a tag, a list, a comment
			names = append(names, found[1][:end])
		}
	}
	return names
}

const (
	// mostNaming and largestNaming bound the search in /etc: an entry more, and nothing is certain.
	mostNaming    = 200_000
	largestNaming = 4 << 20
)

// mentions looks through a directory for files that name lineages, and for links to them.
func (e *Exam) mentions(ctx context.Context, u *usage, dir string, deep int) error {
	seen, words := 0, e.wording()
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if seen++; ctx.Err() != nil || seen > mostNaming {
			return errors.Join(context.Cause(ctx), errors.New("it is too much to be looked through"))
		}
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return nil
		case err != nil:
			return err
		case path != dir && deep > 0 && (entry.Name()[0] == '.' ||
			entry.IsDir() && depth(dir, path) >= deep):
			return skipped(entry) // what a shell remembers uses nothing
		case e.neverUses(path):
			return skipped(entry)
		}
		text, err := textOf(path, entry)
		if err == nil && entry.Type()&fs.ModeSymlink != 0 && e.leadsToAll(path) {
			err = errors.New(path + " leads to all certificates")
		}
		if err == nil {
			err = words.note(u, path, text)
		}
		return err
	})
	if err == nil {
		return nil
	}
	return failure.Wrap(err, failure.Config, "Look by hand what uses them.",
		"whether something in %s uses the certificates is not known", dir)
}

// depth is how many directories below another one something lies.
func depth(dir, path string) int {
	return strings.Count(strings.TrimPrefix(path, dir), string(filepath.Separator))
}

// skipped leaves an entry out.
func skipped(entry fs.DirEntry) error {
	if entry.IsDir() {
		return fs.SkipDir
	}
	return nil
}

// leadsToAll reports whether a link leads to a directory of all lineages', by which each of them can
// be named in words that are not known. The configuration directory's own links are no use of it.
func (e *Exam) leadsToAll(path string) bool {
	for _, top := range []string{"live", "archive"} {
		dir := filepath.Join(e.Disk.Dirs.Config, top)
		if path == dir {
			return false
		}
		if isOne(path, dir) {
			return true
		}
	}
	return false
}

// isOne reports whether two paths lead to the same file or directory.
func isOne(a, b string) bool {
	one, err := os.Stat(a)
	if err != nil {
		return false
	}
	other, err := os.Stat(b)
	return err == nil && os.SameFile(one, other)
}

// neverUses reports whether nothing at a path says what is in use: lineages' own, rules by which
// programs may read all of them, and etckeeper's list of modes.
func (e *Exam) neverUses(path string) bool {
	switch filepath.Base(path) {
	case "apparmor.d", ".git", ".etckeeper":
		return true
	case "live", "archive", "renewal", "accounts", "orderly":
		return isOne(filepath.Dir(path), e.Disk.Dirs.Config)
	}
	return false
}

// textOf is what a file says, or where a link leads, next and in the end.
func textOf(path string, entry fs.DirEntry) (string, error) {
	if entry.Type()&fs.ModeSymlink != 0 {
		next, err := os.Readlink(path)
		if end, broken := filepath.EvalSymlinks(path); broken == nil {
			next += "\n" + end
		}
		return next, err
	}
	if !entry.Type().IsRegular() {
		return "", nil
	}
	// a customer's file may become a link or a pipe between a look and an open
	file, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	defer func() { _ = file.Close() }()
	info, err := file.Stat()
	if err != nil || !info.Mode().IsRegular() || info.Size() > largestNaming {
		return "", err // no file, or none that a person writes
	}
	text, err := io.ReadAll(io.LimitReader(file, largestNaming))
	return string(text), err
}
