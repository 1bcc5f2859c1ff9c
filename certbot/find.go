package certbot

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"orderly/failure"
)

// Lineages are looked for by name, by names and by path. A host has twenty thousand of them, some
// broken: one that cannot be read hides no other.

// LookAll looks at every lineage. Those that cannot be looked at are told in the errors, in the
// order of their names; one bad file never hides the others.
func (s *Store) LookAll() ([]*Lineage, []error) { return s.each(s.Look) }

func (s *Store) each(open func(string) (*Lineage, error)) ([]*Lineage, []error) {
	names, err := s.Names()
	if err != nil {
		return nil, []error{err}
	}
	found, errs := make([]*Lineage, len(names)), make([]error, len(names))
	s.inParallel(len(names), func() func(int) {
		return func(i int) { found[i], errs[i] = open(names[i]) }
	})
	var all []*Lineage
	var bad []error
	for i, l := range found {
		switch {
		case l != nil:
			all = append(all, l)
		case errs[i] != nil:
			bad = append(bad, errs[i])
		}
	}
	if s.Ended() != nil {
		bad = append(bad, s.Ended())
	}
	return all, bad
}

// OpenEach opens lineages, several at once, and hands each to done with its index in names. done is
// called from several goroutines, once for each index, until the context of Within ends; nobody but
// it keeps the lineages, of which thousands would fill the memory.
func (s *Store) OpenEach(names []string, done func(i int, l *Lineage, err error)) {
	s.inParallel(len(names), func() func(int) {
		return func(i int) {
			l, err := s.tried(names[i], s.Open)
			done(i, l, err)
		}
	})
}

// tried is a look at one among many: what is so odd about a lineage that this program breaks at it is
// that lineage's error, and keeps no other from being renewed.
func (s *Store) tried(name string, look func(string) (*Lineage, error)) (l *Lineage, err error) {
	defer func() {
		if broken := recover(); broken != nil {
			l, err = nil, fmt.Errorf("%s cannot be read: %v", name, broken)
		}
	}()
	return look(name)
}

// LookEach is OpenEach with Look instead of Open, but that Unsettled is not looked for and stays
// false.
func (s *Store) LookEach(names []string, done func(i int, l *Lineage, err error)) {
	s.inParallel(len(names), func() func(int) {
		return func(i int) {
			l, _, err := s.look(names[i])
			done(i, l, err)
		}
	})
}

// ExamineEach is OpenEach with Look instead of Open: also what cannot be renewed is looked at whole.
func (s *Store) ExamineEach(names []string, done func(i int, l *Lineage, err error)) {
	s.inParallel(len(names), func() func(int) {
		return func(i int) {
			l, err := s.tried(names[i], s.Look)
			done(i, l, err)
		}
	})
}

// FindByNames returns the lineage whose current certificate has exactly these names; of several the
// one that expires last; nil if there is none. Lineages that are broken are passed over, as certbot
// does; those whose settings cannot be used are not.
func (s *Store) FindByNames(names []string) *Lineage {
	same, _ := s.FindDuplicates(names)
	return same
}

// FindDuplicates is certbot's find_duplicative_certs: the lineage whose current certificate has
// exactly these names (of several the one that expires last), and the one that has the most of them
// and no other (of several the first by name). Either may be nil. Letters' case does not count.
func (s *Store) FindDuplicates(names []string) (same, subset *Lineage) {
	want := sorted(names)
	for _, l := range s.sharing(names) {
		has := sorted(l.Certificate.Names)
		switch {
		case slices.Equal(has, want):
			if same == nil || l.Certificate.NotAfter.After(same.Certificate.NotAfter) {
				same = l
			}
		case slices.ContainsFunc(has, func(n string) bool { return !slices.Contains(want, n) }):
		case subset == nil || len(has) > len(sorted(subset.Certificate.Names)):
			subset = l
		}
	}
	return same, subset
}

// Overlaps returns the lineages whose current certificates share a name with these, sorted by name.
func (s *Store) Overlaps(names []string) []*Lineage {
	want := sorted(names)
	var shared []*Lineage
	for _, l := range s.sharing(names) {
		if slices.ContainsFunc(sorted(l.Certificate.Names), func(n string) bool { return slices.Contains(want, n) }) {
			shared = append(shared, l)
		}
	}
	return shared
}

