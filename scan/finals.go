package scan

// The authorizations that are final, by the hash of their URL: twelve bytes each, and beyond a
// bound in a file without a name, which is asked once, at the end, about what is left.

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
)

// maxFinals is how many are in memory at once.
const maxFinals = 1 << 18

const finalLen = 12

type finals struct {
	hashes []uint64 // open addressing; 0 is none
	ats    []uint32
	n      int
	limit  int // maxFinals, fewer in tests
	file   *os.File
	out    *bufio.Writer
	broken error
}

// add keeps one; at is when the CA showed it, 0 where that follows from something else.
func (f *finals) add(hash uint64, at int64) {
	if hash == 0 {
		hash = 1
	}
	if 4*(f.n+1) > 3*len(f.hashes) {
		f.grow()
	}
	i := f.find(hash)
	if f.hashes[i] == 0 {
		f.hashes[i] = hash
		f.n++
		f.ats[i] = uint32(at)
	} else if at != 0 {
		f.ats[i] = max(f.ats[i], uint32(at))
	}
}

// at says when one was shown final.
func (f *finals) at(hash uint64) (int64, bool) {
	if hash == 0 {
		hash = 1
	}
	if f.n == 0 {
		return 0, false
	}
	i := f.find(hash)
	return int64(f.ats[i]), f.hashes[i] != 0
}

func (f *finals) find(hash uint64) int {
	mask := len(f.hashes) - 1
	i := int(hash) & mask
	for f.hashes[i] != 0 && f.hashes[i] != hash {
		i = (i + 1) & mask
	}
	return i
}

// grow doubles the table, or, at its bound, empties it into the file.
func (f *finals) grow() {
	limit := f.limit
	if limit == 0 {
		limit = maxFinals
	}
	if f.n >= limit {
		f.spill()
		return
	}
	old := *f
	size := max(1024, 2*len(old.hashes))
	f.hashes, f.ats = make([]uint64, size), make([]uint32, size)
	for i, hash := range old.hashes {
		if hash != 0 {
			j := f.find(hash)
			f.hashes[j], f.ats[j] = hash, old.ats[i]
		}
	}
}

func (f *finals) spill() {
	if f.file == nil && f.broken == nil {
		f.create()
	}
	var b [finalLen]byte
	for i, hash := range f.hashes {
		if hash != 0 && f.broken == nil {
			put(b[:], hash, int64(f.ats[i]))
			_, f.broken = f.out.Write(b[:])
		}
	}
	clear(f.hashes)
	clear(f.ats)
	f.n = 0
}

func (f *finals) create() {
	file, err := os.CreateTemp("", "orderly-scan-")
	if err != nil {
		f.broken = err
		return
	}
	f.file, f.out = file, bufio.NewWriter(file)
	f.broken = os.Remove(file.Name()) // it ends with the process, however that ends
}

// eachSpilled goes over those in the file.
func (f *finals) eachSpilled(each func(hash uint64, at int64)) error {
	if f.broken != nil {
		return fmt.Errorf("keeping what is final: %w", f.broken)
	}
	if f.file == nil {
		return nil
	}
	if err := f.out.Flush(); err != nil {
		return err
	}
	if _, err := f.file.Seek(0, io.SeekStart); err != nil {
		return err
	}
	in := bufio.NewReader(f.file)
	var b [finalLen]byte
	for {
		if _, err := io.ReadFull(in, b[:]); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		each(get(b[:]))
	}
}

func (f *finals) close() {
	if f.file != nil {
		_ = f.file.Close()
	}
}
