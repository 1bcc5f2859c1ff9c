package certbot

import (
	"errors"
	"os"
	"path/filepath"
	"strings"

	"orderly/failure"
)

// Whole configuration directories are moved to other hosts and paths. Renewal files then name
// places that are gone, while the files lie beside them.

// movedFrom returns the configuration directory that a renewal file names and that is gone, where
// the lineage lies in today's: somebody moved the directory, or brought it from another host, and
// certbot's files hold absolute paths. "" if that is not what happened.
func (r *Renewal) movedFrom(d Dirs) string {
	dir := filepath.Dir(r.Cert)
	old, ok := strings.CutSuffix(dir, "/live/"+r.Name)
	if !ok || old == d.Config || !together(r, dir) || exists(dir) || exists(old+"/live") {
		return ""
	}
	for _, kind := range kinds {
		if !exists(filepath.Join(d.live(r.Name), kind+".pem")) {
			return ""
		}
	}
	return old
}

func (r *Renewal) movedFailure(d Dirs, old string) error {
	return failure.New(failure.LineageBroken,
		"Run "+failure.Do(failure.RenewAll, d.Config)+
			", which writes today's paths into the renewal files; for certbot, that is enough as well.",
		"the configuration directory was moved: the renewal file %s names %s, which is gone, and the certificate is in %s",
		r.Path, filepath.Dir(r.Cert), d.live(r.Name))
}

// relocate writes today's places into a renewal file from before a move, and reads it again.
func (s *Store) relocate(r *Renewal) (*Renewal, error) {
	if err := s.namePlaces(r); err != nil {
		return nil, err
	}
	f := newFile{path: r.Path, data: r.file.Bytes(), mode: 0o644,
		last: func(file *os.File) error { return file.Chmod(r.mode) }}
	if err := s.write(f); err != nil {
		return nil, err
	}
	if err := syncDir(filepath.Dir(r.Path)); err != nil {
		return nil, err
	}
	return s.lookRenewal(r.Path)
}

// namePlaces makes a renewal file name today's places. Nothing is written yet.
func (s *Store) namePlaces(r *Renewal) error {
	root := r.file.Root()
	var err error
	for _, l := range r.links() {
		err = errors.Join(err, root.Set(l.kind, filepath.Join(s.Dirs.live(r.Name), l.kind+".pem")))
	}
	if !exists(r.ArchiveDir) && exists(s.Dirs.archive(r.Name)) {
		err = errors.Join(err, root.Set("archive_dir", s.Dirs.archive(r.Name)))
	}
	if err == nil {
		return nil
	}
	return failure.Wrap(err, failure.RenewalFile, "Choose a configuration directory with a plain path.",
		"the renewal file %s cannot hold the path of %s", r.Path, s.Dirs.Config)
}
