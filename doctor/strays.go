package doctor

// What stands in the configuration directory and belongs to no certificate, or to none any more.

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"orderly/failure"
)

func strayChecks() []Check {
	return []Check{
		{ID: "D3", Title: "A renewal file was left half written", Host: halfWritten},
		{ID: "D20", Title: "Files of a certificate belong to no renewal file", Host: ownerless},
	}
}

// settled is the age at which what a program writes aside is nobody's at work any more.
const settled = 10 * time.Minute

// entries lists a directory below the configuration directory, none where there is none.
func (e *Exam) entries(name string) ([]fs.DirEntry, error) {
	entries, err := os.ReadDir(filepath.Join(e.Disk.Dirs.Config, name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return entries, err
}

// halfWritten tells of the files that certbot writes beside renewal files, and left there.
func halfWritten(_ context.Context, e *Exam) ([]Finding, error) {
	entries, err := e.entries("renewal")
	var all []Finding
	for _, entry := range entries {
		name, ok := strings.CutSuffix(entry.Name(), ".conf.new")
		info, err := entry.Info()
		if !ok || err != nil || !info.Mode().IsRegular() || e.At.Sub(info.ModTime()) < settled ||
			!e.concerns(name) {
			continue
		}
		path := filepath.Join(e.Disk.Dirs.Config, "renewal", entry.Name())
		all = append(all, Finding{ID: "D3", Class: failure.RenewalFile, Severity: Note,
			Lineage: name, File: path, Since: info.ModTime(),
			Sentence: failure.Words("%s was left by a certbot that was killed", path),
			Remedy:   "Remove it: `" + failure.Shell("rm", path) + "`."})
	}
	return all, err
}

// concerns reports whether a lineage, there or not, was asked for.
func (e *Exam) concerns(name string) bool {
	return len(e.Wanted.Names) == 0 ||
		slices.ContainsFunc(e.Lineages, func(x *Lineage) bool { return x.Name == name })
}

// ownerless tells of directories in archive/ and live/ that no renewal file knows: nobody renews what
// is in them, and a server may use it all the same.
func ownerless(_ context.Context, e *Exam) ([]Finding, error) {
	if len(e.Wanted.Names) > 0 {
		return nil, nil
	}
	known := map[string]bool{}
	for _, x := range e.Lineages {
		known["live/"+x.Name], known["archive/"+x.Name] = true, true
		for _, place := range x.Owned.Places {
			if dir, ok := strings.CutPrefix(place, "archive "); ok {
				known["archive/"+filepath.Base(dir)] = true
			} else if link, ok := strings.CutPrefix(place, "link "); ok {
				known["live/"+filepath.Base(filepath.Dir(link))] = true
			}
		}
	}
	stray := map[string][]string{} // directories by name
	var names []string
	var all error
	for _, top := range []string{"archive", "live"} {
		entries, err := e.entries(top)
		all = errors.Join(all, err)
		for _, entry := range entries {
			name := entry.Name()
			if known[top+"/"+name] || name[0] == '.' || !e.isDir(top, entry) {
				continue
			}
			if stray[name] == nil {
				names = append(names, name)
			}
			stray[name] = append(stray[name], filepath.Join(e.Disk.Dirs.Config, top, name))
		}
	}
	var found []Finding
	for _, name := range names {
		found = append(found, e.stray(name, stray[name]))
	}
	return found, all
}

// isDir reports whether an entry is a directory with something in it, or a link to one.
func (e *Exam) isDir(top string, entry fs.DirEntry) bool {
	if !entry.IsDir() && entry.Type()&fs.ModeSymlink == 0 {
		return false
	}
	inside, err := e.entries(filepath.Join(top, entry.Name()))
	return err == nil && len(inside) > 0
}

// stray tells of directories that belong to no renewal file.
func (e *Exam) stray(name string, dirs []string) Finding {
	kept := failure.Shell(append([]string{"tar", "-czPf",
		filepath.Join(e.Disk.Dirs.Config, name+".tar.gz")}, dirs...)...)
	return Finding{ID: "D20", Class: failure.LineageTaken, Severity: Note, File: dirs[0],
		Since: changed(dirs[0]),
		Sentence: failure.Words("there is no renewal file for %s: nobody renews what is in %s", name,
			strings.Join(dirs, " and ")),
		Remedy: failure.Remedy("If a server uses it, obtain it anew; if none does, put it aside: `umask 077 && ") + kept +
			" && " + failure.Shell(append([]string{"rm", "-r"}, dirs...)...) + "`."}
}
