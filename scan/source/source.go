// Package source finds logs and opens them: files, directories and tars, plain, gzip or zstd, UTF-8
// or UTF-16. Whoever wrote them may have meant harm: it opens nothing but regular files, writes
// nothing, keeps no file in memory, and gives up on what grows out of all proportion.
package source

// What is found, and in which order it is read: the files of one log are a series, the oldest
// first, because certbot rotates in the middle of a run.

import (
	"cmp"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"

	"orderly/outside"
)

// File is one file, or one member of an archive.
type File struct {
	Name    string      // as a person would find it again
	Size    int64       // on disk
	id      inode       // what makes it the same file under another name
	archive io.ReaderAt // that it is a part of
	offset  int64       // in archive
	spooled bool        // archive is not what lies on disk
}

func (f File) onDisk() bool { return !f.spooled }

// open opens the file that was found, or the part of an archive that it is.
func (f File) open() (io.ReaderAt, func(), error) {
	if f.archive != nil {
		return io.NewSectionReader(f.archive, f.offset, f.Size), func() {}, nil
	}
	file, err := openRegular(f.Name, f.id)
	if err != nil {
		return nil, nil, err
	}
	return file, func() { _ = file.Close() }, nil // nothing was written
}

// Series are the files of one log, the oldest first.
type Series struct{ Files []File }

// Trouble is a sentence about something that was not read, or not as it is.
type Trouble struct {
	Path     string `json:"path"`
	Sentence string `json:"sentence"`
	// Unread: something is missing from the result.
	Unread bool `json:"unread"`
}

// Finder finds logs below paths. Nothing is found twice, unless it is forgotten.
type Finder struct {
	Say func(Trouble)
	// Own is a directory of which no file is opened, under whatever name: closing a file drops all
	// locks that this process has on it, those of its database too.
	Own  string
	mu   sync.Mutex
	seen map[inode]bool
	own  inode
}

// ErrMoved says that a file is not where it was found: it was rotated meanwhile, or removed.
var ErrMoved = errors.New("is not there any more")

// Forget lets a file that moved be found again, wherever it is by now.
func (f *Finder) Forget(file File) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.seen, file.id)
}

// Found says whether a file was found that was not forgotten since.
func (f *Finder) Found(file File) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.seen[file.id]
}

// first says whether a file is found for the first time.
func (f *Finder) first(id inode) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.seen == nil {
		f.seen = map[inode]bool{}
	}
	known := f.seen[id]
	f.seen[id] = true
	return !known
}

// Find returns the logs below the paths.
func (f *Finder) Find(ctx context.Context, paths []string) ([]Series, error) {
	if err := f.leaveOwn(); err != nil {
		return nil, err
	}
	var files []File
	for _, path := range paths {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		info, err := os.Stat(path)
		switch {
		case err != nil:
			f.Say(Trouble{outside.Clean(path), reasonOf(err), true})
		case info.IsDir():
			found, err := f.walk(ctx, path)
			if err != nil {
				return nil, err
			}
			files = append(files, found...)
		default:
			files = f.add(files, path, info)
		}
	}
	return inSeries(files), nil
}

// leaveOwn has everything below Own taken for found.
func (f *Finder) leaveOwn() error {
	info, err := os.Stat(f.Own)
	if f.Own == "" || errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	f.own = identity(info)
	return filepath.WalkDir(f.Own, func(_ string, entry fs.DirEntry, err error) error {
		var info fs.FileInfo
		if err == nil {
			info, err = entry.Info()
		}
		switch {
		case errors.Is(err, fs.ErrNotExist): // removed meanwhile
			return nil
		case err == nil && !entry.IsDir():
			f.first(identity(info))
		}
		return err
	})
}

// add takes a regular file that was not seen yet.
func (f *Finder) add(files []File, path string, info fs.FileInfo) []File {
	if !info.Mode().IsRegular() {
		f.Say(Trouble{outside.Clean(path), "is " + kindOf(info.Mode()) + ", which is not read", true})
		return files
	}
	id := identity(info)
	if !f.first(id) {
		return files
	}
	return append(files, File{Name: path, Size: info.Size(), id: id})
}

