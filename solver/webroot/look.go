package webroot

import (
	"context"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"orderly/failure"
)

// A document root is looked at on days on which nothing is ordered: what would stop a token, what
// killed runs left, and what room there is. Nothing is written for it.

// Ground is what was found of a document root.
type Ground struct {
	// Identity is what is found there; zero where it cannot be reached.
	Identity
	// Err is what keeps a token from being put there; nil for nothing. It is one of Plan's.
	Err error
	// Reached says that the document root is there: what is in the way is in it.
	Reached bool
	// Absent is the first on the way to it that is not there, "" where all is.
	Absent string
	// Changed is when the directory in which the way ended was changed last: what is gone went then.
	Changed time.Time
	// Left are the tokens that stand there, oldest first, at most mostLeft; Dir is where.
	Left []Left
	Dir  string
	// Room is what is left on its file system.
	Room Room
	spot *Spot
}

// Left is a file in the tokens' directory that is a token by name and content.
type Left struct {
	Token string `json:"token"`
	// Thumbprint is that of the account's key (RFC 7638) by the file's content.
	Thumbprint string    `json:"thumbprint"`
	Changed    time.Time `json:"changed"`
}

// Room is what is left on a file system.
type Room struct {
	Bytes     uint64 `json:"bytes"`  // that the one who asked can still write
	Size      uint64 `json:"size"`   // in bytes, all together
	Files     uint64 `json:"files"`  // that can still be made
	Inodes    uint64 `json:"inodes"` // all together; 0 where they are not counted
	ReadOnly  bool   `json:"read_only,omitempty"`
	Unlimited bool   `json:"unlimited,omitempty"` // it could not be asked
}

// mostLeft bounds the tokens that are told of, so that they fit into a message.
const mostLeft = 200

// Look looks at a document root and changes nothing. The error is one of asking; what is wrong with
// the document root is in the Ground.
func (w *Writer) Look(ctx context.Context, root string) (Ground, error) {
	abs, err := absolute(root)
	if err != nil {
		return Ground{}, err
	}
	r, err := w.question(ctx, question{Op: opLook, Root: abs})
	if err != nil {
		return Ground{}, err
	}
	g := Ground{Changed: r.Changed, Left: r.Left, spot: r.Spot}
	if r.Room != nil {
		g.Room = *r.Room
	}
	if r.Spot != nil {
		g.Dir = r.Spot.Dir
	}
	if r.Site != nil {
		g.Identity = r.Site.Identity
	}
	if o := r.Obstacle; o != nil {
		g.Err = w.explain(abs, o)
		g.Reached = r.Site != nil && o.Level > 0 && o.Path != r.Site.Path
		if o.Kind == absent && o.Level == 0 {
			g.Absent = o.Path
		}
	}
	return g, nil
}

// WrittenBy is as which user a token would be put there; false where that was not found out.
func (g Ground) WrittenBy() (uid uint32, known bool) {
	if g.spot == nil {
		return 0, false
	}
	return g.spot.UID, true
}

// Of is the placement of a token that was left, for Remove.
func (g Ground) Of(root string, l Left) Placement {
	abs, err := absolute(root)
	if err != nil || g.spot == nil {
		return Placement{}
	}
	return Placement{Root: abs, Token: l.Token, Spots: []Spot{*g.spot}}
}

// look is the answer about a document root that a walk has come to.
func (h *hand) look(missing []string) reply {
	top := h.walk.top()
	r := reply{Site: h.site, Spot: h.spot(missing), Obstacle: h.mayWrite(missing), Changed: top.changed}
	room := roomOf(top.fd, h.guest || h.self.uid != 0)
	r.Room = &room
	if len(missing) == 0 {
		r.Left = h.left()
	}
	return r
}

// stopped is the answer where the walk was stopped.
func (h *hand) stopped(err error) reply {
	r := refusal(err)
	if len(h.walk.stack) > 0 {
		r.Changed = h.walk.top().changed
	}
	return r
}

// left lists the tokens in the directory that the walk has come to. What cannot be listed has none.
func (h *hand) left() []Left {
	names, err := list(h.walk)
	if err != nil {
		return nil
	}
	var all []Left
	for _, name := range names {
		if checkToken(name) != nil || isProbe(name) {
			continue
		}
		file := tokenFile{me: h.self, dir: h.walk.top(), name: name}
		content, err := file.read(len(name) + longestThumbprint)
		thumbprint, ok := strings.CutPrefix(strings.TrimSpace(content), name+".")
		if err != nil || !ok || thumbprint == "" || !isBase64URL(thumbprint) {
			continue
		}
		if e, err := statAt(h.walk.top().fd, name); err == nil {
			all = append(all, Left{name, thumbprint, e.changed})
		}
	}
	slices.SortFunc(all, func(a, b Left) int { return a.Changed.Compare(b.Changed) })
	return all[:min(len(all), mostLeft)]
}

// longestThumbprint is more than a dot, a thumbprint by SHA-256 and a line's end.
const longestThumbprint = 64

// roomOf asks what is left on the file system of an open directory: bounded says that what is kept
// for root is not to be had.
func roomOf(fd int, bounded bool) Room {
	var st unix.Statfs_t
	if err := again(func() error { return unix.Fstatfs(fd, &st) }); err != nil {
		return Room{Unlimited: true}
	}
	return roomIn(st, bounded)
}

func roomIn(st unix.Statfs_t, bounded bool) Room {
	free := uint64(st.Bfree)
	if bounded {
		free = uint64(max(st.Bavail, 0))
	}
	unit := uint64(st.Bsize)
	return Room{Bytes: free * unit, Size: uint64(st.Blocks) * unit, Files: uint64(st.Ffree),
		Inodes: uint64(st.Files), ReadOnly: uint64(st.Flags)&readOnlyFlag != 0,
		Unlimited: st.Blocks == 0}
}

// RoomAt asks what is left where a path of this program's own is. It must not be asked of what
// customers own.
func RoomAt(path string, bounded bool) (Room, error) {
	var st unix.Statfs_t
	if err := again(func() error { return unix.Statfs(path, &st) }); err != nil {
		return Room{}, failure.Wrap(err, failure.Config, "", "%s cannot be looked at", path)
	}
	return roomIn(st, bounded), nil
}
