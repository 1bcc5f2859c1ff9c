// Package ownfile opens Orderly's own files (lock files, the log) where another user may have been:
// in a directory that he can write, or on a path that leads through one. As root it follows no link
// but root's and its own, and takes no file that somebody else put there for him. It must never be
// used for what customers own: that is package webroot's business.
package ownfile

import (
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"orderly/failure"
)

// mostLinks is how many links a path may lead through, as the kernel has it.
const mostLinks = 40

// remedy is what to do where something stands in the way of a file of Orderly's.
func remedy() failure.Remedy {
	return "Remove it, or name another directory with " + failure.Do(failure.ConfigDir) + ", " +
		failure.Do(failure.WorkDir) + " or " + failure.Do(failure.LogsDir) + "."
}

// Open is os.OpenFile for a regular file of Orderly's own. Flags are those of package os, without
// O_TRUNC: what is opened is judged afterwards.
func Open(path string, flags int, mode os.FileMode) (*os.File, error) {
	if os.Geteuid() != 0 {
		// whoever is not root has nothing that a link of another user's could get at
		return os.OpenFile(path, flags, mode)
	}
	links := 0
	return open(path, flags, mode, &links)
}

func open(path string, flags int, mode os.FileMode, links *int) (*os.File, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	dir, err := openDir(filepath.Dir(path), links)
	if err != nil {
		return nil, err
	}
	defer func() { _ = unix.Close(dir) }() // nothing was written through it
	name := filepath.Base(path)
	// Without O_NONBLOCK a pipe in the file's place would be waited for, for ever.
	fd, err := unix.Openat(dir, name, flags|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_CLOEXEC, uint32(mode.Perm()))
	// the latter is FreeBSD's word for it
	if errors.Is(err, unix.ELOOP) || errors.Is(err, unix.EMLINK) {
		target, linkErr := readLink(dir, name, path, links)
		if linkErr != nil {
			return nil, linkErr
		}
		if !filepath.IsAbs(target) {
			target = filepath.Join(filepath.Dir(path), target)
		}
		return open(target, flags, mode, links)
	}
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: path, Err: err}
	}
	file := os.NewFile(uintptr(fd), path)
	if err := takeable(fd, dir, path); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return file, nil
}

// takeable refuses what another user put in the file's place: no file at all, one that is
// somebody's under another name, and one that he made in a directory that is not his.
func takeable(fd, dir int, path string) error {
	var file, parent unix.Stat_t
	if err := errors.Join(unix.Fstat(fd, &file), unix.Fstat(dir, &parent)); err != nil {
		return &os.PathError{Op: "stat", Path: path, Err: err}
	}
	switch {
	case file.Mode&unix.S_IFMT != unix.S_IFREG:
		return failure.New(failure.Config, remedy(), "%s is not a file", path)
	case file.Nlink > 1:
		return failure.New(failure.Config, remedy(),
			"%s is a file that has another name as well, which whoever linked it may want written",
			path)
	case !trusted(file.Uid) && file.Uid != parent.Uid:
		return failure.New(failure.Config, remedy(), "%s belongs to another user (uid %d)", path,
			file.Uid)
	}
	return nil
}

// trusted reports whether an owner is root or whoever runs this.
func trusted(uid uint32) bool { return uid == 0 || int64(uid) == int64(os.Geteuid()) }

// openDir walks to a directory, a component at a time. Each is opened before it is gone through, so
// that nothing can be put in its place meanwhile.
func openDir(path string, links *int) (int, error) {
	const flags = unix.O_RDONLY | unix.O_DIRECTORY | unix.O_NOFOLLOW | unix.O_CLOEXEC
	at, err := unix.Open("/", flags, 0)
	rest, here := components(path), "/"
	for err == nil && len(rest) > 0 {
		name := rest[0]
		rest = rest[1:]
		var next int
		if next, err = unix.Openat(at, name, flags, 0); err == nil {
			here = filepath.Join(here, name)
			_ = unix.Close(at)
			at = next
			continue
		}
		if !errors.Is(err, unix.ELOOP) && !errors.Is(err, unix.ENOTDIR) && !errors.Is(err, unix.EMLINK) {
			err = &os.PathError{Op: "open", Path: filepath.Join(here, name), Err: err}
			continue
		}
		var target string
		if target, err = readLink(at, name, filepath.Join(here, name), links); err == nil {
			rest = append(components(target), rest...)
			if filepath.IsAbs(target) {
				_ = unix.Close(at)
				here = "/"
				at, err = unix.Open("/", flags, 0)
			}
		}
	}
	if err != nil {
		_ = unix.Close(at)
		return -1, err
	}
	return at, nil
}

func components(path string) []string {
	return strings.FieldsFunc(path, func(r rune) bool { return r == '/' })
}

// readLink is the target of a link that root or this user made. It is looked at before and after it
// is read, so that owner and target are of one link.
func readLink(dir int, name, path string, links *int) (string, error) {
	var before, after unix.Stat_t
	if err := unix.Fstatat(dir, name, &before, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return "", &os.PathError{Op: "stat", Path: path, Err: err}
	}
	if before.Mode&unix.S_IFMT != unix.S_IFLNK {
		return "", &os.PathError{Op: "open", Path: path, Err: unix.ENOTDIR}
	}
	if !trusted(before.Uid) {
		return "", failure.New(failure.Config, remedy(), "%s is a link that another user made (uid %d), which root does not follow", path, before.Uid)
	}
	if *links++; *links > mostLinks {
		return "", &os.PathError{Op: "open", Path: path, Err: unix.ELOOP}
	}
	buffer := make([]byte, unix.PathMax)
	n, err := unix.Readlinkat(dir, name, buffer)
	if err == nil {
		err = unix.Fstatat(dir, name, &after, unix.AT_SYMLINK_NOFOLLOW)
	}
	if err != nil {
		return "", &os.PathError{Op: "readlink", Path: path, Err: err}
	}
	if n == len(buffer) || before.Ino != after.Ino || before.Dev != after.Dev {
		return "", fmt.Errorf("%s changes while it is looked at", path)
	}
	return string(buffer[:n]), nil
}

