package webroot

import (
	"encoding/json"
	"errors"
	"io"
	"time"

	"golang.org/x/sys/unix"
)

// The run and its helpers speak in single datagrams, so that half a question is never obeyed.

// What a helper can be asked to do.
const (
	opPlan   = "plan"   // walk to the tokens' directory as far as it exists
	opPlace  = "place"  // and put a token there
	opRemove = "remove" // take a token away, and the directories that were made for it
	opSweep  = "sweep"  // remove probes of killed runs
	opStands = "stands" // look whether a token's file is there
	opLook   = "look"   // look what is in a token's way, what is left there, and what room there is
	opRead   = "read"   // read a piece of a file in the document root itself
)

// question is one request to a helper. If Course is set, another identity began the walk, and the
// descriptor of the directory it has come to comes along.
type question struct {
	Op      string    `json:"op"`
	Root    string    `json:"root"`
	Token   string    `json:"token,omitempty"`
	Content string    `json:"content,omitempty"`
	Spot    *Spot     `json:"spot,omitempty"`
	Now     time.Time `json:"now,omitzero"`
	Offset  int64     `json:"offset,omitempty"` // of the piece that is to be read
	Course  *course   `json:"course,omitempty"`
	// Silent are mount points that did not answer in this run: they are not touched again.
	Silent []string `json:"silent,omitempty"`
}

// course is a walk on its way: what one identity knows when it hands over to another.
type course struct {
	UID      uint32   `json:"uid"`  // who goes on
	Link     string   `json:"link"` // the link of his that led there; "" for a file system that is his to answer for
	Path     string   `json:"path"` // of the directory it has come to, links resolved
	From     string   `json:"from,omitempty"`
	Steps    []string `json:"steps"`              // still to be walked on this level
	Absolute bool     `json:"absolute,omitempty"` // they begin at the root of the file system
	Level    int      `json:"level"`              // 0 on the way to the document root, then one for each of levels
	Fresh    bool     `json:"fresh,omitempty"`    // the level is not begun yet: Steps is empty
	Origin   string   `json:"origin"`             // path of the link whose target is walked, "" if none
	Site     *site    `json:"site,omitzero"`      // once the document root is reached
	Closed   bool     `json:"closed,omitempty"`
	Taken    int      `json:"taken"` // components so far
}

// site is the document root, once it is reached.
type site struct {
	Identity
	UID uint32 `json:"uid"`
	GID uint32 `json:"gid"`
}

// reply is what a helper answers. While a question takes its time, it says what it is about to look
// at, which may keep it for ever, in one with At alone.
type reply struct {
	At       string    `json:"at,omitempty"`
	Turn     *course   `json:"turn,omitempty"` // with the descriptor of the directory
	Obstacle *obstacle `json:"obstacle,omitempty"`
	Site     *site     `json:"site,omitempty"`
	Spot     *Spot     `json:"spot,omitempty"`
	Moved    bool      `json:"moved,omitempty"` // the path leads elsewhere than to the spot that was recorded: nothing was done
	Again    bool      `json:"again,omitempty"` // something changed under the helper's hands: nothing was done for good
	Swept    int       `json:"swept,omitempty"`
	Stands   bool      `json:"stands,omitempty"`
	Left     []Left    `json:"left,omitempty"`
	Room     *Room     `json:"room,omitempty"`
	Changed  time.Time `json:"changed,omitzero"`
	Piece    []byte    `json:"piece,omitempty"` // of a file that was read; none at its end
}

// mostBytes bounds a message: paths, a token and a sentence.
const mostBytes = 64 << 10

// encoded is a message as it is sent, within the bound.
func encoded(message any) ([]byte, error) {
	text, err := json.Marshal(message)
	if err == nil && len(text) > mostBytes {
		err = unix.EMSGSIZE
	}
	return text, err
}

// decoded reads a message and returns the descriptor that came with it, -1 for none.
func decoded(text, rights []byte, message any) (fd int, err error) {
	fd, err = passed(rights)
	if err == nil {
		err = json.Unmarshal(text, message)
	}
	if err != nil && fd >= 0 {
		_ = unix.Close(fd)
		fd = -1
	}
	return fd, err
}

// send writes one message to a socket that keeps their boundaries. fd goes with it unless it is
// negative.
func send(socket int, message any, fd int) error {
	text, err := encoded(message)
	if err != nil {
		return err
	}
	var rights []byte
	if fd >= 0 {
		rights = unix.UnixRights(fd)
	}
	return again(func() error { return unix.Sendmsg(socket, text, rights, nil, unix.MSG_NOSIGNAL) })
}

// receive reads one message into the room for it. io.EOF says that the other side is gone.
func receive(socket int, text []byte, message any) (fd int, err error) {
	rights := make([]byte, unix.CmsgSpace(4))
	n, size := 0, 0
	err = again(func() (err error) {
		n, size, _, _, err = unix.Recvmsg(socket, text, rights, unix.MSG_CMSG_CLOEXEC)
		return err
	})
	if err == nil && n == 0 {
		err = io.EOF
	}
	if err != nil {
		return -1, err
	}
	return decoded(text[:n], rights[:size], message)
}

// passed returns the descriptor in a control message, -1 for none.
func passed(rights []byte) (int, error) {
	if len(rights) == 0 {
		return -1, nil
	}
	messages, err := unix.ParseSocketControlMessage(rights)
	if err != nil || len(messages) == 0 {
		return -1, err
	}
	fds, err := unix.ParseUnixRights(&messages[0])
	if err != nil {
		return -1, err
	}
	if len(fds) != 1 {
		return -1, errors.New("a helper passed more than one descriptor")
	}
	return fds[0], nil
}
