package logfile

// What was set aside: PATH.1 is the newest. A run may be killed between any two renames, which leaves
// a number that nobody has; the next time only those below it are moved, so that nothing is lost and
// mostly little is to be done.

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"orderly/ownfile"
)

// numbered is the name of a file that was set aside.
func numbered(path string, n int) string { return path + "." + strconv.Itoa(n) }

// numbers are those that are there, in order. What others made of them (orderly.log.2.gz) has none.
func numbers(path string) []int {
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil {
		return nil
	}
	var all []int
	for _, e := range entries {
		text, ours := strings.CutPrefix(e.Name(), filepath.Base(path)+".")
		n, err := strconv.Atoi(text)
		if ours && err == nil && n > 0 && strconv.Itoa(n) == text {
			all = append(all, n)
		}
	}
	slices.Sort(all)
	return all
}

// makeRoom frees the first number, keeps that many in all with the one that gets it, and removes what
// is beyond, oldest first. rename gives a file another name in its directory.
func makeRoom(path string, keep int, rename func(path, name string) error) error {
	there := numbers(path)
	for len(there) > 0 && there[len(there)-1] > keep {
		oldest := there[len(there)-1]
		if err := ownfile.Remove(numbered(path, oldest)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		there = there[:len(there)-1]
	}
	free := 1
	for free <= len(there) && there[free-1] == free {
		free++
	}
	for n := min(free, keep) - 1; n >= 1; n-- {
		if err := rename(numbered(path, n), filepath.Base(numbered(path, n+1))); err != nil {
			return err
		}
	}
	return nil
}

// ownerOf is who owns a file, where that is known.
func ownerOf(info fs.FileInfo, err error) (*syscall.Stat_t, bool) {
	if err != nil {
		return nil, false
	}
	owner, ok := info.Sys().(*syscall.Stat_t)
	return owner, ok
}
