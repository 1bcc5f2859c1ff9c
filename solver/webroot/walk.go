package webroot

import (
	"errors"
	"path"
	"slices"
	"strings"
	"unicode/utf8"

	"golang.org/x/sys/unix"
)

// The way to a document root leads over ground where customers rename and link as they like, also
// while it is walked. What is open stays what it is; so each step starts from a descriptor.

// maxSteps bounds the components walked, those of links included: links may form a ring.
const maxSteps = 256

const (
	openEntry = openPath | unix.O_NOFOLLOW | unix.O_CLOEXEC
	// with it, an automounter mounts what is to be there
	openDirectory = openEntry | unix.O_DIRECTORY
)

// node is an open directory on the way.
type node struct {
	entry
	fd   int
	path string // where it was found, links resolved; for sentences and records, never opened again
	// planted says that someone else could have put this directory, or one above it, into its
	// place.
	planted bool
	// on a file system whose word about owners proves nothing, and which may not answer
	foreign bool
}

// walker walks paths a component at a time from open descriptors. The kernel never resolves a link
// for it, and ".." goes to the directory it came from, so nothing that is renamed or replaced
// meanwhile leads it astray.
//
// It begins with the run's own rights. What leads it on decides as whom it goes on, for that is who
// could lead it anywhere: a link of another user hands the walk over to a helper with that user's
// rights (a turn), where the kernel decides. Where root's own links and directories lie on ground
// that others can write, they can be renamed by them: the walk goes on as root, but is closed from
// then on, and what is done at its end is bounded (see token.go). What FUSE and network file
// systems say of owners proves nothing: there the user goes on who mounted it or, where root did,
// who owns the document root.
type walker struct {
	self   self
	guest  bool // it works with another user's rights than the run's
	closed bool
	link   string // the link that made it a guest
	from   string // for a guest: what is above was reached with the run's rights
	origin string // the link whose target is walked, "" while the path itself is
	stack  []node
	leash  *leash
	links  int // followed so far
	steps  int // walked so far
	silent []string
	tell   func(at string)
}

// leash holds a walk that a link of root's led on which a foreign file system shows: it must not
// lead out of that one.
type leash struct {
	link   string
	device uint64
}

// turn says that another user has to go on.
type turn struct{ course *course }

func (t *turn) Error() string { return "the walk goes on as another user" }

func (w *walker) begin() error {
	fd, err := openAt(unix.AT_FDCWD, "/", openDirectory, 0)
	if err != nil {
		return w.denied("/", err)
	}
	e, err := statOf(fd)
	if err != nil {
		_ = unix.Close(fd)
		return w.denied("/", err)
	}
	foreign, _ := abroad(fd)
	w.stack = append(w.stack, node{entry: e, fd: fd, path: "/", foreign: foreign})
	w.from = "/"
	return nil
}

// resume takes up a walk that another identity began, in the directory that it had come to.
func (w *walker) resume(c *course, fd int) error {
	if fd < 0 {
		return errors.New("a walk was handed over without its directory")
	}
	e, err := statOf(fd)
	if err != nil {
		_ = unix.Close(fd)
		return w.denied(c.Path, err)
	}
	w.stack = append(w.stack, node{entry: e, fd: fd, path: c.Path, planted: true})
	w.link, w.from, w.origin, w.closed, w.steps = c.Link, c.Path, c.Origin, c.Closed, c.Taken
	if c.Absolute {
		return w.home()
	}
	return nil
}

func (w *walker) close() { w.truncate(0) }

// denied is the system's refusal at a path.
func (w *walker) denied(at string, err error) error {
	o := &obstacle{Kind: denied, Path: at, UID: w.self.uid, Link: w.link}
	if !errors.As(err, &o.Errno) {
		o.What = err.Error()
	}
	return o
}

func (w *walker) top() node { return w.stack[len(w.stack)-1] }

// truncate closes all but the first n open directories.
func (w *walker) truncate(n int) {
	for len(w.stack) > n {
		_ = unix.Close(w.top().fd)
		w.stack = w.stack[:len(w.stack)-1]
	}
}

