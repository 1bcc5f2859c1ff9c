package webroot

import (
	"fmt"
	"os"
	"path"

	"golang.org/x/sys/unix"

	"orderly/failure"
)

// What stopped a walk is somebody's to mend who knows nothing of walks: the sentence names the
// entry and the user, and the remedy is made of what stands there now.

// nameAnother is the way out where it was not the right document root. Whose it is, nobody knows
// here.
func nameAnother() failure.Remedy {
	return "or name the right one: " + failure.Do(failure.NameRoot) +
		" for a certificate that exists, " +
		failure.Do(failure.DocumentRoot, "DIR") + " for a new one"
}

// nameItself is the way out where a link is in the way.
func nameItself() failure.Remedy {
	return "name the directory itself with " + failure.Do(failure.DocumentRoot)
}

// InItsPlace begins the remedy where something else stands in the document root's place.
const InItsPlace = "Put a directory there: "

// explain turns what stopped a helper into a sentence and a remedy that can be pasted, made of what
// is there now.
func (w *Writer) explain(root string, o *obstacle) error {
	e := explanation{obstacle: o, root: failure.Clean(root), where: failure.Clean(o.Path),
		me: uint32(os.Geteuid())}
	switch o.Kind {
	case second, unsafe, barred:
		return e.unsafe()
	case silent:
		return e.silent()
	}
	if o.Level == 0 {
		return e.onTheWay()
	}
	return e.below()
}

// explanation is an obstacle with what sentences need of it.
type explanation struct {
	*obstacle
	root, where string
	me          uint32 // the user of the run
}

func (e explanation) err(class failure.Class, remedy failure.Remedy, format string,
	args ...any) error {
	return failure.New(class, remedy, "document root %s "+format, append([]any{e.root}, args...)...)
}

// onTheWay says what stopped the walk to the document root.
func (e explanation) onTheWay() error {
	switch e.Kind {
	case absent:
		reason := ""
		if e.Path != e.root {
			reason = ": there is no " + e.where
		}
		return e.err(failure.WebrootGone,
			"Run `"+e.create()+"`, "+nameAnother()+".", "does not exist%s", reason)
	case noDirectory:
		return e.err(failure.WebrootGone,
			InItsPlace+"`"+e.moveAway()+" && "+e.create()+"`, "+nameAnother()+".",
			"is not a directory: %s is %s", e.where, e.What)
	case closedDoor:
		return e.err(failure.WebrootLocked,
			"Run `"+e.letIn()+"` as root, "+nameAnother()+".",
			"cannot be reached: %s may not enter %s%s", called(e.UID), e.where, e.ledBy())
	}
	return e.err(e.class(),
		e.wayOut(), "cannot be opened: %s: %s%s", e.where, e.meaning(), e.ledBy())
}

// class is that of what cannot be written: where there is no room, no permission helps.
func (e explanation) class() failure.Class {
	if e.Errno == unix.ENOSPC || e.Errno == unix.EDQUOT {
		return failure.DiskFull
	}
	return failure.WebrootLocked
}

// below says what stopped work below the document root.
func (e explanation) below() error {
	locked := func(remedy failure.Remedy, format string, args ...any) error {
		return e.err(e.class(), remedy, "cannot be written: "+format, args...)
	}
	switch e.Kind {
	case absent:
		return locked("Run `"+e.create()+failure.Advise("`, or remove the link %s.",
			failure.Clean(e.Link)), "%s does not exist, though a link points there", e.where)
	case noDirectory:
		return locked("Move it away, since a directory must be there: `"+e.moveAway()+"`.",
			"%s is %s where a directory must be", e.where, e.What)
	case occupied:
		return locked("Move it away, since a file of Orderly's must be there: `"+e.moveAway()+"`.",
			"%s is %s where a file must be made", e.where, e.What)
	case closedDoor:
		return locked("Run `"+e.letIn()+"` as root.", "%s may not enter %s%s", called(e.UID),
			e.where, e.ledBy())
	}
	if e.Errno == unix.EACCES {
		return locked(e.wayOut(), "%s may not write in %s%s", called(e.UID), e.where, e.ledBy())
	}
	return locked(e.wayOut(), "%s: %s%s", e.where, e.meaning(), e.ledBy())
}

// ledBy names the link of a user whose rights count.
func (e explanation) ledBy() string {
	switch {
	case e.UID == e.me:
		return ""
	case e.Link == "":
		return ", whose file system it is (" + mountOf(e.Path).kind + ")"
	}
	return fmt.Sprintf(", where a link of this user leads (%s)", failure.Clean(e.Link))
}

