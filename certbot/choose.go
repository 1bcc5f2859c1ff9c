package certbot

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// Where links are broken, or lead to less than there is, one version is to be chosen. Servers read
// what comes of it, so that a good pair gives way to a better one only.

// now is the moment at which certificates are to be valid.
func (s *Store) now() time.Time {
	if s.Now == nil {
		return time.Now()
	}
	return s.Now()
}

// read returns the certificate of a version that links may lead to: all four files are there and
// belong together, and the first certificate of the chain has signed it. A version that a killed
// certbot wrote half may have four files and yet be no good, and one that somebody made with
// openssl has no issuer.
func (a archive) read(number int) (*Certificate, error) {
	v := map[string][]byte{}
	for _, kind := range kinds {
		text, err := os.ReadFile(a.path(kind, number))
		if err != nil {
			return nil, err
		}
		v[kind] = text
	}
	if !bytes.Equal(slices.Concat(v["cert"], v["chain"]), v["fullchain"]) {
		return nil, fmt.Errorf("fullchain%d.pem is not certificate and chain", number)
	}
	if err := matches(v["fullchain"], v["privkey"]); err != nil {
		return nil, err
	}
	c, err := ParseCertificate(v["cert"])
	if err != nil {
		return nil, err
	}
	issuers, err := parseChain(v["chain"])
	if err == nil {
		err = issuers[0].CheckSignature(c.Leaf.SignatureAlgorithm, c.Leaf.RawTBSCertificate,
			c.Leaf.Signature)
	}
	switch {
	case err != nil:
		return nil, fmt.Errorf("its chain has not signed it: %w", err)
	case bytes.Equal(c.Leaf.RawIssuer, c.Leaf.RawSubject):
		return nil, errors.New("it is signed by itself")
	}
	return c, nil
}

// good tells whether a version's files are all there and belong together.
func (a archive) good(number int) bool {
	_, err := a.read(number)
	return err == nil
}

// succeeds returns nil if a good pair may take the place of another good one that servers use:
// anything less would be a step back that nobody asked for.
func (c *Certificate) succeeds(former *Certificate, now time.Time) error {
	switch {
	case !slices.Equal(sorted(c.Names), sorted(former.Names)):
		return errors.New("it has other names")
	case now.Before(c.NotBefore):
		return fmt.Errorf("it is not valid before %s", c.NotBefore.UTC().Format(time.RFC3339))
	case !now.Before(c.NotAfter):
		return errors.New("it has expired")
	case !c.NotAfter.After(former.NotAfter):
		return errors.New("it does not end later than the one in use")
	}
	return nil
}

// inOrder returns the version to which all four links lead and which is a good pair; 0 if that
// cannot be said.
func (r *Renewal) inOrder(a archive) (int, *Certificate) {
	state, err := r.linkState()
	if err != nil {
		return 0, nil
	}
	number := state["cert"].version
	for _, l := range r.links() {
		if number == 0 || state[l.kind].version != number || !sameFile(*l.path, a.path(l.kind, number)) {
			return 0, nil
		}
	}
	if r.pair() != nil {
		return 0, nil
	}
	c, err := r.current()
	if err != nil {
		return 0, nil
	}
	return number, c
}

// current reads the certificate that the lineage shows.
func (r *Renewal) current() (*Certificate, error) {
	text, err := readFile(r.Cert)
	if err != nil {
		return nil, err
	}
	return ParseCertificate(text)
}

// advance leads links that are in order to a newer version if there is one that may take its place.
// What may not is left alone, and said.
func (s *Store) advance(r *Renewal, a archive, number int,
	current *Certificate) (note string, err error) {
	newer, note, err := s.successor(a, number, current)
	if err != nil || newer == 0 {
		return note, err
	}
	return "", s.lead(r, a, newer)
}

// successor is the newest version that may take the place of the one in use, 0 for none; the note
// says what looks like one and is left alone.
func (s *Store) successor(a archive, number int,
	current *Certificate) (version int, note string, err error) {
	found, err := a.versions()
	if err != nil {
		return 0, "", err
	}
	for _, newer := range slices.Backward(slices.Sorted(maps.Keys(found))) {
		if newer <= number || len(found[newer]) < len(kinds) {
			continue // what a killed certbot did not write to its end is nobody's
		}
		c, objection := a.read(newer)
		if objection == nil {
			objection = c.succeeds(current, s.now())
		}
		if objection == nil {
			return newer, "", nil
		}
		if note == "" {
			note = fmt.Sprintf("version %d in %s is left alone: %v", newer, a.dir, objection)
		}
	}
	return 0, note, nil
}

// candidate is a good version of an archive.
type candidate struct {
	number int
	*Certificate
}

// candidates are the good versions of an archive, by number.
func (a archive) candidates() ([]candidate, error) {
	found, err := a.versions()
	if err != nil {
		return nil, err
	}
	var all []candidate
	for _, number := range slices.Sorted(maps.Keys(found)) {
		if c, err := a.read(number); err == nil {
			all = append(all, candidate{number, c})
		}
	}
	return all, nil
}

