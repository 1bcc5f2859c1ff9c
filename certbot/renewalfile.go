package certbot

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"orderly/certbot/configobj"
	"orderly/failure"
)

// formatVersion is what a new renewal file says of the certbot that wrote it: the version whose format this is. A newer
// one would make older certbots warn, and what is not a version would stop them.
const formatVersion = "2.1.0"

// kinds are the four files of a version, in the order in which a renewal file names them.
var kinds = [4]string{"cert", "privkey", "chain", "fullchain"}

// Renewal is a lineage's renewal file, renewal/NAME.conf.
type Renewal struct {
	Path       string
	Name       string // of the lineage
	ArchiveDir string
	Cert       string // paths of the four links in live/, absolute
	PrivKey    string
	Chain      string
	FullChain  string
	Params     Params

	file *configobj.File
	mode fs.FileMode // of the file as it was read, 0 for a new one
}

// ReadRenewal reads a renewal file. What cannot be read is an error of class RenewalFile that names file, line and
// remedy; a missing file has fs.ErrNotExist in the chain.
func (s *Store) ReadRenewal(path string) (*Renewal, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, failure.Wrap(err, failure.RenewalFile, "", "no renewal file")
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, failure.Wrap(err, failure.RenewalFile, "Make the file readable.", "the renewal file cannot be read")
	}
	name := strings.TrimSuffix(filepath.Base(path), ".conf")
	if len(text) == 0 {
		return nil, failure.New(failure.RenewalFile, "Remove the file, then obtain the certificate anew with certonly.",
			"the renewal file %s is empty: a certbot that was to make the lineage was killed", path)
	}
	file, err := configobj.Parse(text)
	if err != nil {
		return nil, parseFailure(err, path)
	}
	r := &Renewal{Path: path, Name: name, file: file, mode: info.Mode().Perm()}
	return r, r.read(s.Dirs)
}

func parseFailure(err error, path string) error {
	remedy := "Correct the line."
	var p *configobj.ParseError
	if errors.As(err, &p) && strings.HasPrefix(p.Reason, "duplicate") {
		remedy = "Remove one of the two; certbot cannot read the file either."
	}
	return failure.Wrap(err, failure.RenewalFile, remedy, "the renewal file %s does not parse", path)
}

// read takes from the parsed file what Renewal shows.
func (r *Renewal) read(d Dirs) error {
	in := &reader{path: r.Path}
	root := r.file.Root()
	for _, l := range r.links() {
		*l.path = in.text(root, l.kind)
		if *l.path == "" && in.err == nil {
			in.err = failure.New(failure.RenewalFile, fmt.Sprintf("Add the line %s = %s, as certbot writes it.", l.kind, filepath.Join(d.live(r.Name), l.kind+".pem")),
				"the renewal file %s is missing a required file reference: %s", r.Path, l.kind)
		}
	}
	if r.ArchiveDir = in.text(root, "archive_dir"); r.ArchiveDir == "" {
		r.ArchiveDir = d.archive(r.Name)
	}
	section, ok := r.file.Section("renewalparams")
	switch {
	case in.err != nil:
		return in.err
	case !ok:
		return failure.New(failure.RenewalFile, "Obtain the certificate anew with certonly --cert-name "+r.Name+".",
			"the renewal file %s lacks the section [renewalparams]", r.Path)
	}
	r.Params = in.params(root, section)
	return in.err
}

// link is one of the four references of a renewal file.
type link struct {
	kind string
	path *string
}

func (r *Renewal) links() [4]link {
	return [4]link{{"cert", &r.Cert}, {"privkey", &r.PrivKey}, {"chain", &r.Chain}, {"fullchain", &r.FullChain}}
}

// reader reads values and keeps the first error.
type reader struct {
	path string
	err  error
}

func (r *reader) fail(s *configobj.Section, key, sentence string) {
	r.failWith(s, key, "Correct the line.", sentence)
}

func (r *reader) failWith(s *configobj.Section, key, remedy, sentence string) {
	if r.err == nil {
		r.err = failure.New(failure.RenewalFile, remedy, "the renewal file %s, line %d: %s", r.path, s.Line(key), sentence)
	}
}

