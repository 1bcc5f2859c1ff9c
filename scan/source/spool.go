package source

// Where members of a packed archive wait for the rest of their logs: a file without a name, which
// ends with the process, however that ends. Directories come one after the other in an archive, so
// that between two of them what is there can be read and the file begins anew.

import (
	"bytes"
	"errors"
	"hash/maphash"
	"io"
	"os"
	"path/filepath"

	"orderly/outside"
)

const (
	// From so much on the file begins anew at the next directory, and never is it longer than most.
	spoolEnough, spoolMost = 1 << 30, 2 << 30
	// maxWaiting bounds how many members wait.
	maxWaiting = 100_000
)

type spool struct {
	file    *os.File
	enough  int64
	most    int64
	end     int64
	members []File
	seed    maphash.Seed
	part    int            // how often it began anew, from 1
	parts   map[uint64]int // in which part a log was read
	said    bool
}

// newSpool is one that takes no more than half of what is free. Where no file can be made there is
// no room in it.
func newSpool() *spool {
	s := &spool{seed: maphash.MakeSeed(), part: 1, parts: map[uint64]int{}}
	file, err := os.CreateTemp(spoolDir(), "orderly-scan-")
	if err != nil {
		return s
	}
	if err := os.Remove(file.Name()); err != nil {
		_ = file.Close()
		return s
	}
	s.file = file
	s.most = min(spoolMost, freeIn(file)/2)
	s.enough = min(spoolEnough, s.most/2)
	return s
}

// spoolDir is where large files may lie: what is temporary is often in memory.
func spoolDir() string {
	if dir := os.Getenv("TMPDIR"); dir != "" {
		return dir
	}
	if info, err := os.Stat("/var/tmp"); err == nil && info.IsDir() {
		return "/var/tmp"
	}
	return ""
}

func (s *spool) close() {
	if s.file != nil {
		_ = s.file.Close()
	}
}

// full says whether what is there must be read before another member is taken.
func (s *spool) full(name string, size int64) bool {
	if len(s.members) == 0 {
		return false
	}
	last := s.members[len(s.members)-1].Name
	return s.end+size > s.most || len(s.members) >= maxWaiting ||
		s.end > s.enough && filepath.Dir(last) != filepath.Dir(name)
}

// add keeps a member. Where there is no room for it, rest is what it is read from instead.
func (s *spool) add(name string, size int64, r io.Reader) (rest io.Reader, err error) {
	if s.file == nil || s.end+size > s.most {
		return r, nil
	}
	member := File{Name: name, archive: s.file, offset: s.end, spooled: true}
	buf := make([]byte, 64<<10)
	for {
		n, err := r.Read(buf)
		if _, wrote := s.file.WriteAt(buf[:n], s.end); wrote != nil {
			s.most = 0 // the disk is full: nothing more waits
			begun := io.NewSectionReader(s.file, member.offset, member.Size)
			return io.MultiReader(begun, bytes.NewReader(buf[:n]), r), nil
		}
		s.end += int64(n)
		member.Size += int64(n)
		if err != nil {
			s.members = append(s.members, member)
			if errors.Is(err, io.EOF) {
				err = nil
			}
			return nil, err
		}
	}
}

// apart says, once, that files of one log are not read one after the other.
func (s *spool) apart(o *opener, name string) {
	base, _ := ageOf(filepath.Base(name))
	key := maphash.String(s.seed, filepath.Join(filepath.Dir(name), base))
	if s.parts[key] != 0 && s.parts[key] != s.part && !s.said {
		s.said = true
		o.Say(Trouble{outside.Clean(o.name), "holds the files of one log further apart than there is " +
			"room to keep: a run that goes over two of them may be told as two", false})
	}
	s.parts[key] = s.part
}
