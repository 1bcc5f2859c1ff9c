package certbot

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// Each change on disk goes through here: one step, named, so that a test can kill the program
// before and after it.

// aside is what the names of unfinished files and directories end with; they begin with a dot.
// certbot's patterns match neither, and no lineage may be called so. The names are fixed, so that
// whoever comes after a killed run finds them.
const aside = ".orderly-new"

func asideOf(path string) string {
	return filepath.Join(filepath.Dir(path), "."+filepath.Base(path)+aside)
}

// Store is the disk of one configuration directory.
type Store struct {
	Dirs Dirs

	// Trace, if set, is called with "before STEP" and "after STEP" around each change on disk.
	// Tests kill the program in it, at every step in turn.
	Trace func(step string)

	// Now is the clock by which a certificate is valid; nil is the host's.
	Now func() time.Time

	// asked before each lineage of many is looked at; nil: no search is broken off; see Within
	ended func() error

	// swaps two directories in one instant; replaced in tests of the way without it
	exchange func(a, b string) error
}

// Within returns the same disk for one who stops looking when ctx ends: a host has twenty thousand
// lineages, and a run that was told to end must not look at the rest of them. What a search returns
// then is not all there is, so that its caller asks ctx before it believes that something is
// missing.
func (s *Store) Within(ctx context.Context) *Store {
	bound := *s
	bound.ended = ctx.Err
	return &bound
}

// Ended returns the error of the context of Within once that is over.
func (s *Store) Ended() error {
	if s.ended == nil {
		return nil
	}
	return s.ended()
}

// do performs one change on disk.
func (s *Store) do(step string, change func() error) error {
	if s.Trace == nil {
		return change()
	}
	s.Trace("before " + step)
	if err := change(); err != nil {
		return err
	}
	s.Trace("after " + step)
	return nil
}

// newFile is a file to be written whole or not at all.
type newFile struct {
	path string
	data []byte
	mode fs.FileMode          // of creation: the umask is applied
	last func(*os.File) error // changes owner and mode before the file gets its name; may be nil
}

// write puts the file in its place, synced, through a temporary one beside it. The directory is not
// synced.
func (s *Store) write(f newFile) error {
	step := "write " + filepath.Base(f.path)
	if err := s.do(step+" aside", f.writeAside); err != nil {
		return err
	}
	return s.do(step, func() error { return os.Rename(asideOf(f.path), f.path) })
}

func (f newFile) writeAside() error {
	temp := asideOf(f.path)
	if err := os.Remove(temp); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return writeSynced(temp, f.data, f.mode, f.last)
}

// writeSynced makes a file that must not exist yet, and returns when it is durable.
func writeSynced(path string, data []byte, mode fs.FileMode, last func(*os.File) error) error {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return err
	}
	_, err = file.Write(data)
	if err == nil && last != nil {
		err = last(file)
	}
	if err == nil {
		err = file.Sync()
	}
	return errors.Join(err, file.Close())
}

// syncDir makes the names in a directory durable.
func syncDir(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// makeDirs is os.MkdirAll whose new directories are durable.
func makeDirs(path string, mode fs.FileMode) error {
	info, err := os.Stat(path)
	if err == nil && info.IsDir() {
		return nil
	}
	if err == nil {
		return &fs.PathError{Op: "mkdir", Path: path, Err: unix.ENOTDIR}
	}
	parent := filepath.Dir(path)
	if parent != path {
		if err := makeDirs(parent, mode); err != nil {
			return err
		}
	}
	if err := os.Mkdir(path, mode); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return syncDir(parent)
}

// moveDir renames a directory onto a path that does not exist or is an empty directory, and makes
// it durable. os.Rename refuses the latter.
func moveDir(from, to string) error {
	if err := unix.Rename(from, to); err != nil {
		return &os.LinkError{Op: "rename", Old: from, New: to, Err: err}
	}
	return syncDir(filepath.Dir(to))
}

// occupied tells whether something other than an empty directory is at path.
func occupied(path string) (bool, error) {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil || !info.IsDir() {
		return true, err
	}
	entries, err := os.ReadDir(path)
	return len(entries) > 0, err
}
