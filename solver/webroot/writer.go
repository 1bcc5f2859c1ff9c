// Package webroot puts the files of http-01 challenges (RFC 8555 section 8.3) into document roots and takes them away
// again. It runs as root on ground that a customer owns, so it must never follow a path that a customer controls out of
// the document root: every path is walked a component at a time from open descriptors, links are resolved by hand, a file
// is always made anew, and only directories it made itself change their owner or are removed. It must never create or
// remove a document root.
package webroot

import (
	"errors"
	"fmt"
	"path"
	"path/filepath"
	"regexp"
	"slices"

	"golang.org/x/sys/unix"

	"orderly/failure"
)

const (
	wellKnown = ".well-known"
	challenge = ".well-known/acme-challenge"
)

// levels are the directories below a document root down to the token, outermost first.
func levels() []string { return []string{wellKnown, challenge} }

// Writer writes into document roots. Its zero value is ready; it may be used from many goroutines, and many processes may
// work on one document root at once.
type Writer struct{}

// Placement is one token in one document root: what Plan found, what is to be recorded before Place acts, and all that
// Remove needs to know.
type Placement struct {
	Root  string `json:"root"` // absolute
	Token string `json:"token"`
	// Made are the directories below Root that were missing when it was planned, so that they are removed again:
	// ".well-known" and ".well-known/acme-challenge", outermost first.
	Made []string `json:"made,omitempty"`
}

// Path returns where the token's file is, as the web server would name it.
func (p Placement) Path() string { return path.Join(p.Root, challenge, p.Token) }

// Identity tells one document root from another: it changes when the path, or what is found there, is replaced.
type Identity struct {
	Path          string // links resolved
	Device, Inode uint64
}

// Inspect looks whether root exists, is a directory and can be trusted, and changes nothing. It fails with WebrootGone,
// WebrootUnsafe, or WebrootLocked where root cannot even be entered; what stands in the way below it is left to Check.
func (w *Writer) Inspect(root string) (Identity, error) {
	walk, root, err := open(root)
	if err != nil {
		return Identity{}, err
	}
	defer walk.close()
	site := walk.site
	if _, err := missingBelow(walk); err != nil {
		if err := explainBelow(root, err); failure.ClassOf(err) == failure.WebrootUnsafe {
			return Identity{}, err
		}
	}
	return Identity{Path: site.path, Device: site.device, Inode: site.inode}, nil
}

// Plan looks at root and says what placing token will do there. It changes nothing. An error is a *failure.Error:
// WebrootGone, WebrootUnsafe or WebrootLocked, or CAUnavailable for a token that is none (RFC 8555 section 8.3: base64url).
func (w *Writer) Plan(root, token string) (Placement, error) {
	if err := checkToken(token); err != nil {
		return Placement{}, err
	}
	walk, root, err := open(root)
	if err != nil {
		return Placement{}, err
	}
	defer walk.close()
	made, err := missingBelow(walk)
	if err != nil {
		return Placement{}, explainBelow(root, err)
	}
	return Placement{Root: root, Token: token, Made: made}, nil
}

// Place writes content into the token's file, mode 0644, and makes the directories that are missing, mode 0755, with the
// owner of the document root, as certbot does. It may be repeated: a file that already has the content is left in place
// (a CA may be fetching it), anything else is unlinked and made anew. The errors are those of Plan.
func (w *Writer) Place(p Placement, content string) error {
	if err := p.check(); err != nil {
		return err
	}
	err := errMoved
	for attempt := 0; attempt < maxAttempts && errors.Is(err, errMoved); attempt++ {
		err = place(p, content)
	}
	if errors.Is(err, errMoved) {
		return failure.New(failure.WebrootLocked, "Look for a program that removes "+challenge+" there, and stop it.",
			"document root %s cannot be written: %s disappears as fast as it is made", failure.Clean(p.Root), challenge)
	}
	return err
}

const maxAttempts = 32

// errMoved says that a directory was removed, or a file made, by another process at the same time.
var errMoved = errors.New("changed while it was worked on")

func place(p Placement, content string) error {
	walk, root, err := open(p.Root)
	if err != nil {
		return err
	}
	defer walk.close()
	for _, level := range levels() {
		if err := walk.descendOrMake(path.Base(level), slices.Contains(p.Made, level)); err != nil {
			return explainUnlessMoved(root, err)
		}
	}
	return explainUnlessMoved(root, writeToken(walk.self, walk.top(), p.Token, content))
}

