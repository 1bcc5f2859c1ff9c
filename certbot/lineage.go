package certbot

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"orderly/failure"
)

// Lineage is a certificate with its predecessors and its settings: what certbot calls a certificate's name stands for.
type Lineage struct {
	Name        string
	Renewal     *Renewal
	Version     int          // of the current certificate: N of archive/NAME/certN.pem; 0 if the link says something else
	Certificate *Certificate // the current one
}

// Names lists the lineages that have a renewal file, sorted.
func (s *Store) Names() ([]string, error) {
	dir := filepath.Dir(s.Dirs.Renewal("x"))
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, failure.Wrap(err, failure.Config, "Make the directory readable.", "the renewal files in %s cannot be listed", dir)
	}
	var names []string
	for _, e := range entries {
		name, ok := strings.CutSuffix(e.Name(), ".conf")
		if ok && name != "" && name[0] != '.' {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names, nil
}

// Open reads a lineage and checks its four links as certbot does. It changes nothing: see Repair. Errors are of class
// RenewalFile or LineageBroken.
func (s *Store) Open(name string) (*Lineage, error) {
	if err := checkName(name); err != nil {
		return nil, err
	}
	r, err := s.ReadRenewal(s.Dirs.Renewal(name))
	if err != nil {
		return nil, err
	}
	state, err := r.linkState()
	if err != nil {
		return nil, err
	}
	text, err := os.ReadFile(r.Cert)
	if err != nil {
		return nil, broken(err, name, "the certificate %s cannot be read", r.Cert)
	}
	c, err := ParseCertificate(text)
	if err != nil {
		return nil, broken(err, name, "the certificate %s is damaged", r.Cert)
	}
	return &Lineage{Name: name, Renewal: r, Version: state["cert"].version, Certificate: c}, nil
}

// CheckPair tells whether the current certificate and key belong together; if not, the error is of class LineageBroken.
func (l *Lineage) CheckPair() error {
	chain, err := os.ReadFile(l.Renewal.FullChain)
	if err != nil {
		return broken(err, l.Name, "the chain %s cannot be read", l.Renewal.FullChain)
	}
	key, err := os.ReadFile(l.Renewal.PrivKey)
	if err != nil {
		return broken(err, l.Name, "the private key %s cannot be read", l.Renewal.PrivKey)
	}
	if err := matches(chain, key); err != nil {
		return broken(err, l.Name, "the pair %s and %s cannot be used", l.Renewal.FullChain, l.Renewal.PrivKey)
	}
	return nil
}

func broken(cause error, name, format string, args ...any) error {
	return failure.Wrap(cause, failure.LineageBroken,
		fmt.Sprintf("Let the links in live/%s lead to a complete version in archive/%s, or restore both directories from a backup with their links.", name, name),
		format, args...)
}

// target is where a link in live/ leads.
type target struct {
	text    string // as it stands in the link
	path    string // absolute
	version int    // 0 if the name is not KINDn.pem
}

var archiveFile = regexp.MustCompile(`^(cert|privkey|chain|fullchain)([0-9]{1,9})\.pem$`)

// archived tells kind and version of a file in archive/NAME apart.
func archived(base string) (kind string, version int, ok bool) {
	m := archiveFile.FindStringSubmatch(base)
	if m == nil {
		return "", 0, false
	}
	version, err := strconv.Atoi(m[2])
	return m[1], version, err == nil
}

// linkState reads the four links; one that is no link, or leads nowhere, is an error of class LineageBroken in certbot's
// words.
func (r *Renewal) linkState() (map[string]target, error) {
	state := map[string]target{}
	for _, l := range r.links() {
		text, err := os.Readlink(*l.path)
		if err != nil {
			return nil, broken(nil, r.Name, "expected %s to be a symlink", *l.path)
		}
		t := target{text: text, path: text}
		if !filepath.IsAbs(text) {
			t.path = filepath.Join(filepath.Dir(*l.path), text)
		}
		if _, err := os.Stat(*l.path); err != nil {
			return nil, broken(nil, r.Name, "target %s of symlink %s does not exist", t.path, *l.path)
		}
		if kind, version, ok := archived(filepath.Base(text)); ok && kind == l.kind {
			t.version = version
		}
		state[l.kind] = t
	}
	return state, nil
}

// All opens every lineage. Those that cannot be opened are told in the errors, in the order of their names; one bad
// file never hides the others.
func (s *Store) All() ([]*Lineage, []error) {
	names, err := s.Names()
	if err != nil {
		return nil, []error{err}
	}
	var all []*Lineage
	var bad []error
	for _, name := range names {
		if l, err := s.Open(name); err == nil {
			all = append(all, l)
		} else {
			bad = append(bad, err)
		}
	}
	return all, bad
}

// FindByNames returns the lineage whose current certificate has exactly these names; of several the one that expires
// last; nil if there is none. Lineages that cannot be opened are passed over, as certbot does.
func (s *Store) FindByNames(names []string) *Lineage {
	want := sorted(names)
	var found *Lineage
	all, _ := s.All()
	for _, l := range all {
		if !slices.Equal(sorted(l.Certificate.Names), want) {
			continue
		}
		if found == nil || l.Certificate.NotAfter.After(found.Certificate.NotAfter) {
			found = l
		}
	}
	return found
}

// Overlaps returns the lineages whose current certificates share a name with these, sorted by name.
func (s *Store) Overlaps(names []string) []*Lineage {
	var shared []*Lineage
	all, _ := s.All()
	for _, l := range all {
		if slices.ContainsFunc(l.Certificate.Names, func(n string) bool { return slices.Contains(names, n) }) {
			shared = append(shared, l)
		}
	}
	return shared
}

func sorted(names []string) []string {
	return slices.Compact(slices.Sorted(slices.Values(names)))
}

// NameFor is the lineage name that certbot gives a certificate for these names: the first one, without "*.".
func NameFor(names []string) string {
	if len(names) == 0 {
		return ""
	}
	return strings.TrimPrefix(names[0], "*.")
}

// UniqueName returns base, or the first of base-0001, base-0002 … that has no renewal file.
func (s *Store) UniqueName(base string) (string, error) {
	if err := checkName(base); err != nil {
		return "", err
	}
	name := base
	for n := 1; n < 10000; n++ {
		_, err := os.Lstat(s.Dirs.Renewal(name))
		if errors.Is(err, fs.ErrNotExist) {
			return name, nil
		}
		if err != nil {
			return "", failure.Wrap(err, failure.Config, "Make the directory readable.", "the renewal files cannot be listed")
		}
		name = fmt.Sprintf("%s-%04d", base, n)
	}
	return "", failure.New(failure.LineageTaken, "Choose another name with --cert-name.", "all names from %s to %s are taken", base, name)
}

// Free returns nil if a new lineage may have this name. A renewal file, and an archive or live directory with something
// in it, are errors of class LineageTaken that name the path and what to do. It is asked before a certificate is
// ordered, since certbot itself would refuse to put the certificate there.
func (s *Store) Free(name string) error {
	if err := checkName(name); err != nil {
		return err
	}
	conf := s.Dirs.Renewal(name)
	if taken, err := occupied(conf); err != nil {
		return unusable(err, conf)
	} else if taken {
		return failure.New(failure.LineageTaken, "Renew the lineage with --cert-name "+name+", or choose another name.", "the renewal file %s exists", conf)
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

// leftOver is the error for a directory that stands where a lineage's should go.
func leftOver(dir string) error {
	return failure.New(failure.LineageTaken,
		"Move "+dir+" away if nothing uses its files any more, or choose another name with --cert-name.",
		"%s exists and is not empty, but belongs to no lineage (there is no renewal file for it)", dir)
}

// checkName refuses names that would lead out of the directory or into our own unfinished work.
func checkName(name string) error {
	if name == "" || name[0] == '.' || strings.ContainsAny(name, "/\x00\n") || len(name) > 200 {
		return failure.New(failure.Usage, "Choose a plain name with --cert-name.", "%q cannot be the name of a certificate", failure.Clean(name))
	}
	return nil
}
