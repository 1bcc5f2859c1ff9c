package certbot

import (
	"bytes"
	"encoding/pem"
	"errors"
	"io/fs"
	"net/netip"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"orderly/parts"
)

// To open a lineage costs a dozen system calls and a parse. For a search by names most of it is
// spared.

// sharing looks at every lineage whose current certificate may have one of these names, sorted by
// name. On a host with thousands of certificates most are told by a look for the names in the
// certificate's bytes, which costs a tenth of reading it and its renewal file. What cannot be told
// so is read.
func (s *Store) sharing(names []string) []*Lineage {
	found, _ := s.skim(names)
	return s.originals(found)
}

// Troubled names the lineages that may be about one of these names and that Repair may have
// something to do for, or that cannot be looked at.
func (s *Store) Troubled(names []string) []string {
	found, bad := s.skim(names)
	for _, l := range found {
		if l.Unsettled || l.KeyLost != nil {
			bad = append(bad, l.Name)
		}
	}
	slices.Sort(bad)
	return bad
}

// skim looks at every lineage that may have one of these names, and names those that cannot be
// looked at.
func (s *Store) skim(names []string) (found []*Lineage, bad []string) {
	all, _ := s.confNames()
	wanted := needles(names)
	looked, failed := make([]*Lineage, len(all)), make([]bool, len(all))
	s.inParallel(len(all), func() func(int) {
		r := &skimmer{store: s, wanted: wanted, buffer: make([]byte, usualSize)}
		return func(i int) {
			if !r.may(all[i]) {
				return
			}
			l, err := s.Look(all[i])
			looked[i], failed[i] = l, err != nil
		}
	})
	for i, l := range looked {
		if failed[i] {
			bad = append(bad, all[i])
		} else if l != nil {
			found = append(found, l)
		}
	}
	return found, bad
}

// needles are names as they stand in a certificate's bytes; nil where one does not stand there as
// text.
func needles(names []string) [][]byte {
	var all [][]byte
	for _, name := range names {
		if _, err := netip.ParseAddr(name); err == nil || name == "" {
			return nil
		}
		all = append(all, []byte(strings.ToLower(name)))
	}
	return all
}

// skimmer looks through files without reading them whole. It is for one goroutine.
type skimmer struct {
	store  *Store
	wanted [][]byte
	buffer []byte
}

// may reports whether a lineage's certificate can have one of the names. It is in doubt rather than
// wrong.
func (r *skimmer) may(name string) bool {
	if len(r.wanted) == 0 {
		return true
	}
	conf, err := r.read(r.store.Dirs.Renewal(name))
	if err != nil {
		return true
	}
	path := filepath.Join(r.store.Dirs.live(name), "cert.pem")
	text, err := readlink(path)
	own := filepath.Join(r.store.Dirs.archive(name), filepath.Base(text))
	if err != nil || text != own && text != "../../archive/"+name+"/"+filepath.Base(text) {
		return true // what it leads to may be another lineage's
	}
	if !hasLine(conf, "cert = "+path) || bytes.Count(conf, []byte("\ncert")) > 1 {
		return true
	}
	content, err := r.read(path)
	if err != nil {
		return true
	}
	block, _ := pem.Decode(content)
	if block == nil {
		return true
	}
	// names are ASCII; what this does to other bytes is the same in both or makes no name
	der := bytes.ToLower(block.Bytes)
	return slices.ContainsFunc(r.wanted,
		func(name []byte) bool { return bytes.Contains(der, name) })
}

// hasLine reports whether a line stands in a text exactly so.
func hasLine(text []byte, line string) bool {
	i := bytes.Index(text, []byte("\n"+line))
	if i < 0 {
		return false
	}
	rest := text[i+1+len(line):]
	return len(rest) > 0 && rest[0] == '\n'
}

// read returns a file's content, which stands until the next call.
func (r *skimmer) read(path string) ([]byte, error) {
	text, err := readInto(r.buffer, path, 0)
	r.buffer = text[:cap(text)]
	return text, err
}

// usualSize is more than nearly every renewal file and certificate has, in bytes.
const usualSize = 6 << 10

// readFile is os.ReadFile with half the system calls: a host has thousands of these files, and
// every command reads them.
func readFile(path string) ([]byte, error) { return readSized(path, 0) }

// readSized is readFile of a file that had this size a moment ago, 0 for one that is not known. The
// compiler puts it into its callers, on whose stacks the buffer stands where the text goes no
// further.
func readSized(path string, size int64) ([]byte, error) {
	return readInto(make([]byte, usualSize), path, size)
}

// readInto reads a file into a buffer, or a larger one if need be.
func readInto(buffer []byte, path string, size int64) ([]byte, error) {
	fd, err := openFile(path)
	if err != nil {
		return buffer[:0], err
	}
	defer func() { _ = unix.Close(fd) }()
	return contentOf(fd, buffer, path, size)
}

// readWithMode reads a file as readInto does, and its permissions.
func readWithMode(buffer []byte, path string) (text []byte, mode fs.FileMode, err error) {
	fd, err := openFile(path)
	if err != nil {
		return buffer[:0], 0, err
	}
	defer func() { _ = unix.Close(fd) }()
	var st unix.Stat_t
	if err := retried(func() error { return unix.Fstat(fd, &st) }); err != nil {
		return buffer[:0], 0, &fs.PathError{Op: "stat", Path: path, Err: err}
	}
	text, err = contentOf(fd, buffer, path, sizeOf(st))
	return text, fs.FileMode(st.Mode).Perm(), err
}

// openFile opens a file to be read. A pipe in its place must not stop us.
func openFile(path string) (fd int, err error) {
	err = retried(func() (err error) {
		fd, err = unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
		return err
	})
	if err != nil {
		return -1, &fs.PathError{Op: "open", Path: path, Err: err}
	}
	return fd, nil
}

// contentOf reads an open file to its end, into a buffer or a larger one. The end of a file whose
// size is known is not looked for with another call.
func contentOf(fd int, buffer []byte, path string, size int64) ([]byte, error) {
	for n := 0; ; {
		if n == len(buffer) {
			buffer = append(buffer, make([]byte, len(buffer)+usualSize)...)
		}
		m, err := unix.Read(fd, buffer[n:])
		switch {
		case errors.Is(err, unix.EINTR):
		case err != nil:
			return buffer[:0], &fs.PathError{Op: "read", Path: path, Err: err}
		case m == 0:
			return buffer[:n], nil
		case n+m > mostRead:
			return buffer[:0], &fs.PathError{Op: "read", Path: path, Err: unix.EFBIG}
		default:
			// where the buffer is full the file may have grown
			if n += m; int64(n) == size && n < len(buffer) {
				return buffer[:n], nil
			}
		}
	}
}

// mostRead is far more than any file that is read here has, in bytes.
const mostRead = 16 << 20

// inParallel calls what begin returns with 0 to n-1, on as many processors as there are; begin is
// called once for each. It stops where Within says so.
func (s *Store) inParallel(n int, begin func() func(int)) {
	workers := min(runtime.GOMAXPROCS(0), n)
	var group parts.Group
	for w := range workers {
		group.Go(func() {
			do := begin()
			for i := w; i < n && s.Ended() == nil; i += workers {
				do(i)
			}
		})
	}
	group.Wait()
}
