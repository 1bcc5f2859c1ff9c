package logfile

// The file itself. Several processes write one log at once: each line is one append, and whoever
// finds the file too large sets it aside under a lock that is tried and never waited for; the others
// go on in it until they see, before their next line, that its name leads to another one.

import (
	"errors"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"orderly/ownfile"
)

// errHeldUp is the trouble with a file system that does not answer.
var errHeldUp = errors.New("its file system does not take what is written")

// others are what those may do who are neither the owner nor in his group: nothing.
const others = 0o007

// writer is what the one goroutine works on.
type writer struct {
	Options
	file    *os.File
	trouble *trouble
	size    int64
	limit   int64 // for this file, which could not be set aside at the first try
	torn    bool  // the last line was cut short
	// rename gives a file another name in its directory.
	rename func(path, name string) error
}

// begin opens the file, closed to everybody else.
func (w *writer) begin() error {
	if w.Prepare != nil {
		if err := w.Prepare(); err != nil {
			return err
		}
	}
	file, err := w.open()
	if err != nil {
		return err
	}
	w.file = file
	info, err := file.Stat()
	if err == nil && info.Mode().Perm()&others != 0 {
		// Made by an earlier version, as those that it set aside. A log that cannot be closed to
		// others, as on a file system without modes, is one as well.
		w.closeToOthers()
	}
	return nil
}

func (w *writer) open() (*os.File, error) {
	return ownfile.Open(w.Path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
}

// closeToOthers takes from others what they may do with the log and what was set aside of it, the
// file that is written last: until that is done, the next run does it again.
func (w *writer) closeToOthers() {
	for _, n := range numbers(w.Path) {
		file, err := ownfile.Open(numbered(w.Path, n), os.O_WRONLY|os.O_APPEND, 0)
		if err != nil {
			continue
		}
		if info, err := file.Stat(); err == nil && info.Mode().Perm()&others != 0 {
			_ = file.Chmod(0o600)
		}
		_ = file.Close()
	}
	_ = w.file.Chmod(0o600)
}

// write writes a line, in a file that has the log's name.
func (w *writer) write(line []byte) {
	if w.file == nil {
		w.trouble.lose()
		return
	}
	w.follow()
	w.turn(int64(len(line)))
	if missing, why := w.trouble.gap(); missing > 0 && w.Gap != nil {
		if w.append(w.Gap(missing, why)) == nil {
			w.trouble.marked(missing)
		}
	}
	if err := w.append(line); err != nil {
		w.trouble.note(err)
		w.trouble.lose()
	}
}

// append writes a line, in a line of its own.
func (w *writer) append(line []byte) error {
	if w.torn {
		line = append([]byte("\n"), line...)
	}
	n, err := w.file.Write(line)
	w.torn = err != nil && (w.torn || n > 0)
	return err
}

// follow opens the file that has the log's name now: another process set the former aside, logrotate
// did, or somebody removed it. Where that cannot be had, the former is better than none.
func (w *writer) follow() {
	if w.named() {
		return
	}
	file, err := w.open()
	if err != nil {
		return
	}
	w.take(file)
	w.named() // for its size
}

// take writes on in another file, which whoever could read the former may read.
func (w *writer) take(file *os.File) {
	former, err := w.file.Stat()
	if owner, known := ownerOf(former, err); known && former.Mode().Perm()&^0o600 != 0 {
		// An administrator gave it to a group. Where that fails, the log is root's alone.
		fresh, err := file.Stat()
		if err == nil && fresh.Size() == 0 && file.Chown(-1, int(owner.Gid)) == nil {
			_ = file.Chmod(former.Mode().Perm() &^ others)
		}
	}
	_ = w.file.Close() // each line was written, or told of
	w.file, w.limit, w.torn = file, w.Limit, false
}

// named reports whether the file has the log's name, and notes its size.
func (w *writer) named() bool {
	here, err := w.file.Stat()
	if err != nil {
		return true // nothing is known
	}
	w.size = here.Size()
	there, err := os.Stat(w.Path)
	if err != nil {
		return !errors.Is(err, os.ErrNotExist)
	}
	return os.SameFile(here, there)
}

// turn sets the file aside where a line would make it too large. One that cannot be is written on,
// and tried again when it has grown by as much.
func (w *writer) turn(line int64) {
	if w.Keep == 0 || w.size == 0 || w.size+line <= w.limit {
		return
	}
	if err := w.setAside(); err != nil {
		w.trouble.note(err)
		w.limit = w.size + w.Limit
	}
}

// setAside gives the file the first number, and begins a new one. The lock is the file's own: whoever
// has it, and finds that the name leads to the file, is the only one that moves any.
func (w *writer) setAside() error {
	former := w.file
	err := unix.Flock(int(former.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		return nil // another process is at it
	}
	if err != nil {
		return err
	}
	err = w.move()
	if w.file == former { // closed, it has no lock any more
		err = errors.Join(err, unix.Flock(int(former.Fd()), unix.LOCK_UN))
	}
	return err
}

// move moves the files under the lock.
func (w *writer) move() error {
	if !w.named() { // another process was quicker
		w.follow()
		return nil
	}
	path, err := filepath.EvalSymlinks(w.Path) // an administrator may keep it elsewhere
	if err != nil {
		return err
	}
	if err := makeRoom(path, w.Keep, w.rename); err != nil {
		return err
	}
	if err := w.rename(path, filepath.Base(numbered(path, 1))); err != nil {
		return err
	}
	w.follow()
	return nil
}

// end closes the file.
func (w *writer) end() error {
	if w.file == nil {
		return nil
	}
	return w.file.Close()
}
