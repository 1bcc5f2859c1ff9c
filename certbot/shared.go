package certbot

import (
	"cmp"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"orderly/failure"
)

// Copied renewal files make two lineages of one set of files. To renew both is to order twice for
// one certificate, and to delete one takes the other's.

// Places are what a lineage has on disk, in a form in which two that use the same can be told: its
// archive, as a directory and by its path, and its four links.
type Places []string

// Places returns a lineage's.
func (r *Renewal) Places() Places {
	all := make(Places, 0, 6)
	all = append(all, "archive "+filepath.Clean(r.ArchiveDir))
	var st unix.Stat_t
	if retried(func() error { return unix.Stat(r.ArchiveDir, &st) }) == nil {
		all = append(all, "directory "+strconv.FormatUint(uint64(st.Dev), 10)+" "+
			strconv.FormatUint(uint64(st.Ino), 10))
	}
	for _, l := range r.links() {
		all = append(all, "link "+*l.path)
	}
	return all
}

// Owned is a lineage with its places.
type Owned struct {
	Name   string
	Places Places
	rank   int // how many of its directories are not called after it
}

// Owned returns what Copies wants to know of a lineage.
func (r *Renewal) Owned() Owned {
	o := Owned{Name: r.Name, Places: r.Places()}
	for _, dir := range append(r.liveDirs(), r.ArchiveDir) {
		if filepath.Base(dir) != r.Name {
			o.rank++
		}
	}
	return o
}

// Copies tells which lineages use another one's files, and whose: of several with a place in
// common, one is the original, the one that the directories are called after, else the first by
// name. Somebody copied a renewal file (cp NAME.conf NAME.bak.conf), and two renewals into one
// archive would fight, with an order each.
func Copies(all []Owned) map[string]string {
	byRank := slices.Clone(all)
	slices.SortFunc(byRank, func(a, b Owned) int { return cmp.Or(a.rank-b.rank, strings.Compare(a.Name, b.Name)) })
	owner, copies := map[string]string{}, map[string]string{}
	for _, o := range byRank {
		for _, place := range o.Places {
			if first, taken := owner[place]; taken {
				copies[o.Name] = first
			}
		}
		if copies[o.Name] != "" {
			continue // its other places are nobody's yet, and stay so: nothing is done for it
		}
		for _, place := range o.Places {
			owner[place] = o.Name
		}
	}
	return copies
}

// originals leaves out the lineages that are copies of others among these.
func (s *Store) originals(found []*Lineage) []*Lineage {
	if len(found) < 2 {
		return found
	}
	var all []Owned
	for _, l := range found {
		all = append(all, l.Renewal.Owned())
	}
	copies := Copies(all)
	return slices.DeleteFunc(found, func(l *Lineage) bool { return copies[l.Name] != "" })
}

// SharedFailure is the error for a lineage that is a copy of another.
func (s *Store) SharedFailure(name, original string) error { return s.shared(name, original, name) }

func (s *Store) shared(name, other, copied string) error {
	return failure.New(failure.LineageBroken, "Remove the renewal file that is the copy: `"+
		failure.Shell("rm", s.Dirs.Renewal(copied))+"`.",
		"the files of %s are also those of %s", name, other)
}

// NotCopied returns an error of class LineageBroken if a lineage is a copy of another. A renewal
// file that cannot be read is none.
func (s *Store) NotCopied(name string) error {
	names, err := s.confNames()
	if err != nil || len(names) < 2 {
		return err
	}
	var all []Owned
	for _, n := range names {
		if r, err := s.lookRenewal(s.Dirs.Renewal(n)); err == nil {
			all = append(all, r.Owned())
		}
	}
	if original := Copies(all)[name]; original != "" {
		return s.SharedFailure(name, original)
	}
	return nil
}

// copied tells which of two lineages with the same files is the copy.
func copied(a, b *Renewal) string {
	if Copies([]Owned{a.Owned(), b.Owned()})[a.Name] != "" {
		return a.Name
	}
	return b.Name
}
