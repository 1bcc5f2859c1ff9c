package certbot

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"orderly/failure"
)

// What is deleted is gone. So it is found out first whether anything else uses the same files, and
// the renewal file, by which a killed deletion is found again, goes last.

// Deletable returns the error with which Delete would refuse a lineage before it removes anything
// of it.
func (s *Store) Deletable(name string) error {
	_, err := s.deletable(name)
	return err
}

func (s *Store) deletable(name string) (*Renewal, error) {
	if err := checkName(name); err != nil {
		return nil, err
	}
	conf := s.Dirs.Renewal(name)
	if there, err := present(conf); err != nil || !there {
		return nil, failure.New(failure.Config, failure.Do(failure.ListCertificates)+" lists the names.",
			"No certificate found with name %s (expected %s).", failure.Clean(name), conf)
	}
	r, err := s.lookRenewal(conf)
	if err != nil {
		if r, err = s.newRenewal(name); err != nil {
			return nil, err
		}
	}
	return r, s.notShared(r)
}

// Delete removes a lineage as certbot's delete does: the four links, live/NAME with its README if
// nothing else is left in it, the archive, the renewal file. The renewal file goes last (first in
// certbot), so that Delete, called again, ends what a kill cut short; certbot leaves directories
// that block the name. A renewal file that does not parse, or is blank, stands for the usual
// places.
//
// Nothing is removed, with an error of class Config, if there is no renewal file (in certbot's
// words), and with one of class LineageBroken if another lineage uses the same files. Of an archive
// in an unusual place only a lineage's own files go. The caller holds the lineage's lock.
func (s *Store) Delete(name string) error {
	conf := s.Dirs.Renewal(name)
	r, err := s.deletable(name)
	if err != nil {
		return err
	}
	for _, step := range []func() error{
		func() error { return s.deleteLive(r) },
		func() error { return s.deleteArchive(r) },
		func() error { return s.deleteConf(conf) },
	} {
		if err := step(); err != nil {
			return failure.Wrap(err, failure.Config,
				"Repair what the error names, then run the same command again.",
				"the certificate %s is not wholly removed", name)
		}
	}
	return nil
}

// notShared returns an error if another renewal file names files of this lineage. Copied renewal
// files do; certbot would delete the certificate of both.
func (s *Store) notShared(r *Renewal) error {
	names, err := s.confNames()
	if err != nil {
		return err
	}
	mine := r.Places()
	for _, name := range names {
		if err := s.Ended(); err != nil {
			return err
		}
		other, err := s.lookRenewal(s.Dirs.Renewal(name))
		if err != nil || name == r.Name {
			continue
		}
		if slices.ContainsFunc(other.Places(), func(place string) bool { return slices.Contains(mine, place) }) {
			return s.shared(r.Name, other.Name, copied(r, other))
		}
	}
	return nil
}

func (s *Store) deleteLive(r *Renewal) error {
	for _, dir := range append(r.liveDirs(), r.ArchiveDir) {
		clearProbes(dir, r.Name)
	}
	for _, l := range r.links() {
		if err := s.deleteLink(*l.path); err != nil {
			return err
		}
		if err := s.deleteLink(previousOf(l)); err != nil {
			return err
		}
	}
	dirs := r.liveDirs()
	if len(dirs) != 1 {
		return nil
	}
	dir := dirs[0]
	if info, err := os.Lstat(dir); err == nil && info.Mode().IsRegular() {
		return s.deleteLink(dir) // it is in the way of the name, and remedies name this command
	}
	if there, _ := present(dir); there {
		if err := s.clearAside(dir, asideOf(dir), false); err != nil {
			return err
		}
	}
	if err := s.remove(filepath.Join(dir, "README")); err != nil {
		return err
	}
	return s.removeEmpty(dir)
}

// deleteLink removes one of the four. A file that is no link goes only where links are kept: a
// renewal file can name any.
func (s *Store) deleteLink(path string) error {
	info, err := os.Lstat(path)
	if err != nil {
		return nil
	}
	inside := strings.HasPrefix(path, s.Dirs.live("")+"/")
	if info.Mode()&fs.ModeSymlink == 0 && (!inside || !info.Mode().IsRegular()) {
		return nil
	}
	return s.remove(path)
}

// deleteArchive removes all of the lineage's own archive, and of another directory only versions.
func (s *Store) deleteArchive(r *Renewal) error {
	dir := r.ArchiveDir
	info, err := os.Lstat(dir)
	if err != nil {
		return nil
	}
	if filepath.Clean(dir) == s.Dirs.archive(r.Name) && info.IsDir() {
		return s.do("remove archive", func() error { return os.RemoveAll(dir) })
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if _, _, ok := archived(e.Name()); !ok || e.IsDir() {
			continue
		}
		if err := s.remove(filepath.Join(dir, e.Name())); err != nil {
			return err
		}
	}
	if info.Mode()&fs.ModeSymlink != 0 && filepath.Clean(dir) == s.Dirs.archive(r.Name) {
		return s.remove(dir) // a link to another disk: what it led to stays, empty
	}
	return s.removeEmpty(dir)
}

func (s *Store) deleteConf(conf string) error {
	for _, path := range []string{conf + ".new", asideOf(conf), conf} {
		if err := s.remove(path); err != nil {
			return err
		}
	}
	return syncDir(filepath.Dir(conf))
}

func (s *Store) remove(path string) error {
	err := s.do("remove "+filepath.Base(path), func() error { return os.Remove(path) })
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// removeEmpty removes a directory, or a link in its place, if nothing is in it; somebody's own
// files keep it.
func (s *Store) removeEmpty(dir string) error {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		// a link that leads nowhere would block the name for ever
		if _, err := os.Lstat(dir); err == nil {
			return s.remove(dir)
		}
	}
	if err != nil || len(entries) > 0 {
		return nil
	}
	return s.remove(dir)
}