func (e explanation) unsafe() error {
	switch e.Kind {
	case second:
		return e.err(failure.WebrootUnsafe,
			"Let both links be of one user (`"+
				failure.Shell("chown", "-h", ownership(e.Owner), e.Path)+
				"`), or "+nameItself()+".",
			"is reached through links of two users: %s is of %s, and then %s of %s",
			failure.Clean(e.What), called(e.Owner), e.where, called(e.UID))
	case barred:
		return e.err(failure.WebrootUnsafe,
			"Let Orderly run with the capabilities CAP_SETUID and CAP_SETGID, or "+nameItself()+
				" instead of a link.",
			"is reached through a link of %s, and Orderly may not act as this user here: %s",
			called(e.UID), failure.Clean(e.What))
	}
	return e.err(failure.WebrootUnsafe,
		"Name the directory itself with "+failure.Do(failure.DocumentRoot)+" instead of a link.",
		"is not safe to write to: %s %s", e.where, e.What)
}

func (e explanation) silent() error {
	m := mountOf(e.Path)
	if m.point == "" || m.point == "/" {
		return e.err(failure.WebrootLocked,
			"Look at the load of this host, then run the command again.", "does not answer: %s",
			e.where)
	}
	return e.err(failure.WebrootLocked,
		"Mount it anew: `"+failure.Shell("umount", "-l", m.point)+"`, and then as it was mounted.",
		"does not answer: the file system at %s (%s) keeps silent", failure.Clean(m.point),
		failure.Clean(m.kind))
}

// create is the command that makes what is missing, owned by whoever owns what it is in.
func (e explanation) create() failure.Remedy {
	first := e.Path
	last := path.Join(append([]string{first}, e.Rest...)...)
	made := failure.Shell("mkdir", "-p", last)
	if e.Owner == 0 {
		return made
	}
	paths := []string{last}
	for at := path.Dir(last); within(at, first); at = path.Dir(at) {
		paths = append([]string{at}, paths...)
	}
	return made + " && " + failure.Shell(append([]string{"chown", ownership(e.Owner)}, paths...)...)
}

func (e explanation) moveAway() failure.Remedy {
	return failure.Shell("mv", e.Path, e.Path+".away")
}

func (e explanation) letIn() failure.Remedy { return failure.Shell("chmod", "o+x", e.Path) }

// meaning says what an error number means here. The system's own words mislead where root is
// refused ("operation not permitted" for an immutable file).
func (e explanation) meaning() string {
	switch e.Errno {
	case 0:
		return failure.Clean(e.What)
	case unix.EROFS:
		return "the file system is mounted read-only"
	case unix.ENOSPC:
		return "no space (or no inode) is left on the file system"
	case unix.EDQUOT:
		return "the disk quota of " + called(e.UID) + " is used up"
	case unix.EPERM:
		return "operation not permitted (an immutable attribute, or a security module)"
	case unix.EACCES:
		return "permission denied"
	case unix.ESTALE:
		return "the network file system has lost it"
	}
	return failure.Clean(e.Errno.Error())
}

func (e explanation) wayOut() failure.Remedy {
	switch e.Errno {
	case unix.EROFS:
		return "Mount the file system writable: `" +
			failure.Shell("mount", "-o", "remount,rw", mountOf(e.Path).point) + "`, " +
			nameAnother() + "."
	case unix.ENOSPC, unix.EDQUOT:
		// The directory may have been made for the probe, and be gone again: the mount is there.
		point := mountOf(e.Path).point
		return "Make room on the file system, whose use `" + failure.Shell("df", "-h", point) +
			"` and `" +
			failure.Shell("df", "-i", point) + "` show, or in its user's quota."
	case unix.EPERM:
		return "Take the immutable attribute away: `" + failure.Shell("chattr", "-i", e.Path) +
			"`; if it has none (" + failure.Shell("lsattr", "-d") +
			"), look at the security module."
	case unix.EACCES:
		return e.permit()
	}
	return failure.Advise("Repair %s, %s.", failure.Clean(e.Path), nameAnother())
}

// permit is the remedy for a user who may not write in a directory.
func (e explanation) permit() failure.Remedy {
	if e.UID == 0 {
		return failure.Advise("Let root write in %s (a network file system may refuse root), %s.",
			failure.Clean(e.Path), nameAnother())
	}
	if len(e.Rest) > 0 {
		first := explanation{obstacle: &obstacle{Path: path.Join(e.Path, e.Rest[0]),
			Rest: e.Rest[1:], Owner: e.UID}}
		if e.Link != "" {
			// He chose where it leads: nobody is to make him a directory in /etc without a second
			// thought.
			return failure.Advise("If %s should lead there, run `%s` as root; if not, %s.",
				failure.Clean(e.Link), first.create(), nameItself())
		}
		return "Run `" + first.create() + "` as root."
	}
	if e.Link != "" && e.UID != e.me {
		return "Let root own the link, if that is where it should lead: `" +
			failure.Shell("chown", "-h", "root:", e.Link) + "`."
	}
	return "Run `" + failure.Shell("chown", ownership(e.UID), e.Path) + "` as root."
}
