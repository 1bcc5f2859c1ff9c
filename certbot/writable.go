package certbot

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"orderly/failure"
)

// A certificate that cannot be put in place was ordered in vain, so the place is tried before.

// probeSize is more than the files of a version have together, in bytes: a disk or a quota that is
// all but full is found.
const probeSize = 32 << 10

// fewestFiles is how many files and links an installation makes, for file systems that count them.
const fewestFiles = 10

// Installable returns nil if Install will be able to put a certificate in place, as far as a try
// can tell: files are made, written and renamed in each directory that it will change, and removed
// again. It is asked before a certificate is ordered, since one that cannot be put in place is
// ordered in vain. p are the settings that Install will be given: a renewal file that says them
// already is not written. Errors are of class Config and name the directory.
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
			return failure.New(failure.Config, "Take the attribute away: "+
				failure.Shell("chattr", "-i", "-a", conf),
				"the renewal file %s cannot be changed (chattr +i or +a)", conf)
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

// Probe returns nil if files can be made, written and renamed in a directory, or in the one in
// which it would have to be made. What a probe that was killed left is removed by the next; owner
// tells those of different lineages apart.
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
		return failure.Wrap(err, failure.Config, "Take the attribute away: "+
			failure.Shell("chattr", "-i", "-a", there),
			"the directory %s cannot be changed (chattr +i or +a)", there)
	}
	return failure.Wrap(err, failure.Config,
		"Look at its owner and mode, and at the room on its disk: "+
			failure.Shell("ls", "-ld", there)+"; "+failure.Shell("df", "-h", there)+"; "+
			failure.Shell("df", "-i", there),
		"a certificate could not be put in place: nothing can be written to %s", there)
}

func probe(dir, owner string) error {
	clearProbes(dir, owner)
	from, to := probeNames(dir, owner)
	err := tryProbe(from, to)
	for attempt := 0; attempt < 3 && errors.Is(err, fs.ErrNotExist); attempt++ {
		err = tryProbe(from, to) // a run that mends the lineage sweeps what is not the lineage's
	}
	if err != nil {
		clearProbes(dir, owner)
		return err
	}
	var st unix.Statfs_t
	err = retried(func() error { return unix.Statfs(dir, &st) })
	if err == nil && st.Files > 0 && uint64(st.Ffree) < fewestFiles {
		return fmt.Errorf("%d files can still be made there (df -i)", st.Ffree)
	}
	return nil
}

func tryProbe(from, to string) error {
	if err := writeProbe(from); err != nil {
		return err
	}
	if err := os.Rename(from, to); err != nil {
		return err
	}
	return os.Remove(to) // which an append-only directory forbids
}

// probeNames are of this process alone: two runs may look at one directory at once, and neither may
// take the other's probe away.
func probeNames(dir, owner string) (from, to string) {
	stem := filepath.Join(dir, fmt.Sprintf("%s%d.", probeStem(owner), os.Getpid()))
	return stem + "1" + aside, stem + "2" + aside
}

func probeStem(owner string) string { return "." + owner + ".probe" }

// clearProbes removes what probes made, those of killed processes, too: one would keep the
// directory from being removed with its lineage.
func clearProbes(dir, owner string) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return
	}
	for _, e := range entries {
		rest, ours := strings.CutPrefix(e.Name(), probeStem(owner))
		number, _, numbered := strings.Cut(rest, ".")
		pid, err := strconv.Atoi(number)
		if !ours || !numbered || err != nil || !strings.HasSuffix(rest, aside) || pid != os.Getpid() && lives(pid) {
			continue
		}
		_ = os.Remove(filepath.Join(dir, e.Name()))
	}
}

// lives reports whether a process is there.
func lives(pid int) bool {
	err := unix.Kill(pid, 0)
	return pid > 0 && (err == nil || errors.Is(err, unix.EPERM))
}

func writeProbe(path string) error {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = file.Write(make([]byte, probeSize))
	return errors.Join(err, file.Close())
}
