package webroot

import (
	"errors"
	"path"

	"golang.org/x/sys/unix"
)

// Directories that are missing on the way to a token are made, and given to the customer as certbot
// does. Between mkdir and chown a customer may have put something else there: what is given away
// must be what was made.

const (
	// birthMode is what a directory has between mkdir and the moment it is given its owner: one
	// that is found so was left by a process that ended there.
	birthMode     = 0o700
	directoryMode = 0o755
	tokenMode     = 0o644
)

func (h *hand) isNewborn(e entry) bool {
	return e.isDirectory() && e.uid == h.self.uid && e.permissions() == birthMode
}

// discardNewborn removes a directory that this placement made before but did not finish, since an
// existing directory is never given another owner. If that fails, it is used as it is.
func (h *hand) discardNewborn(name string) {
	dir := h.walk.top()
	if h.q.Op != opPlace || h.guest || !h.q.Spot.made(path.Join(dir.path, name)) {
		return
	}
	if e, err := statAt(dir.fd, name); err == nil && h.isNewborn(e) {
		_ = unlinkAt(dir.fd, name, unix.AT_REMOVEDIR)
	}
}

// make makes the directory name, enters it, and notes what it is, so that no other one is removed
// in its stead. On ground where others could choose what it is, it stays whose it is made as;
// elsewhere the document root's owner gets it, as with certbot.
func (h *hand) make(name string, spot *Spot) error {
	w := h.walk
	dir, here := w.top(), path.Join(w.top().path, name)
	mode := uint32(birthMode)
	if spot.Closed {
		mode = directoryMode
	}
	before := moment()
	err := makeAt(dir.fd, name, mode)
	if errors.Is(err, unix.ENOENT) || errors.Is(err, unix.EEXIST) {
		return errChanged
	}
	if err != nil {
		return h.refused(dir, name, err)
	}
	fd, err := openAt(dir.fd, name, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return errChanged // replaced since; the next attempt looks at it as at any stranger
	}
	if !spot.Closed && !bornSince(fd, before) {
		_ = unix.Close(fd)
		// an empty one of root's that a customer has put there would be given to him
		return errChanged
	}
	if !spot.Closed {
		err = h.adopt(fd)
	}
	e, statErr := statOf(fd)
	if err := errors.Join(err, statErr); err != nil {
		_ = unix.Close(fd)
		return h.refused(w.top(), name, err)
	}
	if spot.Closed && e.uid != h.self.uid {
		_ = unix.Close(fd)
		return errChanged
	}
	spot.note(here, e)
	w.push(fd, name, e)
	return nil
}

// refused is the system's refusal to make an entry in a directory.
func (h *hand) refused(dir node, name string, err error) error {
	o, _ := errors.AsType[*obstacle](h.walk.denied(dir.path, err))
	o.Level, o.Rest = 1, []string{name}
	return o
}

// adopt gives the directory fd its final mode and the document root's owner, but only if it is what
// was just made: ours, with the mode of birth, and empty. A customer could have put something else
// in its place; that is used as it is.
func (h *hand) adopt(fd int) error {
	e, err := statOf(fd)
	if err != nil {
		return err
	}
	if !h.isNewborn(e) || e.device != h.walk.top().device || !isEmpty(fd) {
		return nil
	}
	// A set-group-ID bit that came from the directory above stays, as it does under certbot.
	if err := again(func() error { return unix.Fchmod(fd, directoryMode|e.mode&unix.S_ISGID) }); err != nil {
		return err
	}
	if e.uid == h.site.UID && e.gid == h.site.GID {
		return nil
	}
	err = again(func() error { return unix.Fchown(fd, int(h.site.UID), int(h.site.GID)) })
	for _, served := range []error{unix.EPERM, unix.EINVAL, unix.ENOTSUP} {
		if errors.Is(err, served) {
			// no root, or a file system without owners: a directory of ours can be served all the
			// same
			return nil
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
