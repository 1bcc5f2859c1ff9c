package certbot

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"orderly/failure"
	"orderly/outside"
)

// A lineage is a renewal file, four links and what they lead to. It counts as one only where these
// agree.

// Lineage is a certificate with its predecessors and its settings: what certbot calls a
// certificate's name stands for.
type Lineage struct {
	Name    string
	Renewal *Renewal
	// of the current certificate: N of archive/NAME/certN.pem; 0 if the link says something else
	Version     int
	Certificate *Certificate // the current one
	// KeyLost says why the private key is of no use: it is gone, empty, or another certificate's.
	// nil if it is good, or cannot be judged (who runs the command may not read it, or it is in a
	// form that other programs understand). The certificate is then worth nothing, but its names
	// and settings are all that a renewal needs.
	KeyLost error
	// Unsettled tells that a killed run left links half changed, or a version that no link leads
	// to. Nothing is broken, but Repair may have something to do.
	Unsettled bool
	// Astray tells that a link leads out of the lineage's archive, Mixed that the links lead to
	// different versions; Repair can mend either.
	Astray, Mixed bool
	// Ahead is the highest number in the archive that no link leads to and that is above those that
	// they lead to, complete or not; 0 for none.
	Ahead int
}

// Names lists the lineages that have a renewal file, sorted. An empty file that stands for nothing
// is none: see ClearBlank.
func (s *Store) Names() ([]string, error) {
	names, err := s.confNames()
	return slices.DeleteFunc(names, s.nothingBehind), err
}

// Listed is Names with the empty files that stand for nothing. It looks at no file.
func (s *Store) Listed() ([]string, error) { return s.confNames() }

// unlisted is the remedy where a directory cannot be listed: rights are of no use to what is none.
func unlisted(err error) failure.Remedy {
	if errors.Is(err, unix.ENOTDIR) {
		return "Name a directory with " + failure.Do(failure.ConfigDir) + "."
	}
	return "Make the directory readable."
}

