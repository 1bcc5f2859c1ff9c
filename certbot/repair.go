package certbot

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
)

// Killed runs, restored backups and hands leave lineages half in order. What can be known to be
// right is put right, without a person and without a CA.

// Repaired says what Repair did.
type Repaired struct {
	// live/NAME holds another version or other links than before, or the renewal file names other
	// places
	Changed bool
	// LeftAlone is a sentence, without a full stop, about what looks like a newer version and is
	// none; "" if nothing does.
	LeftAlone string
	// the configuration directory that the renewal file named until now; "" if today's
	MovedFrom string
	// Abandoned is the serial number of a certificate whose private key is lost and in whose place
	// an older pair serves now; "" if there is none. It is to be renewed, though the older pair may
	// not be due.
	Abandoned string
}

// Repair ends what a killed run, certbot's or ours, left of a change of links: links are restored
// from a full set of previous_*.pem (certbot's _fix_symlinks), unfinished directories go, and if
// the archive holds a newer complete version than the links, they are led there (certbot's
// ensure_deployed). Unlike certbot it does so only if that version may take the place of a good
// pair: its key is its own, its names are the lineage's, it is valid now and ends later.
//
// It also mends what certbot gives up on, as long as nothing is lost by it: links that are gone,
// lead elsewhere or became copies of the files in the archive (the classic copy of /etc/letsencrypt
// without its links), and a current pair that is damaged, are led to the best version that is
// complete and good; a lost cert.pem or chain.pem is made of fullchain.pem; a renewal file that
// names the places of before a move names those of today. The caller holds the lineage's lock.
func (s *Store) Repair(name string) (Repaired, error) {
	var done Repaired
	if err := checkName(name); err != nil {
		return done, err
	}
	r, err := s.lookRenewal(s.Dirs.Renewal(name))
	if err != nil {
		return done, err
	}
	if old := r.movedFrom(s.Dirs); old != "" {
		if r, err = s.relocate(r); err != nil {
			return done, err
		}
		done.Changed, done.MovedFrom = true, old
	}
	before := r.linkTexts()
	if err := s.settle(r); err != nil {
		return done, err
	}
	restored, err := s.restoreParts(r)
	if err == nil {
		done.LeftAlone, done.Abandoned, err = s.leadToBest(r)
	}
	done.Changed = done.Changed || restored || before != r.linkTexts()
	return done, err
}

// linkTexts is what the four links say.
func (r *Renewal) linkTexts() [4]string {
	var all [4]string
	for i, l := range r.links() {
		all[i], _ = os.Readlink(*l.path)
	}
	return all
}

func (s *Store) leadToBest(r *Renewal) (note, abandoned string, err error) {
	a := archive{r.ArchiveDir}
	if number, current := r.inOrder(a); number > 0 {
		note, err = s.advance(r, a, number, current)
		return note, "", err
	}
	former, unread := r.current()
	if note, err = s.reconnect(r, a); err != nil || unread != nil {
		return note, "", err
	}
	if now, err := r.current(); err == nil && now.NotAfter.Before(former.NotAfter) && slices.Equal(sorted(now.Names), sorted(former.Names)) {
		abandoned = former.Serial
	}
	return note, abandoned, nil
}

// restoreParts makes cert.pem and chain.pem of fullchain.pem where the files they lead to are gone
// or torn and the pair that servers use is good: to go back to an older version would be worse.
func (s *Store) restoreParts(r *Renewal) (restored bool, err error) {
	for path, data := range r.lostParts() {
		if err := s.write(newFile{path: path, data: data, mode: 0o666}); err != nil {
			return restored, err
		}
		// by its time others tell when the certificate was put in place
		if info, err := os.Stat(r.FullChain); err == nil {
			_ = os.Chtimes(path, info.ModTime(), info.ModTime())
		}
		restored = true
	}
	return restored, nil
}

// lostParts are the files that restoreParts makes, and what is in them.
func (r *Renewal) lostParts() map[string][]byte {
	gone := map[string]string{} // paths by kind
	for kind, link := range map[string]string{"cert": r.Cert, "chain": r.Chain} {
		if path, lost := r.lost(link); lost {
			gone[kind] = path
		}
	}
	if len(gone) == 0 || r.pair() != nil { // mostly nothing is, and no pair is taken apart for it
		return nil
	}
	key, keyErr := os.ReadFile(r.PrivKey)
	whole, err := os.ReadFile(r.FullChain)
	if errors.Join(err, keyErr) != nil {
		return nil
	}
	v, err := Material{Key: key, Chain: whole}.version()
	if err != nil {
		return nil
	}
	parts := map[string][]byte{}
	for kind, path := range gone {
		if len(v[kind]) > 0 {
			parts[path] = v[kind]
		}
	}
	return parts
}

// lost tells whether a link leads to a file of the archive that is gone or holds no certificate.
func (r *Renewal) lost(link string) (path string, lost bool) {
	path, err := os.Readlink(link)
	if err != nil {
		return "", false
	}
	if !filepath.IsAbs(path) {
		path = filepath.Join(filepath.Dir(link), path)
	}
	text, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", false
	}
	_, wrong := parseChain(text)
	return path, wrong != nil && sameFile(filepath.Dir(path), r.ArchiveDir)
}

// oldest is the lowest version that a link leads to, 0 if one leads to a file that is none of a
// version.
func oldest(state map[string]target) int {
	least := state["cert"].version
	for _, t := range state {
		least = min(least, t.version)
	}
	return least
}

// pair returns nil if the certificate and the key that servers use belong together.
func (r *Renewal) pair() error {
	chain, err := os.ReadFile(r.FullChain)
	if err != nil {
		return err
	}
	key, err := os.ReadFile(r.PrivKey)
	if err != nil {
		return err
	}
	return matches(chain, key)
}

// replaceable tells whether nothing is lost when the four links are made anew: what stands in their
// places is a link, or a copy of a file in the archive. Another file may be somebody's own
// certificate. Directories are made below live/ alone: a renewal file that was copied from another
// host can name any.
func (s *Store) replaceable(r *Renewal, a archive) bool {
	found, err := a.versions()
	if err != nil {
		return false
	}
	for _, dir := range r.liveDirs() {
		if there, _ := present(dir); !there && filepath.Dir(dir) != filepath.Join(s.Dirs.Config, "live") {
			return false
		}
	}
	for _, l := range r.links() {
		info, err := os.Lstat(*l.path)
		switch {
		case errors.Is(err, fs.ErrNotExist), err == nil && info.Mode()&fs.ModeSymlink != 0:
		case err != nil || !info.Mode().IsRegular() || !a.hasCopy(l, found):
			return false
		}
	}
	return true
}

// hasCopy tells whether the archive holds the file that stands in a link's place.
func (a archive) hasCopy(l link, found map[int][]string) bool {
	text, err := os.ReadFile(*l.path)
	if err != nil {
		return false
	}
	for number := range found {
		if kept, err := os.ReadFile(a.path(l.kind, number)); err == nil && bytes.Equal(kept, text) {
			return true
		}
	}
	return false
}

// relink makes the four links anew, each in one instant.
func (s *Store) relink(r *Renewal, a archive, number int) error {
	for _, l := range r.links() {
		dir := filepath.Dir(*l.path)
		if err := makeDirs(dir, 0o755); err != nil {
			return err
		}
		former, err := os.Readlink(*l.path)
		if err != nil {
			former = ""
		}
		text, err := linkText(dir, a.path(l.kind, number), former)
		if err != nil {
			return err
		}
		if err := s.replaceLink(*l.path, text); err != nil {
			return err
		}
	}
	return syncDirs(r.liveDirs())
}
