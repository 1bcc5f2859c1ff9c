package doctor

// What a repair replaces is kept, with what was changed: whoever regrets it finds both in one place,
// where no certbot reads them.

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"orderly/certbot"
	"orderly/failure"
)

// Backup is the directory of one run's mending. It is made with the first repair.
type Backup struct {
	Top string // the directory of all of them, Orderly's own
	Now func() time.Time

	dir string
}

// Dir is where something was kept, "" while nothing was.
func (b *Backup) Dir() string { return b.dir }

// changesFile lists what was done, in the form in which it was shown.
const changesFile = "changes"

// Keep makes durable what a repair is about to replace. Private keys are never in a repair.
func (b *Backup) Keep(r Repair) error {
	err := b.begin()
	for _, e := range r.Edits {
		if err != nil {
			break
		}
		if e.Before != "" && (e.Kind == certbot.Written || e.Kind == certbot.Removed) {
			err = b.copy(e.Path)
		}
	}
	if err == nil {
		err = b.list(r)
	}
	if err == nil {
		return nil
	}
	return failure.Wrap(err, failure.Config, "Look at the room and the rights there.",
		"nothing is changed, since what is replaced cannot be kept in %s", b.Top)
}

// begin makes the directory, under a name that no other run has.
func (b *Backup) begin() error {
	if b.dir != "" {
		return nil
	}
	if err := os.MkdirAll(b.Top, 0o700); err != nil {
		return err
	}
	stamp := b.Now().UTC().Format("20060102T150405Z")
	for i := 1; ; i++ {
		dir := filepath.Join(b.Top, stamp)
		if i > 1 {
			dir = fmt.Sprintf("%s-%d", dir, i)
		}
		err := os.Mkdir(dir, 0o700)
		if errors.Is(err, fs.ErrExist) {
			continue
		}
		if err == nil {
			b.dir = dir
			err = syncDir(b.Top)
		}
		return err
	}
}

// copy keeps a file as it is, below its own path. What was kept already is older, and stays.
func (b *Backup) copy(path string) error {
	info, err := os.Lstat(path)
	if err != nil || !info.Mode().IsRegular() {
		return err // a link's text is in the list
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	to := filepath.Join(b.dir, path)
	if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
		return err
	}
	f, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	return syncDir(filepath.Dir(to))
}

// list adds a repair to the list of changes.
func (b *Backup) list(r Repair) error {
	f, err := os.OpenFile(filepath.Join(b.dir, changesFile), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	var text strings.Builder
	fmt.Fprintf(&text, "%s %s\n", r.Finding.ID, failure.Clean(r.Finding.Lineage))
	for _, e := range r.Edits {
		text.WriteString(strings.Join(Shown(e), "\n") + "\n")
	}
	_, err = f.WriteString(text.String())
	return errors.Join(err, f.Sync(), f.Close(), syncDir(b.dir))
}

// syncDir makes the names in a directory durable.
func syncDir(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
