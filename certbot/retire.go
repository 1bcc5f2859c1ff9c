package certbot

import (
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"orderly/failure"
)

// A lineage that is put aside is moved as it is: its renewal file, its links and its versions, each
// by one rename, into a directory that is built as the configuration is, so that links lead where
// they led, and modes and owners stay. The renewal file goes first and comes back last: without it
// neither program knows the lineage, however far the rest has come.

// piece is one of what a lineage has on disk, in its place and where it is put aside.
type piece struct{ place, aside string }

func (d Dirs) retired(name string) string {
	return filepath.Join(d.Config, "orderly", "retired", name)
}

// pieces are a lineage's, in the order in which they are put aside.
func (d Dirs) pieces(name string) []piece {
	away := Dirs{Config: d.retired(name)}
	return []piece{{d.Renewal(name), away.Renewal(name)}, {d.live(name), away.live(name)},
		{d.archive(name), away.archive(name)}}
}

// Retirable returns the error with which a lineage cannot be put aside: there is none of the name, it
// uses other places than its own, or others use them.
func (s *Store) Retirable(name string) error {
	r, err := s.deletable(name)
	if err != nil {
		return err
	}
	if dirs := r.liveDirs(); len(dirs) != 1 || filepath.Clean(dirs[0]) != s.Dirs.live(name) ||
		filepath.Clean(r.ArchiveDir) != s.Dirs.archive(name) {
		return failure.New(failure.Config, failure.Advise(
			"Delete it, or set `autorenew = False` in %s, which keeps it from being renewed.", r.Path),
			"%s has its files in other directories than live/%s and archive/%s, and cannot be put aside",
			failure.Clean(name), failure.Clean(name), failure.Clean(name))
	}
	for _, p := range s.Dirs.pieces(name) {
		if exists(p.aside) {
			return failure.New(failure.LineageTaken,
				failure.Advise("Move %s away if nobody wants it back.", s.Dirs.retired(name)),
				"an earlier certificate %s was put aside already: %s", failure.Clean(name), p.aside)
		}
	}
	return s.oneDisk(name)
}

// ForeseeRetire says what Retire would move, and changes nothing. The error is Retirable's.
func (s *Store) ForeseeRetire(name string) ([]Edit, error) {
	if err := s.Retirable(name); err != nil {
		return nil, err
	}
	var edits []Edit
	for _, p := range s.Dirs.pieces(name) {
		if exists(p.place) {
			edits = append(edits, Edit{Kind: Moved, Path: p.place, After: p.aside})
		}
	}
	return edits, nil
}

// oneDisk returns an error where a piece would have to be copied from one file system to another.
func (s *Store) oneDisk(name string) error {
	device := func(path string) (uint64, error) {
		var st unix.Stat_t
		err := retried(func() error { return unix.Stat(path, &st) })
		return uint64(st.Dev), err
	}
	home, err := device(filepath.Join(s.Dirs.Config, "orderly"))
	if err != nil {
		return unusable(err, s.Dirs.Config)
	}
	for _, p := range s.Dirs.pieces(name) {
		if !exists(p.place) {
			continue
		}
		dir := filepath.Dir(p.place)
		if there, err := device(dir); err != nil || there != home {
			return failure.New(failure.Config, failure.Advise("Set `autorenew = False` in %s, which keeps "+
				"it from being renewed, or delete it.", s.Dirs.Renewal(name)),
				"%s lies on another file system than %s, so that %s cannot be put aside in one step",
				dir, filepath.Join(s.Dirs.Config, "orderly"), failure.Clean(name))
		}
	}
	return nil
}

// Retire puts a lineage aside. Called again, it ends what a kill cut short; where it fails, it puts
// back what it moved. The caller holds the lineage's lock, and Retirable has said nothing.
func (s *Store) Retire(name string) error {
	pieces := s.Dirs.pieces(name)
	for i, p := range pieces {
		_, err := s.move("retire "+filepath.Base(filepath.Dir(p.place)), p.place, p.aside)
		if err == nil {
			continue
		}
		for _, q := range slices.Backward(pieces[:i]) {
			_, back := s.move("put back", q.aside, q.place)
			err = errors.Join(err, back)
		}
		s.clearRetired(name)
		return failure.Wrap(err, failure.Config, "Repair what the error names, then run the same command again.",
			"the certificate %s cannot be put aside", failure.Clean(name))
	}
	return nil
}

