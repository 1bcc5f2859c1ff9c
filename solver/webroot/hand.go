package webroot

import (
	"errors"
	"fmt"
	"path"
	"slices"

	"golang.org/x/sys/unix"
)

// What a helper does for one question, from the first step to its answer. It decides nothing about
// trust by itself: the walk does, and the rights that its process has.

// hand does what one question asks for, with the rights that its process has.
type hand struct {
	self  self
	guest bool // it works as another user than the run's
	q     *question
	tell  func(at string)
	walk  *walker
	site  *site
}

func (h *hand) close() {
	if h.walk != nil {
		h.walk.close()
	}
}

// answer does what is asked and returns the answer, with the descriptor that goes with it, -1 for
// none.
func (h *hand) answer(fd int) (reply, int) {
	h.walk = &walker{self: h.self, guest: h.guest, silent: h.q.Silent, tell: h.tell}
	r, err := h.do(fd)
	if t, ok := errors.AsType[*turn](err); ok {
		t.course.Site = h.site
		return reply{Turn: t.course}, h.walk.top().fd
	}
	switch {
	case errors.Is(err, errChanged):
		return reply{Again: true}, -1
	case err != nil:
		r = h.stopped(err)
		r.Site = h.site
	}
	return r, -1
}

func (h *hand) do(fd int) (reply, error) {
	var err error
	if h.q.Course != nil {
		h.site = h.q.Course.Site
		err = h.walk.resume(h.q.Course, fd)
	} else {
		err = h.walk.begin()
	}
	switch {
	case err != nil:
		return reply{}, err
	case h.q.Op == opRemove:
		return reply{}, h.remove()
	}
	missing, err := h.descend()
	if err != nil {
		return reply{}, err
	}
	switch h.q.Op {
	case opPlan:
		return reply{Site: h.site, Spot: h.spot(missing), Obstacle: h.mayWrite(missing)}, nil
	case opLook:
		return h.look(missing), nil
	case opPlace:
		return h.place(missing)
	case opStands:
		if len(missing) > 0 {
			return reply{}, nil
		}
		e, err := statAt(h.walk.top().fd, h.q.Token)
		return reply{Stands: err == nil && e.isRegular()}, nil
	case opRead:
		return h.read()
	case opSweep:
		if len(missing) > 0 {
			return reply{}, nil
		}
		swept, err := sweep(h.walk, h.q.Now)
		return reply{Swept: swept}, err
	}
	return reply{}, fmt.Errorf("no such question: %s", h.q.Op)
}

// deepest is the last of the levels that a question is about: a file is read in the document root.
func (h *hand) deepest() int {
	if h.q.Op == opRead {
		return 0
	}
	return len(levels())
}

// descend walks to the document root and on to the tokens' directory, as far as it exists. It
// returns the names that are missing, outermost first.
func (h *hand) descend() (missing []string, err error) {
	level, steps, led := 0, stepsOf(h.q.Root), false
	if c := h.q.Course; c != nil {
		level, steps, led = c.Level, c.Steps, !c.Fresh
	}
	for ; level <= h.deepest(); level++ {
		if !led && level > 0 {
			steps = []string{path.Base(levels()[level-1])}
		}
		gone, err := h.level(level, steps, led)
		if t, ok := errors.AsType[*turn](err); ok && !t.course.Fresh {
			t.course.Level = level
		}
		if err != nil {
			return nil, err
		}
		if gone {
			return names()[level-1:], nil
		}
		led = false
	}
	return nil, nil
}

func (h *hand) level(level int, steps []string, led bool) (gone bool, err error) {
	w := h.walk
	if !led {
		w.origin = ""
	}
	if level > 0 && !led {
		h.discardNewborn(steps[0])
	}
	if len(steps) > 0 { // a link to "/" or to "." leads nowhere else
		gone, err = w.down(steps, led || level == 0)
	}
	if o, ok := errors.AsType[*obstacle](err); ok {
		o.Level = level
	}
	if err == nil {
		err = w.held()
	}
	if err == nil && level == 0 {
		err = h.arrive()
	}
	return gone, err
}

// arrive notes the document root. On a foreign file system its owner goes on from here: where a
// file server trusts nobody's root, that is who can write, and a call that hangs holds nothing.
func (h *hand) arrive() error {
	top := h.walk.top()
	h.site = &site{Identity: Identity{Path: top.path, Device: top.device, Inode: top.inode},
		UID: top.uid, GID: top.gid}
	if h.walk.mayTurn(top, top.uid) {
		return &turn{&course{UID: top.uid, Path: top.path, Fresh: true, Level: 1,
			Closed: h.walk.closed, Taken: h.walk.steps}}
	}
	return nil
}

// spot is where a token will stand, and what will be made for it.
func (h *hand) spot(missing []string) *Spot {
	s := &Spot{Dir: h.walk.top().path, UID: h.self.uid, Closed: h.walk.closed || h.guest}
	for _, name := range missing {
		s.Dir = path.Join(s.Dir, name)
		s.Made = append(s.Made, Made{Path: s.Dir})
	}
	if h.guest {
		s.From = h.walk.from
	}
	return s
}

// mayWrite asks the kernel, without writing, whether something may be made in the directory that
// the walk has come to.
func (h *hand) mayWrite(missing []string) *obstacle {
	top := h.walk.top()
	err := again(func() error { return writable(top.fd) })
	if err == nil || errors.Is(err, unix.ENOSYS) || errors.Is(err, unix.EINVAL) {
		return nil
	}
	o, _ := errors.AsType[*obstacle](h.walk.denied(top.path, err))
	o.Rest, o.Level = missing, 1
	return o
}

// place makes what is missing and writes the token, but only where it was recorded that it would.
func (h *hand) place(missing []string) (reply, error) {
	now, was := h.spot(missing), h.q.Spot
	if !was.covers(now) {
		return reply{Moved: true, Spot: now, Site: h.site}, nil
	}
	done := *was
	done.Made = slices.Clone(was.Made)
	for _, name := range missing {
		if err := h.make(name, &done); err != nil {
			return reply{}, err
		}
	}
	file := tokenFile{me: h.self, dir: h.walk.top(), name: h.q.Token, content: h.q.Content,
		closed: now.Closed}
	if err := file.write(); err != nil {
		if o, ok := errors.AsType[*obstacle](err); ok {
			o.Level, o.UID, o.Link = 1, h.self.uid, h.walk.link
		}
		return reply{}, err
	}
	return reply{Spot: &done, Site: h.site}, nil
}

// errChanged says that a directory was removed, or a file made, by another process at the same
// time.
var errChanged = errors.New("changed while it was worked on")
