package certbot

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"orderly/failure"
)

// certbot, killed while it writes, leaves an empty renewal file; a power failure, one of zeros.
// Behind either may stand a whole lineage, which must not be lost, or nothing at all, which must
// not keep the name.

// ErrBlank is in the chain of the error for a renewal file without content. certbot makes the file
// empty before it writes the lineage, and never looks back: killed in between, it complains of the
// file for ever. Here such a file counts as absent where a name for a new lineage is looked for,
// and the new lineage takes its place.
var ErrBlank = errors.New("nothing can be renewed from it")

// blank tells whether a file has no content: none at all, or the NUL bytes that a power failure
// leaves of an unsynced one.
func blank(text []byte) bool { return len(bytes.Trim(text, "\x00 \t\r\n")) == 0 }

func blankFile(path string) bool {
	info, err := os.Stat(path)
	if err != nil || !info.Mode().IsRegular() || info.Size() > 1<<20 {
		return false
	}
	if info.Size() == 0 {
		return true
	}
	text, err := os.ReadFile(path)
	return err == nil && blank(text)
}

// blankFailure says what is behind a blank renewal file and how to get a whole one.
func (s *Store) blankFailure(path string, size int) error {
	name := strings.TrimSuffix(filepath.Base(path), ".conf")
	what := fmt.Sprintf("the renewal file %s is empty (0 bytes): a certbot that was to make the lineage was killed", path)
	if size > 0 {
		what = fmt.Sprintf("the renewal file %s is empty but for blanks or NUL bytes: the machine went down while it was written", path)
	}
	remedy := "Remove the file: `" + failure.Shell("rm", path) +
		"`. Or obtain the certificate with " +
		failure.Do(failure.Obtain) + ", which replaces it."
	if c, err := s.behind(name); err == nil {
		remedy = "Obtain the certificate anew, which replaces the file: " +
			failure.Do(failure.ObtainAt, slices.Concat([]string{""}, c.Names)...) + "."
	}
	return failure.Wrap(ErrBlank, failure.RenewalFile, remedy, "%s", what)
}

// behind reads the certificate that a lineage without settings has in its usual place.
func (s *Store) behind(name string) (*Certificate, error) {
	text, err := os.ReadFile(filepath.Join(s.Dirs.live(name), "cert.pem"))
	if err != nil {
		return nil, err
	}
	return ParseCertificate(text)
}

// nothingBehind tells whether a renewal file of no bytes stands for nothing at all: no archive,
// nothing live.
func (s *Store) nothingBehind(name string) bool {
	info, err := os.Lstat(s.Dirs.Renewal(name))
	if err != nil || !info.Mode().IsRegular() || info.Size() != 0 {
		return false
	}
	for _, dir := range []string{s.Dirs.archive(name), s.Dirs.live(name)} {
		if taken, err := occupied(dir); taken || err != nil {
			return false
		}
	}
	return true
}

// clearOne removes a blank renewal file, if it still is one.
func (s *Store) clearOne(name string) (bool, error) {
	if !s.nothingBehind(name) {
		return false, nil
	}
	err := s.do("remove blank "+name, func() error { return os.Remove(s.Dirs.Renewal(name)) })
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return false, unusable(err, filepath.Dir(s.Dirs.Renewal(name)))
	}
	return true, nil
}

// ClearBlank removes the renewal files that a killed certbot left empty and that stand for nothing,
// and returns the names of those lineages. The caller holds .certbot.lock, or it would take the
// file of a certbot at work for such a one; lock keeps other processes of ours from a lineage, or
// reports that one is at work on it.
func (s *Store) ClearBlank(lock func(name string) (unlock func() error, free bool, err error)) ([]string, error) {
	names, err := s.confNames()
	if err != nil {
		return nil, err
	}
	var cleared []string
	for _, name := range names {
		if !s.nothingBehind(name) {
			continue
		}
		unlock, free, err := lock(name)
		if err != nil {
			return cleared, err
		}
		if !free {
			continue
		}
		removed, err := s.clearOne(name)
		if err = errors.Join(err, unlock()); err != nil {
			return cleared, err
		}
		if removed {
			cleared = append(cleared, name)
		}
	}
	if len(cleared) == 0 {
		return nil, nil
	}
	return cleared, syncDir(filepath.Dir(s.Dirs.Renewal("x")))
}

// isLineageFile reports whether this is the name of a file that certbot or this program puts into
// live/NAME.
func isLineageFile(name string) bool {
	switch strings.TrimPrefix(name, "previous_") {
	case "cert.pem", "privkey.pem", "chain.pem", "fullchain.pem":
		return true
	}
	return name == "README"
}

// adoptable returns nil if what stands in the place of a lineage with a blank renewal file can only
// be that lineage's: in the archive nothing but versions, in live/ nothing but links.
func (s *Store) adoptable(name string) error {
	for _, place := range []struct {
		dir  string
		ours func(fs.DirEntry) bool
	}{
		{s.Dirs.archive(name), func(e fs.DirEntry) bool { _, _, ok := archived(e.Name()); return ok && !e.IsDir() }},
		{s.Dirs.live(name), func(e fs.DirEntry) bool {
			return isLineageFile(e.Name()) &&
				(e.Name() == "README" || e.Type() == fs.ModeSymlink)
		}},
	} {
		entries, err := os.ReadDir(place.dir)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return unusable(err, place.dir)
		}
		for _, e := range entries {
			unfinished := strings.HasPrefix(e.Name(), ".") && strings.HasSuffix(e.Name(), aside)
			if !unfinished && !place.ours(e) {
				return failure.New(failure.LineageTaken,
					failure.Advise("Move %s away if nothing uses its files any more, or choose "+
						"another name with %s.",
						place.dir, failure.Do(failure.NameCertificate)),
					"%s is not what certbot leaves of a lineage, and the renewal file %s is empty",
					filepath.Join(place.dir, e.Name()), s.Dirs.Renewal(name))
			}
		}
	}
	return nil
}
