package certbot

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"orderly/failure"
)

// What a repair would do is told before it is done: a person who is asked must see what he says yes
// to. Repair and its preview decide by the same functions.

// EditKind says what happens to a name in a directory.
type EditKind string

// The kinds of edit.
const (
	Written EditKind = "write"  // a file is written, or made
	Linked  EditKind = "link"   // a link leads elsewhere, or is made
	Removed EditKind = "remove" // a file, a link or an empty directory goes
	Chmoded EditKind = "mode"   // the mode bits change
	Chowned EditKind = "owner"  // it belongs to another user
	Ran     EditKind = "run"    // a program is run, of which Path is the command line
	Moved   EditKind = "move"   // it goes elsewhere as it is, to After
)

// Edit is one change to a name in a directory.
type Edit struct {
	Kind EditKind
	Path string
	// Before and After are the content of a file, where a link leads, modes in octal digits, or users;
	// "" for what is not there. No private key is ever in them.
	Before, After string
}

// Foresee says what Repair would do to a lineage now, and changes nothing. An error is Repair's: the
// lineage cannot be mended. None and no edits mean that nothing is to be done.
func (s *Store) Foresee(name string) ([]Edit, error) {
	if err := checkName(name); err != nil {
		return nil, err
	}
	r, err := s.lookRenewal(s.Dirs.Renewal(name))
	if err != nil {
		return nil, err
	}
	var edits []Edit
	if r.movedFrom(s.Dirs) != "" {
		before := r.Text()
		if err := s.namePlaces(r); err != nil {
			return nil, err
		}
		edits = append(edits, Edit{Written, r.Path, before, r.Text()})
		if r, err = s.parseRenewal(r.Path, r.file.Bytes()); err != nil {
			return nil, err
		}
	}
	shown, swept := r.foreseeSettled()
	edits = append(edits, swept...)
	parts := shown.lostParts()
	for path, data := range parts {
		torn, _ := os.ReadFile(path) // gone, perhaps
		edits = append(edits, Edit{Written, path, string(torn), string(data)})
	}
	version, err := s.foreseeVersion(shown, len(parts) > 0)
	if err != nil {
		return edits, err
	}
	links, err := r.foreseeLinks(shown, version)
	return append(edits, links...), err
}

// foreseeSettled is what settle would leave: the lineage with the links that it puts back, and what
// it takes away.
func (r *Renewal) foreseeSettled() (shown *Renewal, swept []Edit) {
	shown, full := r, true
	for _, l := range r.links() {
		if text, err := os.Readlink(previousOf(l)); err == nil {
			swept = append(swept, Edit{Removed, previousOf(l), text, ""})
		}
		_, err := os.Stat(previousOf(l))
		full = full && err == nil
		if exists(asideOf(*l.path)) {
			swept = append(swept, Edit{Kind: Removed, Path: asideOf(*l.path)})
		}
	}
	found, _ := namesIn(r.ArchiveDir) // no archive, nothing unfinished in it
	slices.Sort(found)
	for _, entry := range found {
		name, ok := unfinishedName(entry)
		if _, _, ours := archived(name); ok && ours {
			swept = append(swept, Edit{Kind: Removed, Path: filepath.Join(r.ArchiveDir, entry)})
		}
	}
	if dir := asideOf(filepath.Dir(r.Cert)); exists(dir) {
		swept = append(swept, Edit{Kind: Removed, Path: dir})
	}
	if number, _ := r.inOrder(archive{r.ArchiveDir}); full && number == 0 {
		kept := *r
		for i, l := range r.links() {
			*kept.links()[i].path = previousOf(l)
		}
		shown = &kept
	}
	return shown, swept
}

// foreseeVersion is the version to which Repair leads the links, 0 where they stay.
func (s *Store) foreseeVersion(r *Renewal, restored bool) (int, error) {
	a := archive{r.ArchiveDir}
	number, current := r.inOrder(a)
	if restored {
		number, current = r.onceRestored()
	}
	if number > 0 {
		newer, _, err := s.successor(a, number, current)
		return newer, err
	}
	to, err := s.destination(r, a)
	return to.version, err
}

// onceRestored is inOrder for links whose files restoreParts is about to make.
func (r *Renewal) onceRestored() (int, *Certificate) {
	c, err := (&Renewal{Cert: r.FullChain}).current()
	if err != nil {
		return 0, nil
	}
	number := -1
	for _, l := range r.links() {
		text, _ := os.Readlink(*l.path)
		_, version, ok := archived(filepath.Base(text))
		if !ok || !leadsInto(*l.path, r.ArchiveDir) || number >= 0 && version != number {
			return 0, nil
		}
		number = version
	}
	return number, c
}

