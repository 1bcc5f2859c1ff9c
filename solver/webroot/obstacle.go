package webroot

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"orderly/failure"
)

// obstacleKind tells apart what a person would do different things about.
type obstacleKind int

const (
	absent      obstacleKind = iota // nothing of that name
	noDirectory                     // something else where a directory must be
	occupied                        // a directory where the token's file must be
	unsafe                          // a link or a path that is not to be trusted
	planted                         // root's directory, in a directory that others can write
	denied                          // the system refused
)

// obstacle is what stopped a walk or a write, and where.
type obstacle struct {
	kind  obstacleKind
	path  string
	what  string // what is there or, for planted, the directory above
	cause error
}

func (o *obstacle) Error() string {
	if o.cause == nil {
		return o.path + " " + o.what
	}
	return fmt.Sprintf("%s: %v", o.path, o.cause)
}

func (o *obstacle) Unwrap() error { return o.cause }

const (
	nameAnother = "name the right one: orderly reconfigure --cert-name NAME --webroot -w DIR for a certificate that exists, -w DIR for a new one"
	ownLink     = "Name the directory itself with -w instead of a link, or let root own the link in a directory that only root can write."
)

// explainRoot turns what stopped the walk to the document root into a sentence.
func explainRoot(root string, err error) error {
	o, ok := errors.AsType[*obstacle](err)
	if !ok {
		return fmt.Errorf("document root %s: %w", root, err)
	}
	where := failure.Clean(o.path)
	switch o.kind {
	case absent:
		reason := ""
		if o.path != root {
			reason = ": there is no " + where
		}
		return failure.New(failure.WebrootGone, "Create it, or "+nameAnother+".", "document root %s does not exist%s", failure.Clean(root), reason)
	case noDirectory:
		return failure.New(failure.WebrootGone, "Put a directory there, or "+nameAnother+".",
			"document root %s is not a directory: %s is %s", failure.Clean(root), where, o.what)
	case denied:
		return failure.New(failure.WebrootLocked, "Let the user that runs orderly enter "+where+", or run orderly as root.",
			"document root %s cannot be opened: %s: %s", failure.Clean(root), where, meaning(o.cause))
	}
	return explainUnsafe(root, o)
}

// explainBelow turns what stopped work below the document root into a sentence.
func explainBelow(root string, err error) error {
	o, ok := errors.AsType[*obstacle](err)
	if !ok {
		return fmt.Errorf("document root %s: %w", root, err)
	}
	where := failure.Clean(o.path)
	locked := func(remedy, what string) error {
		return failure.New(failure.WebrootLocked, remedy, "document root %s cannot be written: %s %s", failure.Clean(root), where, what)
	}
	switch o.kind {
	case absent:
		return locked("Create "+where+", or remove the link that points there.", "does not exist, though a link points there")
	case noDirectory:
		return locked("Move "+where+" away: a directory must be there.", "is "+o.what+" where a directory must be")
	case occupied:
		return locked("Move "+where+" away: a plain file must be there.", "is a directory where a file must be")
	case denied:
		return locked(wayOut(o.cause, where), "cannot be written: "+meaning(o.cause))
	}
	return explainUnsafe(root, o)
}

func explainUnsafe(root string, o *obstacle) error {
	where, root := failure.Clean(o.path), failure.Clean(root)
	if o.kind == planted {
		above := failure.Clean(o.what)
		return failure.New(failure.WebrootUnsafe,
			fmt.Sprintf("Give %s to the customer (chown), or take the right to write %s and what is above it from others than root.", where, above),
			"document root %s is not safe to write to: %s belongs to root, but others can write a directory above it and could have put it there", root, where)
	}
	return failure.New(failure.WebrootUnsafe, ownLink, "document root %s is not safe to write to: %s %s", root, where, o.what)
}

// meaning says what an error number means here. The system's own words mislead where root is refused ("operation not
// permitted" for an immutable file).
func meaning(err error) string {
	switch {
	case errors.Is(err, unix.EROFS):
		return "the file system is mounted read-only"
	case errors.Is(err, unix.ENOSPC):
		return "no space (or no inode) is left on the file system"
	case errors.Is(err, unix.EDQUOT):
		return "the disk quota is used up"
	case errors.Is(err, unix.EPERM):
		return "operation not permitted (an immutable attribute, or a security module)"
	case errors.Is(err, unix.EACCES):
		return "permission denied"
	case errors.Is(err, unix.ESTALE):
		return "the network file system has lost it"
	}
	return failure.Clean(err.Error())
}

func wayOut(err error, where string) string {
	switch {
	case errors.Is(err, unix.EROFS):
		return "Mount the file system writable, or " + nameAnother + "."
	case errors.Is(err, unix.ENOSPC), errors.Is(err, unix.EDQUOT):
		return "Make room on the file system of " + where + " (df -h, df -i, quota)."
	case errors.Is(err, unix.EPERM):
		return "Look at the attributes of " + where + " and of the directory it lies in (lsattr -d; chattr -i takes the immutable one away)."
	case errors.Is(err, unix.EACCES):
		return "Let the user that runs orderly write there, or run orderly as root (a network file system may refuse root as well)."
	}
	return "Repair " + where + ", or " + nameAnother + "."
}
