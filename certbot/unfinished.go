package certbot

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// What a killed run left half made has names that only Orderly uses. It is removed once nothing
// will go on with it.

// Unfinished names the lineages of which a killed run left a directory that never got its name.
// There is a private key in it.
func (s *Store) Unfinished() []string {
	var names []string
	for _, top := range []string{s.Dirs.archive(""), s.Dirs.live("")} {
		found, _ := namesIn(top) // no directory, nothing unfinished
		for _, entry := range found {
			// Beside a lineage that is there it is Repair's: what somebody put into the former
			// directory is carried over.
			if name, ok := unfinishedName(entry); ok && !exists(filepath.Join(top, name)) {
				names = append(names, name)
			}
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// unfinishedName is the name that an unfinished file or directory was to get.
func unfinishedName(entry string) (string, bool) {
	name, ok := strings.CutSuffix(entry, aside)
	if !ok || len(name) < 2 || name[0] != '.' {
		return "", false
	}
	return name[1:], true
}

// ClearUnfinished removes what Unfinished tells of a lineage. The caller holds the lineage's lock
// and knows that no order is going to be put in place there.
func (s *Store) ClearUnfinished(name string) error {
	var all error
	for _, dir := range []string{s.Dirs.archive(name), s.Dirs.live(name)} {
		if exists(asideOf(dir)) && !exists(dir) {
			all = errors.Join(all, s.do("remove unfinished", func() error { return os.RemoveAll(asideOf(dir)) }))
		}
	}
	return all
}

// clearAsides removes the unfinished files in an archive.
func (a archive) clearAsides() {
	found, _ := namesIn(a.dir)
	for _, entry := range found {
		name, ok := unfinishedName(entry)
		if _, _, ours := archived(name); ok && ours {
			_ = os.Remove(filepath.Join(a.dir, entry))
		}
	}
}

// SweepPendingKeys removes the keys for new accounts that a killed process wrote and never gave
// their name. Those of the last hour may be those of a process at work.
func (s Accounts) SweepPendingKeys() {
	top := filepath.Join(s.disk.Dirs.Config, "orderly", "new-accounts")
	_ = filepath.WalkDir(top, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() || !strings.HasSuffix(path, aside) {
			return nil
		}
		if info, err := e.Info(); err == nil && s.disk.now().Sub(info.ModTime()).Abs() > time.Hour {
			_ = os.Remove(path)
		}
		return nil
	})
}

// sweepPending removes unfinished keys beside one that has its name: whoever made them gets that
// one.
func sweepPending(dir string) {
	found, _ := namesIn(dir)
	for _, entry := range found {
		if _, ok := unfinishedName(entry); ok {
			_ = os.Remove(filepath.Join(dir, entry))
		}
	}
}
