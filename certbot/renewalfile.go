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

// A renewal file is read whole and written whole, and a wrong one is left alone: it is a person's
// text.

// formatVersion is what a new renewal file says of the certbot that wrote it: the version whose
// format this is. A newer one would make older certbots warn, and what is not a version would stop
// them.
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
	Notes      []Note // what is odd about the file and hinders nobody
	// Unusable says why [renewalparams] cannot be used for a renewal, nil if it can; of class
	// RenewalFile. ReadRenewal and Store.Open return it as their error, Store.Look does not: a
	// certificate can be listed and replaced all the same.
	Unusable error

	file *configobj.File
	mode fs.FileMode // of the file as it was read, 0 for a new one
}

// ReadRenewal reads a renewal file. What cannot be read is an error of class RenewalFile that names
// file, line and remedy; a missing file has fs.ErrNotExist in the chain, one without content
// ErrBlank.
func (s *Store) ReadRenewal(path string) (*Renewal, error) {
	r, err := s.lookRenewal(path)
	if err == nil {
		err = r.Unusable
	}
	return r, err
}

// lookRenewal reads a renewal file, settings that cannot be used included.
func (s *Store) lookRenewal(path string) (*Renewal, error) {
	text, mode, err := readWithMode(make([]byte, usualSize), path)
	if err != nil {
		return nil, unread(path, err)
	}
	if blank(text) {
		return nil, s.blankFailure(path, len(text))
	}
	r, err := s.parseRenewal(path, text)
	if err == nil {
		r.mode = mode
	}
	return r, err
}

// unread is the error of a renewal file that could not be read.
func unread(path string, err error) error {
	_, statErr := os.Stat(path)
	_, lstatErr := os.Lstat(path)
	switch {
	case statErr == nil:
		return failure.Wrap(err, failure.RenewalFile, "Make it a file that can be read.",
			"the renewal file cannot be read")
	case lstatErr == nil:
		return failure.Wrap(statErr, failure.RenewalFile, "Remove the link, or put the file back.",
			"the renewal file %s is a link that leads nowhere", path)
	}
	return failure.Wrap(statErr, failure.RenewalFile, "", "no renewal file")
}

// parseRenewal makes a Renewal of a file's content.
func (s *Store) parseRenewal(path string, text []byte) (*Renewal, error) {
	file, err := configobj.Parse(text)
	if err != nil {
		return nil, parseFailure(err, path)
	}
	r := &Renewal{Path: path, Name: strings.TrimSuffix(filepath.Base(path), ".conf"), file: file}
	return r, r.read(s.Dirs)
}

func parseFailure(err error, path string) error {
	remedy, fault, line := "Correct the line.", FaultSyntax, 0
	if p, ok := errors.AsType[*configobj.ParseError](err); ok {
		line = p.Line
		if strings.HasPrefix(p.Reason, "duplicate") {
			remedy = "Remove one of the two; certbot cannot read the file either."
			fault = FaultTwice
		}
	}
	return marked(failure.Wrap(err, failure.RenewalFile, CorrectLine(path, line, remedy),
		"the renewal file %s does not parse", path), fault, line)
}

// read takes from the parsed file what Renewal shows.
func (r *Renewal) read(d Dirs) error {
	in := &reader{path: r.Path}
	root := r.file.Root()
	for _, l := range r.links() {
		r.reference(in, l, d)
	}
	if r.ArchiveDir = in.text(root, "archive_dir"); r.ArchiveDir == "" {
		r.ArchiveDir = d.archive(r.Name)
	}
	if in.err != nil {
		return in.err
	}
	section, ok := r.file.Section("renewalparams")
	if !ok {
		r.Params, r.Notes = Params{}, nil
		r.Unusable = marked(failure.New(failure.RenewalFile,
			"Empty the file, and obtain the certificate anew, which replaces it: `"+
				failure.Shell("truncate", "-s", "0", r.Path)+"`, then "+
				failure.Do(failure.ObtainAt, r.Name, "NAME")+".",
			"the renewal file %s lacks the section [renewalparams]", r.Path), FaultSyntax, 0)
		return nil
	}
	r.Params = in.params(root, section)
	r.Notes, r.Unusable = in.notes, in.err
	return nil
}

// reference reads the path of one of the four links.
func (r *Renewal) reference(in *reader, l link, d Dirs) {
	root := r.file.Root()
	*l.path = in.text(root, l.kind)
	if in.err != nil || filepath.IsAbs(*l.path) {
		return
	}
	remedy := fmt.Sprintf("Write the line %s = %s, as certbot does.", l.kind,
		filepath.Join(d.live(r.Name), l.kind+".pem"))
	if *l.path == "" {
		in.err = marked(failure.New(failure.RenewalFile, CorrectLine(r.Path, 0, remedy),
			"the renewal file %s is missing a required file reference: %s", r.Path, l.kind),
			FaultSyntax, 0)
		return
	}
	in.failWith(root, l.kind, FaultSyntax, remedy,
		fmt.Sprintf("%s is no absolute path: %q", l.kind, failure.Clean(*l.path)))
}

// link is one of the four references of a renewal file.
type link struct {
	kind string
	path *string
}

func (r *Renewal) links() [4]link {
	return [4]link{{"cert", &r.Cert}, {"privkey", &r.PrivKey}, {"chain", &r.Chain},
		{"fullchain", &r.FullChain}}
}

// newRenewal makes the settings of a lineage that has no renewal file yet.
func (s *Store) newRenewal(name string) (*Renewal, error) {
	r := &Renewal{Path: s.Dirs.Renewal(name), Name: name, file: configobj.New(),
		ArchiveDir: s.Dirs.archive(name)}
	root := r.file.Root()
	err := errors.Join(root.Set("version", formatVersion), root.Set("archive_dir", r.ArchiveDir))
	for _, l := range r.links() {
		*l.path = filepath.Join(s.Dirs.live(name), l.kind+".pem")
		err = errors.Join(err, root.Set(l.kind, *l.path))
	}
	return r, err
}

// WriteRenewal applies settings to a renewal file and replaces it in one instant, with the same
// mode bits. Nothing is written if the file says it already. What Params does not know stays as it
// is; a NAME.conf.new that a killed certbot left goes, as at certbot's own next save. An error that
// no disk is to blame for is of class RenewalFile. After an error r is to be read again before it
// is used; afterwards r.Unusable tells whether the file can be used as it is now.
func (s *Store) WriteRenewal(r *Renewal, p Params) error {
	before := string(r.file.Bytes())
	if err := r.apply(p); err != nil {
		return failure.Wrap(err, failure.RenewalFile,
			"Use a value without such characters, for example the path of a script.",
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
	if err := os.Remove(r.Path + ".new"); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return syncDir(filepath.Dir(r.Path))
}

// Usable returns nil if a renewal can be tried with these settings for a certificate of these
// names, as far as the file can tell: an authenticator is named, and where it is webroot, each name
// has a document root. Errors are of class RenewalFile or WebrootUnset and name file, line and
// remedy; the first is returned.
func (r *Renewal) Usable(names []string) error {
	switch {
	case r.Unusable != nil:
		return r.Unusable
	case r.Params.Authenticator == "":
		return marked(failure.New(failure.RenewalFile,
			"Name it once: "+failure.Do(failure.NameRoot, r.Name)+".",
			"Renewal configuration file %s does not specify an authenticator", r.Path),
			FaultAuthenticator, 0)
	case r.Params.Authenticator != "webroot":
		return nil
	}
	for _, name := range names {
		if _, err := r.Webroot(name); err != nil {
			return err
		}
	}
	return nil
}
