package webroot

import (
	"errors"
	"path"
	"strings"

	"golang.org/x/sys/unix"
)

// A token's file is made anew or left as it is, never written into: what stands there may be a
// link, a pipe or another's file.

// tokenFile is a token's file in an open directory. Where closed, others could choose which
// directory that is: then nothing that this identity did not make is replaced or removed.
type tokenFile struct {
	me            self
	dir           node
	name, content string
	closed        bool
}

func (t tokenFile) path() string { return path.Join(t.dir.path, t.name) }

func (t tokenFile) denied(err error) error {
	o := &obstacle{Kind: denied, Path: t.dir.path}
	if !errors.As(err, &o.Errno) {
		o.What = err.Error()
	}
	return o
}

// write makes the file. Nothing that is found there is ever opened for writing: it could be a link,
// a hard link to someone else's file, or a pipe.
func (t tokenFile) write() error {
	if t.stands() {
		return nil
	}
	if err := t.makeRoom(); err != nil {
		return err
	}
	fd, err := openAt(t.dir.fd, t.name, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0o600)
	if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.EEXIST) {
		return errChanged
	}
	if err != nil {
		return t.denied(err)
	}
	if err := fill(fd, t.content); err != nil {
		_ = unlinkAt(t.dir.fd, t.name, 0) // half a token is worse than none
		return t.denied(err)
	}
	return nil
}

// makeRoom takes away what stands in the file's place.
func (t tokenFile) makeRoom() error {
	e, err := statAt(t.dir.fd, t.name)
	switch {
	case errors.Is(err, unix.ENOENT):
		return nil
	case err != nil:
		return t.denied(err)
	case e.isDirectory(), t.closed && !t.isOurs(e):
		return &obstacle{Kind: occupied, Path: t.path(), What: e.kind()}
	}
	err = unlinkAt(t.dir.fd, t.name, 0)
	switch {
	case err == nil, errors.Is(err, unix.ENOENT):
		return nil
	case errors.Is(err, unix.EISDIR):
		return errChanged
	}
	return t.denied(err)
}

// fill writes content into fd and closes it. The mode comes last and from no umask, so that nobody
// reads half of it.
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

// asMade reports whether an entry is a plain file of ours without another name elsewhere.
func (t tokenFile) asMade(e entry) bool {
	return e.isRegular() && e.uid == t.me.uid && e.links == 1
}

// stands reports whether the file is already there just as it would be made, readable by the web
// server.
func (t tokenFile) stands() bool {
	e, err := statAt(t.dir.fd, t.name)
	if err != nil || !t.asMade(e) || e.permissions() != tokenMode || e.size != int64(len(t.content)) {
		return false
	}
	found, err := t.read(len(t.content) + 1)
	return err == nil && found == t.content
}

// read reads the beginning of the file, if it is one that could be ours: opening a device can have
// effects.
func (t tokenFile) read(most int) (string, error) {
	e, err := statAt(t.dir.fd, t.name)
	if err != nil || !t.asMade(e) {
		return "", unix.ENOENT
	}
	fd, err := openAt(t.dir.fd, t.name, unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return "", err
	}
	defer unix.Close(fd)
	if e, err := statOf(fd); err != nil || !t.asMade(e) {
		return "", unix.ENOENT
	}
	found := make([]byte, most)
	n, err := unix.Read(fd, found)
	if err != nil {
		return "", err
	}
	return string(found[:max(n, 0)]), nil
}

// isOurs reports whether what stands there was made for this token by this identity, perhaps by a
// process that was killed before it was complete: every key authorization begins with its token
// (RFC 8555 section 8.1).
func (t tokenFile) isOurs(e entry) bool {
	if !t.asMade(e) {
		return false
	}
	if e.size == 0 {
		return e.permissions() == 0o600
	}
	begins := t.name + "."
	found, err := t.read(len(begins))
	return err == nil && found != "" && strings.HasPrefix(begins, found)
}

// remove unlinks the file if it is a plain one and, where closed, ours.
func (t tokenFile) remove() error {
	e, err := statAt(t.dir.fd, t.name)
	if errors.Is(err, unix.ENOENT) || err == nil && (!e.isRegular() || t.closed && !t.isOurs(e)) {
		return nil
	}
	if err == nil {
		err = unlinkAt(t.dir.fd, t.name, 0)
	}
	if err == nil || errors.Is(err, unix.ENOENT) {
		return nil
	}
	return t.denied(err)
}