// foreseeLinks are the links that change: where settle puts others back, or where they are led to a
// version.
func (r *Renewal) foreseeLinks(shown *Renewal, version int) ([]Edit, error) {
	var edits []Edit
	for i, l := range r.links() {
		now, err := os.Readlink(*l.path)
		if errors.Is(err, fs.ErrNotExist) {
			now = ""
		} else if err != nil {
			now = "a file" // which the archive holds, too
		}
		former, text := "", now
		if put, err := os.Readlink(*shown.links()[i].path); err == nil {
			former, text = put, put
		}
		if version > 0 {
			if text, err = linkOf(filepath.Dir(*l.path), archive{r.ArchiveDir}.path(l.kind, version), former); err != nil {
				return edits, err
			}
		}
		if text != now {
			edits = append(edits, Edit{Linked, *l.path, now, text})
		}
	}
	dir := filepath.Dir(r.Cert)
	if taken, err := occupied(dir); len(edits) > 0 && !taken && err == nil {
		edits = append(edits, Edit{Written, filepath.Join(dir, "README"), "", string(readme(""))})
	}
	return edits, nil
}

// linkOf is linkText for a directory that may be yet to be made.
func linkOf(dir, file, former string) (string, error) {
	if !exists(dir) {
		return filepath.Rel(dir, file)
	}
	return linkText(dir, file, former)
}

// ForeseeSettings is what WriteRenewal would write: the file as it is and as it would be.
func (s *Store) ForeseeSettings(name string, p Params) (Edit, error) {
	r, err := s.lookRenewal(s.Dirs.Renewal(name))
	if err != nil {
		return Edit{}, err
	}
	before := r.Text()
	if err := r.apply(p); err != nil {
		return Edit{}, err
	}
	after := r.Text()
	if _, err := s.parseRenewal(r.Path, []byte(after)); err != nil {
		return Edit{}, err
	}
	return Edit{Written, r.Path, before, after}, nil
}

// Rewrite is WriteRenewal of a lineage's renewal file as it is now, settings that cannot be used
// included.
func (s *Store) Rewrite(name string, p Params) error {
	r, err := s.lookRenewal(s.Dirs.Renewal(name))
	if err != nil {
		return err
	}
	return s.WriteRenewal(r, p)
}

// ForeseeRebuilt is what Rebuild would write.
func (s *Store) ForeseeRebuilt(name string, p Params) (Edit, error) {
	r, before, err := s.blankRenewal(name)
	if err == nil {
		err = r.apply(p)
	}
	if err != nil {
		return Edit{}, err
	}
	return Edit{Written, r.Path, before, r.Text()}, nil
}

// Rebuild writes the renewal file of a lineage whose own is blank, for the usual places. The caller
// holds the lineage's lock, and certbot's.
func (s *Store) Rebuild(name string, p Params) error {
	r, _, err := s.blankRenewal(name)
	if err != nil {
		return err
	}
	return s.WriteRenewal(r, p)
}

// blankRenewal is what is to be written in place of a blank renewal file, with its mode.
func (s *Store) blankRenewal(name string) (r *Renewal, before string, err error) {
	if err := checkName(name); err != nil {
		return nil, "", err
	}
	path := s.Dirs.Renewal(name)
	text, mode, err := readWithMode(nil, path)
	if err != nil {
		return nil, "", unread(path, err)
	}
	if !blank(text) {
		return nil, "", failure.New(failure.RenewalFile, "", "the renewal file %s is not empty", path)
	}
	if r, err = s.newRenewal(name); err == nil {
		r.mode = mode
	}
	return r, string(text), err
}

// Behind is the certificate in the usual place of a lineage whose renewal file is blank, where its
// links are in order.
func (s *Store) Behind(name string) (*Certificate, error) {
	r, _, err := s.blankRenewal(name)
	if err != nil {
		return nil, err
	}
	if number, c := r.inOrder(archive{r.ArchiveDir}); number > 0 {
		return c, nil
	}
	return nil, failure.New(failure.LineageBroken, "", "the links of %s are not in order", name)
}

// RemoveBlank removes a renewal file of no bytes behind which nothing stands, as ClearBlank does. The
// caller holds the lineage's lock, and certbot's.
func (s *Store) RemoveBlank(name string) error {
	_, err := s.clearOne(name)
	return errors.Join(err, syncDir(filepath.Dir(s.Dirs.Renewal(name))))
}

// NothingBehind reports whether RemoveBlank would remove a lineage's renewal file.
func (s *Store) NothingBehind(name string) bool { return s.nothingBehind(name) }
