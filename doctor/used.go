package doctor

// What uses certificates of this host: the web servers by their own word, and whatever has a file in
// which one is named. What is not understood may use each of them, and nothing is put aside then.

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"orderly/failure"
	"orderly/webserver"
)

// usage is what uses which lineages' files.
type usage struct {
	serves map[string]bool   // lineages that a running web server uses
	named  map[string]string // the file in which a lineage is named, by lineage
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
	dirs := map[string]bool{filepath.Join("/", e.Root, "etc"): true,
		filepath.Join("/", e.Root, "usr/local/etc"):        true,
		filepath.Join(e.Disk.Dirs.Config, "renewal-hooks"): true}
	for _, server := range slices.Concat(survey.Servers, survey.Idle) {
		for _, h := range server.Hosts {
			if filepath.IsAbs(h.File) && !customers(h.File) {
				dirs[filepath.Dir(h.File)] = true
			}
			if err := e.taken(u, h, server.PID != 0); err != nil {
				return nil, err
			}
		}
	}
	for dir := range dirs {
		if err := e.mentions(ctx, u, dir); err != nil {
			return nil, err
		}
	}
	return u, nil
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
var naming = regexp.MustCompile(`(?:live|archive)/([^/\s"'` + "`" + `;:,)\\]+)`)

// namedIn are the lineages that a text may name.
func namedIn(text string) (names []string) {
	for _, found := range naming.FindAllStringSubmatch(text, -1) {
		names = append(names, found[1])
	}
	return names
}

const (
	// mostNaming and largestNaming bound the search in /etc: an entry more, and nothing is certain.
	mostNaming    = 200_000
	largestNaming = 4 << 20
)

// mentions looks through a directory for files that name lineages, and for links to them.
func (e *Exam) mentions(ctx context.Context, u *usage, dir string) error {
	seen := 0
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if seen++; ctx.Err() != nil || seen > mostNaming {
			return errors.Join(context.Cause(ctx), errors.New("it is too much to be looked through"))
		}
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return nil
		case err != nil:
			return err
		case entry.IsDir() && e.neverUses(path):
			return fs.SkipDir
		}
		text, err := textOf(path, entry)
		if err != nil {
			return err
		}
		for _, name := range namedIn(text) {
			if strings.ContainsAny(name, "$*{") && strings.Contains(text, e.Disk.Dirs.Config+"/live/"+name) {
				return errors.New(path + " names certificates by a pattern")
			}
			if u.named[name] == "" {
				u.named[name] = path
			}
		}
		return nil
	})
	if err == nil {
		return nil
	}
	return failure.Wrap(err, failure.Config, "Look by hand what uses them.",
		"whether something in %s uses the certificates is not known", dir)
}

// neverUses reports whether nothing in a directory says what is in use: lineages' own, and rules by
// which programs may read all of them.
func (e *Exam) neverUses(path string) bool {
	switch filepath.Base(path) {
	case "apparmor.d", ".git":
		return true
	case "live", "archive", "renewal", "accounts", "orderly":
		return filepath.Dir(path) == filepath.Clean(e.Disk.Dirs.Config)
	}
	return false
}

// textOf is what a file says, or where a link leads.
func textOf(path string, entry fs.DirEntry) (string, error) {
	if entry.Type()&fs.ModeSymlink != 0 {
		return os.Readlink(path)
	}
	info, err := entry.Info()
	if err != nil || !info.Mode().IsRegular() || info.Size() > largestNaming {
		return "", nil // it is gone, no file, or none that a person writes
	}
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	return string(text), err
}