func stepsOf(p string) []string {
	return slices.DeleteFunc(strings.Split(p, "/"),
		func(name string) bool { return name == "" || name == "." })
}

// run walks steps. The error of a missing component names what follows it, too.
func (w *walker) run(steps []string) error {
	for len(steps) > 0 {
		if w.steps++; w.steps > maxSteps {
			return &obstacle{Kind: unsafe, Path: w.top().path,
				What: "is reached by too long a path, or by links that form a ring"}
		}
		rest := steps[1:]
		target, err := w.take(steps[0], rest)
		if err != nil {
			return err
		}
		if len(target) > 0 {
			rest = append(target, rest...)
		}
		steps = rest
	}
	return nil
}

// take walks one component. If that is a link, it returns the components of its target.
func (w *walker) take(name string, rest []string) ([]string, error) {
	if name == ".." {
		return nil, w.up()
	}
	dir := w.top()
	here := path.Join(dir.path, name)
	if slices.Contains(w.silent, here) {
		return nil, &obstacle{Kind: silent, Path: here}
	}
	w.tell(here)
	fd, err := openAt(dir.fd, name, openDirectory, 0)
	if errors.Is(err, unix.ENOTDIR) || errors.Is(err, unix.ELOOP) || errors.Is(err, unix.EMLINK) {
		fd, err = openAt(dir.fd, name, openEntry, 0)
	}
	switch {
	case errors.Is(err, unix.ENOENT):
		return nil, &obstacle{Kind: absent, Path: here, Rest: rest, Owner: dir.uid, Link: w.origin}
	case errors.Is(err, unix.EACCES) && w.mayTurn(dir, dir.uid): // the file server does not let root in
		return nil, &turn{&course{UID: dir.uid, Path: dir.path, Steps: append([]string{name}, rest...), Closed: w.closed, Taken: w.steps}}
	case errors.Is(err, unix.EACCES):
		return nil, &obstacle{Kind: closedDoor, Path: dir.path, Errno: unix.EACCES, UID: w.self.uid, Link: w.link}
	case err != nil:
		return nil, w.denied(here, err)
	}
	e, err := statOf(fd)
	switch {
	case err != nil:
		err = w.denied(here, err)
	case e.isDirectory():
		return nil, w.enter(fd, name, e, rest)
	case e.isLink():
		var target string
		target, err = readLink(fd, dir.fd, name)
		_ = unix.Close(fd)
		if err != nil {
			return nil, w.denied(here, err)
		}
		return w.follow(name, e, target, rest)
	default:
		err = &obstacle{Kind: noDirectory, Path: here, What: e.kind(), Owner: dir.uid, Rest: rest}
	}
	_ = unix.Close(fd)
	return nil, err
}

// up goes to the directory above: the one it came from. A guest that has not come from there asks
// the kernel.
func (w *walker) up() error {
	dir := w.top()
	if len(w.stack) > 1 {
		w.truncate(len(w.stack) - 1)
	} else if dir.path != "/" {
		fd, err := openAt(dir.fd, "..", openDirectory, 0)
		if err != nil {
			return w.denied(dir.path, err)
		}
		e, err := statOf(fd)
		if err != nil {
			_ = unix.Close(fd)
			return w.denied(path.Dir(dir.path), err)
		}
		w.truncate(0)
		w.stack = append(w.stack, node{entry: e, fd: fd, path: path.Dir(dir.path), planted: true})
	}
	if !within(w.top().path, w.from) {
		w.from = w.top().path
	}
	return nil
}

// within reports whether p is dir or below it.
func within(p, dir string) bool {
	return p == dir || strings.HasPrefix(p, strings.TrimSuffix(dir, "/")+"/")
}