// Rename gives a file of Orderly's own another name in its directory, which is reached as Open
// reaches it.
func Rename(path, name string) error {
	if os.Geteuid() != 0 {
		return os.Rename(path, filepath.Join(filepath.Dir(path), name))
	}
	links := 0
	dir, err := openDir(filepath.Dir(path), &links)
	if err != nil {
		return err
	}
	defer func() { _ = unix.Close(dir) }() // nothing was written through it
	return unix.Renameat(dir, filepath.Base(path), dir, name)
}

// Remove removes a file of Orderly's own from its directory, which is reached as Open reaches it.
func Remove(path string) error {
	if os.Geteuid() != 0 {
		return os.Remove(path)
	}
	links := 0
	dir, err := openDir(filepath.Dir(path), &links)
	if err != nil {
		return err
	}
	defer func() { _ = unix.Close(dir) }() // nothing was written through it
	if err := unix.Unlinkat(dir, filepath.Base(path), 0); err != nil {
		return &os.PathError{Op: "remove", Path: path, Err: err}
	}
	return nil
}

// Reaches reports why a directory cannot be reached without a link of another user's; nil where it
// does not exist yet.
func Reaches(dir string) error {
	if os.Geteuid() != 0 {
		return nil
	}
	links := 0
	fd, err := openDir(dir, &links)
	if err != nil {
		if refused, ok := errors.AsType[*failure.Error](err); ok {
			return refused
		}
		return nil // whoever uses it says what is wrong with it
	}
	return unix.Close(fd)
}

// Obeyable refuses a file whose word would be root's, such as a configuration file, where another
// user could have written it: he owns or may write the file or its directory. What is not there is
// none.
func Obeyable(file string) error {
	if os.Geteuid() != 0 {
		return nil
	}
	for _, path := range []string{file, filepath.Dir(file)} {
		info, err := os.Stat(path)
		if err != nil {
			return nil // whoever reads it says so
		}
		if path == file && !info.Mode().IsRegular() && !info.IsDir() {
			return failure.New(failure.Config, "Remove it.", "%s is no file", file)
		}
		if others(info) {
			return failure.New(failure.Config,
				failure.Advise("Let HOME be root's own (%s), or make it root's: %s && %s. If it is meant, name it with %s.",
					failure.Shell("sudo", "-H"), failure.Shell("chown", "root:", path),
					failure.Shell("chmod", "go-w", path), failure.Do(failure.SettingsFile)),
				"%s is not obeyed: another user than root can write %s", file, path)
		}
	}
	return nil
}

// Others reports whether another user than root and this one can write what is at path; false where
// this is not root.
func Others(path string) bool {
	info, err := os.Stat(path)
	return os.Geteuid() == 0 && err == nil && others(info)
}

func others(info os.FileInfo) bool {
	owner, ok := info.Sys().(*syscall.Stat_t)
	mode := info.Mode().Perm()
	return ok && (!trusted(owner.Uid) || mode&0o002 != 0 || mode&0o020 != 0 && owner.Gid != 0)
}

// Private refuses a directory for secrets that another user than the owner of the one above it can
// write.
func Private(dir string) error {
	info, err := os.Stat(dir)
	above, errAbove := os.Stat(filepath.Dir(dir))
	if err := errors.Join(err, errAbove); err != nil || os.Geteuid() != 0 {
		return err
	}
	owner, parent := info.Sys().(*syscall.Stat_t), above.Sys().(*syscall.Stat_t)
	if !trusted(owner.Uid) && owner.Uid != parent.Uid || info.Mode().Perm()&0o022 != 0 {
		return failure.New(failure.Config, failure.Advise("Make it root's alone: %s && %s.",
			failure.Shell("chown", "root:", dir), failure.Shell("chmod", "700", dir)),
			"the directory %s holds private keys, and another user can write it (uid %d, mode %o)",
			dir, owner.Uid, info.Mode().Perm())
	}
	return nil
}

// Replace puts a whole file in place of whatever has the name, in a directory that is reached as
// Open reaches it. The file is synced before it gets its name.
func Replace(path string, content []byte, mode os.FileMode) error {
	links := 0
	dir, err := unix.AT_FDCWD, error(nil)
	name, draft := path, filepath.Join(filepath.Dir(path), ".orderly-"+rand.Text())
	if os.Geteuid() == 0 {
		if path, err = filepath.Abs(path); err != nil {
			return err
		}
		if dir, err = openDir(filepath.Dir(path), &links); err != nil {
			return err
		}
		defer func() { _ = unix.Close(dir) }() // the file itself was synced
		name, draft = filepath.Base(path), filepath.Base(draft)
	}
	fd, err := unix.Openat(dir, draft, unix.O_CREAT|unix.O_EXCL|unix.O_WRONLY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0o600)
	if err != nil {
		return &os.PathError{Op: "create", Path: path, Err: err}
	}
	file := os.NewFile(uintptr(fd), path)
	_, err = file.Write(content)
	err = errors.Join(err, file.Chmod(mode), file.Sync(), file.Close())
	if err == nil {
		err = unix.Renameat(dir, draft, dir, name)
	}
	if err != nil {
		return errors.Join(err, unix.Unlinkat(dir, draft, 0))
	}
	return nil
}