func (s *Store) confNames() ([]string, error) {
	dir := filepath.Dir(s.Dirs.Renewal("x"))
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, failure.Wrap(err, failure.Config, unlisted(err), "the renewal files in %s cannot be listed", dir)
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

// Open reads a lineage and checks its four links as certbot does. It changes nothing: see Repair.
// Errors are of class RenewalFile or LineageBroken.
func (s *Store) Open(name string) (*Lineage, error) { return s.usable(s.Look(name)) }

func (s *Store) usable(l *Lineage, err error) (*Lineage, error) {
	if err != nil {
		return nil, err
	}
	if l.Renewal.Unusable != nil {
		return nil, l.Renewal.Unusable
	}
	return l, nil
}

// Look is Open for one who wants the certificate and not to renew it: settings that cannot be used
// are no error. certbot lists, finds and replaces such lineages; whoever passed them over would
// make a NAME-0001 beside them.
func (s *Store) Look(name string) (*Lineage, error) {
	l, state, err := s.look(name)
	if err != nil {
		return nil, err
	}
	l.Unsettled, l.Ahead = l.Renewal.unsettled(state)
	l.Mixed, l.Astray = mixed(state), len(state) == len(kinds) && l.Unsettled && l.Renewal.strays(state)
	l.KeyLost = l.Renewal.keyFault(l.Certificate.Leaf, state["privkey"].size)
	return l, nil
}

// look reads a lineage but for what Unsettled and KeyLost tell.
func (s *Store) look(name string) (*Lineage, map[string]target, error) {
	if err := checkName(name); err != nil {
		return nil, nil, err
	}
	r, err := s.lookRenewal(s.Dirs.Renewal(name))
	if err != nil {
		return nil, nil, err
	}
	state, err := r.linkState()
	if err != nil {
		if state, err = s.withoutKey(r, err); err != nil {
			return nil, nil, err
		}
	}
	text, err := readSized(r.Cert, state["cert"].size)
	if err != nil {
		return nil, nil, marked(broken(err, name, "the certificate %s cannot be read", r.Cert),
			FaultCertificate, 0)
	}
	c, err := ParseCertificate(text)
	if err != nil {
		return nil, nil, marked(broken(err, name, "the certificate %s is damaged", r.Cert),
			FaultCertificate, 0)
	}
	r.Notes = append(r.Notes, r.staleNotes(c.Names)...)
	r.dueNote(c)
	return &Lineage{Name: name, Renewal: r, Version: state["cert"].version, Certificate: c}, state, nil
}

// withoutKey returns the links of a lineage whose key alone is lost; linkErr, or a better one,
// where more is wrong.
func (s *Store) withoutKey(r *Renewal, linkErr error) (map[string]target, error) {
	if old := r.movedFrom(s.Dirs); old != "" {
		return nil, marked(r.movedFailure(s.Dirs, old), FaultMoved, 0)
	}
	state, err := r.linksBut("privkey")
	if err != nil || errors.Is(linkErr, fs.ErrPermission) || exists(r.PrivKey) && !isLink(r.PrivKey) {
		return nil, linkErr
	}
	return state, nil
}

// unsettled looks for the traces of a killed run that the links themselves do not show, and for
// what stands above the versions that they lead to.
func (r *Renewal) unsettled(state map[string]target) (traces bool, ahead int) {
	if len(state) < len(kinds) || r.strays(state) {
		return true, 0
	}
	newest := 0
	for _, l := range r.links() {
		newest = max(newest, state[l.kind].version)
		if exists(previousOf(l)) {
			return true, 0
		}
	}
	if oldest(state) < newest {
		return true, 0
	}
	found, err := archive{r.ArchiveDir}.versions()
	for version, present := range found {
		if version > newest {
			traces = traces || len(present) == len(kinds)
			ahead = max(ahead, version)
		}
	}
	return traces || err != nil, ahead
}

// mixed tells whether links lead to files of different versions.
func mixed(state map[string]target) bool {
	cert := state["cert"].version
	for _, t := range state {
		if cert > 0 && t.version > 0 && t.version != cert {
			return true
		}
	}
	return false
}

// strays tells whether a link leads out of the archive. Four that stand and lead side by side, as
// they do nearly always, are one question.
func (r *Renewal) strays(state map[string]target) bool {
	var from, to string
	for _, l := range r.links() {
		t := state[l.kind]
		here, there := filepath.Dir(*l.path), filepath.Dir(t.text)
		if t.version > 0 && here == from && there == to {
			continue
		}
		usual := filepath.Dir(absolute(here, t.text)) == filepath.Clean(r.ArchiveDir)
		if !usual && !leadsInto(*l.path, r.ArchiveDir) {
			return true
		}
		if from, to = "", ""; usual && t.version > 0 {
			from, to = here, there
		}
	}
	return false
}

// Usable returns nil if a renewal of the current names can be tried with the lineage's settings:
// see Renewal.Usable. A private key that is to stay the same must be there.
func (l *Lineage) Usable() error {
	if err := l.Orderable(); err != nil {
		return err
	}
	if l.KeyLost != nil && l.Renewal.Params.ReuseKey {
		return l.KeyNeeded()
	}
	return l.Renewal.Usable(l.Certificate.Names)
}

// Orderable says which name of the certificate no CA can be asked for; whoever made the certificate
// could write anything.
func (l *Lineage) Orderable() error {
	remedy := "Name what it is to be for: " + failure.Do(failure.ObtainFor, l.Name, "", "NAME") + "."
	if len(l.Certificate.Names) == 0 {
		return failure.New(failure.BadName, remedy, "the certificate of %s has no name", l.Name)
	}
	for _, name := range l.Certificate.Names {
		if _, ok := outside.Name(name); !ok {
			return failure.New(failure.BadName, remedy,
				"the certificate of %s has a name that no CA can be asked for, %s", l.Name, name)
		}
	}
	return nil
}

// KeyNeeded is the error of a renewal that was to keep a private key which is lost.
func (l *Lineage) KeyNeeded() error {
	return marked(failure.Wrap(l.KeyLost, failure.LineageBroken,
		"Put it back, or have a new one made: "+
			failure.Do(failure.RenewWith, l.Name, failure.NewKey)+".",
		"the private key of %s is to stay the same and is lost", l.Name), FaultKey, 0)
}

// forbidden says that a lineage cannot be looked at, which says nothing about its state.
func forbidden(err error, name string) error {
	return failure.Wrap(err, failure.Config,
		"Run the command as root, or as a user who may read live/ and archive/.",
		"the files of %s cannot be read", name)
}

func broken(cause error, name, format string, args ...any) error {
	return failure.Wrap(cause, failure.LineageBroken,
		failure.Remedy(fmt.Sprintf("Let the links in live/%s lead to a complete version in archive/%s, or restore "+
			"both directories from a backup with their links. Where there is neither, make it anew: ", name, name))+
			failure.Do(failure.Delete, name)+", then "+failure.Do(failure.ObtainAt, name, "NAME")+".",
		format, args...)
}

// target is where a link in live/ leads.
type target struct {
	text    string // as it stands in the link
	version int    // 0 if the name is not KINDn.pem
	size    int64  // of the file there, 0 if it is none
}

// archived tells kind and version of a file in archive/NAME apart: KINDn.pem, n of at most nine
// digits.
func archived(base string) (kind string, version int, ok bool) {
	stem, ok := strings.CutSuffix(base, ".pem")
	kind = strings.TrimRight(stem, "0123456789")
	digits := stem[len(kind):]
	if !ok || !slices.Contains(kinds[:], kind) || len(digits) > 9 {
		return "", 0, false
	}
	version, err := strconv.Atoi(digits)
	return kind, version, err == nil
}

func absolute(dir, path string) string {
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(dir, path)
}

// linksBut is linkState without the link of one kind.
func (r *Renewal) linksBut(kind string) (map[string]target, error) {
	return r.linksOf(func(k string) bool { return k != kind })
}

// linkState reads the four links; one that is no link, or leads nowhere, is an error of class
// LineageBroken in certbot's words.
func (r *Renewal) linkState() (map[string]target, error) {
	return r.linksOf(func(string) bool { return true })
}

func (r *Renewal) linksOf(counts func(kind string) bool) (map[string]target, error) {
	state := make(map[string]target, len(kinds))
	for _, l := range r.links() {
		if !counts(l.kind) {
			continue
		}
		text, err := readlink(*l.path)
		if errors.Is(err, fs.ErrPermission) {
			return nil, forbidden(err, r.Name)
		}
		if err != nil {
			return nil, marked(broken(nil, r.Name, "expected %s to be a symlink", *l.path),
				FaultLink, 0)
		}
		t := target{text: text}
		t.size, err = leads(*l.path)
		if errors.Is(err, fs.ErrPermission) {
			return nil, forbidden(err, r.Name)
		}
		if err != nil {
			return nil, marked(broken(nil, r.Name, "target %s of symlink %s does not exist",
				absolute(filepath.Dir(*l.path), text), *l.path), FaultLink, 0)
		}
		if kind, version, ok := archived(filepath.Base(text)); ok && kind == l.kind {
			t.version = version
		}
		state[l.kind] = t
	}
	return state, nil
}
