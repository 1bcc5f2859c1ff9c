package webroot

import (
	"errors"
	"path"

	"golang.org/x/sys/unix"
)

const (
	// birthMode is what a directory has between mkdir and the moment it is given its owner: one that is found so was
	// left by a process that ended there.
	birthMode     = 0o700
	directoryMode = 0o755
	tokenMode     = 0o644
)

// descendOrMake enters name, and makes it first if it is missing. One that this placement made before but did not finish
// is removed and made anew, since an existing directory is never given another owner.
func (w *walker) descendOrMake(name string, ours bool) error {
	dir := w.top()
	if ours {
		if e, err := statAt(dir.fd, name); err == nil && w.isNewborn(e) {
			_ = unlinkAt(dir.fd, name, unix.AT_REMOVEDIR) // if it fails, it is used as it is
		}
	}
	missing, err := w.descend(name)
	if err != nil || !missing {
		return err
	}
	return w.make(name)
}

func (w *walker) isNewborn(e entry) bool {
	return e.isDirectory() && e.uid == w.self.uid && e.permissions() == birthMode
}

// make makes the directory name and enters it.
func (w *walker) make(name string) error {
	dir := w.top()
	here := path.Join(dir.path, name)
	err := makeAt(dir.fd, name, birthMode)
	if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.EEXIST) {
		return errMoved
	}
	if err != nil {
		return &obstacle{kind: denied, path: here, cause: err}
	}
	fd, err := openAt(dir.fd, name, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return errMoved // replaced since; the next attempt looks at it as at any stranger
	}
	if err := w.adopt(fd); err != nil {
		_ = unix.Close(fd)
		return &obstacle{kind: denied, path: here, cause: err}
	}
	return w.push(fd, name)
}

// adopt gives the directory fd its final mode and the document root's owner, but only if it is what was just made: ours,
// with the mode of birth, and empty. A customer could have put something else in its place; that is used as it is.
func (w *walker) adopt(fd int) error {
	e, err := statOf(fd)
	if err != nil {
		return err
	}
	if !w.isNewborn(e) || e.device != w.top().device || !isEmpty(fd) {
		return nil
	}
	// A set-group-ID bit that came from the directory above stays, as it does under certbot.
	if err := again(func() error { return unix.Fchmod(fd, directoryMode|e.mode&unix.S_ISGID) }); err != nil {
		return err
	}
	if e.uid == w.site.uid && e.gid == w.site.gid {
		return nil
	}
	err = again(func() error { return unix.Fchown(fd, int(w.site.uid), int(w.site.gid)) })
	for _, served := range []error{unix.EPERM, unix.EINVAL, unix.ENOTSUP} {
		if errors.Is(err, served) {
			return nil // no root, or a file system without owners: a directory of ours can be served all the same
		}
	}
	return err
}

func isEmpty(fd int) bool {
	buf := make([]byte, 4096)
	for {
		n, err := unix.ReadDirent(fd, buf)
		if err != nil {
			return false
		}
		if n <= 0 {
			return true
		}
		if _, count, _ := unix.ParseDirent(buf[:n], 1, nil); count > 0 {
			return false
		}
	}
}

// writeToken makes the token's file in dir. Nothing that is found there is ever opened for writing: it could be a link, a
// hard link to someone else's file, or a pipe.
func writeToken(me self, dir node, token, content string) error {
	if hasToken(me, dir, token, content) {
		return nil
	}
	here := path.Join(dir.path, token)
	err := unlinkAt(dir.fd, token, 0)
	if e, statErr := statAt(dir.fd, token); err != nil && statErr == nil && e.isDirectory() {
		return &obstacle{kind: occupied, path: here, cause: err}
	}
	if err != nil && !errors.Is(err, unix.ENOENT) {
		return &obstacle{kind: denied, path: here, cause: err}
	}
	fd, err := openAt(dir.fd, token, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0o600)
	if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.EEXIST) {
		return errMoved
	}
	if err != nil {
		return &obstacle{kind: denied, path: here, cause: err}
	}
	if err := fill(fd, content); err != nil {
		_ = unlinkAt(dir.fd, token, 0) // half a token is worse than none
		return &obstacle{kind: denied, path: here, cause: err}
	}
	return nil
}

// fill writes content into fd and closes it. The mode comes last and from no umask, so that nobody reads half of it.
func fill(fd int, content string) error {
	rest := []byte(content)
	for len(rest) > 0 {
		n := 0
		err := again(func() (err error) {
			n, err = unix.Write(fd, rest)
			return err
		})
		if err != nil {
			_ = unix.Close(fd)
			return err
		}
		rest = rest[n:]
	}
	err := again(func() error { return unix.Fchmod(fd, tokenMode) })
	return errors.Join(err, unix.Close(fd))
}

// hasToken reports whether the token's file is already there just as it would be made: a plain file of ours, without
// another name elsewhere, readable by the web server, with this content.
func hasToken(me self, dir node, token, content string) bool {
	asMade := func(e entry) bool {
		return e.isRegular() && e.uid == me.uid && e.links == 1 && e.permissions() == tokenMode && e.size == int64(len(content))
	}
	if e, err := statAt(dir.fd, token); err != nil || !asMade(e) {
		return false // looked at before it is opened: opening a device can have effects
	}
	fd, err := openAt(dir.fd, token, unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return false
	}
	defer unix.Close(fd)
	e, err := statOf(fd)
	if err != nil || !asMade(e) {
		return false
	}
	found := make([]byte, len(content)+1)
	n, err := unix.Read(fd, found)
	return err == nil && n >= 0 && string(found[:n]) == content
}

// unlinkToken unlinks the token's file if it is a plain file.
func unlinkToken(dir node, token string) error {
	e, err := statAt(dir.fd, token)
	if errors.Is(err, unix.ENOENT) || err == nil && !e.isRegular() {
		return nil
	}
	if err == nil {
		err = unlinkAt(dir.fd, token, 0)
	}
	if err == nil || errors.Is(err, unix.ENOENT) {
		return nil
	}
	return &obstacle{kind: denied, path: path.Join(dir.path, token), cause: err}
}