// ownNames are the names of a lineage whose links are not in order: what is left of the linked
// certificate tells, else the document roots, else the version that a link was meant to lead to or
// the one before it. A certificate outside the archive does not count, it is somebody else's.
func (r *Renewal) ownNames(a archive, all []candidate) []string {
	for _, path := range []string{r.Cert, r.FullChain} {
		c, err := (&Renewal{Cert: path}).current()
		if err == nil && (!isLink(path) || leadsInto(path, a.dir)) {
			return c.Names
		}
	}
	var mapped []string
	for _, w := range r.Params.WebrootMap {
		mapped = append(mapped, w.Name)
	}
	last := 0
	for _, l := range r.links() {
		text, _ := os.Readlink(*l.path)
		_, number, _ := archived(filepath.Base(text))
		last = max(last, number)
	}
	var own []string
	for _, c := range all {
		if slices.Equal(sorted(c.Names), sorted(mapped)) {
			return c.Names
		}
		if own == nil || c.number <= last || last == 0 {
			own = c.Names
		}
	}
	return own
}

func isLink(path string) bool {
	info, err := os.Lstat(path)
	return err == nil && info.Mode()&fs.ModeSymlink != 0
}

// leadsInto tells whether a link leads to a file of a directory, whether that file is there or not.
func leadsInto(link, dir string) bool {
	text, err := os.Readlink(link)
	return err == nil && sameFile(filepath.Dir(absolute(filepath.Dir(link), text)), dir)
}

// best picks the version for links that are not in order: with the lineage's names, valid now, the
// one that ends last. Where nothing else lets the lineage be read, an expired one will do, so that
// it can be renewed. 0 if there is none.
func (s *Store) best(r *Renewal, a archive, readable bool) (candidate, error) {
	all, err := a.candidates()
	if err != nil {
		return candidate{}, err
	}
	names, now := sorted(r.ownNames(a, all)), s.now()
	all = slices.DeleteFunc(all, func(c candidate) bool {
		return !slices.Equal(sorted(c.Names), names) || now.Before(c.NotBefore) ||
			(readable && !now.Before(c.NotAfter))
	})
	if len(all) == 0 {
		return candidate{}, nil
	}
	return slices.MaxFunc(all, func(x, y candidate) int {
		return cmp.Or(x.NotAfter.Compare(y.NotAfter), cmp.Compare(x.number, y.number))
	}), nil
}

// inUse returns the certificate of a pair that servers can use although the links are not in order;
// nil if there is none.
func (r *Renewal) inUse(linkErr error) *Certificate {
	if linkErr != nil || r.pair() != nil {
		return nil
	}
	c, err := (&Renewal{Cert: r.FullChain}).current()
	if err != nil {
		return nil
	}
	return c
}

// reconnect makes links that are not in order lead to the best version. A pair that is good all the
// same, since somebody leads the links to another place, gives way only to one that may take its
// place, or where it has other names than the lineage.
func (s *Store) reconnect(r *Renewal, a archive) (note string, err error) {
	to, err := s.destination(r, a)
	switch {
	case err != nil || to.version == 0:
		return to.note, err
	case to.anew:
		return "", s.connect(r, a, to.version)
	}
	return "", s.lead(r, a, to.version)
}

// destination is where links that are not in order are to lead.
type destination struct {
	version int    // 0: they stay as they are
	anew    bool   // they are made anew: not all of them are links
	note    string // why they stay, where that is to be said
}

// destination decides for reconnect.
func (s *Store) destination(r *Renewal, a archive) (destination, error) {
	_, linkErr := r.linkState()
	readable := s.readable(r, linkErr)
	target, err := s.best(r, a, readable)
	if err != nil || target.number == 0 {
		if readable {
			return destination{}, err // where the key is lost, a renewal makes a new one
		}
		return destination{}, errors.Join(linkErr, err)
	}
	used := r.inUse(linkErr)
	if used != nil && used.Serial != target.Serial && slices.Equal(sorted(used.Names), sorted(target.Names)) {
		if objection := target.succeeds(used, s.now()); objection != nil {
			return destination{note: fmt.Sprintf("the links in %s do not lead to one version in %s, and are left alone; of version %d there: %v",
				filepath.Dir(r.Cert), a.dir, target.number, objection)}, nil
		}
	}
	switch {
	case linkErr == nil:
		return destination{version: target.number}, nil
	case s.replaceable(r, a):
		return destination{version: target.number, anew: true}, nil
	case readable:
		return destination{}, nil
	}
	return destination{}, linkErr
}

// readable tells whether the lineage can be opened as it is, though perhaps without its key.
func (s *Store) readable(r *Renewal, linkErr error) bool {
	if linkErr != nil {
		if _, err := s.withoutKey(r, linkErr); err != nil {
			return false
		}
	}
	_, err := r.current()
	return err == nil
}
