package certbot

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"syscall"
)

// Four links are one certificate to a server, which may read them at any moment. They are changed
// at once where the system can, and otherwise so that certbot can undo the half of it.

// errNoExchange means that live/NAME cannot be exchanged as a whole. Nothing was changed.
var errNoExchange = errors.New("the directory cannot be exchanged")

func groupOf(info fs.FileInfo) int {
	if stat, ok := info.Sys().(*syscall.Stat_t); ok {
		return int(stat.Gid)
	}
	return -1
}

// linkText finds what a link in dir must say to lead to file. It keeps the form of the former link,
// since that leads through whatever links the administrator put in the way; otherwise it is
// relative as certbot's are, and absolute where that leads elsewhere.
func linkText(dir, file, former string) (string, error) {
	var candidates []string
	if former != "" {
		candidates = append(candidates, filepath.Join(filepath.Dir(former), filepath.Base(file)))
	}
	if relative, err := filepath.Rel(dir, file); err == nil {
		candidates = append(candidates, relative)
	}
	for _, text := range append(candidates, file) {
		path := text
		if !filepath.IsAbs(text) {
			path = dir + "/" + text // not cleaned: ".." after a link is the kernel's to resolve
		}
		if sameFile(path, file) {
			return text, nil
		}
	}
	return "", fmt.Errorf("no link from %s leads to %s", dir, file)
}

// lead makes the four links of a lineage lead to a version that is complete and durable in the
// archive.
func (s *Store) lead(r *Renewal, a archive, number int) error {
	texts := map[string]string{} // by path of the link
	changed := false
	for _, l := range r.links() {
		former, err := os.Readlink(*l.path)
		if err != nil {
			return err
		}
		text, err := linkText(filepath.Dir(*l.path), a.path(l.kind, number), former)
		if err != nil {
			return err
		}
		texts[*l.path] = text
		changed = changed || text != former
	}
	if !changed {
		return nil
	}
	err := s.exchangeLinks(r, texts)
	if errors.Is(err, errNoExchange) {
		return s.replaceLinks(r, texts)
	}
	return err
}

// exchangeLinks builds a second live/NAME aside, with the new links and hard links of all else that
// is in the first, and exchanges the two in one instant. errNoExchange is returned where that
// cannot be done without losing something.
func (s *Store) exchangeLinks(r *Renewal, texts map[string]string) error {
	dir := filepath.Dir(r.Cert)
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	info, err := os.Lstat(dir)
	if err != nil {
		return err
	}
	hasDir := slices.ContainsFunc(entries, fs.DirEntry.IsDir)
	if !info.IsDir() || hasDir || !together(r, dir) {
		return errNoExchange // a link instead of a directory, or what has no hard links
	}
	unfinished := asideOf(dir)
	if err := s.buildLive(dir, unfinished, texts); err != nil {
		// Whatever stopped it (no hard links, foreign owner, no attributes), certbot's way may
		// still be open.
		return errors.Join(errNoExchange,
			s.do("remove unfinished", func() error { return os.RemoveAll(unfinished) }))
	}
	exchange := s.exchange
	if exchange == nil {
		exchange = exchangeDirs
	}
	if err := s.do("exchange live", func() error { return exchange(unfinished, dir) }); err != nil {
		return errors.Join(errNoExchange,
			s.do("remove unfinished", func() error { return os.RemoveAll(unfinished) }))
	}
	if err := s.do("sync live", func() error { return syncDir(filepath.Dir(dir)) }); err != nil {
		return err
	}
	return s.clearAside(dir, unfinished, true)
}

// together tells whether the four links are dir's, under their usual names.
func together(r *Renewal, dir string) bool {
	for _, l := range r.links() {
		if *l.path != filepath.Join(dir, l.kind+".pem") {
			return false
		}
	}
	return true
}

// buildLive makes the directory that is to take live/NAME's place: same owner, group, mode and
// attributes.
func (s *Store) buildLive(dir, unfinished string, texts map[string]string) error {
	if err := s.freshDir(unfinished); err != nil {
		return err
	}
	if err := s.do("copy attributes", func() error { return copyAttributes(dir, unfinished) }); err != nil {
		return err
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		from, to := filepath.Join(dir, e.Name()), filepath.Join(unfinished, e.Name())
		put := func() error { return os.Link(from, to) }
		if text, ours := texts[from]; ours {
			put = func() error { return os.Symlink(text, to) }
		}
		if err := s.do("link "+e.Name(), put); err != nil {
			return err
		}
	}
	return s.do("sync live aside", func() error { return syncDir(unfinished) })
}

// copyAttributes gives a directory owner, group, mode and extended attributes (access lists) of
// another.
func copyAttributes(from, to string) error {
	info, err := os.Stat(from)
	if err != nil {
		return err
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return errNoExchange
	}
	if err := os.Chown(to, int(stat.Uid), int(stat.Gid)); err != nil {
		return err
	}
	if err := copyExtended(from, to); err != nil {
		return err
	}
	return os.Chmod(to, info.Mode()) // last: a change of owner clears set-group-ID
}

