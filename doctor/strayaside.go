package doctor

// D20 is mended by moving directories that no renewal file knows into the backup, as they are, where
// neither a web server nor another lineage can miss them.

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"orderly/certbot"
	"orderly/failure"
	"orderly/ledger"
)

// strayMoved moves the directories of a name that has no renewal file.
func strayMoved(ctx context.Context, e *Exam, f Finding) (plan, error) {
	if f.Unseen {
		return plan{}, nil
	}
	name := filepath.Base(f.File)
	dirs, err := e.strayDirs(name)
	if err == nil && len(dirs) > 0 {
		err = e.strayIsFree(ctx, name, dirs, false)
	}
	if err != nil || len(dirs) == 0 {
		return plan{}, err
	}
	to := filepath.Join(e.Disk.Dirs.Config, "orderly", "backup")
	var edits []certbot.Edit
	for _, dir := range dirs {
		edits = append(edits, certbot.Edit{Kind: certbot.Moved, Path: dir, After: to})
	}
	return plan{FixAsk, edits, func(ctx context.Context) error {
		unlock, err := e.mender.lock(name)
		if err != nil {
			return err
		}
		defer unlock()
		if err := e.strayIsFree(ctx, name, dirs, true); err != nil {
			return err
		}
		return moveInto(e.mender.Backup.Dir(), dirs)
	}}, nil
}

// strayDirs are the directories of a name, live first: without it nothing leads to the versions.
func (e *Exam) strayDirs(name string) (dirs []string, err error) {
	for _, top := range []string{"live", "archive"} {
		dir := filepath.Join(e.Disk.Dirs.Config, top, name)
		info, err := os.Lstat(dir)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			continue
		case err != nil:
			return nil, err
		case !info.IsDir():
			return nil, failure.New(failure.Config, "Look at it by hand.", "%s is no directory", dir)
		case e.Now().Sub(info.ModTime()) < settled && info.ModTime().Before(e.Now().Add(time.Hour)):
			return nil, failure.New(failure.Config, "Run the same command again later.",
				"%s was changed just now, and somebody may be at work there", dir)
		}
		dirs = append(dirs, dir)
	}
	return dirs, nil
}

// strayIsFree returns why directories of a name may be needed; now asks everything once more.
func (e *Exam) strayIsFree(ctx context.Context, name string, dirs []string, now bool) error {
	u, err := e.used(ctx, now)
	if err != nil {
		return err
	}
	if file := u.named[name]; file != "" || u.serves[name] {
		return failure.New(failure.Config, failure.Advise("If that is no longer used, take it out of %s.", file),
			"%s is named in %s, and may be in use", name, file)
	}
	for _, x := range slices.Concat(e.Lineages, e.Others) {
		if x.Err != nil {
			return failure.New(failure.Config, "See to that one first.",
				"%s cannot be read, and may need the files of %s", x.Path, name)
		}
		if x.leadsInto(dirs) {
			return failure.New(failure.Config, "See to that one first.", "links of %s lead to the files of %s", x.Name, name)
		}
	}
	if away, ok := e.Disk.RetiredAs(name); ok {
		return failure.New(failure.Config, failure.Advise("Look by hand what belongs to %s.", away.Dir),
			"a certificate %s was put aside, and these may be files of it", name)
	}
	if err := e.begun(ctx, name); err != nil || !now {
		return err
	}
	return e.unknown(name)
}

// leadsInto reports whether a link of a lineage leads into one of some directories.
func (x *Lineage) leadsInto(dirs []string) bool {
	for _, link := range []string{x.Links.Cert, x.Links.FullChain, x.Links.Key} {
		end, err := filepath.EvalSymlinks(link)
		for _, dir := range dirs {
			if real, _ := filepath.EvalSymlinks(dir); err == nil && filepath.Dir(end) == real {
				return true
			}
		}
	}
	return false
}

// begun returns an error where an order or a task of the name is unfinished: it is gone on with.
func (e *Exam) begun(ctx context.Context, name string) error {
	if e.NoLedger != nil {
		return e.NoLedger
	}
	if e.Ledger == nil {
		return nil
	}
	orders, err := e.Ledger.Orders(ctx, ledger.OrderFilter{Unsettled: true, Lineage: name})
	if err != nil {
		return err
	}
	tasks, err := e.Ledger.Tasks(ctx)
	if err != nil {
		return err
	}
	if len(orders) > 0 || slices.ContainsFunc(tasks, func(t ledger.Task) bool { return t.Subject == name }) {
		return failure.New(failure.Config, "Let it be ended: "+failure.Do(failure.RenewDue)+".",
			"an earlier run left something about %s unfinished", name)
	}
	return nil
}

// unknown returns an error where a renewal file names these directories by now.
func (e *Exam) unknown(name string) error {
	entries, err := e.entries("renewal")
	for _, entry := range entries {
		path := filepath.Join(e.Disk.Dirs.Config, "renewal", entry.Name())
		text, readErr := textOf(path, entry)
		if slices.Contains(namedIn(text), name) || entry.Name() == name+".conf" {
			return failure.New(failure.Config, "Run the same command again.", "%s was made meanwhile", path)
		}
		err = errors.Join(err, readErr)
	}
	return err
}

// moveInto moves directories below another one, under their whole paths: all of them or none.
func moveInto(top string, dirs []string) error {
	for i, dir := range dirs {
		to := filepath.Join(top, dir)
		err := os.MkdirAll(filepath.Dir(to), 0o700)
		if err == nil {
			err = os.Rename(dir, to)
		}
		if err != nil {
			for _, moved := range dirs[:i] {
				err = errors.Join(err, os.Rename(filepath.Join(top, moved), moved))
			}
			return failure.Wrap(err, failure.Config, "Look at the room and the rights there.",
				"%s cannot be moved to %s", dir, top)
		}
		if err := errors.Join(syncDir(filepath.Dir(to)), syncDir(filepath.Dir(dir))); err != nil {
			return err
		}
	}
	return nil
}