// walk finds the files below a directory. A link to a file is followed, one to a directory is not:
// it may lead anywhere, and in a circle.
func (f *Finder) walk(ctx context.Context, root string) ([]File, error) {
	var files []File
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			f.Say(Trouble{outside.Clean(path), reasonOf(err), true})
			if entry != nil && entry.IsDir() {
				return fs.SkipDir
			}
			return nil
		}
		info, err := os.Stat(path)
		if entry.IsDir() {
			if err == nil && f.own != (inode{}) && identity(info) == f.own {
				return fs.SkipDir
			}
			return nil
		}
		switch {
		case err != nil:
			f.Say(Trouble{outside.Clean(path), reasonOf(err), true})
		case info.IsDir():
			f.Say(Trouble{outside.Clean(path),
				"is a link to a directory, which is not followed: name the directory itself", true})
		default:
			files = f.add(files, path, info)
		}
		return nil
	})
	return files, err
}

// rotated takes the name of a log apart: letsencrypt.log.12.gz, letsencrypt.log-20261101.zst.
var rotated = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^(.+?)(?:\.(\d{1,6})|[-.](\d{8}(?:-?\d{2,6})?|\d{10}))?$`)
})

// ageOf is the name of a log without what rotation put behind it, and how old that says it is.
func ageOf(name string) (base string, age int64) {
	for {
		cut := name
		for _, ending := range [...]string{".gz", ".zst", ".z"} {
			cut = strings.TrimSuffix(cut, ending)
		}
		if cut == name || cut == "" {
			break
		}
		name = cut
	}
	m := rotated().FindStringSubmatch(name)
	if m == nil {
		return name, 0
	}
	if m[2] != "" {
		age, _ = strconv.ParseInt(m[2], 10, 64)
		return m[1], age
	}
	if m[3] != "" {
		date := (strings.ReplaceAll(m[3], "-", "") + "000000")[:14]
		n, _ := strconv.ParseInt(date, 10, 64)
		return m[1], 1e15 - n
	}
	return m[1], 0
}

// inSeries puts files that are one log together, in the order of their first.
func inSeries(files []File) []Series {
	at := map[string]int{}
	var all []Series
	for _, file := range files {
		base, _ := ageOf(filepath.Base(file.Name))
		key := filepath.Join(filepath.Dir(file.Name), base)
		i, known := at[key]
		if !known {
			i = len(all)
			at[key] = i
			all = append(all, Series{})
		}
		all[i].Files = append(all[i].Files, file)
	}
	for _, series := range all {
		slices.SortStableFunc(series.Files, func(a, b File) int {
			_, older := ageOf(filepath.Base(a.Name))
			_, younger := ageOf(filepath.Base(b.Name))
			return cmp.Or(cmp.Compare(younger, older), strings.Compare(a.Name, b.Name))
		})
	}
	for i := range all {
		all[i].Files = lastOfEach(all[i].Files)
	}
	return all
}

// lastOfEach leaves out what stands in an archive once more behind: that was appended later, and is
// what unpacking would leave.
func lastOfEach(files []File) []File {
	kept := files[:0]
	for i, file := range files {
		if file.archive == nil || i+1 == len(files) || files[i+1].Name != file.Name {
			kept = append(kept, file)
		}
	}
	return kept
}

// Size is what a series takes on disk.
func (s Series) Size() int64 {
	var n int64
	for _, file := range s.Files {
		n += file.Size
	}
	return n
}

func kindOf(mode fs.FileMode) string {
	switch {
	case mode&fs.ModeNamedPipe != 0:
		return "a named pipe"
	case mode&fs.ModeSocket != 0:
		return "a socket"
	case mode&fs.ModeDevice != 0:
		return "a device"
	}
	return "no regular file"
}

// reasonOf is what went wrong, without the operation and the path, which stand beside it.
func reasonOf(err error) string {
	if one, ok := err.(*fs.PathError); ok {
		err = one.Err
	}
	return "cannot be read: " + outside.Clean(err.Error())
}