// clearAside removes what is left beside live/NAME after an exchange (or a build that was cut
// short), carrying over what someone put into the former directory meanwhile. Just after an
// exchange, what differs there is newer and wins; later, it may be older than what is in live/NAME,
// and only what is missing is carried over.
func (s *Store) clearAside(dir, unfinished string, justNow bool) error {
	entries, err := os.ReadDir(unfinished)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, e := range entries {
		from, to := filepath.Join(unfinished, e.Name()), filepath.Join(dir, e.Name())
		if carries(e, from, to, justNow) {
			err = s.do("carry over "+e.Name(), func() error { return os.Rename(from, to) })
		} else {
			err = s.do("clear "+e.Name(), func() error { return os.Remove(from) })
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return s.do("remove former live", func() error { return os.Remove(unfinished) })
}

// carries decides about one entry of the former live/NAME.
func carries(e fs.DirEntry, from, to string, justNow bool) bool {
	for _, kind := range kinds {
		if e.Name() == kind+".pem" {
			return false // links of a former version, if they are not of this one
		}
	}
	there, err := os.Lstat(to)
	if err != nil {
		return true
	}
	here, err := os.Lstat(from)
	return justNow && err == nil && !os.SameFile(here, there)
}

// replaceLinks is certbot's way (update_all_links_to): the old links are kept as previous_*.pem,
// the four are replaced one after the other, each in one instant, and the kept ones go. A full set
// of kept ones means "go back".
func (s *Store) replaceLinks(r *Renewal, texts map[string]string) error {
	for _, l := range r.links() {
		former, err := os.Readlink(*l.path)
		if err != nil {
			return err
		}
		kept := previousOf(l)
		if err := s.do("keep "+l.kind, func() error { return os.Symlink(former, kept) }); err != nil {
			return err
		}
	}
	dirs := r.liveDirs()
	if err := s.do("sync kept links", func() error { return syncDirs(dirs) }); err != nil {
		return err
	}
	for _, l := range r.links() {
		if err := s.replaceLink(*l.path, texts[*l.path]); err != nil {
			return err
		}
	}
	if err := s.do("sync links", func() error { return syncDirs(dirs) }); err != nil {
		return err
	}
	return s.dropKept(r)
}

func (s *Store) replaceLink(path, text string) error {
	temp := asideOf(path)
	if err := os.Remove(temp); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := s.do("link "+filepath.Base(path)+" aside", func() error { return os.Symlink(text, temp) }); err != nil {
		return err
	}
	return s.do("replace "+filepath.Base(path), func() error { return os.Rename(temp, path) })
}

// previousOf is certbot's name for the kept link: it goes by the kind, whatever the link is called.
func previousOf(l link) string {
	return filepath.Dir(*l.path) + "/previous_" + l.kind + ".pem"
}

func (s *Store) dropKept(r *Renewal) error {
	for _, l := range r.links() {
		kept := previousOf(l)
		if _, err := os.Lstat(kept); err != nil {
			continue
		}
		if err := s.do("drop kept "+l.kind, func() error { return os.Remove(kept) }); err != nil {
			return err
		}
	}
	return syncDirs(r.liveDirs())
}

func (r *Renewal) liveDirs() []string {
	var dirs []string
	for _, l := range r.links() {
		dirs = append(dirs, filepath.Dir(*l.path))
	}
	slices.Sort(dirs)
	return slices.Compact(dirs)
}

func syncDirs(dirs []string) error {
	var all error
	for _, dir := range dirs {
		all = errors.Join(all, syncDir(dir))
	}
	return all
}

// settle ends what a killed change of links left in live/: what stands aside goes, kept links of a
// full set are put back, others are dropped. Kept links beside four that are in order are of a
// change that came to its end, and are dropped too: to go back would be to go to an older
// certificate.
func (s *Store) settle(r *Renewal) error {
	dir := filepath.Dir(r.Cert)
	for _, probed := range append(r.liveDirs(), r.ArchiveDir) {
		clearProbes(probed, r.Name)
	}
	archive{r.ArchiveDir}.clearAsides()
	if err := s.clearAside(dir, asideOf(dir), false); err != nil {
		return err
	}
	full, some := true, false
	for _, l := range r.links() {
		if err := os.Remove(asideOf(*l.path)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		_, errThere := os.Lstat(previousOf(l))
		_, errLeads := os.Stat(previousOf(l)) // certbot asks whether it leads anywhere
		some = some || errThere == nil
		full = full && errLeads == nil
	}
	if !some {
		return nil
	}
	if number, _ := r.inOrder(archive{r.ArchiveDir}); full && number == 0 {
		if err := s.putBack(r); err != nil {
			return err
		}
	}
	return s.dropKept(r)
}

// putBack makes the four links what the kept ones are.
func (s *Store) putBack(r *Renewal) error {
	for _, l := range r.links() {
		former, err := os.Readlink(previousOf(l))
		if err != nil {
			return err
		}
		if err := s.replaceLink(*l.path, former); err != nil {
			return err
		}
	}
	return syncDirs(r.liveDirs())
}
