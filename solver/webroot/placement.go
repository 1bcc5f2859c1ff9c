package webroot

import (
	"path"
	"slices"

	"orderly/failure"
)

// What the ledger keeps of a token: enough for a later process to find and remove it, and no more
// than that process may obey as root.

// Placement is one token of one document root: what Plan found, what is to be recorded before Place
// acts, and all that Remove needs to know.
type Placement struct {
	Root  string `json:"root"` // absolute, as it was named
	Token string `json:"token"`
	// Spots are where the token stands or was about to be put, the present one last: a link on the
	// way may lead elsewhere from one moment to the next, and what was put through it stays where
	// it is.
	Spots []Spot `json:"spots,omitempty"`
}

// After returns a placement that knows of another one of the same token, which may still stand, so
// that it is removed with it.
func (p Placement) After(former Placement) Placement {
	p.Spots = append(slices.Clone(former.Spots), p.Spots...)
	if n := len(p.Spots) - maxSpots; n > 0 {
		p.Spots = p.Spots[n:]
	}
	return p
}

// Spot is a directory for a token, links resolved, and as whom it is worked on.
type Spot struct {
	Dir string `json:"dir"`
	UID uint32 `json:"uid"`
	// From is the part of Dir that is reached with the run's own rights, where UID is another
	// user's.
	From string `json:"from,omitempty"`
	// Closed says that others could choose what Dir is: nothing is removed there that was not made
	// for the token.
	Closed bool `json:"closed,omitempty"`
	// Made are the directories on the way that were missing, outermost first, so that they are
	// removed again.
	Made []Made `json:"made,omitempty"`
}

// Made is a directory that was made for a token. Device and Inode are known once it exists.
type Made struct {
	Path   string `json:"path"`
	Device uint64 `json:"device,omitempty"`
	Inode  uint64 `json:"inode,omitempty"`
}

// is reports whether an open directory is the one that was made.
func (m Made) is(n node) bool {
	if m.Inode == 0 {
		return n.path == m.Path // the process ended before it was known
	}
	return path.Base(n.path) == path.Base(m.Path) && n.device == m.Device && n.inode == m.Inode
}

func (s *Spot) made(at string) bool {
	return s != nil && slices.ContainsFunc(s.Made, func(m Made) bool { return m.Path == at })
}

// covers reports whether what was recorded says of where a walk has come to all that is about to be
// done there.
func (s *Spot) covers(now *Spot) bool {
	same := s != nil && s.Dir == now.Dir && s.UID == now.UID && s.Closed == now.Closed &&
		s.From == now.From
	return same && !slices.ContainsFunc(now.Made, func(m Made) bool { return !s.made(m.Path) })
}

// note keeps what a directory that was made is.
func (s *Spot) note(at string, e entry) {
	for i := range s.Made {
		if s.Made[i].Path == at {
			s.Made[i].Device, s.Made[i].Inode = e.device, e.inode
		}
	}
}

// Path returns where the token's file is, as the web server would name it.
func (p Placement) Path() string { return path.Join(p.Root, challenge, p.Token) }

// check guards against a placement that was recorded by something else, or changed: it would be
// obeyed as root.
func (p Placement) check() error {
	if err := checkToken(p.Token); err != nil {
		return err
	}
	if !isClean(p.Root) || slices.ContainsFunc(p.Spots, func(s Spot) bool { return !s.usable() }) {
		return failure.New(failure.Internal, "",
			"a recorded token has no usable place: root %q, %+v", p.Root, p.Spots)
	}
	return nil
}

// usable reports whether a spot can have been made by Plan: directories for tokens alone, at the
// end of the path.
func (s Spot) usable() bool {
	if !isClean(s.Dir) || s.From != "" && (!isClean(s.From) || !within(s.Dir, s.From)) || len(s.Made) > len(names()) {
		return false
	}
	at := s.Dir
	levels := names()[len(names())-len(s.Made):]
	for i, made := range slices.Backward(s.Made) {
		if made.Path != at || path.Base(at) != levels[i] {
			return false
		}
		at = path.Dir(at)
	}
	return true
}

func isClean(p string) bool { return path.IsAbs(p) && path.Clean(p) == p }
