package certbot

import (
	"io/fs"
	"os"
	"syscall"
	"time"

	"orderly/certbot/configobj"
	"orderly/failure"
)

// certbot notes in the renewal file when a CA wants to be asked again. The note is kept as certbot
// keeps it, so that either program asks as often as the CA wishes, whichever was run last. It is a
// hint in a person's file: where it cannot be written without a doubt, it is not.

// RetryAfterKey is the key of Params.RetryAfter, for Params.Remove.
const RetryAfterKey = ariKey

// ariSection and ariKey are where certbot ≥ 5 notes when the CA may be asked for renewal
// information again, in the host's local time without a zone (renewal.py).
const (
	ariSection = "acme_renewal_info"
	ariKey     = "ari_retry_after"
	ariLayout  = "2006-01-02T15:04:05"
)

func (r *reader) retryAfter(root *configobj.Section) time.Time {
	sub, ok := root.Subsection(ariSection)
	if !ok {
		return time.Time{}
	}
	v, ok := sub.Get(ariKey)
	if !ok || v.Err != nil {
		return time.Time{}
	}
	at, err := time.ParseInLocation(ariLayout, v.String(), time.Local)
	if err != nil {
		r.note(sub, ariKey, FaultValue, "ari_retry_after is no time such as %s and has no effect", ariLayout)
		return time.Time{}
	}
	return at
}

func applyRetryAfter(root *configobj.Section, current, wanted time.Time) error {
	wanted = wanted.Truncate(time.Second)
	if wanted.IsZero() || wanted.Equal(current) {
		return nil
	}
	sub, err := root.AddSection(ariSection)
	if err != nil {
		return err
	}
	return sub.Set(ariKey, wanted.In(time.Local).Format(ariLayout))
}

// NoteRetryAfter notes in a lineage's renewal file when its CA may be asked again, and changes
// nothing else of it: all other lines, mode and owner stay. A file that is a link, that cannot be
// used, or that somebody changed meanwhile is left alone, and any error means that the note is not
// there and the file is as it was. The caller holds the lineage's lock.
func (s *Store) NoteRetryAfter(name string, at time.Time) error {
	path := s.Dirs.Renewal(name)
	before, err := os.Lstat(path)
	if err != nil {
		return err
	}
	if !before.Mode().IsRegular() {
		return failure.New(failure.RenewalFile, "", "the renewal file %s is a link, and stays one", path)
	}
	r, err := s.ReadRenewal(path)
	if err != nil {
		return err
	}
	text := r.Text()
	if err := applyRetryAfter(r.file.Root(), r.Params.RetryAfter, at); err != nil {
		return err
	}
	if r.Text() == text {
		return nil
	}
	f := newFile{path: path, data: r.file.Bytes(), mode: 0o600,
		last: func(file *os.File) error { return likeBefore(file, before) }}
	err = s.do("note in "+before.Name(), f.writeAside)
	if err == nil {
		// An editor or a script may have saved it within the time that a sync takes.
		err = unchanged(path, before)
	}
	if err == nil {
		err = os.Rename(asideOf(path), path)
	}
	if err != nil {
		_ = os.Remove(asideOf(path)) // of a full disk, say
	}
	return err
}

// likeBefore gives a new file the owner and the mode of the one that it replaces.
func likeBefore(file *os.File, before fs.FileInfo) error {
	if own, ok := before.Sys().(*syscall.Stat_t); ok {
		if err := file.Chown(int(own.Uid), int(own.Gid)); err != nil {
			return err
		}
	}
	return file.Chmod(before.Mode().Perm())
}

// unchanged returns nil if a file is still what it was.
func unchanged(path string, before fs.FileInfo) error {
	now, err := os.Lstat(path)
	if err == nil && (!os.SameFile(now, before) || now.Size() != before.Size() ||
		!now.ModTime().Equal(before.ModTime())) {
		err = failure.New(failure.RenewalFile, "", "%s was changed meanwhile", path)
	}
	return err
}