func explainUnlessMoved(root string, err error) error {
	if err == nil || errors.Is(err, errMoved) {
		return err
	}
	return explainBelow(root, err)
}

// Remove unlinks the token's file and then the directories in Made that are empty, innermost first. What is not there, and
// what is not a plain file, is left alone without an error. It fails with WebrootUnsafe where it could not reach the file
// without trusting a customer's link, and with WebrootLocked where the system refuses.
func (w *Writer) Remove(p Placement) error {
	if err := p.check(); err != nil {
		return err
	}
	walk, err := reach(p.Root, levels())
	if walk != nil {
		err = unlinkToken(walk.top(), p.Token)
		walk.close()
	}
	if err != nil {
		return explainBelow(p.Root, err)
	}
	for _, level := range slices.Backward(p.Made) {
		if err := removeDirectory(p.Root, level); err != nil {
			return explainBelow(p.Root, err)
		}
	}
	return nil
}

// reach opens the document root and the directories below it. It returns nil, nil if one of them is not there.
func reach(root string, down []string) (*walker, error) {
	walk, err := enter(root)
	if isGone(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	for _, level := range down {
		missing, err := walk.descend(path.Base(level))
		if missing || isGone(err) {
			walk.close()
			return nil, nil
		}
		if err != nil {
			walk.close()
			return nil, err
		}
	}
	return walk, nil
}

// isGone reports whether nothing, or no directory, is where one was: then there is nothing of ours either.
func isGone(err error) bool {
	o, ok := errors.AsType[*obstacle](err)
	return ok && (o.kind == absent || o.kind == noDirectory)
}

// removeDirectory removes level below root if it is an empty directory.
func removeDirectory(root, level string) error {
	above := levels()[:slices.Index(levels(), level)]
	walk, err := reach(root, above)
	if walk == nil {
		return err
	}
	defer walk.close()
	err = unlinkAt(walk.top().fd, path.Base(level), unix.AT_REMOVEDIR)
	for _, harmless := range []error{unix.ENOENT, unix.ENOTEMPTY, unix.EEXIST, unix.ENOTDIR, unix.EBUSY} {
		if errors.Is(err, harmless) {
			return nil // gone, in use by others, or replaced by what is not ours
		}
	}
	if err != nil {
		return &obstacle{kind: denied, path: path.Join(walk.top().path, path.Base(level)), cause: err}
	}
	return nil
}

// open makes root absolute and enters it.
func open(root string) (*walker, string, error) {
	abs, err := filepath.Abs(root)
	if err != nil {
		return nil, root, fmt.Errorf("document root %s: %w", root, err)
	}
	walk, err := enter(abs)
	if err != nil {
		return nil, abs, explainRoot(abs, err)
	}
	return walk, abs, nil
}

// missingBelow walks down to the tokens' directory as far as it exists and returns what is missing.
func missingBelow(walk *walker) ([]string, error) {
	for i, level := range levels() {
		missing, err := walk.descend(path.Base(level))
		if err != nil {
			return nil, err
		}
		if missing {
			return levels()[i:], nil
		}
	}
	return nil, nil
}

// tokenPattern is base64url without padding. The length keeps within a file name.
var tokenPattern = regexp.MustCompile(`^[A-Za-z0-9_-]{1,200}$`)

func checkToken(token string) error {
	if tokenPattern.MatchString(token) {
		return nil
	}
	return failure.New(failure.CAUnavailable, "Tell the CA: a token may hold letters, digits, - and _ only (RFC 8555 section 8.3).",
		"the CA sent a token that cannot be a file's name: %q", failure.Clean(token))
}

// check guards against a placement that was recorded by something else, or changed: it would be obeyed as root.
func (p Placement) check() error {
	if err := checkToken(p.Token); err != nil {
		return err
	}
	known := len(p.Made) == 0 || slices.Equal(p.Made, levels()) || slices.Equal(p.Made, []string{challenge})
	if !path.IsAbs(p.Root) || path.Clean(p.Root) != p.Root || !known {
		return failure.New(failure.Internal, "", "a recorded token has no usable place: root %q, directories %q", p.Root, p.Made)
	}
	return nil
}