func sorted(names []string) []string {
	var all []string
	for _, name := range names {
		all = append(all, strings.ToLower(name))
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// FindByPath returns the lineage to which a certificate's file belongs: one of live/ or any version
// in an archive (certbot's cert_path_to_lineage). None is an error of class Config in certbot's
// words, several one of class LineageBroken.
func (s *Store) FindByPath(path string) (*Lineage, error) {
	var found []*Lineage
	all, _ := s.LookAll()
	for _, l := range all {
		kind, _, ok := archived(filepath.Base(path))
		inArchive := ok && (kind == "cert" || kind == "fullchain") && sameFile(filepath.Dir(path),
			l.Renewal.ArchiveDir)
		if path == l.Renewal.Cert || path == l.Renewal.FullChain || inArchive {
			found = append(found, l)
		}
	}
	switch {
	case s.Ended() != nil:
		return nil, s.Ended()
	case len(found) == 1:
		return found[0], nil
	case len(found) == 0:
		return nil, failure.New(failure.Config, "Name a file below live/ or archive/, or the certificate with "+
			failure.Do(failure.NameCertificate)+".", "No match found for cert-path %s!",
			failure.Clean(path))
	}
	return nil, failure.New(failure.LineageBroken, "Let each renewal file name an archive of its own.",
		"%s belongs to several certificates: %s and %s", failure.Clean(path), found[0].Name,
		found[1].Name)
}

// NameFor is the lineage name that certbot gives a certificate for these names: the first one,
// without "*.".
func NameFor(names []string) string {
	if len(names) == 0 {
		return ""
	}
	return strings.TrimPrefix(names[0], "*.")
}

// UniqueName returns base, or the first of base-0001, base-0002 … that has no renewal file
// (certbot's unique_lineage_name). A blank renewal file counts as none where Install can take its
// place: certbot would number on, and leave the file for ever. Directories without a renewal file
// do not count, for certbot or here: see Free.
func (s *Store) UniqueName(base string) (string, error) {
	if err := checkName(base); err != nil {
		return "", err
	}
	name := base
	for n := 1; n < 10000; n++ {
		there, err := present(s.Dirs.Renewal(name))
		if err != nil {
			return "", failure.Wrap(err, failure.Config, "Make the directory readable.", "the renewal files cannot be listed")
		}
		if !there || (blankFile(s.Dirs.Renewal(name)) && s.adoptable(name) == nil) {
			return name, nil
		}
		name = fmt.Sprintf("%s-%04d", base, n)
	}
	return "", failure.New(failure.LineageTaken,
		"Choose another name with "+failure.Do(failure.NameCertificate)+".",
		"all names from %s to %s are taken", base, name)
}

// Free returns nil if a new lineage may have this name. A renewal file, and an archive or live
// directory with something in it, are errors of class LineageTaken that name the path and what to
// do; with a blank renewal file, what a killed certbot can have left there is none. It is asked
// before a certificate is ordered, since certbot itself would refuse to put the certificate there.
func (s *Store) Free(name string) error {
	if err := checkName(name); err != nil {
		return err
	}
	conf := s.Dirs.Renewal(name)
	there, err := present(conf)
	switch {
	case err != nil:
		return unusable(err, conf)
	case there && blankFile(conf):
		return s.adoptable(name)
	case there:
		return failure.New(failure.LineageTaken, "Renew the lineage with "+
			failure.Do(failure.NameCertificate, name)+", or choose another name.",
			"the renewal file %s exists", conf)
	}
	for _, dir := range []string{s.Dirs.archive(name), s.Dirs.live(name)} {
		taken, err := occupied(dir)
		if err != nil {
			return unusable(err, dir)
		}
		if taken {
			return leftOver(dir)
		}
	}
	return nil
}

func present(path string) (bool, error) {
	_, err := os.Lstat(path)
	if os.IsNotExist(err) {
		return false, nil
	}
	return err == nil, err
}

// leftOver is the error for a directory that stands where a lineage's should go.
func leftOver(dir string) error {
	return failure.New(failure.LineageTaken,
		failure.Advise("Move %s away if nothing uses its files any more, or choose another "+
			"name with %s.",
			dir, failure.Do(failure.NameCertificate)),
		"%s exists and is not empty, but belongs to no lineage (there is no renewal file for it)",
		dir)
}

// checkName refuses names that would lead out of the directory or into our own unfinished work.
func checkName(name string) error {
	if name == "" || name[0] == '.' || strings.ContainsAny(name, "/\x00\n") || len(name) > 200 {
		return failure.New(failure.Usage, "Choose a plain name with "+
			failure.Do(failure.NameCertificate)+".", "%q cannot be the name of a certificate",
			failure.Clean(name))
	}
	return nil
}

// Remains are the names of a lineage that cannot be opened, as far as what is left of it tells: the
// certificate that the links still lead to, the newest that the archive holds, the document roots
// in the renewal file. nil if nothing does.
func (s *Store) Remains(name string) []string {
	r, c := s.Remnant(name)
	if r == nil || c != nil {
		return namesOf(c)
	}
	var mapped []string
	for _, w := range r.Params.WebrootMap {
		mapped = append(mapped, w.Name)
	}
	return mapped
}

// namesOf are a certificate's names, none where there is none.
func namesOf(c *Certificate) []string {
	if c == nil {
		return nil
	}
	return c.Names
}

// Remnant is what is left of a lineage that cannot be opened: its renewal file, or the usual places
// of one that does not parse, and the certificate that the links still lead to, or the newest that
// the archive holds. Either may be nil.
func (s *Store) Remnant(name string) (*Renewal, *Certificate) {
	r, err := s.lookRenewal(s.Dirs.Renewal(name))
	if err != nil {
		if r, err = s.newRenewal(name); err != nil { // the file does not parse: its usual places
			return nil, nil
		}
	}
	paths := []string{r.Cert, r.FullChain}
	a := archive{r.ArchiveDir}
	found, _ := a.versions()
	for _, number := range slices.Backward(slices.Sorted(maps.Keys(found))) {
		paths = append(paths, a.path("cert", number), a.path("fullchain", number))
	}
	for _, path := range paths {
		if c, err := (&Renewal{Cert: path}).current(); err == nil {
			return r, c
		}
	}
	return r, nil
}