// enter is push where a directory was met, and says so if it is another user's file system.
func (w *walker) enter(fd int, name string, e entry, rest []string) error {
	dir, foreign, mounter := w.top(), w.top().foreign, uint32(0)
	if e.device != dir.device {
		foreign, mounter = abroad(fd)
	}
	w.push(fd, name, e)
	w.stack[len(w.stack)-1].foreign = foreign
	if n := w.top(); w.mayTurn(n, mounter) {
		return &turn{&course{UID: mounter, Path: n.path, Steps: rest, Closed: w.closed,
			Taken: w.steps}}
	}
	return nil
}

// mayTurn reports whether a walk goes on as a user in a directory because its file system is
// foreign.
func (w *walker) mayTurn(n node, uid uint32) bool {
	return n.foreign && !w.guest && w.self.uid == 0 && uid != 0
}

// held says that the walk has come out of a file system on a link whose owner nobody but that file
// system vouches for.
func (w *walker) held() error {
	if top := w.top(); w.leash == nil || top.foreign && top.device == w.leash.device {
		return nil
	}
	return &obstacle{Kind: unsafe, Path: w.leash.link,
		What: "is a link out of a file system whose word about owners proves nothing (" +
			mountOf(w.leash.link).kind + ")"}
}

// push enters the open directory fd. One that only the run's user can write, but that someone else
// could have put where it is, closes the walk: he would choose with it where in root's own trees
// something is made.
func (w *walker) push(fd int, name string, e entry) {
	dir := w.top()
	planted := dir.planted || dir.foreign || w.self.couldPlant(dir.entry, e)
	if planted && !w.self.openToOthers(e) {
		w.closed = true
	}
	w.stack = append(w.stack, node{entry: e, fd: fd, path: path.Join(dir.path, name), planted: planted, foreign: dir.foreign})
}

// follow returns the components of a link's target, or the turn of whoever made the link.
func (w *walker) follow(name string, link entry, target string, rest []string) ([]string, error) {
	dir := w.top()
	here := path.Join(dir.path, name)
	w.links++
	switch {
	case !utf8.ValidString(target):
		return nil, &obstacle{Kind: unsafe, Path: here, What: "is a link to a path that is not UTF-8"}
	case w.guest && link.uid != 0 && link.uid != w.self.uid:
		return nil, &obstacle{Kind: second, Path: here, UID: link.uid, What: w.link, Owner: w.self.uid}
	case w.guest: // the kernel decides what he may do there
	case !w.self.trusts(link.uid) && w.self.uid != 0:
		return nil, &obstacle{Kind: unsafe, Path: here,
			What: "is a link of " + called(link.uid) +
				", who could lead it anywhere, and only root can act as another user"}
	case !w.self.trusts(link.uid):
		if err := w.held(); err != nil {
			return nil, err
		}
		return nil, &turn{&course{UID: link.uid, Link: here, Path: dir.path, Steps: append(stepsOf(target), rest...),
			Absolute: path.IsAbs(target), Origin: here, Closed: w.closed, Taken: w.steps}}
	case dir.planted || w.self.openToOthers(dir.entry):
		w.closed = true // others can rename it, or make a hard link to it
	}
	if dir.foreign && !w.guest && w.self.uid == 0 && w.leash == nil {
		w.closed, w.leash = true, &leash{here, dir.device}
	}
	w.origin = here
	if path.IsAbs(target) {
		return stepsOf(target), w.home()
	}
	return stepsOf(target), nil
}

// home goes back to the root of the file system.
func (w *walker) home() error {
	if w.stack[0].path == "/" {
		w.truncate(1)
		return nil
	}
	w.truncate(0)
	return w.begin()
}

// down walks steps, which begin on this level, and reports whether there is simply nothing of that
// name. A link whose target is missing is an error: making the target would mean making what
// somebody chose. led says that steps are a link's.
func (w *walker) down(steps []string, led bool) (missing bool, err error) {
	here, links := path.Join(w.top().path, steps[0]), w.links
	err = w.run(steps)
	o, ok := errors.AsType[*obstacle](err)
	if ok && !led && o.Kind == absent && o.Path == here && len(o.Rest) == 0 && w.links == links {
		return true, nil
	}
	return false, err
}
