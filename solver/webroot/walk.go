package webroot

import (
	"errors"
	"path"
	"strings"

	"golang.org/x/sys/unix"

	"orderly/failure"
)

// maxSteps bounds the components walked, those of links included: links may form a ring.
const maxSteps = 256

// node is an open directory on the way.
type node struct {
	entry
	fd   int
	path string // where it was found, links resolved; for sentences, never opened again
	// planted says that someone else could have put this directory, or one above it, into its place.
	planted bool
}

// step is one component still to be walked. A confined one comes from a link that a customer may have made: it never
// leads out of the document root and follows no link on the strength of root's ownership, since the customer chose it.
type step struct {
	name     string
	confined bool
}

// walker walks paths a component at a time from open descriptors. The kernel never resolves a link for it, and ".." goes
// to the directory it came from, so nothing that is renamed or replaced meanwhile leads it astray.
type walker struct {
	self  self
	root  string // the document root's path as it was given, absolute
	site  node   // the document root itself; its descriptor belongs to the stack
	stack []node
	floor int // index of the document root in the stack, -1 while the walk is outside of it
	links int // followed so far
	steps int // walked so far
}

// enter opens the document root at the absolute path root. The caller closes the walker.
func enter(root string) (*walker, error) {
	w := &walker{self: currentSelf(), root: root, floor: -1}
	if err := w.begin(); err != nil {
		return nil, err
	}
	if err := w.walk(stepsOf(root, false)); err != nil {
		w.close()
		return nil, err
	}
	w.site, w.floor = w.top(), len(w.stack)-1
	return w, nil
}

func (w *walker) begin() error {
	fd, err := openAt(unix.AT_FDCWD, "/", openDirectory, 0)
	if err != nil {
		return &obstacle{kind: denied, path: "/", cause: err}
	}
	e, err := statOf(fd)
	if err != nil {
		_ = unix.Close(fd)
		return &obstacle{kind: denied, path: "/", cause: err}
	}
	w.stack = append(w.stack, node{entry: e, fd: fd, path: "/"})
	return nil
}

func (w *walker) close() { w.truncate(0) }

func (w *walker) top() node { return w.stack[len(w.stack)-1] }

// truncate closes all but the first n open directories.
func (w *walker) truncate(n int) {
	for len(w.stack) > n {
		_ = unix.Close(w.top().fd)
		w.stack = w.stack[:len(w.stack)-1]
	}
	if len(w.stack)-1 < w.floor {
		w.floor = -1 // the document root was left
	}
}

func stepsOf(p string, confined bool) []step {
	var steps []step
	for name := range strings.SplitSeq(p, "/") {
		if name != "" && name != "." {
			steps = append(steps, step{name, confined})
		}
	}
	return steps
}

func (w *walker) walk(steps []step) error {
	for len(steps) > 0 {
		if w.steps++; w.steps > maxSteps {
			return &obstacle{kind: unsafe, path: w.top().path, what: "is reached by too long a path, or by links that form a ring"}
		}
		target, err := w.take(steps[0])
		if err != nil {
			return err
		}
		steps = append(target, steps[1:]...)
	}
	return nil
}

// take walks one component. If that is a link, it returns the components of its target.
func (w *walker) take(s step) ([]step, error) {
	if s.name == ".." {
		return nil, w.up(s)
	}
	dir := w.top()
	fd, err := openAt(dir.fd, s.name, openDirectory, 0)
	if err == nil {
		return nil, w.push(fd, s.name)
	}
	here := path.Join(dir.path, s.name)
	if errors.Is(err, unix.ENOENT) {
		return nil, &obstacle{kind: absent, path: here, cause: err}
	}
	e, statErr := statAt(dir.fd, s.name)
	switch {
	case statErr == nil && e.isLink():
		return w.follow(s, e)
	case statErr == nil && !e.isDirectory():
		return nil, &obstacle{kind: noDirectory, path: here, what: e.kind(), cause: err}
	}
	return nil, &obstacle{kind: denied, path: here, cause: err}
}

func (w *walker) up(s step) error {
	if s.confined && len(w.stack)-1 <= w.floor {
		return &obstacle{kind: unsafe, path: w.top().path, what: "is left upwards by a link in it"}
	}
	if len(w.stack) > 1 {
		w.truncate(len(w.stack) - 1)
	}
	return nil
}

// push enters the open directory fd. Outside the document root it refuses one that only root (or this process's user)
// may write but that someone else could have put there: a customer who may rename entries in a parent directory would
// choose with it where in root's own trees is written.
func (w *walker) push(fd int, name string) error {
	dir := w.top()
	here := path.Join(dir.path, name)
	e, err := statOf(fd)
	if err != nil {
		_ = unix.Close(fd)
		return &obstacle{kind: denied, path: here, cause: err}
	}
	n := node{entry: e, fd: fd, path: here, planted: dir.planted || w.self.couldPlant(dir.entry, e)}
	if w.floor < 0 && n.planted && !w.self.openToOthers(e) {
		_ = unix.Close(fd)
		return &obstacle{kind: planted, path: here, what: dir.path}
	}
	w.stack = append(w.stack, n)
	return nil
}

// follow returns the components of the link at s. One that root owns, in a directory nobody else can write, may lead
// anywhere; any other has to stay inside the document root.
func (w *walker) follow(s step, link entry) ([]step, error) {
	dir := w.top()
	here := path.Join(dir.path, s.name)
	w.links++
	target, err := readLinkAt(dir.fd, s.name)
	if err != nil {
		return nil, &obstacle{kind: denied, path: here, cause: err}
	}
	if s.confined || !w.self.trusts(link.uid) || w.self.openToOthers(dir.entry) {
		return w.confine(here, target)
	}
	if path.IsAbs(target) {
		w.truncate(1)
	}
	return stepsOf(target, false), nil
}

// confine returns the components of a link that others could have made, unless it leads out of the document root.
func (w *walker) confine(here, target string) ([]step, error) {
	if w.floor < 0 {
		return nil, &obstacle{kind: unsafe, path: here, what: "is a link that others than root can change, to " + failure.Clean(target)}
	}
	if !path.IsAbs(target) {
		return stepsOf(target, true), nil
	}
	rel, ok := below(target, w.root)
	if !ok {
		rel, ok = below(target, w.site.path)
	}
	if !ok {
		return nil, &obstacle{kind: unsafe, path: here, what: "is a link out of it, to " + failure.Clean(target)}
	}
	w.truncate(w.floor + 1)
	return stepsOf(rel, true), nil
}

// below returns what follows root in the absolute path p. It only compares text; the walk that follows is confined.
func below(p, root string) (string, bool) {
	rest, ok := strings.CutPrefix(p, strings.TrimSuffix(root, "/"))
	if !ok || rest != "" && rest[0] != '/' {
		return "", false
	}
	return rest, true
}

// descend walks into name below the directory at hand, and reports whether there is simply nothing of that name. A link
// whose target is missing is an error: making the target would mean making what a customer chose.
func (w *walker) descend(name string) (missing bool, err error) {
	here, links := path.Join(w.top().path, name), w.links
	err = w.walk([]step{{name: name}})
	if o, ok := errors.AsType[*obstacle](err); ok && o.kind == absent && o.path == here && w.links == links {
		return true, nil
	}
	return false, err
}
