package webroot

import (
	"errors"
	"path"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// A token is removed from where it was recorded to stand, and a directory only if it is the one
// that was made: what a customer has put in its place is his.

// remove takes a token and what was made for it from where they were recorded to stand: the path as
// it was then, links resolved, since a link on the configured one may lead elsewhere by now. What
// is not there any more is no error.
func (h *hand) remove() error {
	w, spot := h.walk, h.q.Spot
	gone, err := h.reach(spot)
	if err != nil {
		return err
	}
	if !gone {
		file := tokenFile{me: h.self, dir: w.top(), name: h.q.Token,
			closed: spot.Closed || w.closed && !h.guest}
		if err := file.remove(); err != nil {
			return h.about(err)
		}
	}
	return h.about(h.removeMade(spot))
}

func (h *hand) about(err error) error {
	if o, ok := errors.AsType[*obstacle](err); ok {
		o.Level, o.UID, o.Link = 1, h.self.uid, h.walk.link
	}
	return err
}

// reach walks to the directory of the token, and reports whether it is gone. What was done as
// another user is undone as that user, from the directory on from which he was at work.
func (h *hand) reach(spot *Spot) (gone bool, err error) {
	w := h.walk
	steps := stepsOf(spot.Dir)
	if c := h.q.Course; c != nil {
		steps = c.Steps
	} else if spot.UID != h.self.uid {
		below := stepsOf(strings.TrimPrefix(spot.Dir, strings.TrimSuffix(spot.From, "/")))
		err := w.run(stepsOf(spot.From))
		if t, ok := errors.AsType[*turn](err); ok && t.course.UID == spot.UID {
			// his file system, or a link that he has put there since
			t.course.Steps = append(t.course.Steps, below...)
		} else if ok {
			return true, nil
		} else if err == nil {
			err = &turn{&course{UID: spot.UID, Path: w.top().path, Steps: below}}
		}
		return done(err)
	}
	return done(w.run(steps))
}

// done sorts the end of a walk to something that is to be removed: nothing, or no directory, where
// one was means that there is nothing of ours either, and so does a second user's link.
func done(err error) (gone bool, _ error) {
	if o, ok := errors.AsType[*obstacle](err); ok && slices.Contains([]obstacleKind{absent, noDirectory, second}, o.Kind) {
		return true, nil
	}
	return false, err
}

// removeMade removes the directories that were made for the token, innermost first, as long as they
// are empty.
func (h *hand) removeMade(spot *Spot) error {
	w := h.walk
	for _, made := range slices.Backward(spot.Made) {
		here, name := w.top(), path.Base(made.Path)
		if len(w.stack) < 2 || !made.is(here) {
			continue // it is gone already, or another one is in its place
		}
		w.truncate(len(w.stack) - 1)
		if e, err := statAt(w.top().fd, name); err != nil || e.device != here.device || e.inode != here.inode {
			return nil
		}
		err := unlinkAt(w.top().fd, name, unix.AT_REMOVEDIR)
		for _, harmless := range []error{unix.ENOENT, unix.ENOTEMPTY, unix.EEXIST, unix.ENOTDIR, unix.EBUSY} {
			if errors.Is(err, harmless) {
				return nil // gone, in use by others, or replaced by what is not ours
			}
		}
		if err != nil {
			return w.denied(made.Path, err)
		}
	}
	return nil
}
