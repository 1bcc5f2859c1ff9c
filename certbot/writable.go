package certbot

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"orderly/failure"
)

// probeSize is more than the files of a version have together, in bytes: a disk or a quota that is all but full is found.
const probeSize = 32 << 10

// fewestFiles is how many files and links an installation makes, for file systems that count them.
const fewestFiles = 10

// Installable returns nil if Install will be able to put a certificate in place, as far as a try can tell: files are made,
// written and renamed in each directory that it will change, and removed again. It is asked before a certificate is ordered,
// since one that cannot be put in place is ordered in vain. p are the settings that Install will be given: a renewal file that
// says them already is not written. Errors are of class Config and name the directory.
func (s *Store) Installable(name string, p Params) error {
	if err := checkName(name); err != nil {
		return err
	}
	dirs := []string{s.Dirs.archive(name), s.Dirs.live(name)}
	rewritten := true
	if r, err := s.lookRenewal(s.Dirs.Renewal(name)); err == nil {
		dirs = append([]string{r.ArchiveDir}, r.liveDirs()...)
		rewritten = r.changes(p)
	}
	conf := s.Dirs.Renewal(name)
	if rewritten {
		dirs = append(dirs, filepath.Dir(conf))
		if immutable(conf) {
			return failure.New(failure.Config, "Take the attribute away: chattr -i -a "+failure.Quote(conf), "the renewal file %s cannot be changed (chattr +i or +a)", conf)
		}
	}
	for _, dir := range dirs {
		if err := Probe(dir, name); err != nil {
			return err
		}
	}
	return nil
}

// changes tells whether WriteRenewal would write the file.
func (r *Renewal) changes(p Params) bool {
	again, err := (&Store{}).parseRenewal(r.Path, r.file.Bytes())
	if err != nil {
		return true
	}
	return again.apply(p) != nil || !bytes.Equal(again.file.Bytes(), r.file.Bytes())
}

// Probe returns nil if files can be made, written and renamed in a directory, or in the one in which it would have to be made.
// What a probe that was killed left is removed by the next; owner tells those of different lineages apart.
func Probe(dir, owner string) error {
	there := dir
	for !exists(there) && filepath.Dir(there) != there {
		there = filepath.Dir(there)
	}
	err := probe(there, owner)
	switch {
	case err == nil:
		return nil
	case immutable(there):
		return failure.Wrap(err, failure.Config, "Take the attribute away: chattr -i -a "+failure.Quote(there), "the directory %s cannot be changed (chattr +i or +a)", there)
	}
	return failure.Wrap(err, failure.Config, "Look at its owner and mode, and at the room on its disk: ls -ld "+failure.Quote(there)+"; df -h "+failure.Quote(there)+"; df -i "+failure.Quote(there),
		"a certificate could not be put in place: nothing can be written to %s", there)
}

func probe(dir, owner string) error {
	clearProbes(dir, owner)
	defer clearProbes(dir, owner)
	from, to := probeNames(dir, owner)
	if err := writeProbe(from); err != nil {
		return err
	}
	if err := os.Rename(from, to); err != nil {
		return err
	}
	if err := os.Remove(to); err != nil { // what an append-only directory forbids
		return err
	}
	var st unix.Statfs_t
	err := retried(func() error { return unix.Statfs(dir, &st) })
	if err == nil && st.Files > 0 && uint64(st.Ffree) < fewestFiles {
		return fmt.Errorf("%d files can still be made there (df -i)", st.Ffree)
	}
	return nil
}

func probeNames(dir, owner string) (from, to string) {
	stem := filepath.Join(dir, "."+owner+".probe")
	return stem + "1" + aside, stem + "2" + aside
}

// clearProbes removes what a probe made, a killed one's too: it would keep the directory from being removed with its lineage.
func clearProbes(dir, owner string) {
	from, to := probeNames(dir, owner)
	for _, path := range []string{from, to} {
		if exists(path) {
			_ = os.Remove(path)
		}
	}
}

func writeProbe(path string) error {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = file.Write(make([]byte, probeSize))
	return errors.Join(err, file.Close())
}
