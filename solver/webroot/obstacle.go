package webroot

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// A helper knows what stopped it, the run knows how to say it: what passes between them is this.

// obstacleKind tells apart what a person would do different things about.
type obstacleKind int

const (
	absent      obstacleKind = iota + 1 // nothing of that name
	noDirectory                         // something else where a directory must be
	occupied                            // something else where the token's file must be
	// a path that leads nowhere, or that cannot be walked by a rule
	unsafe
	second     // a link of another user than the one whose link led there
	closedDoor // the system refused to enter a directory
	denied     // the system refused something else
	silent     // the file system does not answer
	barred     // the process may not act as another user
)

func (k obstacleKind) isUnsafe() bool { return k == unsafe || k == second || k == barred }

// obstacle is what stopped a walk or a write, and where. A helper sends it to the run, which makes
// a sentence of it.
type obstacle struct {
	Kind  obstacleKind `json:"kind"`
	Path  string       `json:"path"`
	What  string       `json:"what,omitempty"` // what is there; for second, the first user's link
	Errno unix.Errno   `json:"errno,omitempty"`
	UID   uint32       `json:"uid"`             // who was refused or, for second, whose link it is
	Owner uint32       `json:"owner"`           // of the directory that it is in or, for second, the first user
	Link  string       `json:"link,omitempty"`  // the link that led there
	Rest  []string     `json:"rest,omitempty"`  // what was still to be walked or made below
	Level int          `json:"level,omitempty"` // 0 on the way to the document root
}

func (o *obstacle) Error() string {
	if o.Errno == 0 {
		return o.Path + " " + o.What
	}
	return fmt.Sprintf("%s: %v", o.Path, o.Errno)
}