// Returnable returns the error with which a lineage that was put aside cannot come back.
func (s *Store) Returnable(name string) error {
	if err := checkName(name); err != nil {
		return err
	}
	pieces := s.Dirs.pieces(name)
	if !exists(pieces[0].aside) {
		return failure.New(failure.Config, failure.Do(failure.Retire)+" lists what was put aside.",
			"No certificate of the name %s was put aside (expected %s)", failure.Clean(name), pieces[0].aside)
	}
	for _, p := range pieces {
		if exists(p.place) {
			return failure.New(failure.LineageTaken, failure.Advise("Delete or move away what took its "+
				"place, if nothing uses it: %s.", p.place),
				"%s cannot come back: %s exists", failure.Clean(name), p.place)
		}
	}
	return nil
}

// Return puts a lineage back as it was. Called again, it ends what a kill cut short; where it fails,
// what it moved goes aside again. The caller holds the lineage's lock, and Returnable has said
// nothing.
func (s *Store) Return(name string) error {
	var back []piece
	for _, p := range slices.Backward(s.Dirs.pieces(name)) {
		moved, err := s.move("return "+filepath.Base(filepath.Dir(p.place)), p.aside, p.place)
		if moved {
			back = append(back, p)
		}
		if err != nil {
			for _, q := range slices.Backward(back) {
				_, again := s.move("put aside again", q.place, q.aside)
				err = errors.Join(err, again)
			}
			return failure.Wrap(err, failure.Config,
				"Repair what the error names, then run the same command again.",
				"the certificate %s cannot be put back", failure.Clean(name))
		}
	}
	s.clearRetired(name)
	return nil
}

// clearRetired removes the directories in which nothing is put aside any more.
func (s *Store) clearRetired(name string) {
	for _, p := range s.Dirs.pieces(name) {
		_ = unix.Rmdir(filepath.Dir(p.aside)) // what somebody put there keeps it
	}
	_ = unix.Rmdir(s.Dirs.retired(name))
}

// move moves a piece, unless that was done. Nothing is ever replaced by it.
func (s *Store) move(step, from, to string) (moved bool, err error) {
	if there, err := present(from); err != nil || !there {
		return false, err // moved already, or it was never there
	}
	if there, err := present(to); err != nil || there {
		return false, errors.Join(err, &fs.PathError{Op: "rename", Path: to, Err: fs.ErrExist})
	}
	if err := makeDirs(filepath.Dir(to), 0o700); err != nil {
		return false, err
	}
	if err := s.do(step, func() error { return os.Rename(from, to) }); err != nil {
		return false, err
	}
	// the new name before the old one's end
	return true, errors.Join(syncDir(filepath.Dir(to)), syncDir(filepath.Dir(from)))
}

// Retired is a lineage that was put aside.
type Retired struct {
	Name    string
	Dir     string    // where its files are
	At      time.Time // when it was put there
	Names   []string  // of its newest certificate, nil where that cannot be read
	Expires time.Time
}

// Retired lists what was put aside, by name.
func (s *Store) Retired() ([]Retired, error) {
	top := s.Dirs.retired("")
	names, err := namesIn(top)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, failure.Wrap(err, failure.Config, unlisted(err),
			"what was put aside in %s cannot be listed", top)
	}
	var all []Retired
	for _, name := range names {
		if r, ok := s.RetiredAs(name); ok {
			all = append(all, r)
		}
	}
	slices.SortFunc(all, func(a, b Retired) int { return strings.Compare(a.Name, b.Name) })
	return all, nil
}

// RetiredAs looks for a lineage of this name among those that were put aside.
func (s *Store) RetiredAs(name string) (Retired, bool) {
	r := Retired{Name: name, Dir: s.Dirs.retired(name)}
	away := Dirs{Config: r.Dir}
	if checkName(name) != nil || !exists(away.Renewal(name)) {
		return r, false
	}
	if info, err := os.Stat(r.Dir); err == nil {
		r.At = info.ModTime()
	}
	a := archive{away.archive(name)}
	found, _ := a.versions()
	for _, number := range slices.Backward(slices.Sorted(maps.Keys(found))) {
		if c, err := (&Renewal{Cert: a.path("cert", number)}).current(); err == nil {
			r.Names, r.Expires = c.Names, c.NotAfter
			break
		}
	}
	return r, true
}