func (r *reader) get(s *configobj.Section, key string) (configobj.Value, bool) {
	v, ok := s.Get(key)
	if v.Err != nil {
		r.failWith(s, key, "Write the value without %(…)s, for example as a script of its own; certbot cannot read it either.",
			failure.Clean("the value of "+key+" holds an interpolation: "+v.Err.Error()))
		return v, false
	}
	return v, ok
}

// text reads a string; an absent one and certbot's None are "".
func (r *reader) text(s *configobj.Section, key string) string {
	v, ok := r.get(s, key)
	switch {
	case !ok:
		return ""
	case v.IsList:
		r.failWith(s, key, "Put the whole value in double quotes; certbot cannot use it either.", "the comma makes a list of the value of "+key)
		return ""
	case v.String() == "None":
		return ""
	}
	return v.String()
}

func (r *reader) flag(s *configobj.Section, f flag) bool {
	text := r.text(s, f.key)
	if text == "" {
		return false
	}
	value, ok := boolean(text)
	if !ok {
		r.fail(s, f.key, fmt.Sprintf("expected True or False for %s but found %q", f.key, failure.Clean(text)))
	}
	return value == (f.on == "True")
}

// Webroot returns the document root for a name as certbot's webroot plugin does: the map's entry, otherwise the last
// webroot_path. None is an error of class WebrootUnset that names the command which repairs it.
func (r *Renewal) Webroot(name string) (string, error) {
	remedy := fmt.Sprintf("Run: orderly certonly --webroot --cert-name %s --force-renewal, with -w DIRECTORY before the -d of each name.", r.Name)
	for _, w := range r.Params.WebrootMap {
		if w.Name != name {
			continue
		}
		if w.Path == "" {
			return "", failure.New(failure.WebrootUnset, remedy, "the renewal file %s, line %d: the document root of %s is empty or no path", r.Path, r.mapLine(name), name)
		}
		return w.Path, nil
	}
	if paths := r.Params.WebrootPath; len(paths) > 0 && paths[len(paths)-1] != "" {
		return paths[len(paths)-1], nil
	}
	return "", failure.New(failure.WebrootUnset, remedy, "no document root is configured for %s: the renewal file %s has neither an entry in [[webroot_map]] nor a webroot_path", failure.Clean(name), r.Path)
}

func (r *Renewal) mapLine(name string) int {
	if s, ok := r.file.Section("renewalparams", "webroot_map"); ok {
		return s.Line(name)
	}
	return 0
}

// newRenewal makes the settings of a lineage that has no renewal file yet.
func (s *Store) newRenewal(name string) (*Renewal, error) {
	r := &Renewal{Path: s.Dirs.Renewal(name), Name: name, file: configobj.New(), ArchiveDir: s.Dirs.archive(name)}
	root := r.file.Root()
	err := errors.Join(root.Set("version", formatVersion), root.Set("archive_dir", r.ArchiveDir))
	for _, l := range r.links() {
		*l.path = filepath.Join(s.Dirs.live(name), l.kind+".pem")
		err = errors.Join(err, root.Set(l.kind, *l.path))
	}
	return r, err
}

// WriteRenewal applies settings to a renewal file and replaces it in one instant, with the same mode bits. Nothing is
// written if the file says it already. What Params does not know stays as it is. An error that no disk is to blame for
// is of class RenewalFile. After an error r is to be read again before it is used.
func (s *Store) WriteRenewal(r *Renewal, p Params) error {
	before := string(r.file.Bytes())
	if err := r.apply(p); err != nil {
		return failure.Wrap(err, failure.RenewalFile, "Use a value without such characters, for example the path of a script.",
			"the renewal file %s cannot hold a setting", r.Path)
	}
	if err := r.read(s.Dirs); err != nil {
		return err
	}
	after := r.file.Bytes()
	if _, err := os.Lstat(r.Path); err == nil && string(after) == before {
		return nil
	}
	f := newFile{path: r.Path, data: after, mode: 0o644}
	if r.mode != 0 {
		f.last = func(file *os.File) error { return file.Chmod(r.mode) }
	}
	if err := s.write(f); err != nil {
		return err
	}
	return syncDir(filepath.Dir(r.Path))
}
